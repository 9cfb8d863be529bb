// The step: micro-batches, norm, clip, update.
#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"
#include "ops/experts.h"

namespace ashlar {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TrainSettings filled_in(TrainSettings s, const TokenRows& data) {
  if (s.batch.length == 0) s.batch.length = data.length();
  if (s.batch.micro == 0) s.batch.micro = s.batch.sequences;
  check(s);
  return s;
}

/// Over the whole step means over more than what is computed at once only where there are several
/// micro-batches: then their loads must be known before.
bool gives_load(const TrainSettings& s) {
  return s.losses.balance.kind == BalanceKind::step && s.batch.micro < s.batch.sequences;
}

/// to += share * from, number by number.
void add_shares(StepValues& to, const StepValues& from, double share) {
  for (const auto& [name, values] : from) {
    std::vector<float>& sum = to[name];
    sum.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) sum[i] += static_cast<float>(share) * values[i];
  }
}

constexpr std::string_view kLoad = "load.";

void check_losses(const Graph& forward, const LossSettings& losses) {
  bool routers = false, corrected = false;
  for (const Node& node : forward.nodes()) {
    if (node.op.as<Route>() == nullptr) continue;
    routers = true;
    corrected = corrected || node.inputs.size() > 1;
  }
  if (!routers && (losses.balance.kind != BalanceKind::none || losses.router_z > 0))
    fail(ErrorKind::invalid, "losses.balance and losses.router_z: the model has no experts");
  if (!corrected && losses.bias_rate > 0) {
    fail(ErrorKind::invalid,
         "losses.bias_rate: no router of the model has a correction bias "
         "(blocks[*].ffn.experts.router.correction_bias)");
  }
}

}  // namespace

StepOptions with_losses(StepOptions options, const TrainSettings& s) {
  using Over = AuxiliaryLosses::Over;
  const BalanceKind kind = s.losses.balance.kind;
  options.differentiate.losses = {
      .z = s.losses.z,
      .router_z = s.losses.router_z,
      .balance = kind == BalanceKind::none ? 0 : s.losses.balance.weight,
      .over = kind == BalanceKind::sequence ? Over::sequence
              : gives_load(s)               ? Over::given
                                            : Over::batch,
      .loads = s.losses.bias_rate > 0 || gives_load(s),
      .mtp = s.losses.mtp};
  return options;
}

void check(const TrainSettings& s) {
  const auto expect = [](bool holds, std::string_view what, auto found) {
    if (!holds) fail(ErrorKind::invalid, "{}, found {}", what, found);
  };
  const OptimiserSettings& o = s.optimiser;
  expect(s.batch.sequences >= 1, "batch.sequences: expected at least 1", s.batch.sequences);
  expect(s.batch.length == 0 || s.batch.length >= 2, "batch.length: expected at least 2",
         s.batch.length);
  expect(s.batch.micro >= 0 && s.batch.micro <= s.batch.sequences,
         "batch.micro: expected sequences computed at once, at most batch.sequences",
         s.batch.micro);
  expect(s.steps >= 1, "steps: expected at least 1", s.steps);
  expect(o.rate >= 0 && std::isfinite(o.rate), "optimiser.rate: expected a number from 0", o.rate);
  for (const double beta : o.betas)
    expect(beta >= 0 && beta < 1, "optimiser.betas: expected numbers from 0 and below 1", beta);
  expect(o.eps >= 0, "optimiser.eps: expected a number from 0", o.eps);
  expect(o.decay >= 0, "optimiser.decay: expected a number from 0", o.decay);
  expect(o.momentum >= 0 && o.momentum < 1,
         "optimiser.momentum: expected a number from 0 and below 1", o.momentum);
  expect(o.iterations >= 1 && o.iterations <= 100,
         "optimiser.iterations: expected 1 to 100 (Newton-Schulz)", o.iterations);
  expect(o.qk_clip >= 0, "optimiser.qk_clip: expected a number from 0 (0: no clipping)", o.qk_clip);
  expect(s.losses.z >= 0 && s.losses.router_z >= 0 && s.losses.balance.weight >= 0 &&
             s.losses.mtp >= 0 && s.losses.bias_rate >= 0,
         "losses: expected weights from 0", s.losses.z);
  expect(s.clip >= 0, "clip: expected a number from 0 (0: no clipping)", s.clip);
  expect(s.schedule.warmup >= 0, "schedule.warmup: expected steps from 0", s.schedule.warmup);
  expect(s.schedule.final >= 0, "schedule.final: expected a share from 0", s.schedule.final);
  expect(s.schedule.decay > 0 && s.schedule.decay <= 1,
         "schedule.decay: expected a share of the run from 0 to 1", s.schedule.decay);
}

void check_fit(const Graph& forward, const TrainSettings& settings, const TokenRows& data) {
  for (const Param& p : forward.params()) {
    if (p.role == Role::position && data.length() > p.rows()) {
      fail(ErrorKind::invalid,
           "batch.length: sequences of {} tokens, but the model has {} learned positions ({})",
           data.length(), p.rows(), p.name);
    }
  }
  if (settings.batch.length != data.length()) {
    fail(ErrorKind::invalid,
         "batch.length: {}, but {} has rows of {} tokens: leave it out, or write the data in rows "
         "of "
         "that length",
         settings.batch.length, data.name(), data.length());
  }
  check_losses(forward, settings.losses);
  check_ids(data, forward.type(forward.output()).axes[1].size);
}

Trainer::Trainer(const Graph& forward, ParameterArrays& parameters, const TrainSettings& settings,
                 const TokenRows& data, DataOrder order, const StepOptions& options,
                 IdVector<ParamId, float> decay_towards)
    : parameters_(parameters),
      settings_(filled_in(settings, data)),
      data_(data),
      order_(order),
      executor_((check_fit(forward, settings_, data), forward), parameters,
                with_losses(options, settings_)),
      gradients_(forward.params()),
      optimiser_(forward.params(), executor_.trained(), settings_.optimiser,
                 std::move(decay_towards)),
      corrected_(settings_.losses.bias_rate > 0 ? corrected_routers(forward)
                                                : std::vector<Corrected>{}),
      history_(forward.params()),
      telemetry_(
          settings_.telemetry.every > 0
              ? std::make_unique<Telemetry>(forward, parameters, options.threads, options.kernels)
              : nullptr) {
  for (const Param& p : forward.params()) parameter_names_.push_back(p.name);
  if (settings_.optimiser.qk_clip > 0) {
    if (!options.differentiate.frozen.empty())
      fail(ErrorKind::invalid, "optimiser.qk_clip: scales weights, which adapters leave alone");
    qk_clip_ = std::make_unique<QkClip>(forward, parameters, settings_.optimiser.qk_clip,
                                        options.threads, options.kernels);
  }
}

int64_t Trainer::tokens_per_step() const {
  return settings_.batch.sequences * settings_.batch.length;
}

std::vector<int64_t> Trainer::rows_of_step(int64_t step) const {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < settings_.batch.sequences; ++i)
    rows.push_back(
        row_at(order_, settings_.seed, step * settings_.batch.sequences + i, data_.rows()));
  data_.replace(step + 1, rows);
  return rows;
}

double Trainer::measured_seconds() {
  std::vector<int64_t> rows = rows_of_step(0);
  rows.resize(static_cast<size_t>(settings_.batch.micro));
  const TokenBatch batch = batch_of_rows(data_, rows);
  double seconds = 0;
  for (int run = 0; run < 2; ++run) {  // the first one also takes memory
    const auto begin = std::chrono::steady_clock::now();
    executor_.run(batch, 0, gradients_, false);
    seconds = seconds_since(begin);
  }
  return seconds * static_cast<double>(settings_.batch.sequences) /
         static_cast<double>(settings_.batch.micro);
}

StepRecord Trainer::step() {
  const auto begin = std::chrono::steady_clock::now();
  StepRecord record;
  const int64_t sequences = settings_.batch.sequences, micro = settings_.batch.micro;
  const std::vector<int64_t> rows = rows_of_step(done_);
  std::vector<TokenBatch> batches;
  std::vector<int64_t> predicted;
  int64_t all_predicted = 0;
  for (int64_t at = 0; at < sequences; at += micro) {
    const std::span<const int64_t> all(rows);
    batches.push_back(
        batch_of_rows(data_, all.subspan(static_cast<size_t>(at),
                                         static_cast<size_t>(std::min(micro, sequences - at)))));
    predicted.push_back(predicted_tokens(batches.back()));
    all_predicted += predicted.back();
  }
  if (gives_load(settings_)) give_load_of(batches);
  for (size_t b = 0; b < batches.size(); ++b) {
    const double share = static_cast<double>(predicted[b]) /
                         static_cast<double>(std::max<int64_t>(all_predicted, 1));
    const StepValues values = executor_.run(batches[b], share, gradients_, b > 0);
    record.loss += share * static_cast<double>(values.at("loss").at(0));
    add_shares(record.values, values, share);
  }
  record.values.erase("loss");
  record.gradient_norm = gradient_norm(gradients_, executor_.products());
  const double factor = schedule_factor(settings_.schedule, done_, settings_.steps);
  record.rate = settings_.optimiser.rate * factor;
  record.spikes = judged(record);
  look(record, rows);
  if (std::isfinite(record.loss) && std::isfinite(record.gradient_norm)) {
    for (const TokenBatch& batch : batches) {
      if (qk_clip_) qk_clip_->see(batch);
    }
    optimiser_.update(parameters_, gradients_, clip_factor(record.gradient_norm, settings_.clip),
                      record.rate, factor, executor_.products());
    correct_routers(record.values);
    if (qk_clip_) record.values["qk_clipped"] = {static_cast<float>(qk_clip_->clip(parameters_))};
    if (telemetry_due()) telemetry_record_ = telemetry_->after(optimiser_);
  }
  ++done_;
  record.step = done_;
  record.tokens = done_ * tokens_per_step();
  record.seconds = seconds_since(begin);
  record.tokens_per_second = static_cast<double>(tokens_per_step()) / record.seconds;
  return record;
}

bool Trainer::telemetry_due() const {
  return telemetry_ && (examine_all_ || (done_ + 1) % settings_.telemetry.every == 0);
}

void Trainer::look(const StepRecord& record, const std::vector<int64_t>& rows) {
  telemetry_record_ = nullptr;
  examined_.reset();
  if (telemetry_due()) {
    const auto n = static_cast<size_t>(
        std::min<int64_t>(settings_.telemetry.sequences, static_cast<int64_t>(rows.size())));
    telemetry_->before(gradients_, clip_factor(record.gradient_norm, settings_.clip),
                       batch_of_rows(data_, std::span(rows).first(n)));
  }
  if (!record.spikes.empty() || examine_all_) examined_ = examine(record, rows);
  constexpr int64_t kSometimes = 5;  // a pass over all gradients
  if (done_ % kSometimes == 0) history_.add(gradient_norms(gradients_));
}

void Trainer::remember(double loss, double gradient_norm) {
  losses_.add(loss);
  norms_.add(gradient_norm);
}

std::vector<std::string> Trainer::judged(const StepRecord& record) {
  std::vector<std::string> found;
  const auto judge = [&](const char* name, SpikeMonitor& monitor, double value) {
    for (const SpikeRule rule : monitor.add(value))
      found.push_back(fmt::format("{}.{}", name, enum_name(rule)));
  };
  before_[0] = {0, losses_.mean(), losses_.deviation()};
  before_[1] = {0, norms_.mean(), norms_.deviation()};
  judge("loss", losses_, record.loss);
  judge("gradient_norm", norms_, record.gradient_norm);
  return found;
}

StepExamined Trainer::examine(const StepRecord& record, const std::vector<int64_t>& rows) {
  StepExamined e{.step = done_ + 1, .loss = before_[0], .gradient_norm = before_[1]};
  e.loss.value = record.loss;
  e.gradient_norm.value = record.gradient_norm;
  const std::vector<double> norms = gradient_norms(gradients_);
  for (size_t i = 0; i < norms.size(); ++i)
    e.parameters.push_back({parameter_names_[i], norms[i], history_.usual()[i]});
  const auto times = [](const StepExamined::Moved& m) {
    if (!std::isfinite(m.norm)) return std::numeric_limits<double>::infinity();
    return m.usual > 0 ? m.norm / m.usual : 0;
  };
  std::stable_sort(e.parameters.begin(), e.parameters.end(),
                   [&](const auto& a, const auto& b) { return times(a) > times(b); });
  for (const int64_t row : rows) {
    const TokenBatch batch = batch_of_rows(data_, {&row, 1});
    const double loss = static_cast<double>(executor_.evaluate(batch).at("loss").at(0));
    e.sequences.push_back({row, loss, batch.tokens});
  }
  // What is no number comes first.
  std::stable_sort(e.sequences.begin(), e.sequences.end(), [](const auto& a, const auto& b) {
    const bool na = !std::isfinite(a.loss), nb = !std::isfinite(b.loss);
    return na != nb ? na : !na && a.loss > b.loss;
  });
  return e;
}

std::vector<Trainer::Corrected> Trainer::corrected_routers(const Graph& forward) {
  std::vector<Corrected> all;
  for (const Node& node : forward.nodes()) {
    if (node.op.as<Route>() == nullptr || node.inputs.size() < 2) continue;
    if (node.inputs[1].is_param())
      all.push_back({std::string(kLoad) + node.scope, node.inputs[1].param});
  }
  return all;
}

// DeepSeek-V3, section 2.1.2: once per step, experts above the mean load become less likely, those
// below more.
void Trainer::correct_routers(const StepValues& values) {
  const auto step = static_cast<float>(settings_.losses.bias_rate);
  for (const Corrected& router : corrected_) {
    const std::vector<float>& load = values.find(router.load)->second;
    double mean = 0;
    for (const float f : load) mean += static_cast<double>(f) / static_cast<double>(load.size());
    const std::span<float> bias = parameters_[router.bias];
    for (size_t e = 0; e < bias.size(); ++e) {
      const double below = mean - static_cast<double>(load[e]);
      // Loads are sums of float32 shares: what is equal to their last digits is equal.
      if (std::abs(below) > 1e-6 * mean) bias[e] += below > 0 ? step : -step;
    }
  }
}

void Trainer::give_load_of(const std::vector<TokenBatch>& batches) {
  std::vector<float> load;
  int64_t tokens = 0, routers = 0;
  for (const TokenBatch& b : batches) tokens += b.size();
  for (const TokenBatch& b : batches) {
    const StepValues values = executor_.evaluate(b);
    routers = 0;
    for (const auto& [name, of_layer] : values) routers += name.starts_with(kLoad) ? 1 : 0;
    const double share =
        static_cast<double>(b.size()) / static_cast<double>(tokens * std::max<int64_t>(routers, 1));
    for (const auto& [name, of_layer] : values) {
      if (!name.starts_with(kLoad)) continue;
      load.resize(of_layer.size());
      for (size_t e = 0; e < load.size(); ++e) load[e] += static_cast<float>(share) * of_layer[e];
    }
  }
  if (!load.empty()) executor_.give_load(load);
}

Evaluation Trainer::evaluate(const TokenRows& rows) {
  Evaluation result;
  double sum = 0;
  std::optional<int64_t> bytes = 0;
  for (int64_t at = 0; at < rows.rows(); at += settings_.batch.micro) {
    std::vector<int64_t> wanted;
    for (int64_t i = at; i < std::min(rows.rows(), at + settings_.batch.micro); ++i) {
      wanted.push_back(i);
      const std::optional<int64_t> more = rows.predicted_bytes(i);
      bytes = bytes && more ? std::optional(*bytes + *more) : std::nullopt;
    }
    const TokenBatch batch = batch_of_rows(rows, wanted);
    const int64_t n = predicted_tokens(batch);
    sum += static_cast<double>(n) * static_cast<double>(executor_.evaluate(batch).at("loss").at(0));
    result.predicted += n;
  }
  result.loss = sum / static_cast<double>(std::max<int64_t>(result.predicted, 1));
  if (bytes && *bytes > 0)
    result.bits_per_byte = sum / (static_cast<double>(*bytes) * std::numbers::ln2);
  return result;
}

std::vector<NamedArrays> Trainer::state() {
  std::vector<NamedArrays> all = optimiser_.state();
  all.insert(all.begin(), NamedArrays{"weights", &parameters_});
  return all;
}

void Trainer::set_steps_done(int64_t steps) {
  done_ = steps;
  optimiser_.set_updates(steps);
}

}  // namespace ashlar
