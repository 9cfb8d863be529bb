// Power laws through a few sizes.
#include "lab/forecast.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "lab/statistics.h"
#include "measure/probe.h"

namespace ashlar::lab {
namespace {

PowerLaw with_floor(std::span<const double> x, std::span<const double> y, double floor) {
  double mx = 0, my = 0, above = 0, below = 0;
  const auto n = static_cast<double>(x.size());
  const auto height = [&](size_t i) { return std::log(std::max(y[i] - floor, 1e-12)); };
  for (size_t i = 0; i < x.size(); ++i) {
    mx += std::log(x[i]) / n;
    my += height(i) / n;
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = std::log(x[i]) - mx;
    above += d * (height(i) - my);
    below += d * d;
  }
  const double slope = above / below;
  return {floor, std::exp(my - slope * mx), -slope};
}

double misfit(const PowerLaw& law, std::span<const double> x, std::span<const double> y) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += std::pow(law.at(x[i]) - y[i], 2);
  return sum;
}

double size_of(const ExpandedArm& x, Held over) {
  return over == Held::flops ? x.cost.flops_per_token * static_cast<double>(x.tokens)
                             : x.cost.of(over);
}

/// What a forecast is made from: the same runs and the same question are the same forecast.
struct Basis {
  std::string key;
  Json from = Json::array();
  std::vector<double> x;
  std::vector<std::vector<double>> y;  // [seed][size]
};

/// Nothing while a run has not ended.
std::optional<Basis> basis_of(const Prepared& p, const Store& store) {
  const Forecast& f = *p.experiment.forecast;
  Basis b;
  b.y.resize(p.experiment.seeds.size());
  std::string all = f.metric + enum_name(f.over) + f.to + std::to_string(f.floor.value_or(-1)) +
                    (f.entropy ? "entropy" : "");
  for (const std::string& name : f.from) {
    const ExpandedArm* arm = arm_named(p.arms, name);
    if (arm == nullptr) return {};
    const auto best = best_rate(p, *arm, store);
    if (!best) return {};
    b.x.push_back(size_of(*arm, f.over));
    Json values = Json::array();
    for (size_t i = 0; i < b.y.size(); ++i) {
      const RunSpec spec = run_spec(p, *arm, best->rate, p.experiment.seeds[i]);
      const auto result = store.result(spec.key);
      if (!result || !result->metrics.contains(f.metric)) return {};
      all += spec.key;
      values.push_back(result->metrics[f.metric]);
      b.y[i].push_back(values.back());
    }
    b.from.push_back({{"arm", name}, {"x", b.x.back()}, {"values", values}});
  }
  b.key = hex(hashed(all));
  return b;
}

}  // namespace

double PowerLaw::at(double x) const { return floor + scale * std::pow(x, -exponent); }

PowerLaw fitted(std::span<const double> x, std::span<const double> y, std::optional<double> floor) {
  if (floor) return with_floor(x, y, *floor);
  const double least = *std::min_element(y.begin(), y.end());
  PowerLaw best = with_floor(x, y, 0);
  double smallest = misfit(best, x, y);
  constexpr int kRounds = 60, kSteps = 16;
  double middle = least / 2, width = least / 2;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = -kSteps; i <= kSteps; ++i) {
      const double at = middle + width * i / kSteps;
      if (at < 0 || at >= least) continue;
      const PowerLaw law = with_floor(x, y, at);
      if (const double off = misfit(law, x, y); off < smallest) {
        smallest = off;
        best = law;
      }
    }
    middle = best.floor;
    width /= 2;
  }
  return best;
}

bool register_forecast(const Prepared& p, Store& store) {
  if (!p.experiment.forecast || p.arms.empty()) return false;
  if (forecast_of(p, store)) return true;
  const std::optional<Basis> b = basis_of(p, store);
  if (!b) return false;
  const Forecast& f = *p.experiment.forecast;
  std::optional<double> floor = f.floor;
  if (f.entropy) floor = p.data.entropy;
  const double x = size_of(*arm_named(p.arms, f.to), f.over);
  std::vector<double> predictions;
  Json laws = Json::array();
  for (size_t i = 0; i < b->y.size(); ++i) {
    const PowerLaw law = fitted(b->x, b->y[i], floor);
    predictions.push_back(law.at(x));
    laws.push_back({{"seed", p.experiment.seeds[i]},
                    {"floor", law.floor},
                    {"scale", law.scale},
                    {"exponent", law.exponent},
                    {"prediction", predictions.back()}});
  }
  Json prediction = {{"mean", mean(predictions)}, {"low", nullptr}, {"high", nullptr}};
  if (const auto n = static_cast<double>(predictions.size()); n > 1) {
    const double wide =
        student_quantile(0.975, n - 1) * deviation(predictions) * std::sqrt(1 + 1 / n);
    prediction["low"] = mean(predictions) - wide;
    prediction["high"] = mean(predictions) + wide;
  }
  store.put_forecast(b->key,
                     {{"metric", f.metric},
                      {"over", enum_name(f.over)},
                      {"floor", floor ? Json(*floor) : Json()},
                      {"to", f.to},
                      {"x", x},
                      {"from", b->from},
                      {"laws", laws},
                      {"prediction", prediction}},
                     today());
  return true;
}

std::optional<Json> forecast_of(const Prepared& p, const Store& store) {
  if (!p.experiment.forecast || p.arms.empty()) return {};
  const std::optional<Basis> b = basis_of(p, store);
  return b ? store.forecast(b->key) : std::nullopt;
}

}  // namespace ashlar::lab
