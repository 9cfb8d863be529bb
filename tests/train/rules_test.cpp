// Optimisers and schedules against PyTorch, Transformers and the published rules of Muon
// (tests/golden/training/rules.json).
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "support/paths.h"
#include "train/optimiser.h"

namespace ashlar::testing {
namespace {

const Json& rules() {
  static const Json kRules = read_json(source_dir() + "/tests/golden/training/rules.json");
  return kRules;
}

template <class T>
T named(const Json& json, T) {
  const auto names = enum_names(T{});
  for (size_t i = 0; i < names.size(); ++i) {
    if (json == names[i]) return static_cast<T>(i);
  }
  ADD_FAILURE() << json;
  return T{};
}

OptimiserSettings settings_of(const Json& json) {
  OptimiserSettings s;
  s.kind = named(json["kind"], OptimiserKind{});
  s.rate = json["rate"];
  s.decay = json["decay"];
  if (json.contains("betas")) s.betas = {json["betas"][0], json["betas"][1]};
  s.eps = json.value("eps", s.eps);
  s.momentum = json.value("momentum", s.momentum);
  s.nesterov = json.value("nesterov", s.nesterov);
  if (json.contains("scale")) s.scale = named(json["scale"], MuonScale{});
  return s;
}

Params golden_params() {
  return {{"projection", {{"ffn", 6}, {"d_model", 4}}, Role::projection, 1},
          {"tall", {{"ffn", 3}, {"d_model", 8}}, Role::projection, 1},
          {"expert", {{"experts", 3}, {"expert_ffn", 5}, {"d_model", 4}}, Role::expert, 2},
          {"embedding", {{"vocab", 7}, {"d_model", 4}}, Role::embedding, 1},
          {"norm", {{"d_model", 5}}, Role::norm, 0}};
}

void set(ParameterArrays& arrays, const Params& params, const Json& values) {
  for (const ParamId i : params.ids()) {
    const std::vector<float> v = values[params[i].name].get<std::vector<float>>();
    std::copy(v.begin(), v.end(), arrays[i].begin());
  }
}

TEST(Optimisers, DoWhatTheirReferencesDo) {
  const Params params = golden_params();
  for (const Json& c : rules()["optimisers"]) {
    SCOPED_TRACE(c["settings"].dump());
    const OptimiserSettings settings = settings_of(c["settings"]);
    ParameterArrays weights(params), gradients(params);
    Optimiser optimiser(params, IdVector<ParamId, bool>(params.size(), true), settings, {});
    Products threads(kernels::table(), 1);
    set(weights, params, c["begin"]);
    for (const Json& step : c["steps"]) {
      set(gradients, params, step["gradients"]);
      optimiser.update(weights, gradients, 1, settings.rate, 1, threads);
      for (const ParamId i : params.ids()) {
        const std::vector<float> after = step["after"][params[i].name].get<std::vector<float>>();
        const auto found = weights[i];
        for (size_t k = 0; k < after.size(); ++k)
          EXPECT_NEAR(found[k], after[k], 1e-6) << params[i].name << " " << k;
      }
    }
  }
}

TEST(Optimisers, LeaveAloneWhatIsNotTrained) {
  const Params params = golden_params();
  ParameterArrays weights(params), gradients(params);
  for (float& v : weights[ParamId(0)]) v = 1;
  for (float& v : gradients[ParamId(0)]) v = 1;
  Optimiser optimiser(params, {false, true, true, true, true}, {}, {});
  Products threads(kernels::table(), 1);
  optimiser.update(weights, gradients, 1, 0.1, 1, threads);
  for (const float v : weights[ParamId(0)]) EXPECT_EQ(v, 1);
}

// What decays, by role; gains kept as w - 1 decay towards 1.
TEST(Optimisers, DecayByRole) {
  const Params params = golden_params();
  const auto decays = [&](DecayOn on, IdVector<ParamId, float> towards) {
    ParameterArrays weights(params), gradients(params);
    for (const ParamId i : params.ids()) {
      for (float& v : weights[i]) v = 2;
    }
    OptimiserSettings settings;
    settings.decay_on = std::move(on);
    settings.decay = 0.5;
    Optimiser optimiser(params, IdVector<ParamId, bool>(params.size(), true), settings,
                        std::move(towards));
    Products threads(kernels::table(), 1);
    optimiser.update(weights, gradients, 1, 0.1, 1, threads);
    std::string found;
    for (const ParamId i : params.ids()) found += fmt::format("{:.3f} ", weights[i][0]);
    return found;
  };
  EXPECT_EQ(decays({}, {}), "1.900 1.900 1.900 1.900 2.000 ");
  EXPECT_EQ(decays({DecayOn::Kind::none, {}}, {}), "2.000 2.000 2.000 2.000 2.000 ");
  EXPECT_EQ(decays({DecayOn::Kind::all, {}}, {0, 0, 0, 0, 1}), "1.900 1.900 1.900 1.900 1.950 ");
  EXPECT_EQ(decays({DecayOn::Kind::roles, {Role::expert, Role::norm}}, {}),
            "2.000 2.000 1.900 2.000 1.900 ");
}

TEST(Optimisers, ExpertsBiasesAreNoMatrices) {
  const Param bias{"experts.gate_bias", {{"experts", 3}, {"expert_ffn", 5}}, Role::bias, 1};
  EXPECT_FALSE(DecayOn{}.covers(bias));
}

TEST(Clipping, IsPyTorchs) {
  EXPECT_EQ(clip_factor(2, 0), 1);
  EXPECT_EQ(clip_factor(0.5, 1), 1);
  EXPECT_DOUBLE_EQ(clip_factor(4, 1), 1 / (4 + 1e-6));
}

TEST(Clipping, NormOfAllParameters) {
  const Params params{{"a", {{"x", 100003}}, Role::projection, 0},
                      {"b", {{"x", 3}}, Role::bias, 0}};
  ParameterArrays gradients(params);
  for (float& v : gradients[ParamId(0)]) v = 0.1f;
  for (float& v : gradients[ParamId(1)]) v = 4;
  Products threads(kernels::table(), 1);
  const double square = 100003 * static_cast<double>(0.1f) * 0.1f + 48;
  EXPECT_NEAR(gradient_norm(gradients, threads), std::sqrt(square), 1e-9);
}

TEST(Schedules, AreTransformersAndPyTorchs) {
  for (const Json& c : rules()["schedules"]) {
    const Json& json = c["settings"];
    SCOPED_TRACE(json.dump());
    ScheduleSettings s;
    s.kind = named(json["kind"], ScheduleKind{});
    s.warmup = json.value("warmup", s.warmup);
    s.final = json.value("final", s.final);
    s.factor = json.value("factor", s.factor);
    s.decay = json.value("decay", s.decay);
    if (json.contains("at")) s.at = json["at"].get<std::vector<double>>();
    if (json.contains("shape")) s.shape = named(json["shape"], DecayShape{});
    for (size_t t = 0; t < c["factors"].size(); ++t)
      EXPECT_NEAR(schedule_factor(s, static_cast<int64_t>(t), c["steps"]),
                  c["factors"][t].get<double>(), 1e-6)
          << t;
  }
}

}  // namespace
}  // namespace ashlar::testing
