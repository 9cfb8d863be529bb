// Which format each tensor of a GGUF file gets when a model is quantised: llama.cpp's choices.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "blueprint/blueprint.h"
#include "tensor/tensor.h"

namespace ashlar {

/// What `--weights` names: a format for most matrices, and rules that give some of them more bits.
struct Mix {
  enum class Rules {
    uniform,  // all matrices alike, but the output matrix q6_k where the format is coarser
    medium,   // "_m": value projections and down projections of some layers q6_k
    small,    // "_s": value and down projections of the first layers q5_k
  };
  Format format = Format::f32;
  Rules rules = Rules::uniform;
};

/// "f32", "bf16", "q8_0", "q4_k_m", "q5_k_m", "q4_k_s", "q6_k", ...; nothing for names that are no
/// mix.
std::optional<Mix> mix_named(std::string_view name);

/// What of the model the choice depends on.
struct MixModel {
  int layers = 0;
  int experts = 0;
  int gqa = 1;  // query heads per key/value head
  bool llama_70b =
      false;  // Llama with 80 layers and grouped queries: its value projections get more bits
};

MixModel mix_model(const Blueprint& blueprint);

struct MixTensor {
  std::string name;  // as GGUF names it
  Sizes sizes;
};

/// A format for each tensor, in their order. Vectors, norms and routers stay float32; a row length
/// that the format does not divide falls back as llama.cpp's quantiser does (q4_k to q5_0, q5_k to
/// q5_1, q6_k to q8_0, the rest to f16).
std::vector<Format> mix_formats(const Mix& mix, const std::vector<MixTensor>& tensors,
                                const MixModel& model);

/// The number llama.cpp keeps under general.file_type.
uint32_t mix_file_type(const Mix& mix);

}  // namespace ashlar
