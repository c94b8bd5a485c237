#pragma once
// Worker threads that move in lockstep.

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace bouton::engine {

// Everybody waits for everybody, in two parts: who has arrived may do what needs nobody else before it waits, and so
// the others' lateness costs nothing until then. The last to come does what is to be done alone. Waiting spins for a
// few microseconds, for steps are short, and then sleeps, for the core may be wanted elsewhere.
class Barrier {
 public:
  explicit Barrier(int members) : members_(static_cast<std::uint32_t>(members)), waiting_(members_) {}

  // Returns what to wait for, once, before the next arrival.
  template <typename Alone>
  [[nodiscard]] std::uint32_t arrive(Alone&& alone) {
    const std::uint32_t round = round_.load(std::memory_order_relaxed);
    if (waiting_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      alone();
      waiting_.store(members_, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      round_.notify_all();
    }
    return round;
  }

  void wait(std::uint32_t round) {
    for (int spins = 0; spins < patience; ++spins) {
      if (round_.load(std::memory_order_acquire) != round) return;
      pause();
    }
    while (round_.load(std::memory_order_acquire) == round) round_.wait(round, std::memory_order_acquire);
  }

 private:
  static constexpr int patience = 4000;
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  const std::uint32_t members_;
  alignas(64) std::atomic<std::uint32_t> waiting_;
  alignas(64) std::atomic<std::uint32_t> round_{0};
};

// Runs body(member) on `members` threads, this one among them, and returns when all have. `body` does not throw.
template <typename Body>
void in_parallel(int members, Body&& body) {
  std::vector<std::thread> others;
  for (int member = 1; member < members; ++member) others.emplace_back([&body, member] { body(member); });
  body(0);
  for (std::thread& other : others) other.join();
}

}  // namespace bouton::engine
