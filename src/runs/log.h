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
  /// Holds it against all who ask so, until this goes, and if by a kill. 0, or the error.
  int lock() const;
  /// One write. Throws Error(resource) when the disk is full: then no part of it stays. Where it
  /// cannot be taken back, that is the error, unless it `may_be_torn`.
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
