// The self-test of a model: every way of computing it against every other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace ashlar {

struct VerifyOptions {
  int threads = 0;
  std::string kernels;  // only this table, besides plain loops; empty: all that this CPU runs
  std::function<void(const std::string& what)> progress;
};

struct Check {
  std::string name;  // "stepwise = whole"
  enum class Outcome : uint8_t { passed, failed, left_out } outcome = Outcome::failed;
  std::string detail;  // what was compared, the largest difference and its bound
};

std::string_view to_string(Check::Outcome outcome);  // "ok", "FAILED", "left out"

/// Runs all checks and gives them in order; it does not stop at the first that fails.
///   parameters counted = parameters in the file
///   token by token = whole, in chunks = whole, batched with strangers = alone
///   state bytes planned = state bytes allocated
///   every kernel table = plain loops, with float32 activations and with fast ones
///   export round trip: written as safetensors and as GGUF and read back, equal tensors and logits
/// Plain loops are slow: they and the exports take a few tokens and one block of each kind.
/// Differences are relative to the largest magnitude of the reference logits.
std::vector<Check> verify(const Model& model, const VerifyOptions& options);

/// A model of the first block of each kind, so that slow references stay affordable. Weights are
/// shared.
Model excerpt(const Model& model, size_t most_blocks);

}  // namespace ashlar
