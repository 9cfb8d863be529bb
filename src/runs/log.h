// log.jsonl: one JSON object a step, appended whole.
#pragma once

#include <filesystem>
#include <string_view>

#include "ashlar/train.h"
#include "base/json.h"

namespace ashlar {

Json to_json(const StepRecord& record);

/// Removes records of steps after `step`, and a last line that is not whole.
void cut_log(const std::filesystem::path& file, int64_t step);

class AppendedFile {
 public:
  explicit AppendedFile(std::filesystem::path file);  // throws Error(io)
  ~AppendedFile();
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;
  /// Locks the file against other processes that lock it, until this object or the process is gone.
  /// Returns 0, or errno.
  int lock() const;
  /// Appends by one write. Throws Error(resource) when the disk is full; what was written of the
  /// bytes is taken back. Where that fails too: Error(io), unless the file `may_be_torn`.
  void add(std::string_view bytes, bool may_be_torn) const;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

class RunLog {
 public:
  /// Appends to `file`, and holds it: a run has one writer. Throws Error(io), or Error(invalid)
  /// where another process holds it.
  explicit RunLog(const std::filesystem::path& file);
  /// One write of one line. Throws Error(resource) when the disk is full. What is torn then is cut
  /// at the next resume.
  void add(const Json& record) { file_.add(record.dump() + "\n", true); }

 private:
  AppendedFile file_;
};

}  // namespace ashlar
