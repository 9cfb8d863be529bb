// Hashes: of bytes, to find damage, and of counters, as random numbers that need no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ashlar {

/// splitmix64 (Steele, Lea and Flood 2014).
inline uint64_t mixed(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// FNV-1a, of names.
inline uint64_t hashed(std::string_view text) {
  uint64_t h = 0xCBF29CE484222325ULL;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return h;
}

/// XXH64 of Yann Collet, seed 0.
uint64_t xxh64(std::span<const std::byte> bytes);

/// 16 hexadecimal digits.
std::string hex(uint64_t value);

}  // namespace ashlar
