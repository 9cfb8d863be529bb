// Numbers as people read them in the texts of readings.
#pragma once

#include <cstdint>
#include <string>

namespace ashlar {

std::string grouped(int64_t n);             // 37,552,297,472
std::string short_number(double n);         // 37.6B: K M B T, three digits
std::string short_bytes(double bytes);      // 2.15 GiB: B KiB MiB GiB TiB, three digits
std::string short_seconds(double seconds);  // 12.3 ms: ns us ms s min h d

}  // namespace ashlar
