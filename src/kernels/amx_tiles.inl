// The vocabulary of tiles: eight of 16 rows of 64 bytes, always configured whole.
//
// Written as assembly and not with the compilers' intrinsics, which do not say that loads read
// memory: gcc 12 drops stores before them.

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileConfig kWholeTiles;

constexpr int64_t kTileBytes = 1024;
constexpr int64_t kStepCols = 32;  // bfloat16 numbers of a row

/// Tiles are this thread's between the two. A thread that has released them has less to save when
/// it is interrupted or sleeps.
ASHLAR_INLINE void begin_tiles() { __asm__ volatile("ldtilecfg %0" : : "m"(kWholeTiles)); }
ASHLAR_INLINE void end_tiles() { __asm__ volatile("tilerelease" : : : "memory"); }

template <int t>
ASHLAR_INLINE void zero_tile() {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(t));
}
template <int t>
ASHLAR_INLINE void load_tile(const void* p, int64_t stride = 64) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(t) : "memory");
}
/// What passes by once: it need not stay in the nearest cache.
template <int t>
ASHLAR_INLINE void load_passing_tile(const void* p) {
  __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm%c2"
                   :
                   : "r"(p), "r"(int64_t{64}), "i"(t)
                   : "memory");
}
template <int t>
ASHLAR_INLINE void store_tile(void* p, int64_t stride = 64) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(t) : "memory");
}
/// Tile c += tile a times tile b: c[row][word] += sum over pairs k of a[row][k] b[k][word].
template <int c, int a, int b>
ASHLAR_INLINE void add_tiles() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(c), "i"(a), "i"(b));
}

/// One step of `M` left tiles (4, 5) and `N` right ones (6, 7) into tiles 0 .. 3: tile 2 m + n.
/// Right tiles pass by, left ones stay. With one right tile the free registers alternate, so that
/// loads need not wait for the products before.
template <int M, int N, bool odd>
ASHLAR_INLINE void add_step(const std::byte* left, int64_t left_tile, const std::byte* right,
                            int64_t right_tile) {
  constexpr int kL0 = N == 1 && odd ? 1 : 4, kL1 = N == 1 && odd ? 3 : 5;
  constexpr int kR = N == 1 && odd ? 7 : 6;
  load_tile<kL0>(left);
  load_passing_tile<kR>(right);
  add_tiles<0, kL0, kR>();
  if (M == 2) {
    load_tile<kL1>(left + left_tile);
    add_tiles<2, kL1, kR>();
  }
  if (N == 2) {
    load_passing_tile<7>(right + right_tile);
    add_tiles<1, 4, 7>();
    if (M == 2) add_tiles<3, 5, 7>();
  }
}

/// Steps begin .. end - 1, whose tiles follow each other.
template <int M, int N>
ASHLAR_INLINE void add_steps(const std::byte* left, int64_t left_tile, const std::byte* right,
                             int64_t right_tile, int64_t begin, int64_t end) {
  left += begin * kTileBytes;
  right += begin * kTileBytes;
  for (; begin + 2 <= end; begin += 2, left += 2 * kTileBytes, right += 2 * kTileBytes) {
    add_step<M, N, false>(left, left_tile, right, right_tile);
    add_step<M, N, true>(left + kTileBytes, left_tile, right + kTileBytes, right_tile);
  }
  if (begin < end) add_step<M, N, false>(left, left_tile, right, right_tile);
}

/// Tiles 0 .. 3, as add_step numbers them, to memory that holds M x N of them.
template <int M, int N>
ASHLAR_INLINE void store_products(std::byte* out, int64_t m_step, int64_t n_step) {
  store_tile<0>(out);
  if (N == 2) store_tile<1>(out + n_step);
  if (M == 2) store_tile<2>(out + m_step);
  if (M == 2 && N == 2) store_tile<3>(out + m_step + n_step);
}
template <int M, int N>
ASHLAR_INLINE void load_products(const std::byte* from, int64_t m_step, int64_t n_step) {
  load_tile<0>(from);
  if (N == 2) load_tile<1>(from + n_step);
  if (M == 2) load_tile<2>(from + m_step);
  if (M == 2 && N == 2) load_tile<3>(from + m_step + n_step);
}
template <int M, int N>
ASHLAR_INLINE void zero_products() {
  zero_tile<0>();
  if (N == 2) zero_tile<1>();
  if (M == 2) zero_tile<2>();
  if (M == 2 && N == 2) zero_tile<3>();
}

ASHLAR_INLINE uint16_t small_number(int i) {  // -8 .. 7 as bfloat16
  const auto v = static_cast<float>(i * 37 % 16 - 8);
  uint32_t bits;
  __builtin_memcpy(&bits, &v, 4);
  return static_cast<uint16_t>(bits >> 16);
}
ASHLAR_INLINE float small_value(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float v;
  __builtin_memcpy(&v, &wide, 4);
  return v;
}

/// A small product in all eight tiles against plain arithmetic, whose numbers are whole and so
/// exact in any order: whether this machine's tiles can be trusted.
bool tiles_are_right() {
  constexpr int kSteps = 2;
  alignas(64) uint16_t left[2][kSteps][16][32];      // [tile][step][row][column]
  alignas(64) uint16_t right[2][kSteps][16][16][2];  // [tile][step][pair][token][of the pair]
  alignas(64) float found[2][2][16][16];
  for (int i = 0; i < 2 * kSteps * 512; ++i) {
    (&left[0][0][0][0])[i] = small_number(i + i / 32 + i / 512);
    (&right[0][0][0][0][0])[i] = small_number(3 * i + i / 32 + 5 * (i / 512));
  }
  begin_tiles();
  zero_products<2, 2>();
  add_steps<2, 2>(reinterpret_cast<std::byte*>(left), kSteps * kTileBytes,
                  reinterpret_cast<std::byte*>(right), kSteps * kTileBytes, 0, kSteps);
  store_products<2, 2>(reinterpret_cast<std::byte*>(found), 2 * kTileBytes, kTileBytes);
  end_tiles();
  for (int i = 0; i < 1024; ++i) {
    const int m = i / 512, n = i / 256 % 2, row = i / 16 % 16, token = i % 16;
    float sum = 0;
    for (int c = 0; c < 32 * kSteps; ++c)
      sum += small_value(left[m][c / 32][row][c % 32]) *
             small_value(right[n][c / 32][c % 32 / 2][token][c % 2]);
    if (found[m][n][row][token] != sum) return false;
  }
  return true;
}
