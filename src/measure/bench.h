// Measured speed of a model on this machine, beside what was planned for it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ashlar/generate.h"
#include "base/json_members.h"
#include "model/model.h"
#include "readings/predict/predict.h"
#include "run/engine.h"

namespace ashlar {

struct BenchOptions {
  int64_t prompt = 512;      // tokens evaluated at once, after `depth`
  int64_t generate = 128;    // tokens decoded one by one, after `depth`
  int64_t depth = 0;         // tokens that the sequences hold before
  int64_t sequences = 1;     // decoded together
  EngineOptions engine;      // context and sequences are set by the rest
  int64_t draft_tokens = 0;  // also steps that evaluate so many guesses behind a token
  std::string draft;         // also greedy generation with a drafter, "mtp" or another name
  /// The drafter for an engine of engine_of(model, ..., draft == "mtp").
  std::function<std::shared_ptr<Drafter>(Engine&)> drafter;
  int repeat = 3;
  bool speed_only = false;  // no limits, no plan, no profile: only tokens per second
  std::function<void(double done)> progress;  // 0 to 1
  ASHLAR_JSON(prompt, generate, depth, sequences, repeat);
};

/// One kind of step: measured, and planned.
struct BenchPart {
  std::string name;  // "ffn products", "scores", "rows", ...
  double seconds = 0, planned_limit_seconds = 0, planned_today_seconds = 0;
  double of_limit = 0;  // the limit's share of the seconds
  double weight_bytes = 0, operations = 0;
  std::string bound_by;  // what the limit is: bandwidth, compute or steps (barriers)
  ASHLAR_JSON(name, seconds, planned_limit_seconds, of_limit, bound_by, planned_today_seconds,
              weight_bytes, operations);
};

/// A step that evaluates guesses (GenerateOptions::drafter) behind the last token.
struct BenchDrafting {
  int64_t tokens = 0;     // guesses
  double seconds = 0;     // of a step, median
  double break_even = 0;  // guesses accepted per step from which on drafting is faster, where they
                          // cost nothing, as lookup's
  ASHLAR_JSON(tokens, seconds, break_even);
};

/// The model's likeliest tokens after a random prompt, with a drafter and without.
struct BenchDrafts {
  std::string drafter;
  int64_t tokens = 0;             // guessed in a row, at most
  int64_t drafted_tokens = 0;     // guessed
  int64_t accepted_tokens = 0;    // of them, those that the model chose too
  double tokens_per_second = 0;   // median
  double without_per_second = 0;  // the same without a drafter
  ASHLAR_JSON(drafter, tokens, drafted_tokens, accepted_tokens, tokens_per_second,
              without_per_second);
};

struct BenchPhase {
  int64_t tokens = 0;            // of one measurement
  std::vector<double> seconds;   // of each repeat; decode: of all its steps
  double tokens_per_second = 0;  // median
  double least = 0, most = 0;    // tokens per second
  double bytes_per_second = 0, operations_per_second = 0;
  double of_bandwidth = 0, of_compute = 0;      // shares of the limits probed in the same run
  double planned_limit = 0, planned_today = 0;  // tokens per second
  std::vector<BenchPart> parts;                 // of one step (decode) or of the prompt
  ASHLAR_JSON(tokens, seconds, tokens_per_second, least, most, bytes_per_second,
              operations_per_second, of_bandwidth, of_compute, planned_limit, planned_today, parts);
};

struct BenchResult {
  std::string model, weights;
  BenchOptions options;
  int threads = 0;
  std::string kernels;
  Format state = Format::f16;
  Machine machine;  // probed in this run: limits, and the kernels for this model's formats
  int64_t weight_bytes = 0, state_bytes = 0, activation_bytes = 0;  // allocated by the engine
  BenchPhase prefill, decode;
  std::optional<BenchDrafting> drafting;  // if asked for
  std::optional<BenchDrafts> drafts;      // if asked for
};

/// Runs the model's engine on random token ids. Throws Error(invalid) for options out of range.
BenchResult bench(const Model& model, const BenchOptions& options = {});

/// What each step of the engine's plan took, in their order: of one prompt, and of all steps of a
/// decode together.
struct RunProfile {
  std::string model;
  BenchOptions options;
  std::vector<StepProfile> prefill, decode;
};

/// Runs as bench() does, once. Throws Error(invalid) for options out of range.
RunProfile profile_steps(const Model& model, const BenchOptions& options = {});

std::string profile_text(const RunProfile& profile);
/// Chrome's trace events, which Perfetto opens: the steps of the prompt, and on a second track
/// those of an average decode step.
std::string profile_trace(const RunProfile& profile);

std::string bench_json(const BenchResult& result);
std::string bench_text(const BenchResult& result);

}  // namespace ashlar
