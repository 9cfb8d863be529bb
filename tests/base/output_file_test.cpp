// Files that appear whole or not at all: full disks, missing permissions, kills.
#include "base/output_file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "base/json.h"
#include "support/scratch.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr auto kBoth = {OutputFile::Until::unnamed, OutputFile::Until::hidden};

TEST(OutputFile, AppearsWithCommit) {
  Scratch scratch;
  const fs::path file = scratch.path / "a b.bin";
  for (const auto until : kBoth) {
    put_bytes(file, "old");
    fs::permissions(file, fs::perms(0640));
    OutputFile out(file, 100, until);
    out.write("1234567");
    out.pad_to(16);
    EXPECT_EQ(out.size(), 16);
    EXPECT_EQ(bytes_of(file), "old");
    out.commit();
    EXPECT_EQ(bytes_of(file), std::string("1234567") + std::string(9, '\0'));
    EXPECT_EQ(fs::status(file).permissions(), fs::perms(0640));
    EXPECT_EQ(names_in(scratch.path), Names{"a b.bin"});
  }
}

TEST(OutputFile, LeavesNothingWithoutCommit) {
  Scratch scratch;
  for (const auto until : kBoth) {
    { OutputFile(scratch.path / "x", 0, until).write("half"); }
    EXPECT_EQ(names_in(scratch.path), Names{});
  }
}

TEST(OutputFile, AFullDiskIsSaid) {
  Scratch scratch;
  const fs::path file = scratch.path / "x";
  put_bytes(file, "old");
  for (const auto until : kBoth) {
    const FullDisk full(1000);
    OutputFile out(file, 5000, until);
    out.write(std::string(1000, 'x'));
    const std::string message = message_of([&] { out.write(std::string(4000, 'x')); });
    expect_message(message, file.string());
    expect_message(message, "5000 bytes needed, 1000 written");
    expect_message(message, "free there");
    expect_message(message, "ulimit -f");
  }
  EXPECT_EQ(bytes_of(file), "old");
  EXPECT_EQ(names_in(scratch.path), Names{"x"});
  try {
    write_file("/dev/full", "text");
    FAIL() << "written to a full disk";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::resource);
    expect_message(e.what(), "/dev/full: cannot be written: No space left on device (4 bytes");
  }
}

TEST(OutputFile, MoreThanIsFreeIsRefusedAtOnce) {
  Scratch scratch;
  constexpr int64_t kExbibyte = int64_t{1} << 60;
  const std::string message = message_of([&] { OutputFile(scratch.path / "x", kExbibyte); });
  expect_message(message, "1152921504606846976 bytes needed, ");
  expect_message(message, "free some space");
  EXPECT_EQ(names_in(scratch.path), Names{});
}

TEST(OutputFile, PlacesThatCannotBeWritten) {
  Scratch scratch;
  const auto message = [](const fs::path& file) { return message_of([&] { check_output(file); }); };
  expect_message(message(""), "expected the name of a file");
  expect_message(message(scratch.path), "found a folder's");
  expect_message(message(scratch.path / ""), "found a folder's");
  expect_message(message(scratch.path / "no" / "x"), "there is no folder");
  put_bytes(scratch.path / "file", "");
  expect_message(message(scratch.path / "file" / "x"), "there is no folder");
  EXPECT_NE(message("/proc/x"), "no error");
  check_output(scratch.path / "fine");
  check_output("/dev/full");
  EXPECT_EQ(names_in(scratch.path), Names{"file"});
}

/// Runs `f` in a process of its own without the rights of root, where this one has them; gives what
/// it threw.
template <class F>
std::string message_as_user(F f) {
  const fs::path note = fs::temp_directory_path() / fmt::format("ashlar_note_{}", ::getpid());
  put_bytes(note, "");
  fs::permissions(note, fs::perms::all);
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && ::setuid(kNobody) != 0) ::_exit(1);
    put_bytes(note, message_of(f));
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::string text = bytes_of(note);
  fs::remove(note);
  return text;
}

TEST(OutputFile, PermissionsAreKept) {
  Scratch scratch;
  put_bytes(scratch.path / "x", "old");
  fs::permissions(scratch.path, fs::perms(0555));
  std::string message = message_as_user([&] { write_file(scratch.path / "x", "new"); });
  expect_message(message, (scratch.path / "x").string() + ": cannot be written: Permission denied");
  expect_message(message, "a folder of your own");
  fs::permissions(scratch.path, fs::perms(0777));
  fs::permissions(scratch.path / "x", fs::perms(0444));
  message = message_as_user([&] { write_file(scratch.path / "x", "new"); });
  expect_message(message, "Permission denied");
  EXPECT_EQ(bytes_of(scratch.path / "x"), "old");
  EXPECT_EQ(names_in(scratch.path), Names{"x"});
}

TEST(OutputFile, ALinkKeepsLeadingThere) {
  Scratch scratch;
  put_bytes(scratch.path / "target", "old");
  fs::create_symlink("target", scratch.path / "link");
  write_file(scratch.path / "link", "new");
  EXPECT_TRUE(fs::is_symlink(scratch.path / "link"));
  EXPECT_EQ(bytes_of(scratch.path / "target"), "new");
}

TEST(OutputFile, AKillLeavesTheOldFile) {
  Scratch scratch;
  const fs::path file = scratch.path / "x";
  put_bytes(file, "old");
  const pid_t child = ::fork();
  if (child == 0) {
    OutputFile out(file);
    out.write("half");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(bytes_of(file), "old");
  EXPECT_EQ(names_in(scratch.path), Names{"x"});  // where the file system has unnamed files
}

TEST(OutputFolder, FilesAppearTogetherAndTheLastOneLast) {
  Scratch scratch;
  const fs::path folder = scratch.path / "a" / "b";
  {
    OutputFolder out(folder);
    out.add("one").write("1");
    out.add_text("sub/two", "2");
    out.add_text("last", "3");
    EXPECT_EQ(names_in(folder), Names{"sub"});
    out.commit();
  }
  EXPECT_EQ(names_in(folder), (Names{"last", "one", "sub"}));
  EXPECT_EQ(bytes_of(folder / "sub" / "two"), "2");
  {
    OutputFolder out(folder);
    out.add_text("one", "new");
    out.replace("sub/two");
    out.replace("never there");
    out.add_text("last", "new");
    EXPECT_EQ(bytes_of(folder / "one"), "1");
    out.commit();
  }
  EXPECT_EQ(bytes_of(folder / "one"), "new");
  EXPECT_EQ(bytes_of(folder / "last"), "new");
  EXPECT_FALSE(fs::exists(folder / "sub" / "two"));
}

TEST(OutputFolder, AFailureLeavesEverythingAsItWas) {
  Scratch scratch;
  const fs::path folder = scratch.path / "a" / "b";
  const FullDisk full(1000);
  EXPECT_NE(message_of([&] {
              OutputFolder out(folder);
              out.add_text("one", "1");
              out.add_text("big", std::string(2000, 'x'));
              out.commit();
            }),
            "no error");
  EXPECT_EQ(names_in(scratch.path), Names{});
  fs::create_directories(folder);
  put_bytes(folder / "last", "old");
  EXPECT_NE(message_of([&] {
              OutputFolder out(folder);
              out.add_text("one", "1");
              out.add_text("last", std::string(2000, 'x'));
              out.commit();
            }),
            "no error");
  EXPECT_EQ(names_in(folder), Names{"last"});
  EXPECT_EQ(bytes_of(folder / "last"), "old");
}

TEST(OutputFolder, AStopBetweenTheFilesLeavesNoWholeFolder) {
  Scratch scratch;
  {
    OutputFolder out(scratch.path);
    out.add_text("weights", "old");
    out.add_text("config", "old");
    out.commit();
  }
  OutputFolder out(scratch.path);
  out.add_text("weights", "new");
  out.add_text("config", "new");
  fs::remove(scratch.path / "weights");
  fs::create_directories(scratch.path / "weights" /
                         "in the way");  // stands for any end of commit()
  EXPECT_NE(message_of([&] { out.commit(); }), "no error");
  EXPECT_FALSE(fs::exists(scratch.path / "config"));
}

TEST(OutputFolder, AFileInTheWay) {
  Scratch scratch;
  put_bytes(scratch.path / "file", "");
  expect_message(message_of([&] { OutputFolder out(scratch.path / "file"); }), "cannot create");
  expect_message(message_of([&] { OutputFolder out(scratch.path / "file" / "x"); }),
                 "cannot create");
}

}  // namespace
}  // namespace ashlar
