// Where an instruction that a signal handler looks at has its operand in memory.
#pragma once

#if defined(__x86_64__) && defined(__linux__)
#include <ucontext.h>

#include <cstdint>
#include <cstring>

namespace ashlar::test {

struct MemoryOperand {
  uint64_t address = 0;          // without the index
  uint64_t index = 0;            // times its scale
  bool sib = false;              // a byte for base and index follows ModRM
  const uint8_t* end = nullptr;  // of the instruction, if no constant follows
};

inline uint64_t register_of(const ucontext_t& u, int number) {
  static constexpr int kOrder[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15};
  return static_cast<uint64_t>(u.uc_mcontext.gregs[kOrder[number]]);
}

/// Of a ModRM byte that names no register; x and b: 8 where the prefix extends index and base. A
/// displacement of one byte counts steps. Source: Intel 64 and IA-32 Software Developer's Manual,
/// volume 2 (2.1.5, 2.7.5).
inline MemoryOperand memory_operand(const uint8_t* modrm, int x, int b, int step,
                                    const ucontext_t& u) {
  MemoryOperand o;
  const int mod = *modrm >> 6, rm = *modrm & 7;
  int bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
  bool relative = false;
  o.end = modrm + 1;
  if (rm == 4) {
    const uint8_t s = *o.end++;
    const int index = (s >> 3 & 7) + x, base = s & 7;
    o.sib = true;
    if (index != 4) o.index = register_of(u, index) << (s >> 6);
    if (base == 5 && mod == 0)
      bytes = 4;
    else
      o.address = register_of(u, base + b);
  } else if (rm == 5 && mod == 0) {
    bytes = 4;
    relative = true;
  } else {
    o.address = register_of(u, rm + b);
  }
  int64_t displacement = 0;
  if (bytes == 1) displacement = int64_t{static_cast<int8_t>(*o.end)} * step;
  if (bytes == 4) {
    int32_t word;
    std::memcpy(&word, o.end, 4);
    displacement = word;
  }
  o.end += bytes;
  o.address += static_cast<uint64_t>(displacement);
  if (relative) o.address += reinterpret_cast<uint64_t>(o.end);
  return o;
}

}  // namespace ashlar::test
#endif
