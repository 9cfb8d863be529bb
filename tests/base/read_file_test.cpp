// Whole files, and pipes, whose size nobody knows beforehand.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/json.h"

namespace ashlar {
namespace {

/// What read_file finds at the reading end of a pipe that `text` is written to.
std::string through_pipe(const std::string& text, size_t max_bytes) {
  int ends[2];
  if (::pipe(ends) != 0) fail(ErrorKind::io, "no pipe");
  std::thread writer([&] {
    for (size_t at = 0; at < text.size();) {
      const ssize_t n = ::write(ends[1], text.data() + at, text.size() - at);
      if (n <= 0) break;
      at += static_cast<size_t>(n);
    }
    ::close(ends[1]);
  });
  std::string read, error;
  try {
    read = read_file(fmt::format("/dev/fd/{}", ends[0]), max_bytes);
  } catch (const Error& e) {
    error = e.what();
  }
  for (char rest[4096]; ::read(ends[0], rest, sizeof rest) > 0;) {
  }
  writer.join();
  ::close(ends[0]);
  if (!error.empty()) fail(ErrorKind::resource, "{}", error);
  return read;
}

TEST(ReadFile, APipeIsReadToItsEnd) {
  std::string text;
  for (int i = 0; i < 40000; ++i) text += fmt::format("line {}\n", i);
  EXPECT_EQ(through_pipe(text, size_t{1} << 20), text);
  EXPECT_EQ(through_pipe("", 10), "");
  EXPECT_EQ(through_pipe("[1, 2]", 6), "[1, 2]");
  EXPECT_EQ(read_file("/dev/null"), "");
}

TEST(ReadFile, APipeHasItsLimit) { EXPECT_THROW(through_pipe("1234567", 6), Error); }

TEST(ReadFile, FoldersAndMissingFilesAreRefused) {
  const auto folder = std::filesystem::temp_directory_path();
  EXPECT_THROW(read_file(folder), Error);
  EXPECT_THROW(read_file(folder / "no such file anywhere"), Error);
}

}  // namespace
}  // namespace ashlar
