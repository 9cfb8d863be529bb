// All of Ashlar's public headers.
#pragma once

#include "ashlar/blueprint.h"
#include "ashlar/data.h"
#include "ashlar/engine.h"
#include "ashlar/error.h"
#include "ashlar/format.h"
#include "ashlar/generate.h"
#include "ashlar/model.h"
#include "ashlar/readings.h"
#include "ashlar/train.h"
#include "ashlar/version.h"
