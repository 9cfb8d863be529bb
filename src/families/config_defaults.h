// What a key that stands nowhere in a config.json means: the defaults of Transformers' classes.
#pragma once

#include <string>

#include "base/json.h"
#include "families/family.h"

namespace ashlar {

/// The defaults of the class for this model_type, else for the family's; null where Transformers
/// has none. Keys whose default the class works out from others are not in it.
const Json& config_defaults(const Family& family, const std::string& model_type);

}  // namespace ashlar
