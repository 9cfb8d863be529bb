// The structure of a model in words, topic by topic.
#pragma once

#include <vector>

#include "readings/draw/anatomy.h"

namespace ashlar {

/// One statement per topic, always the same topics in the same order; key is the topic.
std::vector<Fact> structure_of(const Anatomy& anatomy);

}  // namespace ashlar
