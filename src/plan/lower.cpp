// Graph to plan: the order of the nodes, buffers of values, and ops that run as plain loops.
#include <algorithm>

#include "base/error.h"
#include "base/round_up.h"
#include "ops/elementwise.h"
#include "ops/inputs.h"
#include "ops/linear.h"
#include "plan/lowering.h"

namespace ashlar {
namespace {

bool reads_param(const Node& node, size_t input) { return node.inputs[input].is_param(); }

/// Composites that have a lowering of their own; the others are expanded.
bool keeps(const Node& node, LatentForm latents) {
  if (node.op.as<Gated>() != nullptr) return true;
  if (node.op.as<LatentAttention>() != nullptr)
    return latents == LatentForm::absorbed && reads_param(node, 4) && reads_param(node, 5);
  if (node.op.as<ExpertFfn>() != nullptr) {
    for (size_t i = 3; i < node.inputs.size(); ++i)
      if (!reads_param(node, i)) return false;
    return true;
  }
  return !node.op.composite();
}

Graph without_unknown_composites(Graph graph, LatentForm latents) {
  for (bool again = true; again;) {
    again = false;
    for (const Node& node : graph.nodes()) {
      if (keeps(node, latents)) continue;
      graph = graph.expanded(node.op.name());
      again = true;
      break;
    }
  }
  return graph;
}

bool attends(const Node& node) {
  return node.op.as<Attention>() != nullptr || node.op.as<LatentAttention>() != nullptr;
}

}  // namespace

Plan make_plan(const Graph& graph, const Weights& weights, const kernels::Table& table,
               int64_t max_tokens, const PlanOptions& options) {
  Graph known = without_unknown_composites(graph, options.latents);
  BoundWeights bound(known, weights);
  Plan plan{.table = &table, .graph = std::move(known), .weights = std::move(bound)};
  plan.max_tokens = max_tokens;
  plan.options = options;
  Lowering(plan).run();
  place_buffers(plan);
  find_chains(plan);
  return plan;
}

Lowering::Lowering(Plan& plan) : plan_(plan) {
  const Graph& g = plan.graph;
  const size_t values = g.types().size();
  for (const RowSet set : {RowSet::all, RowSet::wanted}) {
    buffers_[set].assign(values, kNoBuffer);
    value_uses_[set].assign(values, 0);
  }
  made_in_.assign(values, RowSet::all);
  lowered_.assign(g.nodes().size(), false);
}

/// Products with the same input stand together, at the place of the first: their other inputs are
/// parameters, so none comes too early.
void Lowering::order_nodes() {
  const Graph& g = plan_.graph;
  std::map<ValueId, NodeId> first_of;
  for (const NodeId i : g.nodes().ids()) {
    const Node& n = g.nodes()[i];
    const bool product =
        n.op.as<Linear>() != nullptr && !n.inputs[0].is_param() && n.inputs[1].is_param() &&
        (n.inputs.size() < 3 || n.inputs[2].is_param()) && g.type(n.inputs[0]).per_token();
    if (!product) {
      order_.push_back(i);
      continue;
    }
    const auto [it, first] = first_of.emplace(n.inputs[0].value, i);
    if (first) order_.push_back(i);
    linears_[it->second].push_back(i);
  }
  bool per_token = true;
  for (const Output& o : g.outputs()) per_token = per_token && g.type(o.value).per_token();
  tail_ = per_token ? 0 : order_.size();
  for (size_t place = 0; place < order_.size(); ++place) {
    const Node& n = g.nodes()[order_[place]];
    const bool known =
        attends(n) || !linears_[order_[place]].empty() || n.op.composite() || row_lowering(n, g);
    if (per_token && (attends(n) || !known)) tail_ = place + 1;
  }
}

void Lowering::run() {
  order_nodes();
  const Graph& g = plan_.graph;
  // How often each value is read in each row set; a value that the tail reads is gathered once.
  for (size_t place = 0; place < order_.size(); ++place) {
    const RowSet set = place < tail_ ? RowSet::all : RowSet::wanted;
    std::vector<NodeId> members{order_[place]};
    if (const auto it = linears_.find(order_[place]); it != linears_.end() && !it->second.empty())
      members = it->second;
    for (const NodeId m : members) {
      for (const ValueId v : g.nodes()[m].outputs) made_in_[v] = set;
      for (const Input& in : g.nodes()[m].inputs)
        if (!in.is_param()) ++value_uses_[set][in.value];
    }
  }
  for (const Output& o : g.outputs()) ++value_uses_.wanted[o.value];
  for (const ValueId v : made_in_.ids())
    if (made_in_[v] == RowSet::all && value_uses_.wanted[v] > 0) ++value_uses_.all[v];

  for (size_t place = 0; place < order_.size(); ++place) {
    const RowSet set = place < tail_ ? RowSet::all : RowSet::wanted;
    if (set != rows_) open_ = false;
    rows_ = set;
    lower(order_[place]);
  }
  finish_outputs();
}

void Lowering::lower(NodeId node) {
  current_ = node;
  if (const auto it = linears_.find(node); it != linears_.end() && !it->second.empty()) {
    lower_linears(node);
    return;
  }
  const Node& n = plan_.graph.nodes()[node];
  if (lower_fast(node)) {
    for (const Input& in : n.inputs) {
      if (in.is_param()) continue;
      const BufferId b = buffers_[rows_][in.value];
      if (b != kNoBuffer) --uses_[b];
    }
    return;
  }
  lower_meaning(node);
}

bool Lowering::lower_fast(NodeId node) {
  const Node& n = plan_.graph.nodes()[node];
  if (const auto* op = n.op.as<Attention>()) return lower_attention(n, *op), true;
  if (const auto* op = n.op.as<LatentAttention>()) return lower_latent(n, *op), true;
  if (const auto* op = n.op.as<ExpertFfn>()) return lower_experts(n, *op), true;
  if (lower_recurrent(n)) return true;
  if (!row_lowering(n, plan_.graph)) return false;
  lower_row(n);
  return true;
}

void Lowering::lower_meaning(NodeId node) {
  const Node& n = plan_.graph.nodes()[node];
  if (n.op.mixes_tokens()) {
    fail(ErrorKind::unsupported,
         "{}: there is no step for {} that carries what earlier tokens leave to later ones",
         node_name(node), n.op.name());
  }
  MeaningStep step{.op = n.op};
  for (const Input& in : n.inputs) {
    const Type type = plan_.graph.type(in);
    if (in.is_param())
      step.in.push_back({kNoBuffer, plan_.weights.array(in.param), type});
    else
      step.in.push_back({read(in), nullptr, type});
  }
  for (size_t k = 0; k < n.outputs.size(); ++k)
    step.out.push_back({new_value(n.outputs[k]), nullptr, plan_.graph.type(n.outputs[k])});
  for (const Input& in : n.inputs) {
    if (!in.is_param()) --uses_[buffers_[rows_][in.value]];
  }
  add_step(node_name(node)).what = std::move(step);
}

/// The outputs' rows are the caller's: their buffers move out of the arena, or are copied there.
void Lowering::finish_outputs() {
  for (const Output& output : plan_.graph.outputs()) {
    const ValueId v = output.value;
    const Type& type = plan_.graph.type(v);
    const auto index = static_cast<int32_t>(plan_.outputs.size());
    const int64_t width = type.feature_count();
    plan_.outputs.push_back({output.name, width});
    if (!type.per_token()) {
      plan_.buffers[buffers_.all[v]].output = index;
      continue;
    }
    if (rows_ != RowSet::wanted) open_ = false;
    rows_ = RowSet::wanted;
    BufferId b = buffers_.wanted[v];
    if (b == kNoBuffer) b = read(v);
    if (plan_.buffers[b].output >= 0) {  // one value under two names
      const BufferId copy = new_floats(width);
      add_row(CopyRow{b, copy, 1, width, 0, 0, 0, 0});
      b = copy;
    }
    Buffer& buffer = plan_.buffers[b];
    buffer.output = index;
    buffer.row_bytes = width * 4;
  }
}

BufferId Lowering::new_buffer(int64_t row_bytes, bool fixed) {
  uses_.push_back(0);
  return plan_.buffers.add({.row_bytes = round_up(row_bytes, 64), .fixed = fixed});
}

void Lowering::set_output(size_t k, BufferId buffer) {
  const ValueId v = node().outputs[k];
  buffers_[rows_][v] = buffer;
  uses_[buffer] += value_uses_[rows_][v];
}

BufferId Lowering::new_value(ValueId value) {
  const Type& type = plan_.graph.type(value);
  const BufferId b = new_buffer(type.feature_count() * 4, !type.per_token());
  buffers_[rows_][value] = b;
  uses_[b] += value_uses_[rows_][value];
  return b;
}

BufferId Lowering::read(const Input& in) {
  const ValueId v = in.value;
  if (buffers_[rows_][v] != kNoBuffer) return buffers_[rows_][v];
  ASHLAR_ASSERT(rows_ == RowSet::wanted && buffers_.all[v] != kNoBuffer,
                "values are made before they are read");
  const Type& type = plan_.graph.type(in);
  if (!type.per_token()) return buffers_.all[v];
  const BufferId from = buffers_.all[v], to = new_buffer(type.feature_count() * 4);
  buffers_.wanted[v] = to;
  uses_[to] += value_uses_.wanted[v];
  --uses_[from];
  add_row(GatherRow{from, to, type.feature_count() * 4});
  return to;
}

bool Lowering::last_use(const Input& in) const {
  if (in.is_param()) return false;
  const BufferId b = buffers_[rows_][in.value];
  return b != kNoBuffer && uses_[b] == 1;
}

BufferId Lowering::output_over(const Input& in) {
  const BufferId b = read(in);
  if (!last_use(in)) return new_value(node().outputs[0]);
  set_output(0, b);
  return b;
}

std::string Lowering::node_name(NodeId index) const {
  const Node& n = plan_.graph.nodes()[index];
  std::string name = n.name();
  return name.empty() ? std::string(n.op.name()) : name;
}

Step& Lowering::add_step(std::string name) {
  plan_.steps.push_back({.name = std::move(name), .rows = rows_, .nodes = {current_}});
  open_ = false;
  return plan_.steps.back();
}

void Lowering::add_row(RowOperation operation) {
  if (!open_) {
    add_step(node_name(current_)).what = RowStep{};
    open_ = true;
  }
  Step& step = plan_.steps.back();
  if (step.nodes.back() != current_) {
    step.nodes.push_back(current_);
    const std::string name = node_name(current_);
    const size_t dot = step.name.rfind('.') + 1;
    step.name += name.compare(0, dot, step.name, 0, dot) == 0 ? "+" + name.substr(dot) : "+" + name;
  }
  auto& rows = std::get<RowStep>(step.what);
  rows.operations.push_back(std::move(operation));
  rows.nodes.push_back(current_);
}

}  // namespace ashlar
