// The data that comes with the library: blueprints, machines, claims and cards are compiled in.
#pragma once

#include <string>

#include "ashlar/version.h"

namespace ASHLAR_V1 {

/// A folder to take them from instead, one folder for each kind (blueprints/, machines/, claims/,
/// cards/); what it does not have comes from the library. Empty: $ASHLAR_DATA again, where it is
/// set. Call it before anything is read, and not while other threads read. Throws Error(io) where
/// there is no such folder.
void use_data_folder(const std::string& folder);

}  // namespace ASHLAR_V1
