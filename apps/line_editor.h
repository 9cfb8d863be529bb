// Lines that a person types: with editing, history, completion and pasting of many lines in a
// terminal; as they come from a pipe or file.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ashlar::app {

struct TypedLine {
  enum class Kind : unsigned char {
    line,
    interrupted,  // Ctrl-C: `text` is what stood there
    end           // Ctrl-D on an empty line, or the end of a file
  };
  Kind kind = Kind::end;
  std::string text;  // may hold line feeds, where they were pasted
};

class LineEditor {
 public:
  /// The candidates for the word before the cursor; given the line up to there. Each is what would
  /// stand in place of that word.
  using Complete = std::function<std::vector<std::string>(std::string_view line)>;

  /// `history`: the file that past lines are read from and new ones added to; empty: none. It is
  /// touched only where standard input is a terminal.
  explicit LineEditor(std::filesystem::path history = {}, Complete complete = {});
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  bool is_terminal() const;
  /// The next line, without its end (LF or CRLF).
  TypedLine read(const std::string& prompt);
  /// Adds to the history what was read as one or several lines.
  void remember(const std::string& text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ashlar::app
