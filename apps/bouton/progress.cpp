#include "bouton/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "bouton/output.hpp"

namespace bouton::app {
namespace {

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string bar(double part, int width) {
  const int full = std::clamp(static_cast<int>(part * width), 0, width);
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

}  // namespace

ProgressBar::ProgressBar(std::string unit, int64_t per_batch)
    : unit_(std::move(unit)), per_batch_(per_batch), terminal_(isatty(STDERR_FILENO) != 0) {}

void ProgressBar::update(int64_t epoch, int64_t epochs, int64_t batch, int64_t batches, const std::string& note) {
  if (!terminal_ || batches <= 0) return;
  const auto now = Clock::now();
  const int64_t done = (std::max<int64_t>(epoch, 1) - 1) * batches + batch;
  if (first_ < 0) {
    first_ = done;
    begun_ = now;
  }
  if (shown_ && now - drawn_ < std::chrono::milliseconds(100) && batch < batches) return;
  drawn_ = now;
  shown_ = true;

  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0;
  std::string text = fmt::format("{}{} {}/{}", epochs > 1 ? fmt::format("epoch {}/{} ", epoch, epochs) : "",
                                 bar(static_cast<double>(batch) / static_cast<double>(batches), 20), batch, batches);
  if (!note.empty()) text += "  " + note;
  if (rate > 0) {
    text += fmt::format("  {:.0f} {}/s", rate * static_cast<double>(per_batch_), unit_);
    text += "  " + duration_text(static_cast<double>(epochs * batches - done) / rate) + " left";
  }
  const auto columns = static_cast<std::size_t>(terminal_columns() - 1);
  fmt::print(stderr, "\r\033[K{}", text.substr(0, columns));
  std::fflush(stderr);
}

void ProgressBar::line(const std::string& text) {
  clear();
  fmt::print(stderr, "{}\n", text);
}

void ProgressBar::clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace bouton::app
