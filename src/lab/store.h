// Where runs and what they found are kept: one SQLite file, lab.db, beside the runs' folders.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "lab/experiment.h"
#include "runs/log.h"

struct sqlite3;

namespace ashlar::lab {

/// A run that has ended.
struct RunResult {
  std::string key;
  bool diverged = false;
  Json metrics, score, curve;
  double seconds = 0;  // of training, on the clock
  std::string machine, commit, kernels, date;
};

/// What was registered when the first run of an experiment began.
struct Registered {
  std::string criteria_hash, hash, date;
};

class Store {
 public:
  /// Opens or makes STORE/lab.db. Throws Error(io), or Error(resource) when the disk is full.
  explicit Store(const std::filesystem::path& folder);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path run_folder(const std::string& key) const { return folder_ / "runs" / key; }

  /// The experiment as it is now; the first time also as it was registered.
  void put_experiment(const Experiment& experiment, const std::string& date);
  std::vector<Experiment> experiments() const;  // by id
  Registered registered(const std::string& id) const;

  /// Keeps a forecast, unless one of this key is there.
  void put_forecast(const std::string& key, const Json& forecast, const std::string& date);
  std::optional<Json> forecast(const std::string& key) const;  // with its `date`

  void put_result(const RunResult& result);
  std::optional<RunResult> result(const std::string& key) const;

 private:
  friend class Statement;
  std::filesystem::path folder_;
  sqlite3* db_ = nullptr;
};

/// Held by whoever runs the store's experiments: two at once would run everything twice. Throws
/// Error(invalid) where somebody else holds it. A killed process holds nothing.
class StoreLock {
 public:
  explicit StoreLock(const std::filesystem::path& folder);

 private:
  AppendedFile file_;
};

}  // namespace ashlar::lab
