// State widths of attention and latent attention, and how much of it lives.
#include "ops/state.h"

#include <algorithm>

#include "ops/attention.h"
#include "ops/convolution.h"
#include "ops/delta_rule.h"

namespace ashlar {

int64_t StateSpec::live_tokens(int64_t context) const {
  int64_t n = context;
  if (window > 0) n = std::min(n, window);
  if (chunk > 0) n = std::min(n, chunk);
  return n;
}

int64_t StateSpec::paged_tokens(int64_t context, int64_t step, int64_t page) const {
  const auto pages = [page](int64_t tokens) { return (tokens + page - 1) / page; };
  const int64_t whole = pages(context);
  const int64_t bound = live_tokens(context);
  if (bound == context && window == 0 && chunk == 0) return whole * page;
  // While a step writes, the tokens its first query sees are still there; one page more because
  // neither end lies on a page's edge.
  return std::min(whole, pages(bound + std::min(step, context)) + 1) * page;
}

StateSpec state_of(const Op& op, Types in) {
  StateSpec s;
  if (const auto* a = op.as<Attention>()) {
    s.kind = a->window > 0 ? StateKind::window : a->chunk > 0 ? StateKind::chunk : StateKind::full;
    s.key_width = in[1].feature_count();
    s.value_width = in[2].feature_count();
    s.window = a->window;
    s.chunk = a->chunk;
    s.naive_width = s.width();
  } else if (op.as<LatentAttention>() != nullptr) {
    s.kind = StateKind::latent;
    s.key_width = in[3].feature_count();
    s.value_width = in[2].feature_count();
    const int64_t heads = in[0].axes[1].size;
    s.naive_width = heads * (in[0].axes[2].size + in[1].axes[2].size + in[5].axes[1].size);
  } else if (op.as<CausalConvolution>() != nullptr) {
    s.fixed = in[0].feature_count() * (in[1].axes.back().size - 1);
  } else if (op.as<GatedDeltaRule>() != nullptr) {
    s.fixed = in[2].feature_count() * in[0].axes[2].size;
  }
  if (s.fixed > 0) s.kind = StateKind::fixed;
  return s;
}

std::vector<NodeState> states_of(const Graph& graph) {
  std::vector<NodeState> all;
  for (const NodeId i : graph.nodes().ids()) {
    const Node& node = graph.nodes()[i];
    StateSpec spec = state_of(node.op, graph.input_types(node));
    if (spec.kind != StateKind::none) all.push_back({i, spec});
  }
  return all;
}

}  // namespace ashlar
