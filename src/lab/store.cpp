// Every change is one transaction of SQLite: a kill leaves it done or undone.
#include "lab/store.h"

#include <sqlite3.h>

#include "base/error.h"

namespace ashlar::lab {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_sql(sqlite3* db, const fs::path& folder, int code) {
  const bool full = (code & 0xFF) == SQLITE_FULL || (code & 0xFF) == SQLITE_NOMEM;
  fail(full ? ErrorKind::resource : ErrorKind::io, "{}: {}{}", (folder / "lab.db").string(),
       db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code),
       full ? ": free some space and run again; what has ended is kept" : "");
}

constexpr const char* kTables = R"(
CREATE TABLE IF NOT EXISTS experiments(id TEXT PRIMARY KEY, file TEXT NOT NULL, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS registered(id TEXT PRIMARY KEY, criteria_hash TEXT NOT NULL,
  hash TEXT NOT NULL, json TEXT NOT NULL, date TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs(key TEXT PRIMARY KEY, diverged INTEGER NOT NULL,
  metrics TEXT NOT NULL, score TEXT NOT NULL, curve TEXT NOT NULL, seconds REAL NOT NULL,
  machine TEXT NOT NULL, source TEXT NOT NULL, kernels TEXT NOT NULL, date TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS forecasts(key TEXT PRIMARY KEY, json TEXT NOT NULL, date TEXT NOT NULL);
)";

fs::path lock_file(const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  return folder / "lock";
}

}  // namespace

/// A prepared statement with its values.
class Statement {
 public:
  template <class... Values>
  Statement(const Store& store, const char* sql, const Values&... values) : store_(store) {
    check(sqlite3_prepare_v2(store.db_, sql, -1, &statement_, nullptr));
    (bind(values), ...);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  bool next() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail_sql(store_.db_, store_.folder_, code);
    return false;
  }
  std::string text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return bytes != nullptr ? bytes : "";
  }
  double number(int column) const { return sqlite3_column_double(statement_, column); }

 private:
  void bind(const std::string& text) {
    check(sqlite3_bind_text(statement_, ++bound_, text.c_str(), static_cast<int>(text.size()),
                            SQLITE_TRANSIENT));
  }
  void bind(double number) { check(sqlite3_bind_double(statement_, ++bound_, number)); }
  void bind(bool truth) { check(sqlite3_bind_int(statement_, ++bound_, truth)); }
  void check(int code) const {
    if (code != SQLITE_OK) fail_sql(store_.db_, store_.folder_, code);
  }
  const Store& store_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

Store::Store(const fs::path& folder) : folder_(fs::absolute(folder).lexically_normal()) {
  std::error_code code;
  fs::create_directories(folder_ / "runs", code);
  if (code)
    fail(ErrorKind::io, "{}: cannot create the folder: {}", folder_.string(), code.message());
  const int opened = sqlite3_open((folder_ / "lab.db").c_str(), &db_);
  if (opened != SQLITE_OK) fail_sql(db_, folder_, opened);
  sqlite3_extended_result_codes(db_, 1);
  constexpr int kMilliseconds = 10000;  // a reader waits for a writer
  sqlite3_busy_timeout(db_, kMilliseconds);
  const int made = sqlite3_exec(db_, kTables, nullptr, nullptr, nullptr);
  if (made != SQLITE_OK) fail_sql(db_, folder_, made);
}

Store::~Store() { sqlite3_close(db_); }

void Store::put_experiment(const Experiment& e, const std::string& date) {
  Statement(*this, "INSERT OR REPLACE INTO experiments VALUES(?,?,?)", e.id, e.file.string(),
            e.json.dump())
      .next();
  Statement(*this, "INSERT OR IGNORE INTO registered VALUES(?,?,?,?,?)", e.id, e.criteria_hash,
            e.hash, e.json.dump(), date)
      .next();
}

std::vector<Experiment> Store::experiments() const {
  std::vector<Experiment> all;
  Statement s(*this, "SELECT file, json FROM experiments ORDER BY id");
  while (s.next())
    all.push_back(
        experiment_from_json(parse_json(s.text(1), (folder_ / "lab.db").string()), s.text(0)));
  return all;
}

Registered Store::registered(const std::string& id) const {
  Statement s(*this, "SELECT criteria_hash, hash, date FROM registered WHERE id = ?", id);
  if (!s.next()) return {};
  return {s.text(0), s.text(1), s.text(2)};
}

void Store::put_forecast(const std::string& key, const Json& forecast, const std::string& date) {
  Statement(*this, "INSERT OR IGNORE INTO forecasts VALUES(?,?,?)", key, forecast.dump(), date)
      .next();
}

std::optional<Json> Store::forecast(const std::string& key) const {
  Statement s(*this, "SELECT json, date FROM forecasts WHERE key = ?", key);
  if (!s.next()) return {};
  Json forecast = parse_json(s.text(0), (folder_ / "lab.db").string());
  forecast["date"] = s.text(1);
  return forecast;
}

void Store::put_result(const RunResult& r) {
  Statement(*this, "INSERT OR REPLACE INTO runs VALUES(?,?,?,?,?,?,?,?,?,?)", r.key, r.diverged,
            r.metrics.dump(), r.score.dump(), r.curve.dump(), r.seconds, r.machine, r.commit,
            r.kernels, r.date)
      .next();
}

std::optional<RunResult> Store::result(const std::string& key) const {
  Statement s(*this, "SELECT * FROM runs WHERE key = ?", key);
  if (!s.next()) return {};
  const std::string where = (folder_ / "lab.db").string();
  return RunResult{.key = key,
                   .diverged = s.number(1) != 0,
                   .metrics = parse_json(s.text(2), where),
                   .score = parse_json(s.text(3), where),
                   .curve = parse_json(s.text(4), where),
                   .seconds = s.number(5),
                   .machine = s.text(6),
                   .commit = s.text(7),
                   .kernels = s.text(8),
                   .date = s.text(9)};
}

StoreLock::StoreLock(const fs::path& folder) : file_(lock_file(folder)) {
  if (file_.lock() != 0) {
    fail(
        ErrorKind::invalid,
        "{}: another process runs its experiments now; ashlar experiment status says how far it is",
        folder.string());
  }
}

}  // namespace ashlar::lab
