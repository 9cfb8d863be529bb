// How a graph is trained: optimiser, schedule, losses. The defaults are the members'.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/enum_names.h"
#include "graph/graph.h"

namespace ashlar {

/// In a struct of settings: the members that are read, written and documented, by their names.
#define ASHLAR_SETTINGS(...)                     \
  template <class V>                             \
  void visit(V& v) {                             \
    visit_members(v, #__VA_ARGS__, __VA_ARGS__); \
  }                                              \
  template <class V>                             \
  void visit(V& v) const {                       \
    visit_members(v, #__VA_ARGS__, __VA_ARGS__); \
  }                                              \
  static_assert(true)

enum class OptimiserKind : uint8_t { adamw, muon, sgd };
ASHLAR_NAMES(OptimiserKind, adamw, muon, sgd);

/// How Muon's update is scaled: moonlight, 0.2 sqrt(max(rows, columns)), gives it the size of an
/// update of AdamW, whose rate and decay then serve (arXiv 2502.16982, equation 4); keller,
/// sqrt(max(1, rows / columns)), has rates of its own, about 0.02.
enum class MuonScale : uint8_t { moonlight, keller };
ASHLAR_NAMES(MuonScale, moonlight, keller);

/// What weight decay multiplies: rate (PyTorch: w *= 1 - rate decay), or the schedule alone
/// (Wortsman et al. 2023: w *= 1 - decay rate / peak rate), whatever the rate.
enum class DecayBy : uint8_t { rate, schedule };
ASHLAR_NAMES(DecayBy, rate, schedule);

/// Which parameters decay: matrices (embedding and head among them; not norms, biases and sinks,
/// nor biases of experts), all, none, or those of some roles.
struct DecayOn {
  enum class Kind : uint8_t { matrices, all, none, roles } kind = Kind::matrices;
  std::vector<Role> roles;
  bool covers(const Param& param) const;
};

struct OptimiserSettings {
  OptimiserKind kind = OptimiserKind::adamw;
  double rate = 1e-3;  // at its peak
  std::array<double, 2> betas{0.9, 0.95};
  double eps = 1e-8;
  double decay = 0.1;
  DecayOn decay_on;
  DecayBy decay_by = DecayBy::rate;
  double momentum = 0.95;  // of muon and sgd
  bool nesterov = true;    // of muon and sgd
  int64_t iterations = 5;  // of muon's Newton-Schulz
  MuonScale scale = MuonScale::moonlight;
  double qk_clip = 0;  // largest attention logit that muon lets stand; 0: no clipping
  ASHLAR_SETTINGS(kind, rate, betas, eps, decay, decay_on, decay_by, momentum, nesterov, iterations,
                  scale, qk_clip);
};

enum class ScheduleKind : uint8_t { constant, cosine, linear, steps, wsd };
ASHLAR_NAMES(ScheduleKind, constant, cosine, linear, steps, wsd);
enum class DecayShape : uint8_t { linear, cosine, sqrt };
ASHLAR_NAMES(DecayShape, linear, cosine, sqrt);

struct ScheduleSettings {
  ScheduleKind kind = ScheduleKind::constant;
  int64_t warmup = 0;                // steps of a linear rise from 0
  double final = 0;                  // cosine, linear, wsd: share of the rate at the end
  std::vector<double> at{0.8, 0.9};  // steps: shares of the run at which the rate drops ...
  double factor = 0.316;             // ... to this share of what it was
  double decay = 0.1;                // wsd: share of the run in which the rate falls to `final`
  DecayShape shape = DecayShape::linear;  // wsd: of that fall
  ASHLAR_SETTINGS(kind, warmup, final, at, factor, decay, shape);
};

/// Share of the peak rate at a step, counted from 0, of a run of `steps`:
///   t < warmup    t / warmup (so that the first step of a warm-up has the rate 0); wsd: final +
///                 (1 - final) t / warmup
///   constant      1
///   cosine        final + (1 - final) (1 + cos(pi q)) / 2, q = (t - warmup) / (steps - warmup)
///   linear        final + (1 - final) (1 - q)
///   steps         factor^n, n entries of `at` with t >= at * steps
///   wsd           1; from steps (1 - decay) on final + (1 - final) f(r), r the share that is done
///                 of the fall, f(r) = 1 - r, (1 + cos(pi r)) / 2 or 1 - sqrt(r)
double schedule_factor(const ScheduleSettings& schedule, int64_t step, int64_t steps);

/// Over which tokens the load of experts is counted for the balance loss.
enum class BalanceKind : uint8_t { none, micro, sequence, step };
ASHLAR_NAMES(BalanceKind, none, micro, sequence, step);

struct BalanceSettings {
  BalanceKind kind = BalanceKind::none;
  double weight = 1e-2;
  ASHLAR_SETTINGS(kind, weight);
};

/// What is added to the cross-entropy; 0 is off.
struct LossSettings {
  double z = 0;             // z mean(logZ^2) of the predictions
  BalanceSettings balance;  // of routers
  double router_z = 0;      // router_z mean(logZ^2) of routers, per layer
  double mtp = 0;           // of the token after the next, of models that predict it
  double bias_rate = 0;     // step of the correction bias of routers that have one (DeepSeek V3)
  ASHLAR_SETTINGS(z, balance, router_z, mtp, bias_rate);
};

struct BatchSettings {
  int64_t sequences = 8;  // of a step
  int64_t length = 0;     // tokens of each; 0: of the data's rows
  int64_t micro = 0;      // sequences computed at once; 0: all of a step
  ASHLAR_SETTINGS(sequences, length, micro);
};

/// What steps say besides their loss (train/telemetry.h).
struct TelemetrySettings {
  int64_t every = 0;      // steps; 0: never
  int64_t sequences = 1;  // of the step that activations are looked at
  ASHLAR_SETTINGS(every, sequences);
};

/// All that a step does with a graph and its data.
struct TrainSettings {
  BatchSettings batch;
  OptimiserSettings optimiser;
  ScheduleSettings schedule;
  LossSettings losses;
  TelemetrySettings telemetry;
  double clip = 0;  // largest norm of the gradient, as torch.nn.utils.clip_grad_norm_; 0: none
  int64_t steps = 0;
  uint64_t seed = 1;
};

}  // namespace ashlar
