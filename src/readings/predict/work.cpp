// Work by node: what each reads, computes and waits for.
#include "readings/predict/work.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/experts.h"
#include "ops/inputs.h"
#include "ops/kinds.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/rope.h"
#include "ops/state.h"

namespace ashlar {
namespace {

/// Which keys are read from memory: those that the first query of a run sees, and all later ones.
double keys_read(const Workload& load, int64_t window, int64_t chunk) {
  int64_t keys = 0;
  for (const Workload::Run& r : load.runs)
    keys += std::min(visible_keys(r.first, window, chunk) - 1, r.first) + r.count;
  return static_cast<double>(keys);
}

/// Blocks of a packed matrix run along the axis that turning it round would cut.
Format turned_format(Format f) { return info(f).exact ? f : Format::bf16; }

class Walk {
 public:
  Walk(const Graph& graph, const WeightFormats& formats, Format state, const Workload& load,
       int64_t wanted, bool absorbed)
      : graph_(graph), formats_(formats), state_(state), load_(load), absorbed_(absorbed) {
    // Behind the last attention nobody looks at the other tokens any more.
    for (size_t i = 0; i < graph.nodes().size(); ++i) {
      const Op& op = graph.nodes()[i].op;
      if (op.as<Attention>() != nullptr || op.as<LatentAttention>() != nullptr) tail_ = i + 1;
    }
    wanted_load_.runs = {{0, std::min(wanted, load.tokens())}};
  }

  std::vector<Work> run() {
    for (size_t i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.nodes()[i];
      now_ = i < tail_ ? &load_ : &wanted_load_;
      tokens_ = static_cast<double>(now_->tokens());
      if (const auto* a = node.op.as<Attention>()) {
        attention(node, *a);
      } else if (node.op.as<LatentAttention>() != nullptr) {
        absorbed_ ? latent_absorbed(node) : latent_expanded(node);
      } else if (node.op.as<ExpertFfn>() != nullptr) {
        experts(node);
      } else if (node.op.as<Linear>() != nullptr && node.inputs[1].from == Input::From::param) {
        linear(node);
      } else {
        rows(node);
      }
    }
    return std::move(work_);
  }

 private:
  Work& add(const Node& node, Work::What what, std::string_view part = {}) {
    Work w;
    w.what = what;
    w.scope = node.scope + (node.label.empty() ? "" : "." + node.label);
    if (!part.empty()) w.scope += "." + std::string(part);
    w.kind = kind_of(node);
    w.begins_step = what != Work::What::rows || !rows_open_;
    rows_open_ = what == Work::What::rows;
    work_.push_back(std::move(w));
    return work_.back();
  }

  const Param& param(const Input& in) const { return graph_.params()[static_cast<size_t>(in.id)]; }

  /// A matrix, or `share` of the experts of one, that meets `tokens` tokens each.
  void product(Work& w, const Param& p, double share, double tokens) {
    w.format = formats_(p);
    w.weights = share * static_cast<double>(p.elements());
    w.weight_bytes = share * static_cast<double>(p.rows() * row_bytes(w.format, p.cols()));
    w.tokens = tokens;
    w.cols = p.cols();
    w.operations = 2 * w.weights * tokens;
  }

  /// Inputs of products with packed weights are brought into their form by row operations: a step
  /// of its own where none is open.
  void prepare(const Node& node, Format weights) {
    const bool as_it_is = weights == Format::f32 || weights == Format::f16;
    if (!as_it_is && !rows_open_) add(node, Work::What::rows, "prepare");
  }

  void linear(const Node& node) {
    // Products of one input stand in one step, at the place of the first.
    const bool same_step = !inputs_.insert(node.inputs[0].id).second;
    const bool rows_open = rows_open_;
    const Param& p = param(node.inputs[1]);
    if (!same_step) prepare(node, formats_(p));
    Work& w = add(node, Work::What::product);
    if (same_step) {
      w.begins_step = false;
      rows_open_ = rows_open;
    }
    product(w, p, 1, tokens_);
    if (!same_step) w.prepared = tokens_ * static_cast<double>(p.cols());
  }

  void experts(const Node& node) {
    const Param& gate = param(node.inputs[3]);
    const double e = static_cast<double>(gate.axes[0].size);
    const double k = static_cast<double>(graph_.type(node.inputs[1]).axes[1].size);
    const double d = static_cast<double>(gate.cols());
    const double ffn = static_cast<double>(gate.elements()) / e / d;
    const double share = 1 - std::pow(1 - k / e, tokens_);
    const double each = tokens_ * k / (e * share);
    add(node, Work::What::rows, "group").begins_step = true;
    for (const size_t i : {3, 4, 5}) {
      if (i == 5) {  // the activation, and the form that down reads
        Work& act = add(node, Work::What::rows, "act");
        act.numbers = 3 * tokens_ * k * ffn;
        act.row = "gated";
      }
      Work& w = add(node, Work::What::experts, i == 3 ? "gate" : i == 4 ? "up" : "down");
      product(w, param(node.inputs[i]), share, each);
      w.begins_step = i != 4;
      w.prepared = i == 3 ? tokens_ * d : i == 5 ? tokens_ * k * ffn : 0;
    }
    Work& sum = add(node, Work::What::rows, "sum");
    sum.numbers = tokens_ * (k + 1) * d;
    sum.row = "add";
  }

  void attention(const Node& node, const Attention& a) {
    const std::vector<Type> in = graph_.input_types(node);
    Work& store = add(node, Work::What::rows, "store");
    store.numbers = tokens_ * static_cast<double>(in[1].feature_count() + in[2].feature_count());
    store.row = "add";
    Work& w = add(node, Work::What::attention);
    w.operations = static_cast<double>(node.op.flops(in, *now_));
    w.state_bytes = keys_read(*now_, a.window, a.chunk) *
                    static_cast<double>(row_bytes(state_, in[1].feature_count()) +
                                        row_bytes(state_, in[2].feature_count()));
    w.group = in[0].axes[2].size;
    w.k_dim = in[0].axes[3].size;
    w.v_dim = in[2].axes[2].size;
    shape(w, a.window, a.chunk);
    // A decoded token is a task of each key head, of two shares where there is one; prompts have
    // many.
    const auto heads = static_cast<double>(in[1].axes[1].size);
    if (w.queries == 1)
      w.tasks = std::max(tokens_ * heads, std::min(2.0, heads * static_cast<double>(w.group)));
  }

  /// Of one run: its queries and the keys that each sees on average.
  void shape(Work& w, int64_t window, int64_t chunk) {
    w.queries = load_.runs.empty() ? 1 : load_.runs[0].count;
    w.context = visible_keys(*now_, window, chunk) / std::max<int64_t>(now_->tokens(), 1);
  }

  // Scores q_n (W_k c) = (W_k^T q_n) c, outputs W_v (p c): queries meet the latent itself.
  void latent_absorbed(const Node& node) {
    const std::vector<Type> in = graph_.input_types(node);
    const int64_t heads = in[0].axes[1].size, rope = in[1].axes[2].size, rank = in[2].axes[1].size;
    Work& absorb = add(node, Work::What::product, "absorb");
    product(absorb, param(node.inputs[4]), 1, tokens_);
    absorb.format = turned_format(absorb.format);
    absorb.weight_bytes = absorb.weights * static_cast<double>(row_bytes(absorb.format, 1));
    const double keys = static_cast<double>(visible_keys(*now_, 0, 0));
    Work& w = add(node, Work::What::attention);
    w.operations = keys * static_cast<double>(heads * (2 * (rank + rope) + 4 + 2 * rank));
    w.state_bytes = keys_read(*now_, 0, 0) *
                    static_cast<double>(row_bytes(state_, rank) + row_bytes(state_, rope));
    w.group = heads;
    w.k_dim = rank + rope;
    w.v_dim = rank;
    shape(w, 0, 0);
    add(node, Work::What::rows, "prepare");
    product(add(node, Work::What::product, "value"), param(node.inputs[5]), 1, tokens_);
  }

  // Keys and values of all heads are made of every latent that is seen.
  void latent_expanded(const Node& node) {
    const std::vector<Type> in = graph_.input_types(node);
    const int64_t heads = in[0].axes[1].size, rope = in[1].axes[2].size, nope = in[0].axes[2].size,
                  value = in[5].axes[1].size;
    const double latents = keys_read(*now_, 0, 0);
    product(add(node, Work::What::product, "keys"), param(node.inputs[4]), 1, latents);
    Work& values = add(node, Work::What::product, "values");
    product(values, param(node.inputs[5]), 1, latents);
    values.begins_step = false;
    Work& w = add(node, Work::What::attention);
    w.operations = static_cast<double>(visible_keys(*now_, 0, 0)) *
                   static_cast<double>(heads * (2 * (nope + rope) + 4 + 2 * value));
    w.state_bytes = latents * static_cast<double>(row_bytes(state_, in[2].feature_count()) +
                                                  row_bytes(state_, in[3].feature_count()));
    w.k_dim = nope + rope;
    w.v_dim = value;
    shape(w, 0, 0);
  }

  void rows(const Node& node) {
    // Gates and activations are done on a product's outputs while those are in the cache.
    const bool fused = (node.op.as<Gated>() != nullptr || node.op.as<Activate>() != nullptr) &&
                       !work_.empty() && work_.back().what == Work::What::product;
    // Slices and new axis names move nothing.
    const bool free = node.op.as<Slice>() != nullptr || node.op.as<Rename>() != nullptr ||
                      node.op.as<TokenIds>() != nullptr;
    if (free) return;
    const std::vector<Type> in = graph_.input_types(node);
    Work& w = add(node, Work::What::rows);
    if (fused) {
      w.begins_step = false;
      rows_open_ = false;
    }
    w.operations = static_cast<double>(node.op.flops(in, *now_));
    w.row = node.op.as<RmsNorm>() != nullptr || node.op.as<LayerNorm>() != nullptr ? "norm"
            : node.op.as<Rope>() != nullptr                                        ? "rope"
            : node.op.as<Gated>() != nullptr || node.op.as<Activate>() != nullptr  ? "gated"
            : node.op.as<Softcap>() != nullptr                                     ? "softcap"
                                                                                   : "add";
    for (const ValueId out : node.outputs)
      w.numbers += tokens_ * static_cast<double>(graph_.type(out).feature_count());
    if (node.op.as<Embed>() != nullptr) {
      const Param& table = param(node.inputs[1]);
      w.weight_bytes = tokens_ * static_cast<double>(row_bytes(formats_(table), table.cols()));
    }
  }

  const Graph& graph_;
  const WeightFormats& formats_;
  Format state_;
  const Workload& load_;
  bool absorbed_;
  Workload wanted_load_;
  const Workload* now_ = nullptr;
  size_t tail_ = 0;
  double tokens_ = 0;
  std::set<int32_t> inputs_;  // of products so far
  bool rows_open_ = false;    // the last step takes further row operations
  std::vector<Work> work_;
};

}  // namespace

std::vector<Work> work_of(const Graph& graph, const WeightFormats& formats, Format state,
                          const Workload& load, int64_t wanted, bool absorbed) {
  return Walk(graph, formats, state, load, wanted, absorbed).run();
}

}  // namespace ashlar
