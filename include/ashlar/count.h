// Count: parameters, operations, bytes of weights, state and activations of a blueprint, without
// any weights.
//
//   const ashlar::Blueprint bp = ashlar::Blueprint::load("deepseek-v3");
//   const ashlar::Count c = ashlar::count(bp, {.context = 32768});
//   c.parameters.active   // 37,552,297,472
//
// Every number is a sum over the graph of the blueprint: there is no formula of a family
// anywhere. Conventions: docs/counting.md, also in counting_conventions().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ashlar/format.h"
#include "ashlar/model.h"

namespace ashlar {

struct Param;  // of a graph

/// The format of each parameter.
using WeightFormats = std::function<Format(const Param&)>;

struct CountOptions {
  int64_t tokens = 512;    // of a prompt's step, and of a training sequence
  int64_t context = 4096;  // tokens remembered
  int64_t sequences = 1;   // decoded together, trained together
  std::string weights = "bf16";
  WeightFormats formats;  // instead of `weights` (then only a label), e.g. those of a loaded model
  Format state = Format::f16;
  bool training = true;  // also count a step of training (differentiates the graph)
  bool mtp = false;      // ... that trains the layer for multi-token prediction too, with its loss
  // Of the engine, for activations.allocated_bytes.
  int threads = 0;      // 0: one per core
  std::string kernels;  // name of a table; empty: the best this CPU runs
};

/// Numbers of one kind of part or one layer.
struct Share {
  int64_t parameters = 0;
  int64_t active = 0;        // of them, used for one token
  double prefill_flops = 0;  // of the prompt of `context` tokens
  double decode_flops = 0;   // of one token after `context`
  int64_t bytes = 0;         // of weights
};

/// What the layers of one kind of state remember.
struct StateShare {
  std::string kind;  // full, window, chunk, latent, fixed
  int64_t layers = 0;
  int64_t window = 0;              // tokens a window or chunk holds; 0: no limit
  int64_t elements_per_token = 0;  // of all these layers
  int64_t naive_elements_per_token = 0;
  int64_t elements_at_context = 0;  // of all sequences
  int64_t bytes_at_context = 0;
};

/// Weights read by one step that decodes one token of each of `sequences` sequences.
struct StepBytes {
  int64_t sequences = 1;
  double bytes_per_step = 0;
  double bytes_per_token = 0;
  double experts_touched = 0;  // per expert layer, expected; 0: no experts
};

struct Count {
  std::string model;
  CountOptions options;

  struct Parameters {
    int64_t total = 0;
    int64_t active = 0;                    // that one token's forward pass uses
    int64_t active_without_embedding = 0;  // without the input table where the head is its own
    int64_t embedding = 0;                 // the input table
    int64_t mtp = 0;  // of multi-token prediction layers; in none of the other figures
    std::map<std::string, int64_t> by_kind;
    std::vector<int64_t> by_layer, active_by_layer;
  } parameters;

  struct Flops {
    double prefill = 0;  // per token, mean over a prompt of `context` tokens
    double decode = 0;   // of the one token after `context` remembered ones
    std::map<std::string, double> prefill_by_kind, decode_by_kind;
  } flops_per_token;

  struct Weights {
    int64_t bytes = 0;
    double bytes_per_step = 0;   // read by a step that decodes one token of each sequence
    double bytes_per_token = 0;  // the same, per token
    double experts_touched = 0;  // per expert layer, expected; 0: no experts
    std::map<std::string, int64_t> by_format;
    std::vector<StepBytes> by_batch;  // 1, 2, 4, ... 256 sequences
  } weights;

  struct State {
    int64_t elements_per_token = 0;
    double bytes_per_token = 0;
    int64_t naive_elements_per_token = 0;  // keys and values of all heads, where latents are kept
    int64_t elements_at_context = 0;       // of all sequences
    int64_t bytes_at_context = 0;
    int64_t naive_bytes_at_context = 0;
    int64_t allocated_bytes = 0;  // by the runtime, in pages; steps of `tokens` tokens
    std::vector<StateShare> by_kind;
  } state;

  struct Activations {
    int64_t peak_bytes = 0;       // float32 values alive at once, evaluating `tokens` tokens
    std::string peak_at;          // the node where that is
    int64_t logits_bytes = 0;     // of one row of logits per sequence, in it
    int64_t allocated_bytes = 0;  // by the engine: arena, scratch of threads, logits
    int64_t copied_bytes = 0;     // by the engine, of weights: vectors as float32, transposes
  } activations;

  struct Training {  // one step over sequences * tokens tokens, float32, AdamW
    double flops = 0;
    double flops_per_token = 0;
    int64_t weight_bytes = 0, gradient_bytes = 0, optimizer_bytes = 0;
    int64_t activation_bytes = 0;             // values of tokens alive at once, at most
    int64_t recomputed_activation_bytes = 0;  // the same with every layer computed twice
  } training;

  std::map<std::string, Share> by_kind;  // embedding, attention, ffn, experts, ...
  std::vector<Share> by_layer;
};

/// The JSON of `ashlar count --json` (docs/counting.md lists the fields), and its text for people.
std::string count_json(const Count& count);
std::string count_text(const Count& count);

/// What is counted and how, in a few lines.
std::string_view counting_conventions();

}  // namespace ashlar

namespace ASHLAR_V1 {

/// Counts a blueprint. Throws Error(invalid) for options out of range. Any number of threads may
/// count at a time.
Count count(const Blueprint& blueprint, const CountOptions& options = {});
/// The same with weights in the formats that the model's have; `options.weights` counts where it
/// has none.
Count count(const Model& model, const CountOptions& options = {});

}  // namespace ASHLAR_V1
