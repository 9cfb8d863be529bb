// Validation and repair of UTF-8.
#include "base/utf8.h"

#include <cstring>

namespace ashlar::utf8 {
namespace {

// How many bytes of a well-formed character stand at `p` (at most `left`), and how many it needs.
struct Extent {
  size_t have,
      need;  // have < need: cut or broken after `have` bytes; need 0: `p` begins no character
};

Extent extent(const unsigned char* p, size_t left) {
  const unsigned char lead = p[0];
  if (lead < 0x80) return {1, 1};
  if (lead < 0xC2 || lead > 0xF4) return {0, 0};
  const size_t need = length(lead);
  // The second byte's range excludes overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  size_t have = 1;
  if (left > 1 && p[1] >= low && p[1] <= high) {
    for (have = 2; have < need && have < left && (p[have] & 0xC0) == 0x80;) ++have;
  }
  return {have, need};
}

}  // namespace

size_t valid_prefix(std::string_view bytes) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t i = 0;
  while (i < bytes.size()) {
    if (p[i] < 0x80) {
      uint64_t word;
      while (i + 8 <= bytes.size() &&
             (std::memcpy(&word, p + i, 8), (word & 0x8080808080808080ull) == 0)) {
        i += 8;
      }
      while (i < bytes.size() && p[i] < 0x80) ++i;
      continue;
    }
    const Extent e = extent(p + i, bytes.size() - i);
    if (e.need == 0 || e.have < e.need) break;
    i += e.need;
  }
  return i;
}

size_t invalid_prefix(std::string_view bytes, bool complete) {
  if (bytes.empty()) return 0;
  const Extent e = extent(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  if (e.need == 0) return 1;
  if (e.have == bytes.size() && e.have < e.need && !complete) return 0;
  return e.have;
}

std::string repaired(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + 16);
  while (!bytes.empty()) {
    const size_t good = valid_prefix(bytes);
    out.append(bytes.substr(0, good));
    bytes.remove_prefix(good);
    if (bytes.empty()) break;
    append(kReplacement, out);
    bytes.remove_prefix(invalid_prefix(bytes, true));
  }
  return out;
}

}  // namespace ashlar::utf8
