// Ctrl-C as a question that a long computation asks, instead of the end of the process.
#pragma once

#include <csignal>

namespace ashlar::app {

constexpr int kInterrupted = 128 + SIGINT;  // the exit code, as shells have it

class CatchInterrupt {
 public:
  enum class Second { is_caught, ends_the_process };

  /// While this lives, Ctrl-C makes caught() true.
  explicit CatchInterrupt(Second second) {
    flag() = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { flag() = 1; };
    if (second == Second::ends_the_process) action.sa_flags = SA_RESETHAND;
    sigaction(SIGINT, &action, &old_);
  }
  ~CatchInterrupt() { sigaction(SIGINT, &old_, nullptr); }
  CatchInterrupt(const CatchInterrupt&) = delete;
  CatchInterrupt& operator=(const CatchInterrupt&) = delete;

  static bool caught() { return flag() != 0; }

 private:
  static volatile std::sig_atomic_t& flag() {
    static volatile std::sig_atomic_t value = 0;
    return value;
  }
  struct sigaction old_ {};
};

}  // namespace ashlar::app
