#pragma once
// A bar with rate and time left on a terminal; nothing but whole lines elsewhere.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace bouton::app {

// Writes to standard error. Not thread safe: one thread reports.
class ProgressBar {
 public:
  // `unit`: what is counted, in the plural; `per_batch`: how many of them a batch holds.
  ProgressBar(std::string unit, int64_t per_batch);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // `batch` of `batches` batches of epoch `epoch` of `epochs` are done. `note` follows the bar ("loss 0.123").
  void update(int64_t epoch, int64_t epochs, int64_t batch, int64_t batches, const std::string& note);
  // One line that stays.
  void line(const std::string& text);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::string unit_;
  int64_t per_batch_;
  bool terminal_;
  bool shown_ = false;
  int64_t first_ = -1;  // batches done before the first update of this process: a resumed run does not start at zero
  Clock::time_point begun_{}, drawn_{};
};

}  // namespace bouton::app
