// ashlar train: a run of training as RUN.json and the command line describe it.
#include "ashlar/train.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "apps/commands.h"
#include "apps/interrupt.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "base/json.h"
#include "base/units.h"
#include "runs/log.h"
#include "runs/start.h"
#include "train/checkpoint.h"

namespace ashlar::app {
namespace {

struct TrainOptions {
  std::string file, model, data, init, out, branch;
  std::vector<std::string> words;  // RUN.json and key=value, in any order
  std::optional<int64_t> steps, tokens, replay, lora, decay;
  std::string time, kernels;
  int threads = 0;
  bool resume = false, quiet = false, json = false;
};

/// "90s", "30m", "2h" in seconds.
double seconds_of(const std::string& text) {
  size_t used = 0;
  double n = 0;
  try {
    n = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  const std::string unit = text.substr(used);
  const double factor = unit == "s" || unit.empty() ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (used == 0 || factor == 0 || !(n > 0))
    fail(ErrorKind::invalid, "--time: expected 90s, 30m or 2h, found \"{}\"", text);
  return n * factor;
}

/// Settings are those of the run that is left, but for what else is said; with --decay the rate
/// falls from there on.
void branch_off(const TrainOptions& o, TrainingRequest& request) {
  const std::filesystem::path checkpoint = std::filesystem::absolute(checkpoint_named(o.branch));
  if (request.file.empty())
    request.file = (checkpoint.parent_path().parent_path() / "run.json").string();
  request.changes.push_back(fmt::format("branch={}", Json(checkpoint.string()).dump()));
  if (!o.decay) return;
  const int64_t steps = step_of(checkpoint) + *o.decay;
  request.changes.push_back(fmt::format("steps={}", steps));
  request.changes.push_back("schedule.kind=wsd");
  request.changes.push_back(
      fmt::format("schedule.decay={}", static_cast<double>(*o.decay) / static_cast<double>(steps)));
}

TrainingRequest request_of(const TrainOptions& o) {
  TrainingRequest request;
  std::vector<std::string> changes;
  for (const std::string& word : o.words) {
    if (word.find('=') != std::string::npos && !word.starts_with('/'))
      changes.push_back(word);
    else if (request.file.empty())
      request.file = word;
    else
      fail(ErrorKind::invalid, "{}: expected one RUN.json, and key=value", word);
  }
  const auto set = [&](const char* key, const std::string& value) {
    if (!value.empty()) request.changes.push_back(fmt::format("{}={}", key, Json(value).dump()));
  };
  const auto here = [](const std::string& path) {
    std::error_code code;
    return std::filesystem::exists(path, code) ? std::filesystem::absolute(path).string() : path;
  };
  set("model", here(o.model));
  std::error_code code;
  set(std::filesystem::is_directory(o.data, code) ? "data.folder" : "data.tokens", here(o.data));
  set("init.from", here(o.init));
  set("out", o.out);
  if (o.lora) request.changes.push_back(fmt::format("lora.rank={}", *o.lora));
  if (o.steps) request.changes.push_back(fmt::format("steps={}", *o.steps));
  request.tokens = o.tokens.value_or(0);
  if (!o.time.empty()) request.seconds = seconds_of(o.time);
  if (!o.branch.empty()) branch_off(o, request);
  request.changes.insert(request.changes.end(), changes.begin(), changes.end());
  // A run's folder: what it wrote says what it is.
  if ((o.resume || o.replay) && request.file.empty() && !o.out.empty())
    request.file = o.out + "/run.json";
  request.resume = o.resume;
  request.threads = o.threads;
  request.kernels = o.kernels;
  return request;
}

/// A line that a person wants to read: rewritten in place on a terminal, else one now and then.
class Reporter {
 public:
  Reporter(const TrainingRun& run, const TrainOptions& options)
      : run_(run), options_(options), terminal_(isatty(STDERR_FILENO) != 0) {}

  void start() const {
    if (options_.quiet || options_.json) return;
    say(fmt::format("{}: {} parameters, {} steps of {} tokens, in {}",
                    run_.model().empty() ? "model" : run_.model(),
                    short_number(static_cast<double>(run_.parameters())), grouped(run_.steps()),
                    grouped(run_.tokens_per_step()), run_.folder()));
  }
  void step(const StepRecord& r) {
    if (options_.json) {
      std::printf("%s\n", to_json(r).dump().c_str());
      std::fflush(stdout);
      return;
    }
    if (options_.quiet) return;
    if (r.validation_loss) validation_ = fmt::format("  validation {:.4f}", *r.validation_loss);
    // Smoothed over some ten steps: what remains is told by it.
    seconds_ = seconds_ == 0 ? r.seconds : seconds_ + 0.1 * (r.seconds - seconds_);
    const auto now = std::chrono::steady_clock::now();
    constexpr auto kOften = std::chrono::milliseconds(200),
                   kSeldom = std::chrono::milliseconds(10000);
    if (r.step != run_.steps() && shown_ && now - last_ < (terminal_ ? kOften : kSeldom)) return;
    shown_ = true;
    last_ = now;
    const double left = seconds_ * static_cast<double>(run_.steps() - r.step);
    std::fprintf(stderr, "%sstep %s/%s  loss %.4f%s  %s tokens/s  %s left%s",
                 terminal_ ? "\r\033[K" : "", grouped(r.step).c_str(),
                 grouped(run_.steps()).c_str(), r.loss, validation_.c_str(),
                 short_number(static_cast<double>(run_.tokens_per_step()) / seconds_).c_str(),
                 short_seconds(left).c_str(), terminal_ ? "" : "\n");
    std::fflush(stderr);
  }
  void end_line() const {
    if (terminal_ && shown_) std::fprintf(stderr, "\n");
  }
  void note(const std::string& text) const {
    end_line();
    say_note(text);
  }

 private:
  const TrainingRun& run_;
  const TrainOptions& options_;
  bool terminal_, shown_ = false;
  std::string validation_;
  double seconds_ = 0;
  std::chrono::steady_clock::time_point last_{};
};

void run_train(const TrainOptions& o) {
  TrainingRequest request = request_of(o);
  Reporter* reporter = nullptr;
  request.notice = [&](const std::string& text) {
    if (reporter != nullptr)
      reporter->note(text);
    else
      say_note(text);
  };
  if (o.replay) {
    const Replayed replayed = replay_step(request, *o.replay);
    std::printf("%s%s\n", replayed.text.c_str(),
                !replayed.equal   ? "the log has no such step"
                : *replayed.equal ? "its loss is the log's, to the bit"
                                  : "its loss is not the log's");
    std::printf("all of it: %s\n", replayed.file.c_str());
    return;
  }
  const std::unique_ptr<TrainingRun> run = start_training(request);
  Reporter lines(*run, o);
  reporter = &lines;
  lines.start();
  const CatchInterrupt signals(CatchInterrupt::Second::ends_the_process, {SIGINT, SIGTERM});
  while (!run->finished() && !CatchInterrupt::caught()) lines.step(run->step());
  lines.end_line();
  if (!run->finished()) {
    run->checkpoint();
    if (!o.quiet) {
      say(fmt::format("interrupted after step {}; ashlar train --out {} --resume goes on",
                      grouped(run->steps_done()), run->folder()));
    }
    throw Exit{CatchInterrupt::exit_code()};
  }
  run->finish();
  std::error_code code;
  if (!o.quiet && !o.json && std::filesystem::exists(run->folder() + "/model", code))
    say("the model is in " + run->folder() + "/model");
}

}  // namespace

void add_train(CLI::App& app) {
  auto [command, o] = add_command(
      app, "train", run_train,
      "train a blueprint from scratch or from a checkpoint: RUN.json says model, data, optimiser "
      "and schedule (docs/training.md); options and key=value go before it. Writes run.json, "
      "log.jsonl, checkpoints/ and model/, which Transformers and `ashlar run` read");
  add_value(command, "run", o.words, "RUN.json",
            "RUN.json, and key=value such as optimiser.rate=1e-3");
  add_value(command, "--model", o.model, "BLUEPRINT",
            "name, blueprint file or folder of the architecture");
  add_value(command, "--data", o.data, "DATA",
            "folder of ashlar data build, or .npy of token ids, int32 [sequences, length]");
  add_value(command, "--init", o.init, "MODEL",
            "begin with the weights of this folder or GGUF file");
  add_value(command, "--lora", o.lora, "RANK",
            "train low-rank adapters of this rank beside the weights of --init, which stay: "
            "adapter/ is what PEFT reads, model/ the sum");
  add_value(command, "--out", o.out, "FOLDER", "folder of the run");
  add_value(command, "--steps", o.steps, "N", "steps of the run");
  add_value(command, "--tokens", o.tokens, "N", "tokens of the run")->excludes("--steps");
  add_value(command, "--time", o.time, "T", "about so long: 90s, 30m, 2h")
      ->excludes("--steps", "--tokens");
  command.add_flag("--resume", o.resume, "go on from the newest checkpoint of --out, bit for bit");
  add_value(command, "--replay", o.replay, "STEP",
            "run a step of --out again, from the checkpoint before it, and say what it was "
            "like: gradients by tensor, activations, the loss of every sequence");
  add_value(command, "--branch", o.branch, "RUN",
            "begin where this run, or its checkpoint, stands: weights, moments, schedule and place "
            "in the data; its run.json holds unless another is given")
      ->excludes("--init");
  add_value(command, "--decay", o.decay, "N",
            "with --branch: N more steps in which the rate falls (schedule wsd)")
      ->needs("--branch")
      ->check(CLI::PositiveNumber)
      ->excludes("--steps");
  add_threads_option(command, o.threads);
  add_kernels_option(command, o.kernels);
  command.add_flag("--quiet", o.quiet, "say nothing but errors and notes");
  command.add_flag("--json", o.json, "print each step as the line that log.jsonl gets");
}

}  // namespace ashlar::app
