// What mixes of weight formats ask of a model.
#pragma once

#include "blueprint/blueprint.h"
#include "families/mix.h"

namespace ashlar {

MixModel mix_model(const Blueprint& blueprint);

}  // namespace ashlar
