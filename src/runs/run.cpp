// A run's folder: run.json, log.jsonl, checkpoints/, model/.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>

#include "ashlar/train.h"
#include "base/error.h"
#include "base/output_file.h"
#include "base/units.h"
#include "blueprint/blueprint.h"
#include "families/family.h"
#include "model/convert.h"
#include "runs/event_file.h"
#include "runs/log.h"
#include "runs/lora.h"
#include "runs/report.h"
#include "runs/run_data.h"
#include "runs/run_file.h"
#include "runs/spike.h"
#include "runs/start.h"
#include "runs/summary.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

class ModelRun : public TrainingRun {
 public:
  ModelRun(RunStart start, const TrainingRequest& request)
      : start_(std::move(start)),
        folder_(start_.file.out),
        notice_(request.notice),
        parameters_(start_.graph.params()) {
    const RunFile& file = start_.file;
    untouched_ = start_.initial();
    parameters_.take(start_.graph.params(), untouched_);
    for (const Param& p : start_.graph.params()) untouched_.erase(p.name);
    trainer_.emplace(start_.graph, parameters_, file.train, *start_.data, file.data.order,
                     start_.options(request), start_.decay_towards());
    if (request.seconds > 0 && !request.resume) {
      const double steps = request.seconds / trainer_->measured_seconds();
      start_.file.train.steps = std::max<int64_t>(1, static_cast<int64_t>(steps));
      trainer_->set_steps(start_.file.train.steps);
    }
    if (request.resume)
      go_on();
    else
      begin();
    log_.emplace(folder_ / "log.jsonl");
    despite_full_disk("event file", [&] { events_.emplace(folder_); });
  }

  const std::string& folder() const override { return start_.file.out; }
  std::string settings() const override { return to_json(start_.file).dump(2); }
  std::string model() const override { return start_.blueprint.name; }
  int64_t parameters() const override { return start_.graph.parameter_count(); }
  int64_t steps() const override { return start_.file.train.steps; }
  int64_t steps_done() const override { return trainer_->steps_done(); }
  int64_t tokens_per_step() const override { return trainer_->tokens_per_step(); }

  StepRecord step() override {
    StepRecord record = trainer_->step();
    seconds_ += record.seconds;
    tell_of_spike(record);
    if (!std::isfinite(record.loss) || !std::isfinite(record.gradient_norm)) {
      log_->add(to_json(record));
      trainer_->set_steps_done(record.step - 1);  // the update was not made
      despite_full_disk("checkpoint", [&] { checkpoint(); });
      fail(ErrorKind::invalid,
           "step {}: loss {}, gradient norm {}: the run has diverged; a checkpoint of before this "
           "step is kept, and {} says what moved; a lower optimiser.rate, a longer "
           "schedule.warmup or a clip may help",
           record.step, record.loss, record.gradient_norm, spike_file(record.step).string());
    }
    const int64_t done = record.step;
    const auto due = [&](int64_t every) { return every > 0 && done % every == 0; };
    if (start_.validation &&
        (due(start_.file.evaluate.every) || (start_.file.evaluate.every > 0 && finished()))) {
      const Evaluation e = trainer_->evaluate(*start_.validation);
      record.validation_loss = e.loss;
      record.bits_per_byte = e.bits_per_byte;
    }
    despite_full_disk("log.jsonl", [&] { log_->add(to_json(record)); });
    if (events_) despite_full_disk("event file", [&] { events_->add(record); });
    if (!trainer_->telemetry().is_null())
      despite_full_disk("telemetry.jsonl", [&] { add_telemetry(record.step); });
    if (due(start_.file.checkpoint.every) && !finished()) {
      despite_full_disk("checkpoint", [&] { checkpoint(); });
      despite_full_disk("report.html", [&] { report(); });
    }
    return record;
  }

  void checkpoint() override {
    if (saved_ == trainer_->steps_done()) return;
    const Json about = {{"data", start_.data->fingerprint()}, {"graph", hash_of(start_.graph)}};
    write_checkpoint(folder_ / "checkpoints", *trainer_, start_.graph.params(), about);
    saved_ = trainer_->steps_done();
    remove_old_checkpoints(folder_ / "checkpoints", start_.file.checkpoint.keep,
                           start_.file.checkpoint.keep_every);
  }

  void finish() override {
    checkpoint();
    if (start_.file.train.telemetry.every > 0 && seconds_ > 0) {
      const double took = trainer_->telemetry_seconds();
      say(fmt::format("telemetry took {} of {} ({:.1f} %)", short_seconds(took),
                      short_seconds(seconds_), 100 * took / seconds_));
    }
    if (!start_.lora.empty()) {
      write_adapter(folder_ / "adapter", start_.blueprint, start_.graph.params(), start_.lora,
                    parameters_, start_.file.lora.rank, start_.file.lora.alpha,
                    start_.file.init_from);
    }
    if (!start_.file.write_model) return;
    Model model;
    static_cast<TextModel&>(model) = text_of(start_.text_source);
    model.blueprint = start_.blueprint;
    model.graph = graph_of(start_.blueprint);
    model.weights = untouched_;
    model.weights.merge(merged(start_.graph.params(), start_.lora, parameters_));
    convert_model(model, folder_ / "model", {.to = "safetensors", .weights = "f32"});
    despite_full_disk("report.html", [&] { report(); });
  }

 private:
  fs::path spike_file(int64_t step) const { return folder_ / fmt::format("spike-{}.json", step); }

  /// One report for a while, but a loss is worth more than a norm: what comes soon after a spike is
  /// often a spike too.
  void tell_of_spike(const StepRecord& record) {
    constexpr int64_t kApart = 20;
    if (!trainer_->examined()) return;
    const bool of_loss = std::any_of(record.spikes.begin(), record.spikes.end(),
                                     [](const auto& s) { return s.starts_with("loss."); });
    const int64_t last = of_loss ? told_loss_ : std::max(told_loss_, told_norm_);
    if (std::isfinite(record.loss) && record.step < last + kApart) return;
    (of_loss ? told_loss_ : told_norm_) = record.step;
    if (!tokenizer_) tokenizer_ = text_of(start_.text_source).tokenizer;
    Json json = to_json(*trainer_->examined(), *start_.data, tokenizer_.get());
    json["rules"] = record.spikes;
    json["seed"] = start_.file.train.seed;
    json["checkpoint"] = saved_ > 0 ? Json(saved_) : Json();
    despite_full_disk("spike report", [&] {
      write_file(spike_file(record.step),
                 json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
    });
    say(fmt::format("a spike, told in {}:\n{}", spike_file(record.step).string(),
                    summary_of(*trainer_->examined(), tokenizer_.get())));
  }

  void add_telemetry(int64_t step) {
    if (!telemetry_) telemetry_.emplace(folder_ / "telemetry.jsonl");
    Json record = {{"step", step}};
    record.update(trainer_->telemetry());
    telemetry_->add(record);
  }

  void report() const {
    RunSummary summary = summary_of(folder_);
    summary.state = finished() ? RunState::finished : RunState::running;
    write_file(folder_ / "report.html", report_of_runs({summary}));
  }

  void begin() {
    std::error_code code;
    if (fs::exists(folder_ / "run.json", code)) {
      fail(ErrorKind::invalid,
           "{}: holds a run already: `resume` goes on with it, another `out` begins another",
           folder_.string());
    }
    fs::create_directories(folder_ / "checkpoints", code);
    if (code)
      fail(ErrorKind::io, "{}: cannot create the folder: {}", folder_.string(), code.message());
    if (!start_.file.branch.empty()) take_branch(start_, *trainer_);
    write_file(folder_ / "run.json", settings() + "\n");
  }

  void go_on() {
    const fs::path log = folder_ / "log.jsonl";
    if (is_written(log))
      fail(ErrorKind::invalid, "{}: another process trains this run", folder_.string());
    for (const fs::path& checkpoint : checkpoints_in(folder_ / "checkpoints")) {
      Json about;
      try {
        about = read_checkpoint(checkpoint, *trainer_, start_.graph.params());
      } catch (const Error& e) {
        say(fmt::format("{}; the checkpoint before it is taken", e.what()));
        continue;
      }
      check_same(start_, about);
      saved_ = trainer_->steps_done();
      cut_log(log, saved_);
      cut_log(folder_ / "telemetry.jsonl", saved_);
      for (const StepRecord& r : read_log(log)) trainer_->remember(r.loss, r.gradient_norm);
      write_file(folder_ / "run.json", settings() + "\n");
      return;
    }
    // Nothing whole was saved: from the start, with the initial values.
    parameters_.take(start_.graph.params(), start_.initial());
    for (const NamedArrays& a : trainer_->state()) {
      if (a.values != &parameters_) a.values->clear();
    }
    if (!start_.file.branch.empty()) take_branch(start_, *trainer_);
    say(fmt::format("{}: has no checkpoint; the run begins again", folder_.string()));
    cut_log(log, 0);
    cut_log(folder_ / "telemetry.jsonl", 0);
    std::error_code code;
    fs::create_directories(folder_ / "checkpoints", code);
    write_file(folder_ / "run.json", settings() + "\n");
  }

  void say(const std::string& text) const {
    if (notice_) notice_(text);
  }
  /// A full disk is no reason to lose the run: it goes on, and says so.
  template <class F>
  void despite_full_disk(const char* what, const F& f) {
    try {
      f();
      failing_.erase(what);
    } catch (const Error& e) {
      if (!failing_.insert(what).second) return;  // said once until it works again
      say(fmt::format("{}; the run goes on, and the next {} is tried when it is due", e.what(),
                      what));
    }
  }

  RunStart start_;
  const fs::path folder_;
  const std::function<void(const std::string&)> notice_;
  ParameterArrays parameters_;
  Weights untouched_;  // of layers for multi-token prediction, which take no part
  std::optional<Trainer> trainer_;
  std::optional<RunLog> log_;
  std::optional<EventFile> events_;
  std::optional<RunLog> telemetry_;
  std::unique_ptr<Tokenizer> tokenizer_;           // of reports, once there is one
  int64_t told_loss_ = -1000, told_norm_ = -1000;  // steps of the last reports of spikes
  std::set<std::string> failing_;                  // what could not be written the last time
  double seconds_ = 0;                             // of this process's steps
  int64_t saved_ = -1;                             // step of the newest checkpoint
};

}  // namespace

std::unique_ptr<TrainingRun> start_training(const TrainingRequest& request) {
  return std::make_unique<ModelRun>(read_start(request), request);
}

}  // namespace ashlar
