// Explain: each part of a model with its formula, this model's numbers in it, cost, state, where
// its weights come from in a checkpoint, and the paper it was published in.
//
//   const ashlar::Blueprint bp = ashlar::Blueprint::load("deepseek-v3");
//   std::cout << ashlar::explanation_text(ashlar::explain(bp, "layers.3.attn"));
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ashlar/blueprint.h"
#include "ashlar/format.h"

namespace ashlar {

struct ExplainOptions {
  int64_t context = 4096;  // tokens remembered when one is decoded; length of the prompt
  std::string weights = "bf16";
  Format state = Format::f16;
};

/// One parameter of a step, and the tensors that hold it in the family's checkpoints.
struct ExplainedWeight {
  std::string parameter;  // "layers.3.attn.q"
  std::string shape;      // "kv_heads=8, group=4, head_dim=128, d_model=4096"
  int64_t elements = 0;
  std::string config;  // in safetensors, with what is done to it; empty: the family does not say
  std::string gguf;
};

/// One node of the graph.
struct ExplainedStep {
  std::string scope;    // "layers.3.attn.q"
  std::string op;       // "linear"
  std::string formula;  // "y = W x + b"
  std::string numbers;  // the formula with this model's numbers in it
  std::string sizes;    // "4,096 → 8 × 4 × 128": numbers per token read and made
  std::string shapes;   // "x [d_model=4096] w [...] -> y [...]"
  std::string source;   // paper and section; may be empty
  double prefill_flops = 0, decode_flops = 0;  // per token
  int64_t parameters = 0, active = 0, weight_bytes = 0;
  int64_t state_per_token = 0;  // numbers
  double state_bytes = 0;       // of one sequence of `context` tokens
  std::vector<ExplainedWeight> weights;
};

/// Steps that belong together: attention of some layers, say.
struct ExplainedPart {
  std::string scope;                 // "layers.3.attn"; of layers that are alike, the first
  std::string title;                 // "Multi-head latent attention"
  std::string layers;                // "last 58 layers"; empty outside of layers
  int64_t count = 1;                 // how many layers have it
  std::vector<std::string> words;    // what it does
  std::vector<std::string> sources;  // of its ideas
  std::vector<ExplainedStep> steps;
  double prefill_flops = 0, decode_flops = 0;  // of one of them
  int64_t parameters = 0, active = 0, weight_bytes = 0, state_per_token = 0;
  double state_bytes = 0;
};

struct Explanation {
  std::string model;
  std::string family;
  std::string scope;
  ExplainOptions options;
  std::vector<ExplainedPart> parts;
};

std::string explanation_text(const Explanation& explanation);
/// docs/json.md lists the fields.
std::string explanation_json(const Explanation& explanation);

}  // namespace ashlar

namespace ASHLAR_V1 {

/// `scope` is empty (the whole model, equal layers once) or a prefix of the graph's names:
/// "embedding", "layers.3", "layers.3.attn", "layers.3.attn.q", "final_norm", "logits", "mtp.0".
/// Throws Error(invalid), listing near scopes, if there is none of that name. Any number of threads
/// may explain at a time.
Explanation explain(const Blueprint& blueprint, std::string_view scope = {},
                    const ExplainOptions& options = {});

}  // namespace ASHLAR_V1
