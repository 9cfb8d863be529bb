// Readings: what a blueprint tells without any weights, all in one header: counts, plans, claims,
// drawings, explanations, differences, derivatives.
#pragma once

#include "ashlar/compare.h"
#include "ashlar/count.h"
#include "ashlar/draw.h"
#include "ashlar/explain.h"
#include "ashlar/predict.h"
#include "ashlar/report.h"
