// libedit with keys of our own: bracketed paste, Tab, Ctrl-C, Ctrl-Z.
#include "apps/line_editor.h"

#include <fcntl.h>
#include <histedit.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cwchar>
#include <fstream>
#include <iostream>

#include "apps/terminal.h"
#include "base/json.h"

namespace ashlar::app {
namespace {

constexpr int kRemembered = 1000;  // lines of history

/// Names like "C" know ASCII only, and libedit would drop every other letter.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX > 1) return;
  for (const char* name : {"C.UTF-8", "C.utf8", "en_US.UTF-8"}) {
    if (std::setlocale(LC_CTYPE, name) != nullptr && MB_CUR_MAX > 1) return;
  }
}

std::string narrow(const wchar_t* begin, const wchar_t* end) {
  std::string out;
  std::mbstate_t state{};
  std::vector<char> bytes(MB_CUR_MAX);
  for (; begin != end; ++begin) {
    const size_t n = std::wcrtomb(bytes.data(), *begin, &state);
    if (n != static_cast<size_t>(-1)) out.append(bytes.data(), n);
  }
  return out;
}

/// The beginning that all have in common.
std::string common(const std::vector<std::string>& words) {
  std::string prefix = words.front();
  for (const std::string& word : words) {
    size_t n = 0;
    while (n < std::min(prefix.size(), word.size()) && prefix[n] == word[n]) ++n;
    prefix.resize(n);
  }
  return prefix;
}

}  // namespace

struct LineEditor::Impl {
  bool terminal = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
  EditLine* editor = nullptr;
  History* past = nullptr;
  std::filesystem::path file;
  Complete complete;
  std::string prompt;
  bool interrupted = false;

  static Impl& of(EditLine* editor) {
    void* data = nullptr;
    el_get(editor, EL_CLIENTDATA, &data);
    return *static_cast<Impl*>(data);
  }

  static char* prompt_of(EditLine* editor) { return of(editor).prompt.data(); }

  std::string before_cursor() const {
    const LineInfoW* line = el_wline(editor);
    return narrow(line->buffer, line->cursor);
  }

  /// Everything up to the end of the paste becomes part of the line; nothing of it is a key.
  static unsigned char on_paste(EditLine* editor, int) {
    constexpr std::wstring_view kPasteEnd = L"\033[201~";
    std::wstring text;
    wchar_t c = 0;
    while (el_wgetc(editor, &c) == 1) {
      text.push_back(c);
      if (!text.ends_with(kPasteEnd)) continue;
      text.resize(text.size() - kPasteEnd.size());
      break;
    }
    std::wstring clean;
    for (size_t i = 0; i < text.size(); ++i) {
      const bool pair = text[i] == L'\r' && i + 1 < text.size() && text[i + 1] == L'\n';
      if (pair) continue;
      const wchar_t as = text[i] == L'\r' ? L'\n' : text[i];
      if (as >= L' ' || as == L'\n' || as == L'\t') clean.push_back(as);
    }
    if (!clean.empty()) el_winsertstr(editor, clean.c_str());
    return CC_REFRESH;
  }

  static unsigned char on_interrupt(EditLine* editor, int) {
    of(editor).interrupted = true;
    const LineInfoW* line = el_wline(editor);
    el_cursor(editor, static_cast<int>(line->lastchar - line->cursor));
    return CC_NEWLINE;
  }

  static unsigned char on_suspend(EditLine* editor, int) {
    el_set(editor, EL_PREP_TERM, 0);
    std::raise(SIGTSTP);
    el_set(editor, EL_PREP_TERM, 1);
    return CC_REDISPLAY;
  }

  static unsigned char on_tab(EditLine* editor, int) {
    Impl& self = of(editor);
    const std::string line = self.before_cursor();
    const std::vector<std::string> found =
        self.complete ? self.complete(line) : std::vector<std::string>();
    if (found.empty()) return CC_ERROR;
    const size_t space = line.rfind(' ');
    const std::string word = line.substr(space == std::string::npos ? 0 : space + 1);
    const std::string head = common(found);
    if (head.size() > word.size() && head.starts_with(word)) {
      std::string rest = head.substr(word.size());
      if (found.size() == 1 && !rest.ends_with('/')) rest += ' ';
      el_insertstr(editor, rest.c_str());
      return CC_REFRESH;
    }
    if (found.size() == 1) {
      el_insertstr(editor, " ");
      return CC_REFRESH;
    }
    std::string list;
    for (const std::string& candidate : found) list += candidate + "  ";
    std::printf("\n%s\n", wrapped(list, columns(stdout)).c_str());
    std::fflush(stdout);
    return CC_REDISPLAY;
  }

  void bind(const char* name, const char* help, unsigned char (*function)(EditLine*, int),
            const char* keys) {
    el_set(editor, EL_ADDFN, name, help, function);
    el_set(editor, EL_BIND, keys, name, nullptr);
  }

  void open() {
    use_utf8();
    editor = el_init("ashlar", stdin, stdout, stderr);
    past = history_init();
    HistEvent event{};
    history(past, &event, H_SETSIZE, kRemembered);
    history(past, &event, H_SETUNIQUE, 1);
    el_set(editor, EL_CLIENTDATA, this);
    el_set(editor, EL_PROMPT, &prompt_of);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, history, past);
    el_source(editor, nullptr);    // the person's ~/.editrc
    el_set(editor, EL_SIGNAL, 1);  // a resized window, a stopped process
    // Ctrl-C and Ctrl-Z are keys, and a carriage return stays one, so that CRLF is one break.
    el_set(editor, EL_SETTY, "-d", "-isig", "-icrnl", "-inlcr", nullptr);
    bind("ashlar-paste", "paste", &on_paste, "\\e[200~");
    bind("ashlar-interrupt", "drop the line", &on_interrupt, "^C");
    bind("ashlar-suspend", "stop the process", &on_suspend, "^Z");
    bind("ashlar-complete", "complete", &on_tab, "\t");
    load();
  }

  void load() {
    std::ifstream in(file);
    std::string line;
    std::vector<std::string> lines;
    while (std::getline(in, line)) lines.push_back(line);
    const size_t first = lines.size() > kRemembered ? lines.size() - kRemembered : 0;
    for (size_t i = first; i < lines.size(); ++i) {
      const Json entry = Json::parse(lines[i], nullptr, false);
      HistEvent event{};
      if (entry.is_string()) history(past, &event, H_ENTER, entry.get<std::string>().c_str());
    }
    in.close();
    if (lines.size() <= 2 * size_t{kRemembered}) return;
    std::ofstream out(file, std::ios::trunc);
    for (size_t i = first; i < lines.size(); ++i) out << lines[i] << '\n';
  }

  /// One JSON string a line, which other sessions may add to as well. A history that cannot be kept
  /// is no reason to stop.
  void keep(const std::string& text) const {
    if (file.empty()) return;
    std::error_code ignored;
    std::filesystem::create_directories(file.parent_path(), ignored);
    const std::string line = dumped(Json(text)) + "\n";
    const int descriptor = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return;
    [[maybe_unused]] const ssize_t written = ::write(descriptor, line.data(), line.size());
    ::close(descriptor);
  }

  TypedLine read_typed(const std::string& shown) {
    prompt = shown;
    interrupted = false;
    el_set(editor, EL_PREP_TERM, 1);  // before the prompt shows: what is typed at it comes as it is
    std::fputs("\033[?2004h", stdout);  // pastes come between marks
    std::fflush(stdout);
    int count = 0;
    const wchar_t* line = el_wgets(editor, &count);
    std::fputs("\033[?2004l", stdout);
    std::fflush(stdout);
    if (interrupted) std::fputs("^C\n", stdout);
    if (line == nullptr || count <= 0)
      return {interrupted ? TypedLine::Kind::interrupted : TypedLine::Kind::end, ""};
    std::string text = narrow(line, line + count);
    if (text.ends_with('\n')) text.pop_back();
    return {interrupted ? TypedLine::Kind::interrupted : TypedLine::Kind::line, std::move(text)};
  }
};

LineEditor::LineEditor(std::filesystem::path history_file, Complete complete)
    : impl_(std::make_unique<Impl>()) {
  impl_->file = std::move(history_file);
  impl_->complete = std::move(complete);
  if (impl_->terminal) impl_->open();
}

LineEditor::~LineEditor() {
  if (impl_->past != nullptr) history_end(impl_->past);
  if (impl_->editor != nullptr) el_end(impl_->editor);
}

bool LineEditor::is_terminal() const { return impl_->terminal; }

TypedLine LineEditor::read(const std::string& prompt) {
  if (impl_->terminal) return impl_->read_typed(prompt);
  TypedLine line;
  if (!std::getline(std::cin, line.text)) return line;
  line.kind = TypedLine::Kind::line;
  if (line.text.ends_with('\r')) line.text.pop_back();
  return line;
}

void LineEditor::remember(const std::string& text) {
  if (!impl_->terminal || text.empty()) return;
  HistEvent event{};
  history(impl_->past, &event, H_ENTER, text.c_str());
  impl_->keep(text);
}

}  // namespace ashlar::app
