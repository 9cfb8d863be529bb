// Tests of the kernels for tiles (AMX): on the hardware where there is some, else on its software
// model.
#pragma once

#include <gtest/gtest.h>

#include "kernels/cpu.h"
#include "support/tile_model.h"

namespace ashlar::test {

/// While it lives, the kernel table "amx" is supported wherever the model can run. What the model
/// finds against the rules fails the test.
class WithTiles {
 public:
  WithTiles() {
    TileModel::forget_fault();
    if (TileModel::possible()) kernels::assume_tiles(true);
  }
  ~WithTiles() {
    kernels::assume_tiles(false);
    EXPECT_EQ(TileModel::fault(), "");
    EXPECT_FALSE(TileModel::configured()) << "a kernel has left its tiles configured";
  }
  WithTiles(const WithTiles&) = delete;

 private:
  TileModel model_;
};

}  // namespace ashlar::test
