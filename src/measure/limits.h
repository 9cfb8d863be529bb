// What this CPU can do at most: loops that do nothing but read, or nothing but multiply and add.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ashlar {

/// A loop without memory traffic (amx_l2: operands in L2): `rounds` rounds of
/// `operations_per_round` operations.
struct ComputeLoop {
  std::string_view arithmetic;  // f32, bf16, int8
  std::string_view
      instruction_set;  // avx2, avx512, avx512_vnni, amx, amx_l2, neon, neon_dot, generic
  double operations_per_round = 0;  // a multiply-add is two
  void (*run)(int64_t rounds) = nullptr;
};

/// The loops that this CPU can run.
std::span<const ComputeLoop> compute_loops();

/// Reads all of it once, as fast as one thread can. `bytes` is a multiple of 256.
void read_all(const std::byte* data, int64_t bytes);

}  // namespace ashlar
