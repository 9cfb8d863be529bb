// Runs rsvg-convert and Chromium, without a shell, in a folder of their own that goes afterwards.
#include "apps/pictures.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/temporary_folder.h"

namespace ashlar::app {
namespace fs = std::filesystem;
namespace {

constexpr int kPageWidth = 1280;         // pixels of a page that becomes a picture
constexpr int kHighest = 16000;          // that Chromium paints
constexpr size_t kMostBytes = 1U << 30;  // of what a tool may write
constexpr std::chrono::seconds kLongest{180};

/// A program of the search path; empty if there is none.
fs::path program(std::string_view name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    fs::path file = fs::path(folder) / name;
    std::error_code code;
    if (fs::is_regular_file(file, code) && access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

fs::path drawing_tool() {
  fs::path tool = program("rsvg-convert");
  if (tool.empty())
    fail(ErrorKind::unsupported,
         "PNG and PDF of drawings are made by rsvg-convert, which is not installed "
         "(Debian: apt-get install librsvg2-bin); .svg needs no tool");
  return tool;
}

fs::path page_tool() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    if (fs::path tool = program(name); !tool.empty()) return tool;
  }
  fail(ErrorKind::unsupported,
       "PNG and PDF of pages are made by Chromium, which is not installed "
       "(Debian: apt-get install chromium); .html needs no tool");
}

/// Runs a program to its end; what it prints goes to `output`. Throws Error(io) unless it succeeds.
void run_tool(const fs::path& tool, const std::vector<std::string>& arguments,
              const fs::path& output) {
  std::vector<std::string> words{tool.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int code = posix_spawn(&child, tool.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) fail(ErrorKind::io, "{}: cannot be started", tool.string());
  const auto end = std::chrono::steady_clock::now() + kLongest;
  int status = 0;
  for (;;) {
    const pid_t done = waitpid(child, &status, WNOHANG);
    if (done == child) break;
    if (done < 0 || std::chrono::steady_clock::now() > end) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      fail(ErrorKind::io, "{}: not done after {} s", tool.string(), kLongest.count());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    fail(ErrorKind::io, "{}: failed ({})", tool.string(),
         WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status)) : "killed");
}

/// What the tool has made takes its place at once.
void deliver(const fs::path& made, const fs::path& file, const fs::path& tool) {
  std::error_code code;
  if (!fs::is_regular_file(made, code) || fs::file_size(made, code) == 0)
    fail(ErrorKind::io, "{}: wrote nothing", tool.string());
  write_file(file, read_file(made, kMostBytes));
}

std::vector<std::string> browser_arguments(const fs::path& folder) {
  std::vector<std::string> words{"--headless=new", "--disable-gpu", "--hide-scrollbars",
                                 "--user-data-dir=" + (folder / "profile").string()};
  // Chromium refuses to run as root in its sandbox; the page is our own.
  if (geteuid() == 0) words.emplace_back("--no-sandbox");
  return words;
}

/// How high the page is at that width, from a copy of it that says so.
int page_height(const fs::path& tool, const fs::path& folder, std::string_view html) {
  constexpr std::string_view kAsk =
      "<script>document.documentElement.dataset.height="
      "document.documentElement.scrollHeight</script>";
  write_file(folder / "ask.html", std::string(html) + std::string(kAsk));
  std::vector<std::string> words = browser_arguments(folder);
  words.push_back("--window-size=" + std::to_string(kPageWidth) + ",800");
  words.emplace_back("--dump-dom");
  words.push_back("file://" + (folder / "ask.html").string());
  run_tool(tool, words, folder / "dom");
  const std::string dom = read_file(folder / "dom", kMostBytes);
  constexpr std::string_view kName = "data-height=\"";
  const size_t at = dom.find(kName);
  int height = 0;
  if (at != std::string::npos)
    std::from_chars(dom.data() + at + kName.size(), dom.data() + dom.size(), height);
  if (height <= 0) fail(ErrorKind::io, "{}: says no height of the page", tool.string());
  return height;
}

}  // namespace

bool is_picture(const fs::path& file) {
  return file.extension() == ".png" || file.extension() == ".pdf";
}

void check_drawing_tool() { drawing_tool(); }
void check_page_tool() { page_tool(); }

void write_drawing(const fs::path& file, std::string_view svg) {
  if (!is_picture(file)) return write_file(file, svg);
  const fs::path tool = drawing_tool();
  const TemporaryFolder temporary;
  const fs::path& folder = temporary.path();
  write_file(folder / "drawing.svg", svg);
  const bool png = file.extension() == ".png";
  std::vector<std::string> words{"--format", png ? "png" : "pdf", "--output",
                                 (folder / "made").string()};
  if (png) words.insert(words.end(), {"--zoom", "2"});  // sharp on dense screens and in print
  words.push_back((folder / "drawing.svg").string());
  run_tool(tool, words, folder / "log");
  deliver(folder / "made", file, tool);
}

void write_page(const fs::path& file, std::string_view html) {
  if (!is_picture(file)) return write_file(file, html);
  const fs::path tool = page_tool();
  const TemporaryFolder temporary;
  const fs::path& folder = temporary.path();
  write_file(folder / "page.html", html);
  // Chromium tells the format by the ending.
  const fs::path made = folder / ("made" + file.extension().string());
  std::vector<std::string> words = browser_arguments(folder);
  if (file.extension() == ".png") {
    const int height = page_height(tool, folder, html);
    if (height > kHighest)
      fail(ErrorKind::unsupported,
           "{}: the page is {} pixels high, and a picture can have {}: write .pdf or .html, or "
           "name fewer models",
           file.string(), height, kHighest);
    words.push_back("--window-size=" + std::to_string(kPageWidth) + "," + std::to_string(height));
    words.push_back("--screenshot=" + made.string());
  } else {
    words.emplace_back("--no-pdf-header-footer");
    words.push_back("--print-to-pdf=" + made.string());
  }
  words.push_back("file://" + (folder / "page.html").string());
  run_tool(tool, words, folder / "log");
  deliver(made, file, tool);
}

}  // namespace ashlar::app
