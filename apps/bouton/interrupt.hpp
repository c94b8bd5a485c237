#pragma once
// Ctrl-C: once asks, twice ends.

namespace bouton::app {

// From construction on, the first SIGINT or SIGTERM only raises a flag and says so on standard error; the second ends
// the process. The destructor gives the signals back. One at a time in a process.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  [[nodiscard]] static bool asked();  // any thread
};

}  // namespace bouton::app
