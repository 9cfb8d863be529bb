// The decoder of the EVEX form, and the registers in the frame of a signal.
#include "support/conversion_model.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "support/memory_operand.h"

namespace ashlar::test {
namespace {

using Floats = std::array<uint32_t, 16>;  // bits of a register

/// One of the parts that a register's 64 bytes are spread over.
struct Part {
  unsigned component;  // of the XSAVE area
  size_t at, bytes;    // from the component's first byte
};

struct Component {
  size_t at = 0, bytes = 0;
};

/// Where the XSAVE area has a component. Asked once: virtual machines take long over CPUID.
const Component& component(unsigned number) {
  static const auto all = [] {
    std::array<Component, 8> found;
    found[1] = {160, 256};  // XMM, in the old area
    for (const unsigned n : {2u, 6u, 7u}) {
      unsigned a = 0, b = 0, c = 0, d = 0;
      __get_cpuid_count(13, n, &a, &b, &c, &d);
      found[n] = {b, a};
    }
    return found;
  }();
  return all[number];
}

struct Frame {
  uint8_t* area;

  bool valid(unsigned number) const { return (states() >> number & 1) != 0; }
  uint64_t states() const {
    uint64_t bits;
    std::memcpy(&bits, area + 512, sizeof bits);
    return bits;
  }
  static std::array<Part, 3> parts(int number) {
    const auto n = static_cast<size_t>(number);
    if (n >= 16) return {{{7, 64 * (n - 16), 64}, {7, 0, 0}, {7, 0, 0}}};
    return {{{1, 16 * n, 16}, {2, 16 * n, 16}, {6, 32 * n, 32}}};
  }

  /// Components that the frame does not hold are all zeros.
  Floats read(int number) const {
    Floats v = {};
    auto* to = reinterpret_cast<uint8_t*>(v.data());
    for (const Part& p : parts(number)) {
      const uint8_t* from = area + component(p.component).at + p.at;
      if (valid(p.component)) std::memcpy(to, from, p.bytes);
      to += p.bytes;
    }
    return v;
  }
  void write(int number, const uint8_t* from) const {
    for (const Part& p : parts(number)) {
      const auto [at, bytes] = component(p.component);
      if (!valid(p.component)) std::memset(area + at, 0, bytes);
      std::memcpy(area + at + p.at, from, p.bytes);
      from += p.bytes;
      const uint64_t now = states() | uint64_t{1} << p.component;
      std::memcpy(area + 512, &now, sizeof now);
    }
  }
};

/// To nearest even; denormals are zeros, NaNs become quiet.
uint16_t round(uint32_t bits) {
  const auto high = static_cast<uint16_t>(bits >> 16);
  if ((bits & 0x7f800000u) == 0) return high & 0x8000;
  if ((bits & 0x7fffffffu) > 0x7f800000u) return high | 0x40;
  return static_cast<uint16_t>((bits + 0x7fff + (high & 1)) >> 16);
}

}  // namespace

bool perform_conversion(ucontext_t& u) {
  const auto* p = reinterpret_cast<const uint8_t*>(u.uc_mcontext.gregs[REG_RIP]);
  if (p[0] == 0x0f && p[1] == 0x0b) p += 2;
  // EVEX, map 0F38, no W, prefix F2, 512 bits or a broadcast, no mask.
  if (p[0] != 0x62 || (p[1] & 0x0f) != 2 || (p[2] & 0x87) != 7 || (p[3] & 0xe7) != 0x40 ||
      p[4] != 0x72)
    return false;
  const auto extension = [&](int byte, int bit, int value) {
    return p[byte] >> bit & 1 ? 0 : value;
  };
  const int r = extension(1, 7, 8) + extension(1, 4, 16), x = extension(1, 6, 8),
            b = extension(1, 5, 8);
  const bool broadcast = (p[3] & 0x10) != 0;
  const int first = (~(p[2] >> 3) & 15) + extension(3, 3, 16), to = (p[5] >> 3 & 7) + r;
  const int mod = p[5] >> 6, rm = p[5] & 7;
  const uint8_t* end = p + 6;

  auto* area = reinterpret_cast<uint8_t*>(u.uc_mcontext.fpregs);
  uint32_t magic = 0;
  std::memcpy(&magic, area + 464, sizeof magic);
  constexpr uint32_t kExtended = 0x46505853;  // FP_XSTATE_MAGIC1
  if (magic != kExtended) return false;
  const Frame frame{area};
  const Floats high = frame.read(first);
  Floats low;
  if (mod == 3) {
    low = frame.read(rm + b + 2 * x);
  } else {
    const MemoryOperand o = memory_operand(p + 5, x, b, broadcast ? 4 : 64, u);
    const auto* from = reinterpret_cast<const uint8_t*>(o.address + o.index);
    end = o.end;
    std::memcpy(low.data(), from, broadcast ? 4 : 64);
    if (broadcast) low.fill(low[0]);
  }
  std::array<uint16_t, 32> result;
  for (size_t i = 0; i < 16; ++i) {
    result[i] = round(low[i]);
    result[16 + i] = round(high[i]);
  }
  frame.write(to, reinterpret_cast<const uint8_t*>(result.data()));
  u.uc_mcontext.gregs[REG_RIP] = reinterpret_cast<greg_t>(end);
  return true;
}

}  // namespace ashlar::test
#endif
