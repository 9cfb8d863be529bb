// Prediction for a blueprint on a machine (ashlar/predict.h), from the library's own types.
#pragma once

#include "ashlar/predict.h"
#include "readings/count/count.h"

namespace ashlar {

/// Predicts. Throws Error(invalid) for options out of range.
Prediction predict(const Blueprint& blueprint, const Machine& machine,
                   const PredictOptions& options = {});

}  // namespace ashlar
