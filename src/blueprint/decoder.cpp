// A blueprint as graph: residual wiring of the blocks, embedding and head.
#include "base/error.h"
#include "base/overloaded.h"
#include "blueprint/blueprint.h"
#include "blueprint/wiring.h"
#include "ops/elementwise.h"
#include "ops/inputs.h"
#include "ops/linear.h"
#include "ops/loss.h"

namespace ashlar {

std::vector<Block> repeat(int64_t n, const Block& block) {
  return std::vector<Block>(static_cast<size_t>(std::max<int64_t>(n, 0)), block);
}

std::string_view scope_of(const Mixer& mixer) {
  return std::visit(Overloaded{[](const AttentionPart&) { return "attn"; },
                               [](const LatentAttentionPart&) { return "attn"; },
                               [](const GatedDeltaNetPart&) { return "linear_attn"; }},
                    mixer);
}

namespace {

Value write_mixer(Builder& b, const Mixer& mixer, Value h) {
  Scope scope(b, scope_of(mixer));
  return std::visit(
      Overloaded{[&](const AttentionPart& p) { return write_attention(b, p, h); },
                 [&](const LatentAttentionPart& p) { return write_latent_attention(b, p, h); },
                 [&](const GatedDeltaNetPart& p) { return write_gated_delta_net(b, p, h); }},
      mixer);
}

Value write_ffn(Builder& b, const Ffn& ffn, Value h) {
  Scope scope(b, "ffn");
  return std::visit(Overloaded{[&](const DenseFfn& p) { return write_dense_ffn(b, p, h); },
                               [&](const ExpertFfnPart& p) { return write_expert_ffn(b, p, h); }},
                    ffn);
}

/// The two sublayers of a block with its norms and additions.
class BlockWriter {
 public:
  BlockWriter(Builder& b, const Block& block)
      : b_(b), block_(block), norms_(form_of(block.wiring).norms) {}

  Value write(Value x) {
    const auto mixer = [&](Value h) { return write_mixer(b_, block_.mixer, h); };
    const auto ffn = [&](Value h) { return write_ffn(b_, block_.ffn, h); };
    if (!norms_.parallel) return sublayer(sublayer(x, "attn", mixer), "ffn", ffn);
    const Value h = norm(x, "norm");
    x = add(x, mixer(h), "attn");
    return add(x, ffn(h), "ffn");
  }

 private:
  /// One sublayer f with its norms: `name` is attn or ffn.
  template <class F>
  Value sublayer(Value x, const std::string& name, F f) {
    Value y = f(norms_.before ? norm(x, name + "_norm") : x);
    if (norms_.after) y = norm(y, name + "_post_norm");
    y = add(x, y, name);
    return norms_.on_stream ? norm(y, name + "_post_norm") : y;
  }
  Value norm(Value x, const std::string& name) {
    return write_norm(b_, norm_of(block_.wiring), x, name);
  }
  Value add(Value x, Value y, const std::string& name) {
    const double scale = residual_scale(block_.wiring);
    if (scale != 1) y = b_.add1(Scale{.factor = scale}, {y}, name + "_scale");
    return b_.add1(Add{}, {x, y}, name + "_residual");
  }

  Builder& b_;
  const Block& block_;
  const NormPlaces norms_;
};

Value write_block(Builder& b, const Block& block, Value x) {
  return BlockWriter(b, block).write(x);
}

Value embed(Builder& b, const Embedding& e, int64_t ahead) {
  const Value table =
      b.param("embedding", {{"vocab", e.vocab}, {"d_model", e.width}}, Role::embedding);
  Value x = b.add1(Embed{}, {b.add1(TokenIds{.ahead = ahead}, {}, "tokens"), table}, "embedding");
  if (e.scale != 1) x = b.add1(Scale{.factor = e.scale}, {x}, "embedding_scale");
  if (e.positions > 0) {
    const Value p =
        b.param("positions", {{"positions", e.positions}, {"d_model", e.width}}, Role::position);
    x = b.add1(Add{}, {x, b.add1(LearnedPosition{}, {p}, "positions")});
  }
  if (e.sinusoidal)
    x = b.add1(Add{}, {x, b.add1(SinusoidalPosition{.d_model = e.width}, {}, "positions")});
  return x;
}

Value write_head(Builder& b, const Blueprint& bp, Value x) {
  const Axes axes{{"vocab", bp.embedding.vocab}, {"d_model", bp.embedding.width}};
  std::vector<Value> in{x, b.param(bp.head.tied ? "embedding" : "head", axes,
                                   bp.head.tied ? Role::embedding : Role::projection)};
  if (bp.head.bias) in.push_back(b.param("head_bias", {axes[0]}, Role::bias, 0));
  Value y = b.add1(Linear{}, in, "logits");
  if (bp.head.scale != 1) y = b.add1(Scale{.factor = bp.head.scale}, {y}, "logits");
  if (bp.head.softcap > 0) y = b.add1(Softcap{.cap = bp.head.softcap}, {y}, "logits");
  return y;
}

Value write_logits(Builder& b, const Blueprint& bp, Value h) {
  return write_head(b, bp, bp.final_norm ? write_norm(b, *bp.final_norm, h, "final_norm") : h);
}

Value write_blocks(Builder& b, const Blueprint& bp) {
  Value x = embed(b, bp.embedding, 0);
  for (size_t i = 0; i < bp.blocks.size(); ++i) {
    Scope scope(b, "layers." + std::to_string(i));
    x = write_block(b, bp.blocks[i], x);
  }
  return x;
}

}  // namespace

Graph graph_of(const Blueprint& bp) {
  check(bp);
  Builder b;
  return b.finish(write_logits(b, bp, write_blocks(b, bp)));
}

namespace {

void check_mtp(const Blueprint& bp) {
  check(bp);
  if (bp.mtp.empty())
    fail(ErrorKind::invalid, "{}: has no multi-token prediction layer 0", bp.name);
}

struct Ahead {
  Value logits, hidden;
};

// DeepSeek-V3, section 2.2: h' = M [norm(embed(next token)); norm(h)], one block, norm, the main
// head.
Ahead write_mtp(Builder& b, const Blueprint& bp, Value h, Value next) {
  const Norm norm = bp.final_norm.value_or(Norm{});
  Value x, hidden;
  {
    Scope scope(b, "mtp.0");
    const Value e = write_norm(b, norm, next, "embedding_norm");
    const Value both =
        b.add1(Concat{.axis = "mtp_input"}, {e, write_norm(b, norm, h, "hidden_norm")});
    const Axis d = h.type().axes.back();
    x = b.add1(Linear{}, {both, b.param("project", {d, both.type().axes.back()}, Role::projection)},
               "project");
    hidden = write_block(b, bp.mtp[0], x);
    x = write_norm(b, norm, hidden, "final_norm");
  }
  return {write_head(b, bp, x), hidden};
}

}  // namespace

Graph mtp_graph_of(const Blueprint& bp) {
  check_mtp(bp);
  Builder b;
  const Value h = write_blocks(b, bp);
  return b.finish(write_mtp(b, bp, h, embed(b, bp.embedding, 1)).logits);
}

Graph trunk_graph_of(const Blueprint& bp) {
  check(bp);
  Builder b;
  const Value h = write_blocks(b, bp);
  return b.finish({{"logits", write_logits(b, bp, h)}, {"hidden", h}});
}

Graph trained_graph(const Blueprint& bp, bool with_mtp) {
  if (!with_mtp) return graph_of(bp);
  if (bp.mtp.empty()) {
    fail(ErrorKind::invalid,
         "the model has no layer for multi-token prediction (a block in \"mtp\"), so that none can "
         "be trained");
  }
  check(bp);
  Builder b;
  const Value h = write_blocks(b, bp), logits = write_logits(b, bp, h);
  const Value ahead = write_mtp(b, bp, h, embed(b, bp.embedding, 1)).logits;
  return b.finish({{"logits", logits}, {std::string(kMtpLogits), ahead}});
}

Graph mtp_layer_of(const Blueprint& bp) {
  check_mtp(bp);
  Builder b;
  const Value h = b.add1(Given{.name = "hidden", .size = bp.embedding.width}, {}, "hidden");
  const Ahead ahead = write_mtp(b, bp, h, embed(b, bp.embedding, 0));
  return b.finish({{"logits", ahead.logits}, {"hidden", ahead.hidden}});
}

}  // namespace ashlar
