// The loss of a model over a split of a data folder, token by token: by position, by domain, with
// what chance may have done to it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/folder.h"
#include "model/model.h"

namespace ashlar {

struct EvaluateOptions {
  DataSplit split = DataSplit::validation;
  RowOptions rows{.length = 512};
  int64_t tokens = 0;  // at most, rows evenly spaced; 0: all
  EngineOptions engine;
  std::function<void(int64_t done, int64_t total)> progress;  // rows
};

/// Sums over predicted tokens.
struct LossSum {
  int64_t tokens = 0;
  double nats = 0, bytes = 0;
  double loss() const { return tokens > 0 ? nats / static_cast<double>(tokens) : 0; }
  double bits_per_byte() const;  // 0 without bytes
};

struct DataLoss {
  LossSum all;
  /// Half of the interval that holds the true mean with 95 % chance: texts, not tokens, are taken
  /// as independent, so rows that begin in one document count as one observation.
  double loss_margin = 0, bits_per_byte_margin = 0;
  int64_t texts = 0;  // observations
  struct Position {
    int64_t from = 0, to = 0;  // tokens that a token is predicted from; both included
    LossSum sum;
  };
  std::vector<Position> positions;  // 1, 2-3, 4-7, ...
  struct Domain {
    std::string name;
    LossSum sum;
  };
  std::vector<Domain> domains;  // of documents with a label
};

/// Every token of a row but its first (with a mask: of each document's part of it) is predicted
/// from those before it; where the tokenizer begins texts with a token, it stands before the row
/// too. Throws Error(invalid) for data of another tokenizer than the model's, or a vocabulary that
/// is too small, and for logits that are not finite.
DataLoss evaluate(const Model& model, const std::shared_ptr<const DataFolder>& data,
                  const EvaluateOptions& options);

}  // namespace ashlar
