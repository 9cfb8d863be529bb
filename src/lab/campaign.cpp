// One loop: start what is missing, wait for what ends, look again.
#include "lab/campaign.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "base/cpus.h"
#include "base/error.h"
#include "base/output_file.h"
#include "base/units.h"
#include "kernels/table.h"
#include "lab/forecast.h"
#include "lab/score.h"
#include "measure/probe.h"
#include "train/checkpoint.h"

namespace ashlar::lab {
namespace {

namespace fs = std::filesystem;

constexpr int kFullDisk = 3;  // exit code of `ashlar`

/// A process of this campaign.
struct Child {
  RunSpec spec;
  enum class Phase : uint8_t { train, score } phase = Phase::train;
  int64_t memory = 0;  // of its training, at its most; 0: it was trained before this campaign
};

std::string last_line(const fs::path& file) {
  std::ifstream in(file);
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

/// Starts a process that ends with this one, however that ends: it writes a checkpoint then.
pid_t start(const fs::path& program, const std::vector<std::string>& arguments,
            const fs::path& errors) {
  std::vector<char*> argv;
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid(), child = fork();
  if (child < 0) fail(ErrorKind::resource, "no process can be started: {}", std::strerror(errno));
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
  setpgid(0, 0);  // Ctrl-C is the campaign's: it passes it on
  constexpr mode_t kMode = 0666;
  const int log = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, kMode);
  const int nothing = ::open("/dev/null", O_RDWR);
  dup2(nothing, STDIN_FILENO);
  dup2(nothing, STDOUT_FILENO);
  dup2(log >= 0 ? log : nothing, STDERR_FILENO);
  execv(program.c_str(), argv.data());
  _exit(127);
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The commit of the source tree that the program lies in; empty where there is none.
std::string source_commit() {
  std::error_code code;
  const std::string folder = fs::read_symlink("/proc/self/exe", code).parent_path().string();
  if (code || folder.find('\'') != std::string::npos) return {};
  const std::string command = "git -C '" + folder + "' rev-parse --short=12 HEAD 2>/dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  char line[64] = {};
  const bool read = fgets(line, sizeof line, pipe) != nullptr;
  pclose(pipe);
  std::string commit = read ? line : "";
  while (!commit.empty() && commit.back() == '\n') commit.pop_back();
  return commit;
}

class Campaign {
 public:
  Campaign(const std::vector<Experiment>& experiments, Store& store, const CampaignOptions& options)
      : store_(store),
        options_(options),
        jobs_(options.jobs > 0 ? options.jobs : default_threads()),
        program_(fs::read_symlink("/proc/self/exe")),
        machine_(cpu_name()) {
    for (const Experiment& e : experiments) store_.put_experiment(e, today());
    for (const Experiment& e : experiments) prepared_.push_back(prepare(e, store_));
  }
  ~Campaign() { end_all(); }
  Campaign(const Campaign&) = delete;
  Campaign& operator=(const Campaign&) = delete;

  CampaignEnd run() {
    for (;;) {
      if (options_.stop && options_.stop()) {
        end_.stopped = true;
        end_all();
        return end_;
      }
      start_missing();
      if (running_.empty()) return end_;
      wait_for_one();
    }
  }

 private:
  void say(const std::string& text) const {
    if (options_.say) options_.say(text);
  }

  void start_missing() {
    while (std::ssize(running_) < jobs_) {
      const std::optional<RunSpec> next = next_run();
      if (!next) return;
      begin(*next);
    }
  }

  /// The first run that is neither in the store nor going on: experiments in their order.
  std::optional<RunSpec> next_run() {
    for (Prepared& p : prepared_) {
      if (p.arms.empty() && std::all_of(p.speed_runs.begin(), p.speed_runs.end(),
                                        [&](const RunSpec& s) { return store_.result(s.key); }))
        p = prepare(p.experiment, store_);
      register_forecast(p, store_);
      for (const RunSpec& spec : plan(p, store_).runs) {
        if (ended_.contains(spec.key) || failed_.contains(spec.key)) continue;
        const bool going = std::any_of(running_.begin(), running_.end(), [&](const auto& c) {
          return c.second.spec.key == spec.key;
        });
        if (going) continue;
        if (store_.result(spec.key)) {
          ended_.insert(spec.key);
          continue;
        }
        return spec;
      }
    }
    return {};
  }

  void begin(const RunSpec& spec) {
    const fs::path folder = store_.run_folder(spec.key);
    std::error_code code;
    fs::create_directories(folder, code);
    if (code) fail(ErrorKind::io, "{}: cannot be made: {}", folder.string(), code.message());
    // Weights and moments of a checkpoint being written beside the one before it, and the log.
    constexpr int64_t kArrays = 3, kLog = int64_t{16} << 20;
    try {
      check_free_space(folder, kArrays * 2 * spec.total_parameters * int64_t{sizeof(float)} + kLog);
      write_file(folder / "request.json", spec.request.dump(1) + "\n");
      write_file(folder / "scoring.json", scoring_of(spec).dump(1) + "\n");
    } catch (const Error& e) {
      stop_for(e.what());
    }
    Child child{.spec = spec};
    // All steps done and not scored yet: killed in between.
    const std::vector<fs::path> checkpoints = checkpoints_in(folder / "checkpoints");
    if (!checkpoints.empty() && step_of(checkpoints[0]) >= spec.facts.steps) {
      start_score(std::move(child));
      return;
    }
    std::vector<std::string> arguments{
        "train",  (folder / "request.json").string(), "--out", folder.string(), "--threads", "1",
        "--quiet"};
    if (fs::exists(folder / "run.json", code)) arguments.emplace_back("--resume");
    running_[start(program_, arguments, folder / "stderr.txt")] = std::move(child);
  }

  Json scoring_of(const RunSpec& spec) const {
    Json scoring = spec.scoring;
    for (const Prepared& p : prepared_) {
      if (p.data.tokens.empty() || spec.request["data"]["tokens"] != p.data.tokens) continue;
      scoring["answers"] = p.data.answers;
      scoring["domains"] = p.data.domains;
      scoring["beyond"] = p.data.beyond;
    }
    return scoring;
  }

  void start_score(Child child) {
    child.phase = Child::Phase::score;
    const fs::path folder = store_.run_folder(child.spec.key);
    running_[start(program_, {"experiment", "score", folder.string()}, folder / "stderr.txt")] =
        std::move(child);
  }

  void wait_for_one() {
    constexpr auto kPause = std::chrono::milliseconds(50);
    for (;;) {
      if (options_.stop && options_.stop()) return;
      for (auto it = running_.begin(); it != running_.end(); ++it) {
        int status = 0;
        rusage used{};
        const pid_t ended = wait4(it->first, &status, WNOHANG, &used);
        if (ended == 0 || (ended < 0 && errno == EINTR)) continue;
        Child child = std::move(it->second);
        running_.erase(it);
        constexpr int64_t kUnit = 1024;
        if (child.phase == Child::Phase::train) child.memory = kUnit * used.ru_maxrss;
        ended < 0 ? failed(child, 1, "its process is gone")
                  : after(std::move(child), exit_code(status));
        return;
      }
      std::this_thread::sleep_for(kPause);
    }
  }

  void after(Child child, int code) {
    const fs::path folder = store_.run_folder(child.spec.key);
    const std::string line = last_line(folder / "stderr.txt");
    if (code == kFullDisk) stop_for(line);
    const bool diverged = code == 1 && line.find("the run has diverged") != std::string::npos;
    if (child.phase == Child::Phase::train && code == 0) {
      start_score(std::move(child));
      return;
    }
    if (code != 0 && !diverged) {
      failed(child, code, line);
      return;
    }
    keep(child, diverged);
  }

  void keep(const Child& child, bool diverged) {
    const fs::path folder = store_.run_folder(child.spec.key);
    RunResult r{.key = child.spec.key,
                .diverged = diverged,
                .score = diverged ? Json() : read_json(folder / "score.json"),
                .curve = curve_of(folder / "log.jsonl"),
                .machine = machine_,
                .commit = commit_,
                .kernels = std::string(kernels::table("").name),
                .date = today()};
    r.metrics = metrics_of(folder / "log.jsonl", r.score, child.spec.facts, diverged);
    if (child.memory > 0) r.metrics["memory_bytes"] = child.memory;
    r.seconds = r.metrics.value("seconds", 0.0);
    store_.put_result(r);
    ended_.insert(child.spec.key);
    std::error_code ignored;
    fs::remove_all(folder / "checkpoints", ignored);  // the log and the score stay
    ++end_.finished;
    end_.diverged += diverged ? 1 : 0;
    say(fmt::format("{}  rate {:g}  seed {}: {}", child.spec.arm, child.spec.rate, child.spec.seed,
                    diverged ? std::string("diverged")
                             : fmt::format("loss {:.4f}, {}", r.metrics["loss"].get<double>(),
                                           short_seconds(r.seconds))));
  }

  void failed(const Child& child, int code, const std::string& line) {
    failed_.insert(child.spec.key);
    ++end_.failed;
    end_.failures.push_back(fmt::format("{} rate {:g} seed {} (runs/{}): exit code {}: {}",
                                        child.spec.arm, child.spec.rate, child.spec.seed,
                                        child.spec.key, code, line));
    say(end_.failures.back());
  }

  [[noreturn]] void stop_for(const std::string& why) {
    end_all();
    fail(ErrorKind::resource,
         "{}; the campaign stops, all that has ended is kept: free some space and run it again",
         why);
  }

  /// SIGTERM: each writes a checkpoint.
  void end_all() {
    for (const auto& [pid, child] : running_) ::kill(pid, SIGTERM);
    for (const auto& [pid, child] : running_) {
      int status = 0;
      while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
    }
    running_.clear();
  }

  Store& store_;
  const CampaignOptions& options_;
  const int jobs_;
  const fs::path program_;
  const std::string machine_, commit_ = source_commit();
  std::vector<Prepared> prepared_;
  std::map<pid_t, Child> running_;
  std::set<std::string> ended_, failed_;
  CampaignEnd end_;
};

}  // namespace

CampaignEnd run_campaign(const std::vector<Experiment>& experiments, Store& store,
                         const CampaignOptions& options) {
  const StoreLock lock(store.folder());
  return Campaign(experiments, store, options).run();
}

void score_run(const fs::path& folder) {
  const Json scoring = read_json(folder / "scoring.json");
  const Json result = score({.run = folder,
                             .answers = scoring.value("answers", ""),
                             .first_choice = scoring["choices"][0],
                             .last_choice = scoring["choices"][1],
                             .rows = scoring["rows"],
                             .buckets = scoring["buckets"],
                             .bytes = scoring["bytes"],
                             .domains = scoring.value("domains", ""),
                             .domain_names = scoring["domain_names"],
                             .beyond = scoring.value("beyond", "")});
  write_file(folder / "score.json", result.dump(1) + "\n");
}

double speed_of(const Store& store, const std::vector<Prepared>& prepared) {
  double flops = 0, seconds = 0;
  for (const Prepared& p : prepared) {
    for (const RunSpec& spec : plan(p, store).runs) {
      const auto result = store.result(spec.key);
      if (!result || result->diverged) continue;
      flops += spec.flops;
      seconds += result->seconds;
    }
  }
  constexpr double kGuess = 10e9;  // small models on one thread
  return seconds > 0 ? flops / seconds : kGuess;
}

Progress progress_of(const Store& store, int jobs) {
  Progress progress;
  std::vector<Prepared> prepared;
  for (const Experiment& e : store.experiments()) prepared.push_back(prepare(e, store));
  const double speed = speed_of(store, prepared);
  std::set<std::string> counted;
  for (const Prepared& p : prepared) {
    const Plan all = plan(p, store);
    Progress::Row row{.id = p.experiment.id, .wanted = std::ssize(all.runs) + all.later};
    double flops = 0;
    for (const RunSpec& spec : all.runs) {
      const auto result = store.result(spec.key);
      if (result) {
        ++row.ended;
        row.diverged += result->diverged ? 1 : 0;
        continue;
      }
      if (counted.insert(spec.key).second) row.seconds_left += spec.flops / speed;
      flops = spec.flops;
    }
    if (!all.runs.empty() && flops == 0) flops = all.runs[0].flops;
    row.seconds_left += static_cast<double>(all.later) * flops / speed;
    progress.seconds_left += row.seconds_left / jobs;
    progress.experiments.push_back(row);
  }
  return progress;
}

}  // namespace ashlar::lab
