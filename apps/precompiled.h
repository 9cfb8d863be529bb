// Headers that every command includes, compiled once (CMakeLists.txt); no file includes this one.
#pragma once

#include <CLI/CLI.hpp>

#include "base/precompiled.h"
