// The blueprint: an architecture as data. Every reading (run, count, draw, compare, train) starts
// here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ashlar/difference.h"
#include "graph/graph.h"
#include "parts/attention.h"
#include "parts/ffn.h"
#include "parts/gated_delta_net.h"
#include "parts/norm.h"

namespace ashlar {

/// token ─ row of the table ─ * scale ─(+ position)─►
struct Embedding {
  int64_t vocab = 0;
  int64_t width = 0;  // d_model
  double scale = 1;
  int64_t positions = 0;    // learned positions: how many; 0: none
  bool sinusoidal = false;  // the fixed table of the 2017 transformer
  bool operator==(const Embedding&) const = default;
  ASHLAR_FIELDS("vocab, width", vocab, width, scale, positions, sinusoidal);
};

/// Where the norms stand relative to the residual stream x. What is added to x may be scaled first
/// (Granite's residual multiplier).
template <int kind>
struct NormPlacing {
  Norm norm;
  double residual_scale = 1;
  bool operator==(const NormPlacing&) const = default;
};
using PreNorm = NormPlacing<0>;        // x + f(norm(x))          GPT-2, Llama and most others
using PostNorm = NormPlacing<1>;       // norm(x + f(x))          the 2017 transformer
using InnerPostNorm = NormPlacing<2>;  // x + norm(f(x))          OLMo 2
using Sandwich = NormPlacing<3>;       // x + norm(f(norm(x)))    Gemma 3, Grok 2
using Parallel = NormPlacing<4>;       // x + mixer(norm(x)) + ffn(norm(x)), one norm: Cohere2
using Wiring = std::variant<PreNorm, PostNorm, InnerPostNorm, Sandwich, Parallel>;
double residual_scale(const Wiring& wiring);
using Mixer = std::variant<AttentionPart, LatentAttentionPart, GatedDeltaNetPart>;
using Ffn = std::variant<DenseFfn, ExpertFfnPart>;

/// One layer: mixer, then (or beside it) feed-forward, wired to the residual stream as `wiring`
/// says.
struct Block {
  Wiring wiring;
  Mixer mixer;
  Ffn ffn;
  bool operator==(const Block&) const = default;
};

/// x ─ (norm) ─ table or its own matrix ─ * scale ─ softcap ─► logits
struct Head {
  bool tied = false;  // the embedding's table again
  bool bias = false;
  double scale = 1;
  double softcap = 0;
  bool operator==(const Head&) const = default;
  ASHLAR_FIELDS("", tied, bias, scale, softcap);
};

struct Blueprint {
  std::string name;    // "qwen3-0.6b"; may be empty
  std::string family;  // whose checkpoints it reads and writes ("qwen3"); may be empty
  Embedding embedding;
  std::vector<Block> blocks;
  std::optional<Norm> final_norm;
  Head head;
  int64_t context = 0;  // longest sequence it was made for; 0: unknown
  std::vector<Block>
      mtp;  // multi-token prediction layers after the last block (DeepSeek V3, section 2.2)
  bool operator==(const Blueprint&) const = default;
};

/// The scope of a mixer's parameters and nodes in its layer: "attn", or "linear_attn".
std::string_view scope_of(const Mixer& mixer);

/// n copies of a block.
std::vector<Block> repeat(int64_t n, const Block& block);

/// Checks what JSON cannot say (positive sizes, heads that divide, ...). Throws Error(invalid)
/// naming the field.
void check(const Blueprint& blueprint);

/// The forward graph: token ids in, logits [tokens, vocab] out.
Graph graph_of(const Blueprint& blueprint);

/// The graph of the first multi-token prediction layer: logits for the token after the next, from
/// the same input.
Graph mtp_graph_of(const Blueprint& blueprint);

/// What a step of training differentiates: graph_of, or where that layer is trained the outputs
/// "logits" and kMtpLogits (ops/loss.h), from the same input. Throws Error(invalid) where the
/// blueprint has no such layer.
Graph trained_graph(const Blueprint& blueprint, bool with_mtp);

/// The same in two graphs, for an engine that drafts: the trunk with its outputs "logits" and
/// "hidden" (what the last block gives, before the final norm) ...
Graph trunk_graph_of(const Blueprint& blueprint);
/// ... and the layer by itself: from the value "hidden" given from outside for each token, and from
/// the token that follows it, which is the one to be evaluated here.
Graph mtp_layer_of(const Blueprint& blueprint);

/// JSON text: members at their defaults are left out, equal layers (and repeating patterns of
/// layers) are run-length encoded as {"repeat": n, ...} or {"repeat": n, "blocks": [...]}.
std::string to_json(const Blueprint& blueprint);
Blueprint blueprint_from_json(std::string_view text, std::string_view where);  // throws Error

/// A blueprint file, or the released model of that name compiled in. Throws Error(io)
/// that lists near names.
Blueprint load_blueprint(const std::string& name_or_file);
/// Names of released models (embedded/data.h: where they are read from).
std::vector<std::string> blueprint_names();

/// Runs of equal layers and of repeating patterns, found by looking: what JSON and drawings fold.
struct Fold {
  int64_t repeat = 1;
  std::vector<Fold> inner;  // empty: one block
  size_t first = 0;         // index of the (first) block
  size_t length = 1;        // blocks in one repetition
};
std::vector<Fold> fold(const std::vector<Block>& blocks);

/// The structural differences.
std::vector<Difference> diff(const Blueprint& a, const Blueprint& b);
/// Whether the two values are numbers, or lists of as many, none further apart than `share` of
/// themselves: the rounding of a file that keeps 32 bits of them.
bool rounded_alike(const Difference& difference, double share);

}  // namespace ashlar
