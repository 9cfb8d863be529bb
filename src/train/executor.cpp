// Steps one after the other; their places are found again when the number of tokens changes.
#include "train/executor.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "ops/loss.h"

namespace ashlar {
namespace {

int threads_of(const Float32Options& options) {
  return options.threads > 0 ? options.threads : default_threads();
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

int64_t StepSlot::inner(size_t axes) const {
  int64_t n = 1;
  for (size_t i = type.axes.size() - axes; i < type.axes.size(); ++i) n *= type.axes[i].size;
  return n;
}

Float32Executor::Float32Executor(const Graph& graph, const Weights& weights,
                                 const Float32Options& options)
    : lowering_(graph, {.exact = options.numbers == Numbers::f64 || options.plain_loops,
                        .plain_loops = options.plain_loops}),
      options_(options),
      weights_(lowering_.graph(), weights),
      products_(kernels::table(options.kernels), threads_of(options)) {}

StepSlot Float32Executor::slot(ValueId id) {
  const Type& type = lowering_.graph().type(id);
  const Storage& home = lowering_.storage_of(id);
  StepSlot s{.type = type,
             .width = type.feature_count(),
             .per_token = type.per_token(),
             .local = home.local};
  if (home.output >= 0) return s;
  std::byte* at = arena_.data() + places_.offsets[lowering_.storage_id(id)];
  if (type.kind == Kind::index)
    s.ids = reinterpret_cast<int64_t*>(at);
  else
    s.at = reinterpret_cast<float*>(at);
  return s;
}

StepSlot Float32Executor::slot(const Input& in) {
  if (in.is_value()) return slot(in.value);
  const Param& p = lowering_.graph().params()[in.param];
  // Read only: a step writes its results alone.
  return {.type = {Kind::real, p.axes},
          .width = p.elements(),
          .at = const_cast<float*>(weights_.floats(in.param))};
}

void Float32Executor::lay_out(int64_t tokens) {
  if (tokens == tokens_) return;
  tokens_ = tokens;
  chunk_ = std::max<int64_t>(1, lowering_.chunk_rows(tokens));
  places_ = lowering_.places(tokens);
  if (places_.bytes > arena_bytes_) {
    arena_ = MappedMemory();
    arena_ = MappedMemory(places_.bytes);
    arena_bytes_ = places_.bytes;
    if (!arena_) {
      tokens_ = -1;
      arena_bytes_ = 0;
      fail(ErrorKind::resource, "training: no memory for {} bytes of activations", places_.bytes);
    }
  }
  steps_.clear();
  steps_.reserve(lowering_.steps().size());  // no step may move: slots point into them
  elsewhere_.clear();
  IdVector<StorageId, bool> begun(lowering_.storages().size());
  for (size_t i = 0; i < lowering_.steps().size(); ++i) {
    const LoweredStep& from = lowering_.steps()[i];
    TrainingStep& s = steps_.emplace_back();
    s.node = &from.node;
    s.run = from.kind.run != nullptr ? from.kind.run : run_plain_loops;
    s.chunked = i >= lowering_.chunked().begin && i < lowering_.chunked().end;
    const auto place = [&](const Input& in, StepSlot& at, bool written) {
      at = slot(in);
      if (!in.is_value() || lowering_.storage_of(in.value).output < 0) return;
      const StorageId home = lowering_.storage_id(in.value);
      elsewhere_.push_back({&at, written && !begun[home] ? &s.start : nullptr,
                            static_cast<size_t>(lowering_.storage_of(in.value).output)});
      if (written) begun[home] = true;
    };
    s.in.resize(from.node.inputs.size());
    for (size_t k = 0; k < s.in.size(); ++k) place(from.node.inputs[k], s.in[k], false);
    if (from.start) place(*from.start, s.start, false);
    s.out.resize(from.node.outputs.size());
    for (size_t k = 0; k < s.out.size(); ++k) place(from.node.outputs[k], s.out[k], true);
  }
}

void Float32Executor::run_steps(TrainingFrame& frame, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) {
    const TrainingStep& s = steps_[i];
    const double start = now();
    s.run(s, frame);
    StepTime& time = times_[s.node->op.name()];
    time.seconds += now() - start;
    ++time.steps;
  }
}

void Float32Executor::run(const TokenBatch& batch, std::span<float* const> to, double weight,
                          bool add) {
  lay_out(batch.size());
  for (const Elsewhere& e : elsewhere_) {
    e.slot->at = to[e.output];
    if (e.start != nullptr) *e.start = add ? *e.slot : StepSlot{};
  }
  const SequenceRows sequences(batch);
  const std::vector<int64_t> next = next_rows(batch);
  TrainingFrame frame{.products = products_,
                      .rows = float_rows(products_.table_name()),
                      .batch = batch,
                      .sequences = sequences,
                      .next = next,
                      .numbers = options_.numbers,
                      .weight = weight,
                      .first = 0,
                      .last = batch.size(),
                      .arrays = std::move(arrays_)};
  const TrainingLowering::Chunked& chunked = lowering_.chunked();
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (i == chunked.begin && chunked.end > chunked.begin) {
      for (int64_t first = 0; first < std::max<int64_t>(batch.size(), 1); first += chunk_) {
        frame.first = first;
        frame.last = std::min(batch.size(), first + chunk_);
        run_steps(frame, chunked.begin, chunked.end);
      }
      frame.first = 0;
      frame.last = batch.size();
      i = chunked.end - 1;
    } else {
      run_steps(frame, i, i + 1);
    }
    if (progress_) progress_(static_cast<int64_t>(i) + 1, static_cast<int64_t>(steps_.size()));
  }
  arrays_ = std::move(frame.arrays);
  // What does not lie where the caller wants it is copied there.
  for (size_t o = 0; o < lowering_.graph().outputs().size(); ++o) {
    const ValueId id = lowering_.graph().outputs()[o].value;
    const int32_t home = lowering_.storage_of(id).output;
    if (home == static_cast<int32_t>(o)) continue;
    const StepSlot s = slot(id);
    const float* from = home >= 0 ? to[static_cast<size_t>(home)] : s.at;
    const int64_t n = s.width * (s.per_token ? batch.size() : 1);
    if (from == nullptr || to[o] == nullptr) continue;
    if (add && lowering_.graph().outputs()[o].name.starts_with("gradient.")) {
      for (int64_t i = 0; i < n; ++i) to[o][i] += from[i];
    } else {
      std::copy_n(from, n, to[o]);
    }
  }
}

std::vector<Array<float>> Float32Executor::run(const TokenBatch& batch) {
  const Graph& graph = lowering_.graph();
  std::vector<Array<float>> outputs;
  std::vector<float*> to;
  for (const Output& o : graph.outputs()) {
    Array<float>& a = outputs.emplace_back();
    const Type& type = graph.type(o.value);
    for (const Axis& axis : type.axes)
      a.sizes.push_back(axis.size == kTokensSize ? batch.size() : axis.size);
    if (type.kind == Kind::real) a.values.resize(static_cast<size_t>(a.elements()));
    to.push_back(a.values.data());
  }
  run(batch, to, 1, false);
  for (size_t o = 0; o < outputs.size(); ++o) {
    const ValueId id = graph.outputs()[o].value;
    if (graph.type(id).kind != Kind::index) continue;
    const int64_t* ids = slot(id).ids;
    outputs[o].indices.assign(ids, ids + outputs[o].elements());
  }
  return outputs;
}

ValueBytes Float32Executor::bytes(int64_t tokens) const {
  const TrainingLowering::Peak peak = lowering_.peak(tokens);
  return {peak.of_tokens, peak.others, lowering_.places(tokens).bytes};
}

}  // namespace ashlar
