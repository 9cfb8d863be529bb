// A batch: T tokens of any number of sequences, packed. There is no batch dimension.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ashlar {

/// One row of the batch per entry; tokens of one sequence stand in order of position.
struct TokenBatch {
  std::vector<int32_t> tokens;
  std::vector<int32_t> positions;
  std::vector<int32_t> sequences;  // which sequence each token belongs to
  int64_t size() const { return static_cast<int64_t>(tokens.size()); }

  /// One whole sequence from position 0.
  static TokenBatch whole(std::vector<int32_t> tokens) {
    TokenBatch b;
    b.positions.resize(tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) b.positions[i] = static_cast<int32_t>(i);
    b.sequences.assign(tokens.size(), 0);
    b.tokens = std::move(tokens);
    return b;
  }
};

/// What a step has to do, for counting: consecutive tokens per sequence, after `first` remembered
/// ones.
struct Workload {
  struct Run {
    int64_t first = 0;  // position of the first token
    int64_t count = 0;
  };
  std::vector<Run> runs;
  static Workload prefill(int64_t tokens, int64_t first = 0) { return {{{first, tokens}}}; }
  static Workload decode(int64_t context, int64_t sequences = 1) {
    return {std::vector<Run>(static_cast<size_t>(sequences), Run{context, 1})};
  }
  int64_t tokens() const {
    int64_t n = 0;
    for (const Run& r : runs) n += r.count;
    return n;
  }
};

/// Keys that a query at `position` sees: j <= position, j > position - window, j / chunk ==
/// position / chunk.
inline int64_t visible_keys(int64_t position, int64_t window, int64_t chunk) {
  int64_t n = position + 1;
  if (window > 0) n = std::min(n, window);
  if (chunk > 0) n = std::min(n, position % chunk + 1);
  return n;
}

/// Sum of visible_keys over all tokens of the workload.
inline int64_t visible_keys(const Workload& load, int64_t window, int64_t chunk) {
  int64_t n = 0;
  for (const Workload::Run& r : load.runs) {
    if (window == 0 && chunk == 0) {
      n += r.count * r.first + r.count * (r.count + 1) / 2;
    } else {
      for (int64_t i = 0; i < r.count; ++i) n += visible_keys(r.first + i, window, chunk);
    }
  }
  return n;
}

}  // namespace ashlar
