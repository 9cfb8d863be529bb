// A batch: T tokens of any number of sequences, packed. There is no batch dimension.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ashlar {

/// One row of the batch per entry; tokens of one sequence stand in order of position.
struct TokenBatch {
  std::vector<int32_t> tokens;
  std::vector<int32_t> positions;
  std::vector<int32_t> sequences;  // which sequence each token belongs to
  int64_t context = 0;             // the longest sequence asked for; 0: each as long as it is
  /// Values from outside, row after row, by the name under which an op asks for them.
  std::map<std::string, std::vector<double>> given = {};
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

/// Sum of visible_keys over the positions 0 .. end - 1.
inline int64_t visible_keys_before(int64_t end, int64_t window, int64_t chunk) {
  // Within a sequence (or a chunk) the sum rises to the window, then stays.
  const auto sum = [&](int64_t n) {
    const int64_t rising = window > 0 ? std::min(n, window) : n;
    return rising * (rising + 1) / 2 + (n - rising) * window;
  };
  return chunk > 0 ? end / chunk * sum(chunk) + sum(end % chunk) : sum(end);
}

/// Sum of visible_keys over all tokens of the workload.
inline int64_t visible_keys(const Workload& load, int64_t window, int64_t chunk) {
  int64_t n = 0;
  for (const Workload::Run& r : load.runs) {
    n += visible_keys_before(r.first + r.count, window, chunk) -
         visible_keys_before(r.first, window, chunk);
  }
  return n;
}

}  // namespace ashlar
