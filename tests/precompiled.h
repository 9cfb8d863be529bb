// Headers that most tests include, compiled once (CMakeLists.txt); no file includes this one.
#pragma once

#include <gtest/gtest.h>

#include "base/precompiled.h"
