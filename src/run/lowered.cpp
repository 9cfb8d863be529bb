// Rows of a graph's outputs: room for them, and more rows of some than of others.
#include "run/lowered.h"

#include <numeric>

namespace ashlar {

PlanOptions plan_options(const EngineOptions& o) {
  return {.f32_activations = o.f32_activations,
          .latents = o.latents,
          .packed_weights = o.packed_weights};
}

Lowered::Lowered(const Graph& graph, const Weights& weights, const EngineOptions& options,
                 ThreadPool& pool)
    : plan(make_plan(graph, weights, kernels::table(options.kernels), options.chunk,
                     plan_options(options))),
      state(plan.states, *options.state,
            {options.context, options.chunk, options.sequences, options.held_tokens}, *plan.table),
      executor(plan, pool, state, options.context, options.sequences) {
  for (const Output& o : plan.graph.outputs()) {
    if (!plan.graph.type(o.value).per_token())
      fail(ErrorKind::invalid, "engine: the graph's output {} has no row per token", o.name);
  }
  for (const RowsOutside& o : plan.outputs) {
    outputs_.push_back({.floats = {}, .width = o.width});
    outputs_.back().floats.resize(static_cast<size_t>(first_rows(options) * o.width));
  }
  place_.resize(outputs_.size());
  if (outputs_.size() == 1) return;
  tail_ = further_end_ = tail_of(plan);
  for (size_t i = tail_; i < plan.steps.size(); ++i) {
    for (const BufferId b : buffers_of(plan.steps[i]))
      if (plan.buffers[b].output > 0) further_end_ = i + 1;
  }
  for (size_t i = tail_; i < further_end_; ++i) {
    for (const BufferId b : buffers_of(plan.steps[i]))
      first_is_early_ = first_is_early_ || plan.buffers[b].output == 0;
  }
  every_.resize(static_cast<size_t>(options.chunk));
  std::iota(every_.begin(), every_.end(), 0);
  kept_.reserve(every_.size());
}

void Lowered::make_room(Rows& output, int64_t rows) {
  const auto floats = static_cast<size_t>(rows * output.width);
  try {
    if (output.floats.size() < floats) output.floats.resize(floats);
  } catch (const std::exception&) {
    fail(ErrorKind::resource,
         "outputs of {} tokens need {} bytes of memory, which are not available: ask for fewer at "
         "once",
         rows, floats * sizeof(float));
  }
}

void Lowered::begin(int64_t rows, int64_t further) {
  // Behind the rows of all tokens, those of the wanted ones are made again.
  const int64_t twice = further > rows ? further + rows : further;
  make_room(outputs_[0], first_is_early_ ? std::max(rows, twice) : rows);
  for (size_t i = 1; i < outputs_.size(); ++i) make_room(outputs_[i], twice);
  for (Rows& output : outputs_) output.given = 0;
}

const std::vector<float*>& Lowered::place() {
  for (size_t i = 0; i < outputs_.size(); ++i)
    place_[i] = outputs_[i].floats.data() + outputs_[i].given * outputs_[i].width;
  return place_;
}

void Lowered::run(StepBatch& batch) {
  const int64_t wanted = batch.rows(RowSet::wanted), all = batch.size();
  if (!batch.every_row || wanted == all || outputs_.size() == 1) {
    executor.run(batch, place().data());
    for (Rows& output : outputs_) output.given += wanted;
    return;
  }
  // The tail for every token, as far as further outputs need it, and then as ever for the wanted
  // ones: a product takes another form, which rounds otherwise, for more rows.
  executor.run(batch, place().data(), 0, tail_);
  kept_ = batch.wanted;
  batch.wanted.assign(every_.begin(), every_.begin() + all);
  executor.run(batch, place().data(), tail_, further_end_);
  batch.wanted = kept_;
  for (size_t i = 1; i < outputs_.size(); ++i) outputs_[i].given += all;
  executor.run(batch, place().data(), tail_, plan.steps.size());
  outputs_[0].given += wanted;
}

std::span<const float> Lowered::output(size_t index) const {
  const Rows& output = outputs_[index];
  return std::span(output.floats).first(static_cast<size_t>(output.given * output.width));
}

std::vector<float> Lowered::take(size_t index) {
  Rows& output = outputs_[index];
  std::vector<float> rows = std::move(output.floats);
  rows.resize(static_cast<size_t>(output.given * output.width));
  output.floats.clear();
  output.given = 0;
  return rows;
}

int64_t Lowered::output_bytes() const {
  int64_t bytes = 0;
  for (const Rows& output : outputs_)
    bytes += static_cast<int64_t>(output.floats.capacity() * sizeof(float));
  return bytes;
}

}  // namespace ashlar
