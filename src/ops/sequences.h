// The rows of a batch by the sequence they belong to, for ops that go through a sequence in order.
#pragma once

#include <map>
#include <vector>

#include "graph/batch.h"

namespace ashlar {

/// Sequence -> its rows, in order of position.
inline std::map<int32_t, std::vector<int64_t>> rows_by_sequence(const TokenBatch& batch) {
  std::map<int32_t, std::vector<int64_t>> rows;
  for (int64_t t = 0; t < batch.size(); ++t)
    rows[batch.sequences[static_cast<size_t>(t)]].push_back(t);
  return rows;
}

}  // namespace ashlar
