// A software model of the tile instructions (Intel AMX): code compiled for them runs, instruction by
// instruction, on machines that lack them.
#pragma once

#include <cstdint>
#include <string>

namespace ashlar::test {

/// While one lives, the tile instructions that this CPU refuses (SIGILL) are performed in software,
/// by the rules of the architecture: palette 1, loads and stores of tiles, TDPBF16PS and the
/// products of bytes; VCVTNE2PS2BF16 too (conversion_model.h). Each thread has tiles of its own. On a
/// CPU that has tiles nothing happens.
///
/// What the architecture forbids (shapes that do not fit, tiles that are not configured, a broken
/// configuration) is skipped and kept as a fault, which tests assert not to be there. Source: Intel 64
/// and IA-32 Software Developer's Manual, volume 2.
class TileModel {
 public:
  /// Whether this machine can run the model, and kernels for tiles on it: x86-64, Linux, AVX-512.
  static bool possible();

  TileModel();
  ~TileModel();
  TileModel(const TileModel&) = delete;

  /// The first fault since the model was installed; empty: none.
  static std::string fault();
  static void forget_fault();
  /// Tile instructions performed in software so far.
  static int64_t performed();
  /// Whether this thread has left its tiles configured.
  static bool configured();
};

}  // namespace ashlar::test
