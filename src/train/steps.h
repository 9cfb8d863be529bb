// The steps that a graph of training is lowered to: each computes a node, for all tokens or a chunk
// of them, from places in memory to places in memory.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "train/attention.h"
#include "train/float_rows.h"
#include "train/products.h"

namespace ashlar {

/// Where a step finds or leaves a value or parameter.
struct StepSlot {
  Type type;
  int64_t width = 1;  // numbers of a token's row, or all of them
  bool per_token = false;
  bool local = false;      // holds the rows of the current chunk only
  float* at = nullptr;     // numbers
  int64_t* ids = nullptr;  // of an index
  bool exists() const { return at != nullptr || ids != nullptr; }
  /// Numbers of the last `axes` axes.
  int64_t inner(size_t axes) const;
};

struct TrainingFrame;
struct TrainingStep;
using StepFunction = void (*)(const TrainingStep&, TrainingFrame&);

struct TrainingStep {
  const Node* node = nullptr;
  StepFunction run = nullptr;
  std::vector<StepSlot> in, out;
  /// What the first result is added to; it may lie where the result does. Products, embed_grad.
  StepSlot start;
  bool chunked = false;  // one of a run of steps that take chunks of tokens in turn
  template <class T>
  const T* as() const {
    return node->op.as<T>();
  }
};

/// What is the same for all steps of a run.
struct TrainingFrame {
  Products& products;
  const FloatRows& rows;
  const TokenBatch& batch;
  const SequenceRows& sequences;
  const std::vector<int64_t>& next;  // per row that of the next token, or -1
  Numbers numbers = Numbers::f64;
  double weight = 1;            // of the losses
  int64_t first = 0, last = 0;  // rows of tokens to compute
  /// Arrays for ops that run as their plain loops, with their memory.
  std::vector<Array<float>> arrays;

  int64_t count() const { return last - first; }
  /// Numbers of the rows to compute, or of what has no rows.
  int64_t size_of(const StepSlot& s) const { return s.width * (s.per_token ? count() : 1); }
  /// The first row to compute, or the first number of what has no rows.
  float* at(const StepSlot& s) const {
    return s.per_token && !s.local ? s.at + first * s.width : s.at;
  }
  bool exact() const { return numbers == Numbers::f64; }
};

/// f(begin, end, piece) over pieces of about equally many numbers of `rows` rows, on all threads.
/// Pieces depend on the sizes alone.
constexpr int64_t kNumbersPerPiece = int64_t{1} << 14;
inline int64_t rows_of_piece(int64_t width) {
  return std::max<int64_t>(1, kNumbersPerPiece / std::max<int64_t>(1, width));
}
inline int64_t pieces_of(int64_t rows, int64_t width) {
  return (rows + rows_of_piece(width) - 1) / rows_of_piece(width);
}
template <class F>
void each_piece(TrainingFrame& frame, int64_t rows, int64_t width, const F& f) {
  const int64_t per_piece = rows_of_piece(width);
  frame.products.each(pieces_of(rows, width), [&](int64_t i, ProductSpace&) {
    f(i * per_piece, std::min(rows, (i + 1) * per_piece), i);
  });
}

/// Adds up the parts of pieces, n numbers each, in their order.
inline void add_parts(const float* parts, int64_t pieces, int64_t n, float* to) {
  std::fill_n(to, n, 0.0f);
  for (int64_t p = 0; p < pieces; ++p) {
    for (int64_t i = 0; i < n; ++i) to[i] += parts[p * n + i];
  }
}

/// How an op is run.
struct StepKind {
  StepFunction run = nullptr;  // null: as its plain loops
  bool by_rows = false;        // a token's results need its own rows only: chunks may be taken
  bool adds = false;           // the first result may be added to a start
  bool in_place = false;       // results may lie where inputs of their size do
};
/// `exact`: only what computes as exactly as the plain loops do, between reading and writing
/// float32.
StepKind step_kind(const Node& node, bool exact);
/// What runs any op.
void run_plain_loops(const TrainingStep& step, TrainingFrame& frame);

// By files.
StepKind product_step(const Node& node);
StepKind row_step(const Node& node);
StepKind loss_step(const Node& node);
StepKind move_step(const Node& node);

}  // namespace ashlar
