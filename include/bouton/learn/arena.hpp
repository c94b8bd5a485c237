#pragma once
// Memory for tensors that is kept instead of given back. Fresh pages cost ten times what a copy costs, and the C
// library maps and unmaps every large block; a training step asks for the same sizes again and again.

#include <cstdint>

namespace bouton::learn {

struct ArenaReport {
  bool installed = false;
  int64_t reserved = 0;   // bytes taken from the system
  int64_t used = 0;       // bytes in live blocks, rounded up to their size class
  int64_t peak_used = 0;  // largest `used` so far
  int64_t hits = 0;       // requests served from kept blocks
  int64_t misses = 0;     // requests that needed fresh memory
};

// From now on LibTorch takes CPU tensors from the arena: size-classed free lists over 2 MB-aligned blocks of huge
// pages. Call once, early in main; further calls do nothing. Tensors made before stay as they are. Thread safe.
void use_arena();

// Gives the kept large blocks back to the system. Live tensors are untouched. Returns the bytes given back. Thread
// safe.
int64_t trim_arena();

[[nodiscard]] ArenaReport arena_report();

}  // namespace bouton::learn
