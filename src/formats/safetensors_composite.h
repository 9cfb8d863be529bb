// Weights that safetensors files store in pieces, put together.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/safetensors_header.h"

namespace ashlar {

/// Every tensor of the files by name; several when slices of one name lie in files of different
/// ranks.
using RawTensors = std::map<std::string, std::vector<RawTensor>>;

/// A logical tensor: what it will be, and how to make it.
struct Logical {
  std::string name;
  TensorEntry entry;
  std::function<Tensor()> make;
  std::vector<std::string> pieces;  // the raw tensors it takes the place of
};

/// Block sizes of fp8 weights, rows by columns, as config.json's quantization_config says.
struct Fp8Blocks {
  int64_t rows = 128, cols = 128;
  bool given = false;  // by the config; else other sizes that fit the scales are taken
};

/// All composites to be found among `raw`. Throws Error(format) when pieces contradict each other.
std::vector<Logical> find_composites(const RawTensors& raw, Fp8Blocks blocks);

/// A tensor that is a weight by itself, or a refusal that says why not.
Logical plain(const RawTensor& raw);

/// Slices of one tensor, in rank order, put side by side: along columns for weights whose input is
/// split (w2, down_proj, o_proj), else along rows.
Logical concatenated(const std::vector<RawTensor>& slices);

}  // namespace ashlar
