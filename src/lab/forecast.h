// Predictions of a larger run from smaller ones: made and registered before it starts.
#pragma once

#include <optional>
#include <span>

#include "base/json.h"
#include "lab/plan.h"
#include "lab/store.h"

namespace ashlar::lab {

/// y = floor + scale x^-exponent.
struct PowerLaw {
  double floor = 0, scale = 0, exponent = 0;
  double at(double x) const;
};
/// Least squares of ln(y - floor) over ln x; without a floor the one of [0, least y) that leaves
/// the least squares of y, found by halving steps. Of three sizes without a floor: exact, where a
/// power law goes through them. Needs two sizes with a floor, three without, all different.
PowerLaw fitted(std::span<const double> x, std::span<const double> y, std::optional<double> floor);

/// Once all runs of the smaller arms have ended: fits a law to each seed, predicts the larger arm
/// and keeps it in the store, unless one of the same runs is there. True where it is in the store
/// now. Fields of what is kept:
///   metric, over, floor (null: fitted), to, x (of the larger arm)
///   from [{arm, x, values [seed]}]
///   laws [{seed, floor, scale, exponent, prediction}]
///   prediction {mean, low, high}   interval: of one more seed, 95 %, by the spread of the laws'
///                                  predictions; null for one seed
bool register_forecast(const Prepared& prepared, Store& store);
/// The registered one and its day in `date`; nothing where it is not made yet.
std::optional<Json> forecast_of(const Prepared& prepared, const Store& store);

}  // namespace ashlar::lab
