// Readings: what a blueprint tells without any weights, all in one header: counts, plans, claims,
// drawings, explanations, differences, pages.
#pragma once

#include "ashlar/claims.h"
#include "ashlar/compare.h"
#include "ashlar/count.h"
#include "ashlar/draw.h"
#include "ashlar/explain.h"
#include "ashlar/predict.h"
#include "ashlar/report.h"
