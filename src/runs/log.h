// log.jsonl: one JSON object a step, appended whole.
#pragma once

#include <filesystem>
#include <string>

#include "ashlar/train.h"
#include "base/json.h"

namespace ashlar {

Json to_json(const StepRecord& record);

/// Removes records of steps after `step`, and a last line that is not whole.
void cut_log(const std::filesystem::path& file, int64_t step);

class RunLog {
 public:
  /// Appends to `file`, and holds it: a run has one writer. Throws Error(io), or Error(invalid)
  /// where another process holds it.
  explicit RunLog(const std::filesystem::path& file);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;
  /// One write of one line. Throws Error(resource) when the disk is full: then no part of it stays.
  void add(const Json& record);

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace ashlar
