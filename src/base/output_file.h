// Files that appear under their names only when they are whole: a full disk, a missing permission
// or a kill leaves what was there before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <string_view>
#include <vector>

namespace ashlar {

class OutputFile {
 public:
  /// Where the bytes are until commit(): in a file without a name, which ends with the process, or,
  /// where the file system knows no such files, in a hidden one beside `file`.
  enum class Until { unnamed, hidden };

  /// `bytes`: how many will be written, 0 if that is not known. A device or pipe is written as it
  /// is. Throws Error(io), or Error(resource) where so many bytes are not free.
  explicit OutputFile(std::filesystem::path file, int64_t bytes = 0, Until until = Until::unnamed);
  /// Removes what was not committed.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* bytes, size_t count);  // Error(resource) when the disk is full
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  void pad_to(int64_t alignment);  // with zeros
  int64_t size() const { return size_; }
  const std::filesystem::path& path() const { return file_; }

  void flush();   // all bytes are on the disk; else Error
  void commit();  // flushes and takes the place of `file`

 private:
  [[noreturn]] void cannot_write(int code) const;
  void create(Until until);
  void give_name();
  std::filesystem::path part_name(int attempt) const;

  std::filesystem::path file_, part_;  // part_: empty while there is no name
  int descriptor_ = -1;
  int64_t bytes_ = 0, size_ = 0;
  bool in_place_ = false;  // a device or pipe
};

/// Files that belong together. An old file that is replaced stays until all new ones are on the
/// disk. The file added last is the one without which nobody takes the folder for whole: an old one
/// of its name goes first, the new one comes last.
class OutputFolder {
 public:
  explicit OutputFolder(std::filesystem::path folder);  // creates it where needed; Error(io)
  /// Removes what was not committed, and folders that were made for it.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  OutputFile& add(const std::filesystem::path& name, int64_t bytes = 0);
  void add_text(const std::filesystem::path& name, std::string_view text);
  /// An old file of this name goes with commit(): it would be read in place of the new ones.
  void replace(const std::filesystem::path& name) { replaced_.push_back(folder_ / name); }
  const std::filesystem::path& path() const { return folder_; }

  void commit();

 private:
  void create(const std::filesystem::path& folder);
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> created_, replaced_;
  std::deque<OutputFile> files_;
  bool committed_ = false;
};

/// Throws what writing `file` would throw before a byte is written: asked before long work.
void check_output(const std::filesystem::path& file);

/// Throws Error(resource) where the disk of `folder` has not so many bytes free.
void check_free_space(const std::filesystem::path& folder, int64_t bytes);

}  // namespace ashlar
