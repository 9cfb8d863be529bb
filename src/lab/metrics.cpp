// Sums over log.jsonl.
#include "lab/metrics.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <optional>

#include "base/error.h"
#include "graph/place.h"
#include "lab/data.h"
#include "lab/statistics.h"

namespace ashlar::lab {
namespace {

namespace fs = std::filesystem;

struct Log {
  std::vector<double> tokens, loss, gradient_norm, seconds;
  size_t size() const { return loss.size(); }
};

Log read_log(const fs::path& file) {
  Log log;
  std::ifstream in(file);
  const auto number = [](const Json& record, const char* key) {
    const auto it = record.find(key);
    return it != record.end() && it->is_number() ? it->get<double>()
                                                 : std::numeric_limits<double>::quiet_NaN();
  };
  for (std::string line; std::getline(in, line);) {
    const Json record = Json::parse(line, nullptr, false);
    if (!record.is_object()) continue;
    log.tokens.push_back(number(record, "tokens"));
    log.loss.push_back(number(record, "loss"));
    log.gradient_norm.push_back(number(record, "gradient_norm"));
    log.seconds.push_back(number(record, "seconds"));
  }
  return log;
}

/// Numbers of ln |gradient| after the first tenth of the run.
void add_smoothness(const Log& log, Json& m) {
  std::vector<double> g;
  for (size_t i = log.size() / 10; i < log.size(); ++i) {
    if (log.gradient_norm[i] > 0) g.push_back(std::log(log.gradient_norm[i]));
  }
  constexpr size_t kHalf = 50, kWindow = 128;
  if (g.size() < 2 * kHalf) return;
  double rough = 0;
  for (size_t i = 1; i < g.size(); ++i) rough += std::abs(g[i] - g[i - 1]);
  m["gradient_roughness"] = rough / static_cast<double>(g.size() - 1);
  std::vector<double> rest;
  for (size_t i = kHalf; i + kHalf < g.size(); ++i)
    rest.push_back(g[i] - median(std::span(g).subspan(i - kHalf, 2 * kHalf + 1)));
  if (rest.size() > 1) m["gradient_spread"] = deviation(rest);
  // Least squares over the step, per thousand.
  const double middle = static_cast<double>(g.size() - 1) / 2, average = mean(g);
  double above = 0, below = 0;
  for (size_t i = 0; i < g.size(); ++i) {
    const double x = static_cast<double>(i) - middle;
    above += x * (g[i] - average);
    below += x * x;
  }
  m["gradient_slope"] = 1000 * above / below;
  if (g.size() <= kWindow) return;
  int64_t spikes = 0;
  for (size_t i = kWindow; i < g.size(); ++i) {
    std::vector<double> before;
    for (size_t k = i - kWindow; k < i; ++k) before.push_back(std::exp(g[k]));
    if (std::exp(g[i]) > mean(before) + 6 * deviation(before)) ++spikes;
  }
  m["spikes"] = 100 * static_cast<double>(spikes) / static_cast<double>(g.size() - kWindow);
}

void add_events(const Log& log, const RunFacts& facts, Json& m) {
  if (facts.events.count == 0) return;
  constexpr size_t kBefore = 32;
  std::vector<double> responses;
  Json& each = m["responses"] = Json::array();
  for (int64_t i = 0; i < facts.events.count; ++i) {
    each.push_back(nullptr);
    const auto step = static_cast<size_t>(event_step(facts.events, i, facts.steps));
    if (step < kBefore || step >= log.size()) continue;
    const double before = median(std::span(log.gradient_norm).subspan(step - kBefore, kBefore));
    const double found = log.gradient_norm[step];
    if (!(before > 0 && found > 0)) continue;
    responses.push_back(std::log(found / before));
    each.back() = responses.back();
  }
  if (!responses.empty()) m["response"] = mean(responses);
}

void add_experts(const Json& score, Json& m) {
  if (!score.contains("loads")) return;
  double worst = 0, first = 0, dead = 0;
  std::optional<size_t> first_layer;
  for (const auto& [scope, loads] : score["loads"].items()) {
    double most = 0;
    int64_t idle = 0;
    for (const Json& load : loads) {
      most = std::max(most, load.get<double>());
      idle += load.get<double>() < 0.01 ? 1 : 0;
    }
    if (const auto layer = place_of(scope).layer;
        layer && (!first_layer || *layer < *first_layer)) {
      first_layer = layer;
      first = most - 1;
    }
    worst = std::max(worst, most - 1);
    dead = std::max(dead, static_cast<double>(idle) / static_cast<double>(loads.size()));
  }
  m["load_violation"] = worst;
  m["load_violation_first"] = first;
  m["dead_experts"] = dead;
  if (!score.contains("router_drift")) return;
  double sum = 0;
  const Json& changed = score["router_drift"]["changed"];
  for (const Json& share : changed) sum += share.get<double>();
  m["router_drift"] = sum / static_cast<double>(changed.size());
}

/// Steps until each router's load stays balanced, from telemetry.jsonl where the run has one.
void add_balance(const fs::path& telemetry, const RunFacts& facts, Json& m) {
  std::map<size_t, std::vector<std::pair<double, double>>> layers;  // of (step, violation)
  std::ifstream in(telemetry);
  for (std::string line; std::getline(in, line);) {
    const Json record = Json::parse(line, nullptr, false);
    if (!record.is_object() || !record.contains("experts")) continue;
    for (const auto& [scope, router] : record["experts"].items()) {
      if (const auto layer = place_of(scope).layer)
        layers[*layer].emplace_back(record["step"], router["max_violation"]);
    }
  }
  if (layers.empty()) return;
  double worst = 0, first = 0, others = 0;
  for (const auto& [layer, series] : layers) {
    const double steps = steps_until_balance(series, facts.steps);
    worst = std::max(worst, steps);
    layer == layers.begin()->first ? first = steps : others += steps;
  }
  m["balance_steps"] = worst;
  m["balance_steps_first"] = first;
  if (layers.size() > 1)
    m["balance_lag_first"] = first - others / static_cast<double>(layers.size() - 1);
}

void add_answers(const Json& score, const RunFacts& facts, Json& m) {
  if (!score.contains("answers")) return;
  const Json& answers = score["answers"];
  m["accuracy"] = answers["accuracy"];
  m["answer_loss"] = answers["loss"];
  const Json& by = answers["by_difficulty"];
  if (!by.empty()) {
    // Keys are in the order of their numbers: the last is the hardest.
    m["accuracy_easiest"] = by.begin().value()["accuracy"];
    m["accuracy_hardest"] = std::prev(by.end()).value()["accuracy"];
  }
  if (facts.facts > 0) {
    const double known =
        std::max(0.0, facts.bits_per_fact - answers["loss"].get<double>() / std::log(2.0));
    m["bits"] = known * static_cast<double>(facts.facts);
    m["bits_per_parameter"] =
        m["bits"].get<double>() / static_cast<double>(std::max<int64_t>(facts.parameters, 1));
  }
}

const std::vector<MetricAbout>& metrics() {
  static const std::vector<MetricAbout> kAll{
      {"loss", "loss on the held-out set, nats per token"},
      {"excess", "loss on the held-out set above the data's entropy, nats per token"},
      {"bits_per_byte", "loss on the held-out set, bits per byte of text"},
      {"near_loss", "held-out loss in the first part of a row"},
      {"far_loss", "held-out loss in the last part of a row"},
      {"beyond_loss", "loss on longer held-out rows, beyond the trained length"},
      {"beyond_rise", "that less the loss on rows of the trained length"},
      {"loss_without_shared", "held-out loss with the shared experts silent"},
      {"shared_dependence", "what silencing the shared experts costs, nats"},
      {"ahead_loss", "held-out loss of the token after the next, by the layer that predicts it"},
      {"draft_acceptance", "share of that layer's likeliest tokens that the model finds likeliest"},
      {"accuracy", "share of right answers"},
      {"accuracy_easiest", "share of right answers at the least difficulty"},
      {"accuracy_hardest", "share of right answers at the greatest difficulty"},
      {"answer_loss", "loss of answers, nats"},
      {"bits", "bits of facts known by heart"},
      {"bits_per_parameter", "bits of facts per parameter"},
      {"train_loss", "mean training loss of the last tenth"},
      {"diverged", "1 where the loss ended as no number"},
      {"gradient_roughness", "mean |change of ln gradient norm| from step to step"},
      {"gradient_spread", "deviation of ln gradient norm from its median of 101 steps"},
      {"gradient_slope", "rise of ln gradient norm per 1000 steps"},
      {"spikes", "gradient norms 6 deviations above the 128 before, percent"},
      {"response", "mean ln(gradient norm / usual) where a repeated n-gram comes", false,
       "responses"},
      {"max_logit", "largest attention score before the softmax, on held-out rows"},
      {"load_violation", "largest load of an expert over the mean, less 1, in the worst layer"},
      {"load_violation_first", "the same in the first layer with experts"},
      {"balance_steps",
       "steps until no expert's load stays above twice the mean, in the worst layer"},
      {"balance_steps_first", "the same in the first layer with experts"},
      {"balance_lag_first", "that less the mean of the other layers"},
      {"router_drift",
       "share of the experts chosen at the end that were not at the oldest kept checkpoint"},
      {"dead_experts", "share of experts with under 1 % of the mean load, in the worst layer"},
      {"seconds", "seconds of a step (the fastest tenth) times the steps"},
      {"tokens_per_second", "of training, on one thread"},
      {"decode_tokens_per_second", "of decoding one sequence, on one thread"},
      {"decode_state_bytes", "remembered of a row while decoding, allocated"},
      {"memory_bytes", "of the process that trained, at its most"},
      {"flops", "of training in all"},
      {"sensitivity", "mean excess of the loss over the best rate's, over the rates", true},
      {"best_loss", "least loss over the rates", true},
      {"rate_range",
       "ln of the largest over the smallest rate that comes within 0.1 nats of the "
       "best loss",
       true},
  };
  return kAll;
}

}  // namespace

std::vector<std::string> metric_names() {
  std::vector<std::string> names;
  for (const MetricAbout& m : metrics()) names.emplace_back(m.name);
  return names;
}

const MetricAbout& metric(const std::string& name) {
  for (const MetricAbout& m : metrics()) {
    if (name == m.name) return m;
  }
  fail(ErrorKind::invalid, "there is no metric {}", name);
}

Json metrics_of(const fs::path& file, const Json& score, const RunFacts& facts, bool diverged) {
  const Log log = read_log(file);
  Json m = Json::object();
  if (log.size() == 0) return m;
  m["first_loss"] = log.loss[0];
  m["diverged"] = diverged ? 1 : 0;
  const double seconds = fastest_tenth(log.seconds) * static_cast<double>(log.size());
  m["seconds"] = seconds;
  m["tokens_per_second"] = log.tokens.back() / seconds;
  m["flops"] = facts.flops_per_token * log.tokens.back();
  if (diverged) {
    m["loss"] = log.loss[0];
    if (facts.entropy >= 0) m["excess"] = log.loss[0] - facts.entropy;
    return m;
  }
  m["loss"] = score["loss"];
  if (facts.entropy >= 0) m["excess"] = score["loss"].get<double>() - facts.entropy;
  if (score.contains("bits_per_byte")) m["bits_per_byte"] = score["bits_per_byte"];
  if (const Json& places = score["by_position"]; places.size() > 1) {
    m["near_loss"] = places.front();
    m["far_loss"] = places.back();
  }
  if (score.contains("beyond")) {
    m["beyond_loss"] = score["beyond"]["loss"];
    m["beyond_rise"] = score["beyond"]["loss"].get<double>() - score["loss"].get<double>();
  }
  if (score.contains("decode")) {
    m["decode_tokens_per_second"] = score["decode"]["tokens_per_second"];
    m["decode_state_bytes"] = score["decode"]["state_bytes"];
  }
  if (score.contains("ahead")) {
    m["ahead_loss"] = score["ahead"]["loss"];
    m["draft_acceptance"] = score["ahead"]["acceptance"];
  }
  m["train_loss"] =
      mean(std::span(log.loss).subspan(log.size() - std::max<size_t>(log.size() / 10, 1)));
  add_answers(score, facts, m);
  add_smoothness(log, m);
  add_events(log, facts, m);
  add_experts(score, m);
  add_balance(file.parent_path() / "telemetry.jsonl", facts, m);
  if (score.contains("max_logit") && !score["max_logit"].empty()) {
    double most = 0;
    for (const auto& [scope, value] : score["max_logit"].items())
      most = std::max(most, value.get<double>());
    m["max_logit"] = most;
  }
  if (score.contains("loss_without_shared")) {
    m["loss_without_shared"] = score["loss_without_shared"];
    m["shared_dependence"] =
        score["loss_without_shared"].get<double>() - score["loss"].get<double>();
  }
  return m;
}

Json curve_of(const fs::path& file) {
  const Log log = read_log(file);
  constexpr size_t kParts = 48;
  Json tokens = Json::array(), loss = Json::array(), gradient = Json::array();
  const size_t parts = std::min(kParts, log.size());
  for (size_t p = 0; p < parts; ++p) {
    const size_t begin = p * log.size() / parts, end = (p + 1) * log.size() / parts;
    const double mean_loss = mean(std::span(log.loss).subspan(begin, end - begin));
    if (!std::isfinite(mean_loss)) break;
    tokens.push_back(mean(std::span(log.tokens).subspan(begin, end - begin)));
    loss.push_back(mean_loss);
    gradient.push_back(mean(std::span(log.gradient_norm).subspan(begin, end - begin)));
  }
  return {{"tokens", tokens}, {"loss", loss}, {"gradient_norm", gradient}};
}

double steps_until_balance(std::span<const std::pair<double, double>> violations,
                           int64_t all_steps) {
  constexpr size_t kHalf = 2;
  double from = 0;
  for (size_t i = 0; i < violations.size(); ++i) {
    std::vector<double> around;
    for (size_t k = i - std::min(i, kHalf); k < std::min(violations.size(), i + kHalf + 1); ++k)
      around.push_back(violations[k].second);
    if (median(around) <= 1) continue;
    from = i + 1 < violations.size() ? violations[i + 1].first : static_cast<double>(all_steps);
  }
  return from;
}

double sensitivity(const std::vector<std::pair<double, double>>& losses, double first_loss) {
  if (losses.empty()) return 0;
  double least = std::numeric_limits<double>::infinity(), sum = 0;
  for (const auto& [rate, loss] : losses) least = std::min(least, loss);
  for (const auto& [rate, loss] : losses) sum += std::min(loss, first_loss) - least;
  return sum / static_cast<double>(losses.size());
}

}  // namespace ashlar::lab
