// Row operations: one token at a time through all operations of a step, or one group of tokens.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "plan/tasks.h"
#include "run/frame.h"
#include "run/route.h"

namespace ashlar {
namespace {

/// One row of a set, and the token behind it.
struct Row {
  const Frame& f;
  int64_t row, token;
  int64_t rows;  // of the set: products choose their input's form by it
  std::byte* scratch;

  const kernels::Table& table() const { return *f.plan.table; }
  float* floats(BufferId id) const { return f.floats(id, row); }
  int64_t position() const { return f.batch.positions[static_cast<size_t>(token)]; }
  const StepBatch::Part& part() const {
    return f.batch.parts[static_cast<size_t>(f.batch.part_of[static_cast<size_t>(token)])];
  }

  void operator()(const TokenRow& o) const {
    const StepBatch::Part& p = part();
    const int64_t at = std::min(p.run_at + (token - p.begin) + o.ahead, p.run_length - 1);
    *f.indices(o.out, row) = p.run[at];
  }
  void operator()(const GivenRow& o) const {
    const StepBatch::Part& p = part();
    const float* x = p.given[static_cast<size_t>(o.index)].data();
    std::memcpy(floats(o.out), x + (p.run_at + (token - p.begin)) * o.n,
                static_cast<size_t>(o.n) * 4);
  }
  void operator()(const EmbedRow& o) const {
    const int64_t id = *f.indices(o.ids, row);
    info(o.table.format).to_f32(o.table.data + id * o.table.row_bytes, floats(o.out), o.table.cols);
  }
  void operator()(const PositionRow& o) const {
    info(o.table.format)
        .to_f32(o.table.data + position() * o.table.row_bytes, floats(o.out), o.table.cols);
  }
  void operator()(const SinusoidRow& o) const {
    float* y = floats(o.out);
    for (int64_t i = 0; i < o.n; i += 2) {
      const double angle = static_cast<double>(position()) *
                           std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(o.n));
      y[i] = static_cast<float>(std::sin(angle));
      y[i + 1] = static_cast<float>(std::cos(angle));
    }
  }
  void operator()(const RotationRow& o) const {
    float* y = floats(o.out);
    const std::vector<double>& rates =
        f.context > o.original_context ? o.long_frequencies : o.frequencies;
    const size_t pairs = rates.size();
    for (size_t j = 0; j < pairs; ++j) {
      const double angle = static_cast<double>(position()) * rates[j];
      y[j] = static_cast<float>(o.factor * std::cos(angle));
      y[pairs + j] = static_cast<float>(o.factor * std::sin(angle));
    }
  }
  void operator()(const CopyRow& o) const {
    const float* in = floats(o.in) + o.in_at;
    float* out = floats(o.out) + o.out_at;
    for (int64_t g = 0; g < o.groups; ++g)
      std::memcpy(out + g * o.out_step, in + g * o.in_step, static_cast<size_t>(o.n) * 4);
  }
  void operator()(const GatherRow& o) const {
    std::memcpy(f.row(o.out, row), f.row(o.in, token), static_cast<size_t>(o.bytes));
  }
  void operator()(const NormRow& o) const {
    const float* in = floats(o.in);
    float* out = floats(o.out);
    for (int64_t g = 0; g < o.groups; ++g) {
      if (o.centred)
        table().layer_norm(in + g * o.n, o.weight, o.bias, out + g * o.n, o.n, o.eps);
      else
        table().rms_norm(in + g * o.n, o.weight, out + g * o.n, o.n, o.eps);
    }
  }
  void operator()(const RopeRow& o) const {
    float* x = floats(o.x);
    const float* rotation = floats(o.rotation);
    for (int64_t h = 0; h < o.heads; ++h)
      table().rope(o.layout, x + h * o.head_dim, rotation, rotation + o.pairs, o.pairs);
  }
  void operator()(const PositionScaleRow& o) const {
    table().scale(floats(o.in), static_cast<float>(o.op.factor(position())), floats(o.out), o.n);
  }
  void operator()(const BinaryRow& o) const {
    const auto apply = o.multiply ? table().multiply : table().add;
    const float* a = floats(o.a);
    float* out = floats(o.out);
    if (o.b != kNoBuffer) {
      apply(a, floats(o.b), out, o.n);
      return;
    }
    for (int64_t i = 0; i < o.n; i += o.period) apply(a + i, o.param, out + i, o.period);
  }
  void operator()(const AffineRow& o) const {
    float* out = floats(o.out);
    table().scale(floats(o.in), o.factor, out, o.n);
    if (o.shift == 0) return;
    for (int64_t i = 0; i < o.n; ++i) out[i] += o.shift;
  }
  void operator()(const ClampRow& o) const {
    const float* in = floats(o.in);
    float* out = floats(o.out);
    for (int64_t i = 0; i < o.n; ++i) {
      float y = in[i];  // as the op's meaning compares, so that a NaN stays one
      if (y < o.low) y = o.low;
      if (y > o.high) y = o.high;
      out[i] = y;
    }
  }
  void operator()(const SoftcapRow& o) const {
    table().softcap(floats(o.in), o.cap, floats(o.out), o.n);
  }
  void operator()(const UnaryRow& o) const {
    table().unary(o.kind, floats(o.in), floats(o.out), o.n);
  }
  void operator()(const GatedRow& o) const {
    table().gated(o.kind, floats(o.gate), floats(o.up), floats(o.out), o.n, o.alpha, o.limit);
  }
  void operator()(const LogDecayRow& o) const {
    const float* in = floats(o.in);
    float* out = floats(o.out);
    for (int64_t h = 0; h < o.heads; ++h) {
      const float rate = -std::exp(o.a_log[h]);
      for (int64_t i = h * o.n; i < (h + 1) * o.n; ++i) {
        const float x = in[i] + o.dt_bias[i];
        out[i] = rate * (std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))));
      }
    }
  }
  void operator()(const PrepareRow& o) const {
    const auto form = f.batch.form_of(o.forms, rows).activation;
    if (form == kernels::Activation::f32 && !o.always) return;
    const int64_t step = f.buffer(o.out).row_bytes / o.count;
    if (form == kernels::Activation::tiles) {  // the whole group, when its first row's turn comes
      if (row % kernels::kTokenGroup != 0) return;
      const int64_t group = std::min(kernels::kTokenGroup, rows - row);
      table().prepare_group(floats(o.in), f.buffer(o.in).row_bytes / 4, group, f.row(o.out, row),
                            o.cols);
      return;
    }
    for (int64_t i = 0; i < o.count; ++i)
      table().prepare(form, floats(o.in) + i * o.in_step, f.row(o.out, row) + i * step, o.cols);
  }
  void operator()(const StoreRow& o) const {
    const StatePlan& s = f.plan.states[static_cast<size_t>(o.state)];
    const StepBatch::Part& p = part();
    const Format format = f.state.format();
    const int64_t slot = position() % StateSpec::kStatePage;
    std::byte* page = f.state.page(o.state, p.sequence, position() / StateSpec::kStatePage);
    const kernels::StatePage& at = f.state.layout(o.state);
    std::byte* key = page + slot * at.k_row_bytes;
    std::byte* value = page + at.v_at + slot * at.v_row_bytes;
    if (s.latent) {
      table().store(format, floats(o.value), value, s.v_dim);
      table().store(format, floats(o.key), key + row_bytes(format, s.v_dim), s.k_dim - s.v_dim);
      return;
    }
    for (int64_t h = 0; h < s.heads; ++h) {
      table().store(format, floats(o.key) + h * s.k_dim, key + h * at.k_head_bytes, s.k_dim);
      table().store(format, floats(o.value) + h * s.v_dim, value + h * at.v_head_bytes, s.v_dim);
    }
  }
  void operator()(const RouteRow& o) const {
    route(o.op, floats(o.logits), o.bias, o.count, floats(o.weights), f.indices(o.experts, row),
          reinterpret_cast<float*>(scratch));
  }
  void operator()(const WeighRow& o) const {
    const float* w = floats(o.weights);
    for (int64_t k = 0; k < o.chosen; ++k)
      table().scale(floats(o.in), w[k], floats(o.out) + k * o.out_step, o.n);
  }
  void operator()(const CombineRow& o) const {
    const int32_t* slots = f.indices(o.slots, row);
    const float* w = o.weights == kNoBuffer ? nullptr : floats(o.weights);
    const int64_t step = f.buffer(o.in).row_bytes / 4 / o.chosen;
    float* out = floats(o.out);
    std::memset(out, 0, static_cast<size_t>(o.n) * 4);
    for (int64_t k = 0; k < o.chosen; ++k) {
      const float* y = f.floats(o.in, 0) + slots[k] * step;
      table().add_scaled(y, w != nullptr ? w[k] : 1.0f, out, o.n);
    }
  }
};

}  // namespace

int64_t tasks(const Frame& f, const RowStep& s, RowSet set) {
  const int64_t rows = f.batch.rows(set);
  return tasks_of(s, rows, f.threads).count(rows);
}

void run_task(const Frame& f, const RowStep& s, RowSet set, int64_t task, std::byte* scratch) {
  const int64_t rows = f.batch.rows(set);
  const RowTasks cut = tasks_of(s, rows, f.threads);
  if (cut.chains > 1) {
    const Row row{f, task / cut.chains, f.batch.token(set, task / cut.chains), rows, scratch};
    for (const int32_t i : s.chains[static_cast<size_t>(task % cut.chains)])
      std::visit(row, s.operations[static_cast<size_t>(i)]);
    return;
  }
  const int64_t end = std::min(rows, (task + 1) * cut.rows);
  // Rows that are prepared together go through the operations together.
  const int64_t together = prepares_groups(s, rows) ? kernels::kTokenGroup : 1;
  for (int64_t first = task * cut.rows; first < end; first += together) {
    for (const RowOperation& o : s.operations) {
      for (int64_t r = first; r < std::min(end, first + together); ++r)
        std::visit(Row{f, r, f.batch.token(set, r), rows, scratch}, o);
    }
  }
}

int64_t row_scratch_bytes(const Plan& plan) { return route_scratch(plan.most_experts) * 4; }

}  // namespace ashlar
