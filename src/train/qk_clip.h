// QK-clip (Kimi K2, arXiv 2507.20534, section 2.1): projections of queries and keys are scaled down
// where attention scores have grown too large.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/batch.h"
#include "train/executor.h"
#include "train/parameters.h"

namespace ashlar {

class QkClip {
 public:
  /// `most` is the largest score that may stand. Throws Error(unsupported) for attention whose
  /// scores do not follow these projections: with QK norm, or with a softcap.
  QkClip(const Graph& forward, const ParameterArrays& parameters, double most, int threads,
         const std::string& kernels);

  /// Takes the largest scores of a batch, with the parameters as they are.
  void see(const TokenBatch& batch);

  /// With g = min(1, most / largest score since the last clip): query heads that share a key head,
  /// and that key head, are scaled by sqrt(g), g of the largest of them; of latent attention, head
  /// by head, queries and keys without rotation by sqrt(g) and rotated queries by g, the shared
  /// rotated key not at all. Scores then scale by g. Gives the number of (key) heads scaled.
  int64_t clip(ParameterArrays& parameters);

 private:
  struct Scaled {  // of one head: `count` numbers from head * stride + begin, times gamma^power
    ParamId id;
    int64_t begin = 0, count = 0, stride = 0;
    double power = 0.5;
  };
  struct Heads {
    int64_t heads = 0, group = 1;  // key heads, and queries of each
    std::vector<Scaled> parts;
    std::vector<float> largest;  // per key head
  };
  void add(const Graph& forward, const Node& node);

  const double most_;
  Float32Executor executor_;
  std::map<std::string, Heads, std::less<>> attentions_;  // by scope
};

}  // namespace ashlar
