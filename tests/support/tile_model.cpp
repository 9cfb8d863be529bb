// The signal handler, the decoder and the tiles.
#include "support/tile_model.h"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "support/conversion_model.h"
#include "support/memory_operand.h"

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#include <signal.h>
#include <ucontext.h>

namespace ashlar::test {
namespace {

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;

struct Tile {
  int rows = 0, bytes = 0;  // of a row
  alignas(64) uint8_t data[kRows][kRowBytes] = {};
};

struct TileFile {
  bool configured = false;
  Tile tiles[kTiles];
};

thread_local TileFile file;

std::mutex mutex;
int models = 0;
struct sigaction before;
std::atomic<int64_t> count{0};
std::atomic<bool> failed{false};
char message[200];

void fail(const char* what, const uint8_t* at) {
  if (!failed.exchange(true))
    std::snprintf(message, sizeof message, "tile instruction at %p: %s",
                  static_cast<const void*>(at), what);
}

/// A VEX instruction of the map 0F38, as far as the tile instructions need it.
struct Instruction {
  const uint8_t* at = nullptr;
  int length = 0;
  uint8_t opcode = 0, modrm = 0;
  int prefix = 0;                 // 0: none, 1: 66, 2: F3, 3: F2
  int reg = 0, rm = 0, vvvv = 0;  // with their extensions
  bool memory = false, sib = false, legal = false;
  uint64_t address = 0;  // of memory, without the index of a tile's rows
  uint64_t stride = 0;   // index << scale
};

/// The instruction at `p`; length 0: none of ours.
Instruction decode(const uint8_t* p, const ucontext_t& u) {
  Instruction i;
  i.at = p;
  if (p[0] != 0xc4 || (p[1] & 0x1f) != 2) return i;
  const int r = p[1] & 0x80 ? 0 : 8, x = p[1] & 0x40 ? 0 : 8, b = p[1] & 0x20 ? 0 : 8;
  i.vvvv = ~(p[2] >> 3) & 15;
  i.prefix = p[2] & 3;
  i.legal = (p[2] & 0x84) == 0;  // W0, 128 bits
  i.opcode = p[3];
  if (i.opcode != 0x49 && i.opcode != 0x4b && i.opcode != 0x5c && i.opcode != 0x5e) return i;
  i.modrm = p[4];
  i.reg = (p[4] >> 3 & 7) + r;
  i.rm = (p[4] & 7) + b;
  const int mod = p[4] >> 6;
  const uint8_t* end = p + 5;
  i.memory = mod != 3;
  if (i.memory) {
    const MemoryOperand o = memory_operand(p + 4, x, b, 1, u);
    i.sib = o.sib;
    i.address = o.address;
    i.stride = o.index;
    end = o.end;
  }
  i.length = static_cast<int>(end - p);
  return i;
}

void release() {
  file.configured = false;
  for (Tile& t : file.tiles) t = Tile();
}

void load_configuration(const Instruction& i) {
  const auto* c = reinterpret_cast<const uint8_t*>(i.address + i.stride);
  if (c[0] == 0) return release();
  if (c[0] != 1) return fail("a palette that does not exist", i.at);
  for (int k = 1; k < 16; ++k)
    if (c[k] != 0) return fail("start row or reserved bytes of the configuration are not 0", i.at);
  int rows[16], bytes[16];
  for (int k = 0; k < 16; ++k) {
    rows[k] = c[48 + k];
    bytes[k] = c[16 + 2 * k] | c[17 + 2 * k] << 8;
    if (k >= kTiles && (rows[k] != 0 || bytes[k] != 0))
      return fail("a tile beyond the eighth is configured", i.at);
    if (rows[k] > kRows || bytes[k] > kRowBytes || (rows[k] == 0) != (bytes[k] == 0))
      return fail("rows or bytes of a row beyond a tile's", i.at);
  }
  release();
  file.configured = true;
  for (int k = 0; k < kTiles; ++k) {
    file.tiles[k].rows = rows[k];
    file.tiles[k].bytes = bytes[k];
  }
}

void store_configuration(const Instruction& i) {
  auto* c = reinterpret_cast<uint8_t*>(i.address + i.stride);
  std::memset(c, 0, 64);
  if (!file.configured) return;
  c[0] = 1;
  for (int k = 0; k < kTiles; ++k) {
    c[16 + 2 * k] = static_cast<uint8_t>(file.tiles[k].bytes);
    c[48 + k] = static_cast<uint8_t>(file.tiles[k].rows);
  }
}

Tile* tile(int number, const Instruction& i) {
  if (number >= kTiles) {
    fail("there are eight tiles", i.at);
  } else if (!file.configured) {
    fail("tiles are not configured", i.at);
  } else if (file.tiles[number].rows == 0) {
    fail("the tile has no rows", i.at);
  } else {
    return &file.tiles[number];
  }
  return nullptr;
}

void move(const Instruction& i, bool store) {
  if (!i.sib) return fail("tiles are moved with a base and an index", i.at);
  Tile* t = tile(i.reg, i);
  if (t == nullptr) return;
  if (!store) std::memset(t->data, 0, sizeof t->data);
  for (int r = 0; r < t->rows; ++r) {
    auto* p = reinterpret_cast<uint8_t*>(i.address + static_cast<uint64_t>(r) * i.stride);
    if (store)
      std::memcpy(p, t->data[r], static_cast<size_t>(t->bytes));
    else
      std::memcpy(t->data[r], p, static_cast<size_t>(t->bytes));
  }
}

/// The manual's loops: even and odd members of the pairs are summed apart, by fused steps, then
/// added to each other and to the destination. Denormals are zeros on the way in and out, whatever
/// the program's own rounding is.
__attribute__((target("avx512f"))) void multiply_bf16(Tile& c, const Tile& a, const Tile& b) {
  const unsigned control = _mm_getcsr();
  _mm_setcsr(0x9fc0);  // flush to zero, denormals are zeros, all masked, to nearest even
  const auto lanes = static_cast<__mmask16>((1u << (c.bytes / 4)) - 1);
  for (int m = 0; m < c.rows; ++m) {
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    for (int k = 0; k < a.bytes / 4; ++k) {
      uint32_t pair;
      std::memcpy(&pair, a.data[m] + 4 * k, 4);
      const __m512i other = _mm512_load_si512(b.data[k]);
      const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
      even = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(pair << 16))),
                             _mm512_castsi512_ps(_mm512_slli_epi32(other, 16)), even);
      odd = _mm512_fmadd_ps(
          _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(pair & 0xffff0000u))),
          _mm512_castsi512_ps(_mm512_and_si512(other, high)), odd);
    }
    const __m512 sum = _mm512_add_ps(even, odd);
    const __m512 to = _mm512_load_ps(c.data[m]);
    _mm512_store_ps(c.data[m], _mm512_maskz_add_ps(lanes, to, sum));
  }
  _mm_setcsr(control);
}

void multiply_bytes(Tile& c, const Tile& a, const Tile& b, bool a_signed, bool b_signed) {
  const auto number = [](uint8_t byte, bool is_signed) {
    return is_signed ? int{static_cast<int8_t>(byte)} : int{byte};
  };
  for (int m = 0; m < c.rows; ++m) {
    for (int n = 0; n < c.bytes / 4; ++n) {
      uint32_t sum;
      std::memcpy(&sum, c.data[m] + 4 * n, 4);
      for (int k = 0; k < a.bytes; ++k)
        sum += static_cast<uint32_t>(number(a.data[m][k], a_signed) *
                                     number(b.data[k / 4][4 * n + k % 4], b_signed));
      std::memcpy(c.data[m] + 4 * n, &sum, 4);
    }
  }
}

void multiply(const Instruction& i) {
  if (i.memory) return fail("products take tiles only", i.at);
  Tile *c = tile(i.reg, i), *a = tile(i.rm, i), *b = tile(i.vvvv, i);
  if (c == nullptr || a == nullptr || b == nullptr) return;
  if (c == a || c == b || a == b) return fail("a product names one tile twice", i.at);
  if (c->bytes % 4 != 0 || a->bytes % 4 != 0 || b->bytes % 4 != 0)
    return fail("rows of a product are not whole words", i.at);
  if (c->rows != a->rows || c->bytes != b->bytes || a->bytes / 4 != b->rows)
    return fail("shapes of a product do not fit", i.at);
  if (i.opcode == 0x5c) return multiply_bf16(*c, *a, *b);
  multiply_bytes(*c, *a, *b, i.prefix == 2 || i.prefix == 3, i.prefix == 1 || i.prefix == 3);
}

/// False: not an instruction of tiles.
bool perform(const Instruction& i) {
  if (i.length == 0) return false;
  if (!i.legal) {
    fail("the encoding is not legal", i.at);
    return true;
  }
  switch (i.opcode) {
    case 0x49:
      if (i.memory && (i.modrm & 0x38) == 0 && i.prefix == 0) {
        load_configuration(i);
      } else if (i.memory && (i.modrm & 0x38) == 0 && i.prefix == 1) {
        store_configuration(i);
      } else if (!i.memory && i.prefix == 0 && i.modrm == 0xc0) {
        release();
      } else if (!i.memory && i.prefix == 3 && (i.modrm & 7) == 0) {
        Tile* t = tile(i.reg, i);
        if (t != nullptr) std::memset(t->data, 0, sizeof t->data);
      } else {
        return false;
      }
      return true;
    case 0x4b:
      if (!i.memory || i.prefix == 0) return false;
      move(i, i.prefix == 2);
      return true;
    case 0x5c:
      if (i.prefix != 2) return false;  // bfloat16 only
      multiply(i);
      return true;
    default:
      multiply(i);
      return true;
  }
}

void on_illegal(int signal, siginfo_t* info, void* context) {
  auto& u = *static_cast<ucontext_t*>(context);
  if (perform_conversion(u)) return;
  const auto* at = reinterpret_cast<const uint8_t*>(u.uc_mcontext.gregs[REG_RIP]);
  const Instruction i = decode(at, u);
  if (perform(i)) {
    u.uc_mcontext.gregs[REG_RIP] += i.length;
    count.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (before.sa_flags & SA_SIGINFO && before.sa_sigaction != nullptr)
    return before.sa_sigaction(signal, info, context);
  ::signal(signal, SIG_DFL);  // it comes again, and ends the program
}

}  // namespace

bool TileModel::possible() { return __builtin_cpu_supports("avx512f"); }

TileModel::TileModel() {
  const std::lock_guard lock(mutex);
  if (models++ > 0 || !possible()) return;
  struct sigaction now {};
  now.sa_sigaction = on_illegal;
  now.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGILL, &now, &before);
}

TileModel::~TileModel() {
  const std::lock_guard lock(mutex);
  if (--models == 0 && possible()) sigaction(SIGILL, &before, nullptr);
}

std::string TileModel::fault() { return failed ? message : ""; }
void TileModel::forget_fault() { failed = false; }
int64_t TileModel::performed() { return count; }
bool TileModel::configured() { return file.configured; }

}  // namespace ashlar::test

#else

namespace ashlar::test {
bool TileModel::possible() { return false; }
TileModel::TileModel() = default;
TileModel::~TileModel() = default;
std::string TileModel::fault() { return {}; }
void TileModel::forget_fault() {}
int64_t TileModel::performed() { return 0; }
bool TileModel::configured() { return false; }
}  // namespace ashlar::test

#endif
