#include "bouton/learn/arena.hpp"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

namespace bouton::learn {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t slab_bytes =
    huge_page * 4;  // blocks under half of this are cut from slabs, larger ones mapped alone
constexpr std::size_t smallest = 128;
constexpr std::size_t line = 64;
constexpr std::size_t colours = 16;  // start offsets of large blocks: equal ones would share cache sets
constexpr std::size_t colour_step = 5 * line;

// Precedes every block.
struct alignas(line) Header {
  void* mapping = nullptr;  // of a block mapped alone; null for one cut from a slab
  std::size_t mapped = 0;   // bytes of that mapping
  std::size_t bytes = 0;    // usable
  std::size_t size_class = 0;
};
static_assert(sizeof(Header) == line);

// Size classes: four to each doubling, so at most a fifth of a block is lost.
std::size_t class_of(std::size_t bytes) {
  bytes = std::max(bytes, smallest);
  const auto exponent =
      static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // 2^exponent < bytes <= 2^(exponent + 1)
  const std::size_t quarter = (bytes - 1 - (std::size_t{1} << exponent)) >> (exponent - 2);
  return exponent * 4 + quarter;
}

std::size_t class_bytes(std::size_t size_class) {
  const std::size_t exponent = size_class / 4;
  return (std::size_t{1} << exponent) + ((size_class % 4 + 1) << (exponent - 2));
}

void* map_huge(std::size_t bytes) {
  // Over-map, then cut to a huge page's boundary: without the alignment the first and last pages stay small.
  char* raw =
      static_cast<char*>(mmap(nullptr, bytes + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (raw == MAP_FAILED) throw std::bad_alloc();
  char* aligned = raw + (huge_page - reinterpret_cast<std::uintptr_t>(raw) % huge_page) % huge_page;
  if (aligned != raw) munmap(raw, static_cast<std::size_t>(aligned - raw));
  const auto tail = static_cast<std::size_t>(raw + bytes + huge_page - (aligned + bytes));
  if (tail > 0) munmap(aligned + bytes, tail);
  madvise(aligned, bytes, MADV_HUGEPAGE);
  return aligned;
}

class Arena {
 public:
  void* take(std::size_t bytes) {
    const std::size_t size_class = class_of(bytes);
    const std::lock_guard lock(mutex_);
    std::vector<void*>& kept = free_[size_class];
    void* block = nullptr;
    if (!kept.empty()) {
      block = kept.back();
      kept.pop_back();
      ++report_.hits;
    } else {
      block = fresh(size_class);
      ++report_.misses;
    }
    report_.used += static_cast<int64_t>(header(block)->bytes);
    report_.peak_used = std::max(report_.peak_used, report_.used);
    return block;
  }

  void give(void* block) noexcept {
    const std::lock_guard lock(mutex_);
    report_.used -= static_cast<int64_t>(header(block)->bytes);
    free_[header(block)->size_class].push_back(block);  // room was made when the block was cut
  }

  int64_t trim() {
    const std::lock_guard lock(mutex_);
    int64_t given_back = 0;
    for (std::vector<void*>& kept : free_) {
      const auto alone =
          std::partition(kept.begin(), kept.end(), [](void* block) { return header(block)->mapping == nullptr; });
      for (auto block = alone; block != kept.end(); ++block) {
        const Header copy = *header(*block);
        munmap(copy.mapping, copy.mapped);
        given_back += static_cast<int64_t>(copy.mapped);
      }
      kept.erase(alone, kept.end());
    }
    report_.reserved -= given_back;
    return given_back;
  }

  ArenaReport report() {
    const std::lock_guard lock(mutex_);
    return report_;
  }

  void installed() {
    const std::lock_guard lock(mutex_);
    report_.installed = true;
  }

 private:
  static Header* header(void* block) { return reinterpret_cast<Header*>(static_cast<char*>(block) - sizeof(Header)); }

  void* fresh(std::size_t size_class) {
    const std::size_t bytes = class_bytes(size_class);
    free_[size_class].reserve(++cut_[size_class]);
    char* start = nullptr;
    Header made{.mapping = nullptr, .mapped = 0, .bytes = bytes, .size_class = size_class};
    const std::size_t offset = bytes >= 4096 ? (colour_++ % colours) * colour_step : 0;
    if (bytes < slab_bytes / 2) {
      const std::size_t needed = (sizeof(Header) + offset + bytes + line - 1) / line * line;
      if (needed > slab_left_) {
        slab_ = static_cast<char*>(map_huge(slab_bytes));
        slab_left_ = slab_bytes;
        report_.reserved += static_cast<int64_t>(slab_bytes);
      }
      start = slab_ + offset;
      slab_ += needed;
      slab_left_ -= needed;
    } else {
      made.mapped = (sizeof(Header) + offset + bytes + huge_page - 1) / huge_page * huge_page;
      made.mapping = map_huge(made.mapped);
      report_.reserved += static_cast<int64_t>(made.mapped);
      start = static_cast<char*>(made.mapping) + offset;
    }
    new (start) Header(made);
    return start + sizeof(Header);
  }

  std::mutex mutex_;
  std::array<std::vector<void*>, 256> free_;
  std::array<std::size_t, 256> cut_{};  // blocks ever made of each class
  char* slab_ = nullptr;
  std::size_t slab_left_ = 0, colour_ = 0;
  ArenaReport report_;
};

// Never destroyed: tensors of other static objects may be freed after main.
Arena& arena() {
  static Arena* const instance = new Arena;
  return *instance;
}

void give_back(void* block) {
  if (block) arena().give(block);
}

// LibTorch's allocator interface changed between 1.13 and 2.x: allocate() lost its const and copy_data() came. Both
// forms of allocate are defined, without `override`, and whichever the base class has is the one that is called.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsuggest-override"
#pragma GCC diagnostic ignored "-Woverloaded-virtual"
class ArenaAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) const { return take(bytes); }
  c10::DataPtr allocate(std::size_t bytes) { return take(bytes); }
  void copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }

 private:
  static c10::DataPtr take(std::size_t bytes) {
    const c10::Device here(c10::DeviceType::CPU);
    if (bytes == 0) return {nullptr, nullptr, &give_back, here};
    void* block = arena().take(bytes);
    return {block, block, &give_back, here};
  }
};
#pragma GCC diagnostic pop

}  // namespace

void use_arena() {
  static const bool once = [] {
    c10::SetCPUAllocator(new ArenaAllocator, /*priority=*/100);
    arena().installed();
    return true;
  }();
  static_cast<void>(once);
}

int64_t trim_arena() { return arena().trim(); }

ArenaReport arena_report() { return arena().report(); }

}  // namespace bouton::learn
