// Ctrl-C as a question that a long computation asks, instead of the end of the process.
#pragma once

#include <csignal>
#include <initializer_list>
#include <utility>
#include <vector>

namespace ashlar::app {

class CatchInterrupt {
 public:
  enum class Second { is_caught, ends_the_process };

  /// While this lives, Ctrl-C, or any of `signals`, makes caught() true. `second` is what the same
  /// signal does when it comes again.
  explicit CatchInterrupt(Second second, std::initializer_list<int> signals = {SIGINT}) {
    signal_ = 0;
    struct sigaction action {};
    action.sa_handler = [](int signal) { signal_ = signal; };
    if (second == Second::ends_the_process) action.sa_flags = SA_RESETHAND;
    for (const int signal : signals) {
      before_.emplace_back(signal, action);
      sigaction(signal, &action, &before_.back().second);
    }
  }
  ~CatchInterrupt() {
    for (const auto& [signal, action] : before_) sigaction(signal, &action, nullptr);
  }
  CatchInterrupt(const CatchInterrupt&) = delete;
  CatchInterrupt& operator=(const CatchInterrupt&) = delete;

  static bool caught() { return signal_ != 0; }
  /// Of a process that what was caught has ended, as shells have it.
  static int exit_code() { return 128 + signal_; }

 private:
  static inline volatile std::sig_atomic_t signal_ = 0;
  std::vector<std::pair<int, struct sigaction>> before_;
};

}  // namespace ashlar::app
