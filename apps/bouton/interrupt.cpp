#include "bouton/interrupt.hpp"

#include <unistd.h>
#include <csignal>

namespace bouton::app {
namespace {

volatile std::sig_atomic_t asked_flag = 0;

void on_signal(int) {
  if (asked_flag) _exit(130);
  asked_flag = 1;
  static const char text[] = "\nstopping after this step, then saving (press Ctrl-C again to quit without)\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text, sizeof text - 1);
}

void handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  asked_flag = 0;
  handle(on_signal);
}
InterruptGuard::~InterruptGuard() { handle(SIG_DFL); }
bool InterruptGuard::asked() { return asked_flag != 0; }

}  // namespace bouton::app
