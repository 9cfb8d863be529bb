// Groups are layers and kinds of parameters, read off the graph.
#include "train/telemetry.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "transform/watch.h"

namespace ashlar {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double squares_of(std::span<const float> values) {
  double lanes[8] = {};  // the compiler may then compute with several at once
  size_t k = 0;
  for (; k + 8 <= values.size(); k += 8) {
    for (size_t l = 0; l < 8; ++l) lanes[l] += static_cast<double>(values[k + l]) * values[k + l];
  }
  double sum = 0;
  for (; k < values.size(); ++k) sum += static_cast<double>(values[k]) * values[k];
  for (const double lane : lanes) sum += lane;
  return sum;
}

/// The number of its layer; what stands outside of layers keeps its name.
std::string layer_name(const Param& param) {
  return param.place.layer ? std::to_string(*param.place.layer) : param.name;
}

Json of_experts(const std::vector<float>& load) {
  double sum = 0, most = 0, entropy = 0;
  int64_t dead = 0;
  for (const float f : load) {
    sum += f;
    most = std::max(most, static_cast<double>(f));
    dead += f == 0 ? 1 : 0;
  }
  for (const float f : load) {
    const double p = f / sum;
    if (p > 0) entropy -= p * std::log(p);
  }
  const auto n = static_cast<double>(load.size());
  return {{"load", load},
          {"entropy", n > 1 ? entropy / std::log(n) : 1},
          {"max_violation", sum > 0 ? most * n / sum - 1 : 0},
          {"dead", dead}};
}

}  // namespace

void GradientHistory::add(const std::vector<double>& norms) {
  constexpr double kSteps = 50;
  ++steps_;
  const double weight = 1 / std::min(static_cast<double>(steps_), kSteps);
  for (size_t i = 0; i < norms.size(); ++i) {
    if (std::isfinite(norms[i])) usual_[i] += weight * (norms[i] - usual_[i]);
  }
}

std::vector<double> gradient_norms(const ParameterArrays& gradients) {
  std::vector<double> norms;
  for (const ParamId id : gradients.ids()) norms.push_back(std::sqrt(squares_of(gradients[id])));
  return norms;
}

Telemetry::Telemetry(const Graph& forward, const ParameterArrays& parameters, int threads,
                     const std::string& kernels)
    : params_(forward.params()),
      parameters_(parameters),
      old_(params_),
      executor_(watched(forward), parameters.tensors(params_),
                {.threads = threads, .kernels = kernels, .numbers = Numbers::f32}) {
  const Graph gradients = watched_gradients(forward);
  if (gradients.outputs().empty()) return;
  gradients_.emplace(
      gradients, parameters.tensors(params_),
      Float32Options{.threads = threads, .kernels = kernels, .numbers = Numbers::f32});
}

void Telemetry::before(const ParameterArrays& gradients, double gradient_factor,
                       const TokenBatch& batch) {
  const auto begin = Clock::now();
  record_ = {{"clip_factor", gradient_factor}};
  std::vector<double> squares;
  for (const ParamId id : params_.ids()) {
    squares.push_back(squares_of(gradients[id]));
    std::copy(parameters_[id].begin(), parameters_[id].end(), old_[id].begin());
  }
  record_["gradient_norm"] = groups(squares);
  record_.update(watch(batch));
  seconds_ = since(begin);
}

Json Telemetry::after(const Optimiser& optimiser) {
  const auto begin = Clock::now();
  std::vector<double> weights, updates;
  for (const ParamId id : params_.ids()) {
    weights.push_back(squares_of(old_[id]));
    const std::span<float> change = old_[id];
    for (size_t k = 0; k < change.size(); ++k) change[k] = parameters_[id][k] - change[k];
    updates.push_back(squares_of(change));
  }
  Json of_weights = groups(weights), of_updates = groups(updates);
  for (const char* by : {"layers", "kinds"}) {
    for (auto& [name, update] : of_updates[by].items()) {
      const double weight = of_weights[by][name];
      update = weight > 0 ? update.get<double>() / weight : 0;
    }
  }
  record_["weight_norm"] = std::move(of_weights);
  record_["update_ratio"] = std::move(of_updates);
  if (const auto below = optimiser.below_eps(); !below.empty())
    record_["eps_share"] = shares(below);
  seconds_ += since(begin);
  all_seconds_ += seconds_;
  record_["seconds"] = seconds_;
  return std::move(record_);
}

Json Telemetry::groups(const std::vector<double>& squares) const {
  std::map<std::string, double> kinds;
  std::vector<std::pair<std::string, double>> layers;
  for (const ParamId id : params_.ids()) {
    const double sum = squares[id.index()];
    kinds[enum_name(params_[id].place.part)] += sum;
    const std::string layer = layer_name(params_[id]);
    auto it = std::find_if(layers.begin(), layers.end(),
                           [&](const auto& entry) { return entry.first == layer; });
    if (it == layers.end()) it = layers.insert(it, {layer, 0});
    it->second += sum;
  }
  Json json = {{"layers", Json::object()}, {"kinds", Json::object()}};
  for (const auto& [name, sum] : layers) json["layers"][name] = std::sqrt(sum);
  for (const auto& [name, sum] : kinds) json["kinds"][name] = std::sqrt(sum);
  return json;
}

/// Of elements, by kind of part.
Json Telemetry::shares(const IdVector<ParamId, std::optional<int64_t>>& counts) const {
  std::map<std::string, std::pair<int64_t, int64_t>> kinds;
  for (const ParamId i : counts.ids()) {
    if (!counts[i]) continue;
    auto& [below, all] = kinds[enum_name(params_[i].place.part)];
    below += *counts[i];
    all += params_[i].elements();
  }
  Json json = Json::object();
  for (const auto& [name, of] : kinds)
    json[name] = static_cast<double>(of.first) / static_cast<double>(of.second);
  return json;
}

Json Telemetry::watch(const TokenBatch& batch) {
  std::vector<Array<float>> outputs = executor_.run(batch);
  Json json = {{"residual_rms", Json::object()},
               {"branch_rms", Json::object()},
               {"largest_score", Json::object()},
               {"score_entropy", Json::object()},
               {"experts", Json::object()}};
  const auto put = [&](const char* group, std::string_view name, Json value) {
    json[group][std::string(name)] = std::move(value);
  };
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string_view name = executor_.lowering().graph().outputs()[i].name;
    const std::vector<float>& values = outputs[i].values;
    const auto below = [&](std::string_view prefix) { return name.substr(prefix.size()); };
    if (name.starts_with(kWatchedResidual))
      put("residual_rms", below(kWatchedResidual), std::sqrt(values[0]));
    else if (name.starts_with(kWatchedBranch))
      put("branch_rms", below(kWatchedBranch), std::sqrt(values[0]));
    else if (name.starts_with(kWatchedLargest))
      put("largest_score", below(kWatchedLargest), values);
    else if (name.starts_with(kWatchedEntropy))
      put("score_entropy", below(kWatchedEntropy), values);
    else if (name.starts_with(kWatchedLoad))
      put("experts", below(kWatchedLoad), of_experts(values));
    else
      json[std::string(name)] = values[0];
  }
  if (!gradients_) return json;
  outputs = gradients_->run(batch);
  const Graph& graph = gradients_->lowering().graph();
  for (size_t i = 0; i < outputs.size(); ++i) {
    put("residual_gradient_rms",
        std::string_view(graph.outputs()[i].name).substr(kWatchedGradient.size()),
        std::sqrt(outputs[i].values[0]));
  }
  return json;
}

}  // namespace ashlar
