// XXH64, as its specification has it.
#include "base/hash.h"

#include <fmt/core.h>

#include <cstring>

namespace ashlar {
namespace {

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87ULL, kPrime2 = 0xC2B2AE3D27D4EB4FULL,
                   kPrime3 = 0x165667B19E3779F9ULL, kPrime4 = 0x85EBCA77C2B2AE63ULL,
                   kPrime5 = 0x27D4EB2F165667C5ULL;

uint64_t round_of(uint64_t lane, uint64_t input) {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

template <class T>
T loaded(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

}  // namespace

uint64_t xxh64(std::span<const std::byte> bytes) {
  const std::byte *at = bytes.data(), *end = at + bytes.size();
  uint64_t h = kPrime5;
  constexpr ptrdiff_t kStripe = 32;
  if (end - at >= kStripe) {
    uint64_t lanes[4] = {kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
    for (; end - at >= kStripe; at += kStripe) {
      for (int i = 0; i < 4; ++i) lanes[i] = round_of(lanes[i], loaded<uint64_t>(at + 8 * i));
    }
    h = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
        std::rotl(lanes[3], 18);
    for (const uint64_t lane : lanes) h = (h ^ round_of(0, lane)) * kPrime1 + kPrime4;
  }
  h += bytes.size();
  for (; end - at >= 8; at += 8)
    h = std::rotl(h ^ round_of(0, loaded<uint64_t>(at)), 27) * kPrime1 + kPrime4;
  for (; end - at >= 4; at += 4)
    h = std::rotl(h ^ (loaded<uint32_t>(at) * kPrime1), 23) * kPrime2 + kPrime3;
  for (; at < end; ++at)
    h = std::rotl(h ^ (std::to_integer<uint64_t>(*at) * kPrime5), 11) * kPrime1;
  h = (h ^ (h >> 33)) * kPrime2;
  h = (h ^ (h >> 29)) * kPrime3;
  return h ^ (h >> 32);
}

std::string hex(uint64_t value) { return fmt::format("{:016x}", value); }

}  // namespace ashlar
