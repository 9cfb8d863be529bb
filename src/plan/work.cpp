// Work by step. What an op computes is the op's own statement; where a step does a part of a node,
// it is that of the op which the part is.
#include "plan/work.h"

#include <algorithm>
#include <cmath>

#include "base/overloaded.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "plan/lowering.h"
#include "plan/tasks.h"

namespace ashlar {
namespace {

/// Keys that are read from memory: those that the first query of a run sees, and all later ones.
int64_t keys_read(const Workload& load, int64_t window, int64_t chunk) {
  int64_t keys = 0;
  for (const Workload::Run& r : load.runs)
    keys += std::min(visible_keys(r.first, window, chunk) - 1, r.first) + r.count;
  return keys;
}

/// Of `experts`, those that `tokens` tokens touch if each chooses `chosen` evenly and
/// independently.
double experts_touched(int64_t experts, int64_t chosen, int64_t tokens) {
  if (tokens == 1) return static_cast<double>(chosen);
  const auto e = static_cast<double>(experts);
  return e * (1 - std::pow(1 - static_cast<double>(chosen) / e, static_cast<double>(tokens)));
}

/// A value of n numbers per token.
Type per_token(int64_t n) { return {Kind::real, {tokens_axis(), {"n", n}}}; }

class StepReader {
 public:
  StepReader(const Plan& plan, const Step& step, const BatchLoad& load)
      : plan_(plan), step_(step), load_(load), now_(load.all) {
    if (step.rows == RowSet::wanted) now_.runs = {{0, load.wanted}};
    rows_ = now_.tokens();
  }

  StepWork read() {
    if (rows_ == 0) return {};
    std::visit([&](const auto& s) { read(s); }, step_.what);
    for (const BufferId id : buffers_of(step_)) {
      const Buffer& b = plan_.buffers[id];
      work_.activation_bytes += b.row_bytes * (b.fixed ? 1 : rows_);
    }
    return std::move(work_);
  }

 private:
  const Node& node(NodeId index) const { return plan_.graph.nodes()[index]; }
  int64_t flops(NodeId index) const {
    const Node& n = node(index);
    return n.op.flops(plan_.graph.input_types(n), now_);
  }
  Work& add(Work::What what, NodeId index) {
    work_.parts.push_back({.what = what, .node = index});
    return work_.parts.back();
  }

  void read(const RowStep& s) {
    work_.tasks = tasks_of(s, rows_, load_.threads).count(rows_);
    for (size_t i = 0; i < s.operations.size(); ++i) {
      const NodeId index = s.nodes[i];
      Work& w = add(Work::What::rows, index);
      count_row(s.operations[i], w);
      const Node& n = node(index);
      // What a node computes is counted once, at its last row operation.
      const bool last = i + 1 == s.nodes.size() || s.nodes[i + 1] != index;
      if (n.op.as<ExpertFfn>() != nullptr)
        w.operations = expert_row_operations(n, s.operations[i]);
      else if (last && row_lowering(n, plan_.graph))
        w.operations = flops(index);
    }
  }

  void count_row(const RowOperation& operation, Work& w) const {
    const auto set = [&](int64_t numbers, RowKernel kernel = RowKernel::other) {
      w.kernel = kernel;
      w.numbers = numbers * rows_;
    };
    const auto look_up = [&](const Matrix& table) {
      set(table.cols);
      w.weight_bytes = static_cast<double>(table.row_bytes * rows_);
    };
    std::visit(
        Overloaded{
            [&](const TokenRow&) {},
            [&](const GivenRow& o) { set(o.n); },
            [&](const EmbedRow& o) { look_up(o.table); },
            [&](const PositionRow& o) { look_up(o.table); },
            [&](const RotationRow& o) { set(2 * static_cast<int64_t>(o.frequencies.size())); },
            [&](const CopyRow& o) { set(o.groups * o.n); },
            [&](const GatherRow& o) { set(o.bytes / 4); },
            [&](const NormRow& o) { set(o.groups * o.n, RowKernel::norm); },
            [&](const RopeRow& o) { set(o.heads * 2 * o.pairs, RowKernel::rope); },
            [&](const SoftcapRow& o) { set(o.n, RowKernel::softcap); },
            [&](const UnaryRow& o) { set(o.n, RowKernel::gated); },
            [&](const GatedRow& o) { set(o.n, RowKernel::gated); },
            [&](const LogDecayRow& o) { set(o.heads * o.n); },
            [&](const PrepareRow& o) {
              const bool as_it_is = o.forms.activation(rows_) == kernels::Activation::f32;
              if (!as_it_is || o.always) set(o.count * o.cols, RowKernel::prepare);
            },
            [&](const StoreRow& o) {
              set(plan_.states[static_cast<size_t>(o.state)].spec.width());
            },
            [&](const RouteRow& o) { set(o.count); },
            [&](const WeighRow& o) { set(o.chosen * o.n); },
            [&](const CombineRow& o) { set((o.chosen + 1) * o.n); },
            [&](const auto& o) { set(o.n); },
        },
        operation);
  }

  /// Of the operations on rows between the products of experts.
  int64_t expert_row_operations(const Node& n, const RowOperation& operation) const {
    const auto* experts = n.op.as<ExpertFfn>();
    const Type weights = plan_.graph.type(n.inputs[1]);
    const auto one_per_choice = [&](int64_t width) {
      return Type{Kind::real, {weights.axes[0], weights.axes[1], {"n", width}}};
    };
    if (const auto* o = std::get_if<WeighRow>(&operation))
      return WeightedCopies{}.flops(std::vector{weights, per_token(o->n)}, now_);
    if (std::holds_alternative<GatedRow>(operation)) return gated_operations(*experts, n);
    if (const auto* o = std::get_if<CombineRow>(&operation)) {
      const Type x = one_per_choice(o->n);
      return o->weights == kNoBuffer ? ExpertSum{}.flops(std::vector{x}, now_)
                                     : WeightedSum{}.flops(std::vector{weights, x}, now_);
    }
    return 0;
  }
  int64_t gated_operations(const ExpertFfn& op, const Node& n) const {
    const Type h = per_token(plan_.graph.type(n.inputs[1]).feature_count() *
                             plan_.graph.type(n.inputs[3]).axes[1].size);
    return Gated{.kind = op.kind}.flops(std::vector{h, h}, now_);
  }

  /// `share` of a matrix, each number of which meets `tokens` tokens.
  Work& add_product(Work::What what, NodeId index, const Matrix& w, double share, double tokens) {
    Work& p = add(what, index);
    p.format = w.format;
    p.cols = w.cols;
    p.weights = share * static_cast<double>(w.rows * w.cols);
    p.weight_bytes = share * static_cast<double>(w.bytes());
    p.tokens = tokens;
    return p;
  }

  void read(const MatMulStep& s) {
    work_.tasks = count_tasks(s, rows_, load_.threads);
    for (const MatMulStep::Product& p : s.products) {
      Work& w = add_product(Work::What::product, p.node, p.w, 1, static_cast<double>(rows_));
      w.operations = flops(p.node);
      w.packed = p.forms.at(rows_).packing == kernels::Packing::panels;
      if (w.packed) w.weight_bytes = static_cast<double>(panels_bytes(*plan_.table, p.w));
    }
    if (s.epilogue.node.exists()) work_.parts.front().operations += flops(s.epilogue.node);
  }

  void read(const HeadMatMulStep& s) {
    work_.tasks = count_tasks(s, rows_, load_.threads);
    // Each number of the matrix meets each token once, as in a product of the whole matrix.
    const Type w{Kind::real, {{"rows", s.w.rows}, {"cols", s.w.cols}}};
    add_product(Work::What::product, step_.nodes.front(), s.w, 1, static_cast<double>(rows_))
        .operations = Linear{}.flops(std::vector{per_token(s.w.cols), w}, now_);
  }

  void read(const ExpertStep& s) {
    const double active = load_.active_experts ? static_cast<double>(*load_.active_experts)
                                               : experts_touched(s.experts, s.chosen, rows_);
    work_.tasks = count_tasks(s, rows_, std::max<int64_t>(std::llround(active), 1), load_.threads);
    const auto slots = static_cast<double>(rows_ * s.chosen);
    const double share = active / static_cast<double>(s.experts);
    for (const MatMulStep::Product& p : s.products) {
      const Node& n = node(p.node);
      const Type chosen = plan_.graph.type(n.inputs[2]);
      const Type w{Kind::real,
                   {{"experts", s.experts}, {"out", p.w.rows / s.experts}, {"in", p.w.cols}}};
      std::vector<Type> in{per_token(p.w.cols), chosen, w};
      if (n.inputs.size() == 9) in.push_back({Kind::real, {w.axes[0], w.axes[1]}});
      add_product(Work::What::experts, p.node, p.w, share, slots / active).operations =
          ExpertLinear{}.flops(in, now_);
    }
    if (s.epilogue.kind != Epilogue::Kind::none) {
      const Node& n = node(s.epilogue.node);
      work_.parts.front().operations += gated_operations(*n.op.as<ExpertFfn>(), n);
    }
  }

  void read(const AttentionStep& s) {
    for (const Workload::Run& run : now_.runs)
      work_.tasks += attention_tasks(s, run.first, run.count).count();
    const NodeId index = step_.nodes.front();
    Work& w = add(Work::What::attention, index);
    w.group = s.group;
    w.k_dim = s.k_dim;
    w.v_dim = s.v_dim;
    w.queries = now_.runs.front().count;
    w.context = visible_keys(now_, s.op.window, s.op.chunk) / rows_;
    const StateSpec& spec = plan_.states[static_cast<size_t>(s.state)].spec;
    w.state_bytes =
        keys_read(now_, s.op.window, s.op.chunk) *
        (row_bytes(load_.state, spec.key_width) + row_bytes(load_.state, spec.value_width));
    if (node(index).op.as<Attention>() != nullptr) {
      w.operations = flops(index);
      return;
    }
    // Absorbed: queries meet the latent itself.
    const Axis kv_heads{"kv_heads", s.kv_heads}, k{"k", s.k_dim}, v{"v", s.v_dim};
    const std::vector<Type> in{{Kind::real, {tokens_axis(), kv_heads, {"group", s.group}, k}},
                               {Kind::real, {tokens_axis(), kv_heads, k}},
                               {Kind::real, {tokens_axis(), kv_heads, v}}};
    w.operations = s.op.flops(in, now_);
  }

  void read(const RecurrentStep& s) {
    const auto runs = static_cast<int64_t>(now_.runs.size());
    work_.tasks = runs * shares_of(s);
    const NodeId index = step_.nodes.front();
    Work& w = add(Work::What::rows, index);
    w.operations = flops(index);
    // Every token goes over all of a sequence's numbers, which a core keeps in its cache meanwhile.
    const int64_t fixed = plan_.states[static_cast<size_t>(s.state)].spec.fixed;
    w.numbers = rows_ * fixed;
    w.state_bytes = runs * 2 * fixed * static_cast<int64_t>(sizeof(float));
  }

  void read(const GroupStep&) { work_.tasks = 1; }

  void read(const MeaningStep&) {
    work_.tasks = 1;
    const NodeId index = step_.nodes.front();
    Work& w = add(Work::What::rows, index);
    w.operations = flops(index);
    for (const ValueId out : node(index).outputs)
      w.numbers +=
          plan_.graph.type(out).feature_count() * (plan_.graph.type(out).per_token() ? rows_ : 1);
  }

  const Plan& plan_;
  const Step& step_;
  const BatchLoad& load_;
  Workload now_;  // of the step's rows
  int64_t rows_ = 0;
  StepWork work_;
};

}  // namespace

StepWork work_of(const Plan& plan, const Step& step, const BatchLoad& load) {
  return StepReader(plan, step, load).read();
}

std::vector<StepWork> work_of(const Plan& plan, const BatchLoad& load) {
  std::vector<StepWork> work;
  work.reserve(plan.steps.size());
  for (const Step& step : plan.steps) work.push_back(work_of(plan, step, load));
  return work;
}

std::string group_of(const Plan& plan, const Step& step) {
  const Node& node = plan.graph.nodes()[step.nodes.front()];
  if (std::holds_alternative<MatMulStep>(step.what) ||
      std::holds_alternative<HeadMatMulStep>(step.what))
    return enum_name(node.place.part) + " products";
  if (std::holds_alternative<AttentionStep>(step.what)) return "attention scores";
  if (std::holds_alternative<RecurrentStep>(step.what)) return "recurrence";
  if (std::holds_alternative<ExpertStep>(step.what)) return "experts";
  return std::holds_alternative<MeaningStep>(step.what) ? "plain loops" : "rows";
}

}  // namespace ashlar
