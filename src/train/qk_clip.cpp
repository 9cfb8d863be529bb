// Which parameters make an attention's queries and keys is read off the graph around it.
#include "train/qk_clip.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "ops/attention.h"
#include "transform/watch.h"

namespace ashlar {
namespace {

std::optional<ParamId> id_of(const Graph& graph, const std::string& name) {
  for (const ParamId i : graph.params().ids()) {
    if (graph.params()[i].name == name) return i;
  }
  return {};
}

}  // namespace

QkClip::QkClip(const Graph& forward, const ParameterArrays& parameters, double most, int threads,
               const std::string& kernels)
    : most_(most),
      executor_(watched(forward, Watched::scores), parameters.tensors(forward.params()),
                {.threads = threads, .kernels = kernels, .numbers = Numbers::f32}) {
  for (const Node& node : forward.nodes()) {
    if (node.op.as<Attention>() != nullptr || node.op.as<LatentAttention>() != nullptr)
      add(forward, node);
  }
}

void QkClip::add(const Graph& forward, const Node& node) {
  const std::string& scope = node.scope;
  const auto refuse = [&](std::string_view why) {
    fail(ErrorKind::unsupported, "optimiser.qk_clip: {}: {}", scope, why);
  };
  const auto param = [&](const char* name) { return id_of(forward, scope + name); };
  const auto axes = [&](ParamId id) { return forward.params()[id].axes; };
  Heads heads;
  /// A parameter whose first axis are the heads.
  const auto whole = [&](ParamId id, double power) {
    const int64_t n = count_of(axes(id)) / axes(id)[0].size;
    heads.parts.push_back({id, 0, n, n, power});
  };
  if (const auto* attention = node.op.as<Attention>()) {
    if (attention->softcap > 0) refuse("a softcap bounds its scores already");
    if (param(".q_norm")) refuse("QK norm bounds its scores, and clipping would change nothing");
    const auto q = param(".q"), k = param(".k");
    if (!q || !k) refuse("its queries and keys are no projections of its own");
    heads.heads = axes(*q)[0].size;
    heads.group = axes(*q)[1].size;
    whole(*q, 0.5);
    whole(*k, 0.5);
    for (const char* bias : {".q_bias", ".k_bias"}) {
      if (const auto id = param(bias)) whole(*id, 0.5);
    }
  } else {
    const auto q = param(".q_b") ? param(".q_b") : param(".q"), k = param(".k_b");
    if (!q || !k) refuse("its queries and keys are no projections of its own");
    heads.heads = axes(*q)[0].size;
    const int64_t row = count_of(axes(*q)) / heads.heads / axes(*q)[1].size,
                  nope = axes(*k)[1].size, rope = axes(*q)[1].size - nope,
                  stride = row * (nope + rope);
    heads.parts.push_back({*q, 0, row * nope, stride, 0.5});
    heads.parts.push_back({*q, row * nope, row * rope, stride, 1});
    whole(*k, 0.5);
  }
  heads.largest.assign(static_cast<size_t>(heads.heads), -std::numeric_limits<float>::infinity());
  attentions_.emplace(scope, std::move(heads));
}

void QkClip::see(const TokenBatch& batch) {
  std::vector<Array<float>> outputs = executor_.run(batch);
  for (size_t i = 0; i < outputs.size(); ++i) {
    std::string_view name = executor_.lowering().graph().outputs()[i].name;
    if (!name.starts_with(kWatchedLargest)) continue;
    const auto it = attentions_.find(name.substr(kWatchedLargest.size()));
    ASHLAR_ASSERT(it != attentions_.end(), "every attention is watched");
    Heads& heads = it->second;
    for (size_t h = 0; h < outputs[i].values.size(); ++h) {
      float& most = heads.largest[h / static_cast<size_t>(heads.group)];
      most = std::max(most, outputs[i].values[h]);
    }
  }
}

int64_t QkClip::clip(ParameterArrays& parameters) {
  int64_t clipped = 0;
  for (auto& [scope, heads] : attentions_) {
    for (int64_t h = 0; h < heads.heads; ++h) {
      float& largest = heads.largest[static_cast<size_t>(h)];
      const double gamma = largest > most_ ? most_ / static_cast<double>(largest) : 1;
      largest = -std::numeric_limits<float>::infinity();
      if (gamma == 1) continue;
      ++clipped;
      for (const Scaled& part : heads.parts) {
        const auto factor = static_cast<float>(std::pow(gamma, part.power));
        const std::span<float> values = parameters[part.id].subspan(
            static_cast<size_t>(h * part.stride + part.begin), static_cast<size_t>(part.count));
        for (float& v : values) v *= factor;
      }
    }
  }
  return clipped;
}

}  // namespace ashlar
