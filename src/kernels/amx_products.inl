// Matrix products by tiles of bfloat16, sums in float32.
//
// Weights are the left operand, a panel of 32 rows by kBlockCols columns at a time, widened once
// for all tokens of the call; activations are the right one. A panel's half of L1 stays there while
// activations stream by from L2; products of one panel are shared with the widening of the next and
// with the turning of finished tiles, so that vectors work while tiles do. Where a row has several
// blocks of columns its sums wait in scratch, as tiles.

constexpr int64_t kPanelRows = 32;
constexpr int64_t kBlockCols = 512;  // 32 KiB of a panel
constexpr int64_t kBlockRows = 256;  // whose sums wait: with all tokens of a block 512 KiB
constexpr int64_t kBlockTokens = 512;
constexpr int64_t kPackedBytes = 1 << 20;  // of activations packed for a call
constexpr int64_t kLeftTile =
    kBlockCols / kStepCols * kTileBytes;  // from one row tile to the other
constexpr int64_t kPanelBytes = 2 * kLeftTile;
constexpr int64_t kPieces = kBlockCols / kPiece;  // of a row of a panel
constexpr int64_t kQuarters = 4;  // of a block's steps: what is done beside comes between

/// Numbers of bfloat16 that a weight is the sum of.
ASHLAR_INLINE int parts_of(Format f) { return f == Format::f16 ? 2 : 1; }

/// Where a call's scratch lies.
struct TileScratch {
  std::byte* panels;  // two
  std::byte* stage;   // two blocks of four finished tiles
  std::byte* bias;    // a tile for each row tile of a panel
  std::byte* sums;    // of kBlockRows by kBlockTokens
  std::byte* packed;
  int64_t bytes;
};

ASHLAR_INLINE int64_t steps_of(int64_t cols) { return (cols + kStepCols - 1) / kStepCols; }

/// Tokens that are packed at once for a product of so many columns.
ASHLAR_INLINE int64_t packed_tokens(int64_t cols) {
  const int64_t groups = kPackedBytes / (steps_of(cols) * kTileBytes);
  return at_most(groups < 1 ? kGroup : groups * kGroup, kBlockTokens);
}

ASHLAR_INLINE TileScratch tile_scratch(int64_t cols, int parts, std::byte* at) {
  TileScratch s;
  PartsOfMemory memory(at);
  memory.place(s.panels, 2 * kPanelBytes);
  memory.place(s.stage, 2 * 4 * kTileBytes);
  memory.place(s.bias, 2 * kTileBytes);
  memory.place(s.sums, cols > kBlockCols || parts > 1 ? kBlockRows * kBlockTokens * 4 : 0);
  memory.place(s.packed, packed_tokens(cols) / kGroup * steps_of(cols) * kTileBytes);
  s.bytes = memory.bytes();
  return s;
}

int64_t tile_scratch_bytes(Format f, int64_t cols) {
  return tile_scratch(cols, parts_of(f), nullptr).bytes;
}

/// Rows and tokens of a call whose sums fit into scratch.
struct TileBlock {
  const MatMul& m;
  Widen widen[2];       // of the parts that numbers are the sums of; null: there is one part
  int64_t piece_bytes;  // of kPiece columns of a row
  TileScratch scratch;
  int64_t row_begin, row_end;
  int64_t token, tokens;
  const std::byte* x;  // tiles of the first group
  int64_t x_group;     // bytes from one group of tokens to the next

  int64_t groups() const { return (tokens + kGroup - 1) / kGroup; }
};

struct TilePanel {
  int64_t row, row_tiles, col, cols;  // of no columns: there is none
  std::byte* tiles;
  int part;
};

ASHLAR_INLINE TilePanel panel_at(const TileBlock& b, int64_t row, int64_t col, std::byte* tiles,
                                 int part) {
  return {row, b.row_end - row > 16 ? 2 : 1, col, at_most(kBlockCols, b.m.cols - col), tiles, part};
}
/// All rows of the first columns, in all parts, then all of the next. Panels take turns in scratch.
ASHLAR_INLINE TilePanel panel_after(const TileBlock& b, const TilePanel& p) {
  std::byte* tiles = b.scratch.panels + (p.tiles == b.scratch.panels ? kPanelBytes : 0);
  if (p.row + kPanelRows < b.row_end) return panel_at(b, p.row + kPanelRows, p.col, tiles, p.part);
  if (p.part == 0 && b.widen[1] != nullptr) return panel_at(b, b.row_begin, p.col, tiles, 1);
  return panel_at(b, b.row_begin, p.col + kBlockCols, tiles, 0);
}

/// Asks for a piece of a panel, which is widened a panel later.
ASHLAR_INLINE void ask_for_piece(const TileBlock& b, const TilePanel& p, int64_t piece) {
  const int64_t row = p.row + piece / kPieces, part = piece % kPieces;
  if (row >= b.row_end || p.cols <= part * kPiece) return;
  const std::byte* at = b.m.w + row * b.m.w_row_bytes + (p.col / kPiece + part) * b.piece_bytes;
  const int64_t left = b.m.w_row_bytes - (p.col / kPiece + part) * b.piece_bytes;
  const int64_t bytes = at_most(left, b.piece_bytes);
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(at + i, 0, 2);
}

ASHLAR_INLINE void widen_piece(const TileBlock& b, const TilePanel& p, int64_t piece,
                               const TilePanel& after) {
  const int64_t r = piece / kPieces, at = piece % kPieces * kPiece;
  const int64_t n = at_most(kPiece, p.cols - at);
  if (r >= 16 * p.row_tiles || n <= 0) return;
  ask_for_piece(b, after, piece);
  std::byte* out = p.tiles + r / 16 * kLeftTile + r % 16 * 64 + at / kStepCols * kTileBytes;
  if (p.row + r < b.row_end)
    return b.widen[p.part](b.m.w + (p.row + r) * b.m.w_row_bytes, p.col + at, n, out);
  for (int64_t i = 0; i < n; i += kStepCols, out += kTileBytes)
    _mm512_store_si512(out, _mm512_setzero_si512());
}

/// A finished tile, [row][token], to the rows of its tokens.
void put_tile(const TileBlock& b, const std::byte* tile, int64_t row, int64_t group) {
  const int64_t token = b.token + group * kGroup;
  const int64_t rows = at_most(16, b.row_end - row), tokens = at_most(kGroup, b.m.tokens - token);
  const auto* in = reinterpret_cast<const float*>(tile);
  float* y = b.m.y + token * b.m.y_stride + row;
  if (rows == 16 && tokens == kGroup) return transpose(in, 16, y, b.m.y_stride);
  alignas(64) float transposed[16 * kGroup];
  transpose(in, 16, transposed, 16);
  for (int64_t t = 0; t < tokens; ++t)
    store_n(y + t * b.m.y_stride, load(transposed + 16 * t), rows);
}

/// What vectors do while tiles multiply.
struct Beside {
  const TileBlock& b;
  // Finished tiles of the block before, which wait in scratch to be put.
  const std::byte* finished = nullptr;
  int64_t row = 0, group = 0;
  int row_tiles = 0, groups = 0;
  // Widening of the next panel: so many of its pieces are done, in so many of all calls.
  TilePanel next = {}, after = {};
  int64_t pieces = 0, done = 0, call = 0, calls = 1;

  ASHLAR_INLINE void put(int quarter) {
    if (finished == nullptr) return;
    const int i = quarter / 2, j = quarter % 2;
    if (i < row_tiles && j < groups)
      put_tile(b, finished + quarter * kTileBytes, row + 16 * i, group + j);
  }
  ASHLAR_INLINE void put_rest() {
    for (int quarter = 0; quarter < kQuarters; ++quarter) put(quarter);
    finished = nullptr;
  }
  ASHLAR_INLINE void run(int quarter) {
    put(quarter);
    ++call;
    for (; done < pieces * call / calls; ++done) widen_piece(b, next, done, after);
  }
};

template <int M, int N>
void multiply_tiles(const TileBlock& b, const TilePanel& p, int64_t group, Beside& beside) {
  const std::byte* right = b.x + group * b.x_group + p.col / kStepCols * kTileBytes;
  std::byte* sums = b.scratch.sums + ((p.row - b.row_begin) / 16 * b.groups() + group) * kTileBytes;
  const int64_t sums_row = b.groups() * kTileBytes;
  if (p.col > 0 || p.part > 0)
    load_products<M, N>(sums, sums_row, kTileBytes);
  else if (b.m.bias != nullptr)
    load_products<M, N>(b.scratch.bias, kTileBytes, 0);
  else
    zero_products<M, N>();
  const int64_t steps = steps_of(p.cols);
  for (int quarter = 0; quarter < kQuarters; ++quarter) {
    add_steps<M, N>(p.tiles, kLeftTile, right, b.x_group, steps * quarter / kQuarters,
                    steps * (quarter + 1) / kQuarters);
    beside.run(quarter);
  }
  const bool last = p.col + p.cols == b.m.cols && (p.part == 1 || b.widen[1] == nullptr);
  if (!last) return store_products<M, N>(sums, sums_row, kTileBytes);
  std::byte* stage = b.scratch.stage;
  if (beside.finished == stage) stage += 4 * kTileBytes;
  store_products<M, N>(stage, 2 * kTileBytes, kTileBytes);
  beside.finished = stage;
  beside.row = p.row;
  beside.group = group;
  beside.row_tiles = M;
  beside.groups = N;
}

/// The bias of a panel's rows, the same for all tokens: what its sums begin with.
void spread_bias(const TileBlock& b, const TilePanel& p) {
  auto* out = reinterpret_cast<float*>(b.scratch.bias);
  for (int64_t r = 0; r < 16 * p.row_tiles; ++r, out += kGroup)
    store(out, set1(p.row + r < b.row_end ? b.m.bias[p.row + r] : 0.0f));
}

void multiply_block(const TileBlock& b) {
  const int64_t groups = b.groups(), pieces = kPanelRows * kPieces;
  TilePanel p = panel_at(b, b.row_begin, 0, b.scratch.panels, 0);
  Beside beside{b};
  beside.next = panel_after(b, p);
  beside.calls = (groups + 1) / 2 * kQuarters;
  for (int64_t i = 0; i < pieces; ++i) ask_for_piece(b, p, i);
  for (int64_t i = 0; i < pieces; ++i) widen_piece(b, p, i, beside.next);
  for (; p.cols > 0; p = beside.next, beside.next = beside.after) {
    if (p.col == 0 && p.part == 0 && b.m.bias != nullptr) spread_bias(b, p);
    beside.after = panel_after(b, beside.next);
    beside.pieces = beside.next.cols > 0 ? pieces : 0;
    beside.done = beside.call = 0;
    for (int64_t group = 0; group < groups; group += 2) {
      if (p.row_tiles == 2 && groups - group >= 2)
        multiply_tiles<2, 2>(b, p, group, beside);
      else if (p.row_tiles == 2)
        multiply_tiles<2, 1>(b, p, group, beside);
      else if (groups - group >= 2)
        multiply_tiles<1, 2>(b, p, group, beside);
      else
        multiply_tiles<1, 1>(b, p, group, beside);
    }
  }
  beside.put_rest();
}

/// n things dealt out to blocks of at most `most`, whole multiples of `grain`.
ASHLAR_INLINE int64_t even_blocks(int64_t n, int64_t most, int64_t grain) {
  const int64_t blocks = (n + most - 1) / most;
  return round_up((n + blocks - 1) / blocks, grain);
}

/// Activations in tiles, or rows of bfloat16 that are packed here.
void matmul_tiles(Format f, Activation form, const MatMul& m, std::byte* scratch) {
  if (m.row_end <= m.row_begin || m.tokens <= 0) return;
  const FormatInfo& format = info(f);
  const int64_t most = form == Activation::tiles ? kBlockTokens : packed_tokens(m.cols);
  const int64_t tokens = even_blocks(m.tokens, most, kGroup);
  const int64_t rows = even_blocks(m.row_end - m.row_begin, kBlockRows, kPanelRows);
  const TileScratch s = tile_scratch(m.cols, parts_of(f), scratch);
  begin_tiles();
  for (int64_t t = 0; t < m.tokens; t += tokens) {
    const int64_t count = at_most(tokens, m.tokens - t), group = steps_of(m.cols) * kTileBytes;
    const bool pack = form != Activation::tiles;
    for (int64_t i = 0; pack && i < count; i += kGroup)
      pack_group(m, t + i, at_most(kGroup, count - i), s.packed + i / kGroup * group);
    for (int64_t r = m.row_begin; r < m.row_end; r += rows)
      multiply_block({m,
                      {widening(f), f == Format::f16 ? widen_f16_row<true> : nullptr},
                      kPiece / format.block_len * format.block_bytes,
                      s,
                      r,
                      at_most(r + rows, m.row_end),
                      t,
                      count,
                      pack ? s.packed : m.x + t * m.x_row_bytes,
                      pack ? group : kGroup * m.x_row_bytes});
  }
  end_tiles();
}
