// Dimming and folding.
#include "apps/answer_printer.h"

#include <unistd.h>

#include <cstdio>

#include "apps/commands.h"
#include "apps/terminal.h"

namespace ashlar::app {
namespace {

long words_of(std::string_view text) {
  long words = 0;
  bool in_word = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t';
    if (!space && !in_word) ++words;
    in_word = !space;
  }
  return words;
}

}  // namespace

void add_reasoning_option(CLI::App& command, std::string& how) {
  add_value(command, "--reasoning", how, "HOW",
            "what a model thinks before it answers: show (dimmed), fold (one line that says "
            "how much) or hide; only a terminal gets it")
      ->capture_default_str()
      ->check(CLI::IsMember({"show", "fold", "hide"}))
      ->group("Generation");
}

AnswerPrinter::AnswerPrinter(const std::string& how)
    : how_(how == "show"   ? How::show
           : how == "fold" ? How::fold
                           : How::hide),
      terminal_(isatty(STDOUT_FILENO) != 0),
      on_error_(isatty(STDERR_FILENO) != 0) {
  if (!terminal_ && how_ == How::show) how_ = How::fold;
}

void AnswerPrinter::say(std::string_view text) {
  const std::string shown = terminal_ ? harmless(text) : std::string(text);
  if (shown.empty()) return;
  std::fwrite(shown.data(), 1, shown.size(), stdout);
  std::fflush(stdout);
  last_ = shown.back();
}

void AnswerPrinter::end_reasoning() {
  if (!within_) return;
  within_ = false;
  if (how_ == How::show) {
    std::fputs(style_end(stdout).c_str(), stdout);
    say(last_ == '\n' ? "\n" : "\n\n");
  } else if (how_ == How::fold) {
    std::fprintf(
        stderr, "%s%s\n", on_error_ ? "\r\033[K" : "",
        styled(stderr, Style::dim, "[thought for " + std::to_string(words_of(thought_)) + " words]")
            .c_str());
  }
  thought_.clear();
}

void AnswerPrinter::operator()(const Spoken& piece) {
  if (piece.as == Spoken::As::answer) {
    end_reasoning();
    say(piece.text);
    return;
  }
  if (!within_ && how_ == How::show) std::fputs(style_begin(stdout, Style::dim).c_str(), stdout);
  within_ = true;
  if (how_ == How::show) return say(piece.text);
  thought_ += piece.text;
  if (how_ == How::fold && on_error_)
    std::fprintf(stderr, "\r\033[K[thinking: %ld words]", words_of(thought_));
}

void AnswerPrinter::finish() {
  end_reasoning();
  std::fputc('\n', stdout);
  std::fflush(stdout);
  last_ = '\n';
}

}  // namespace ashlar::app
