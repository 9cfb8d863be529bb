// Tests of the kernels for tiles (AMX): on the hardware where there is some, else on its software
// model.
#pragma once

#include <gtest/gtest.h>

#include "kernels/cpu.h"
#include "support/tile_model.h"

namespace ashlar::test {

/// While it lives, the kernel table "amx" is supported wherever the model can run it. What the model
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

  /// There are tiles, real ones or the model's.
  bool there() const { return kernels::cpu_has_tiles(); }
  /// Whether the model has performed anything since; always where the hardware does.
  bool used() const { return real_ || TileModel::performed() > before_; }

 private:
  const bool real_ = kernels::cpu_has_tiles();
  const int64_t before_ = TileModel::performed();
  TileModel model_;
};

}  // namespace ashlar::test
