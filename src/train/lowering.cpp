// Equal nodes once, the head and its loss by chunks, additions within products, values in place.
#include "train/lowering.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/error.h"
#include "base/round_up.h"
#include "ops/elementwise.h"
#include "ops/experts.h"
#include "ops/linear_grad.h"
#include "ops/loss.h"
#include "transform/differentiate.h"

namespace ashlar {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kChunkNumbers = int64_t{1} << 22;  // of a wide value
constexpr int64_t kLeastChunk = 256;  // tokens: a weight's gradient is read per chunk

/// Composites expanded; a gate in one step where its gradient is.
Graph lowered(const Graph& graph, bool exact) {
  if (exact) return graph.expanded();
  Graph g = graph;
  while (true) {
    const auto it = std::find_if(g.nodes().begin(), g.nodes().end(), [](const Node& node) {
      const auto* gated = node.op.as<Gated>();
      return node.op.composite() && (gated == nullptr || gated->kind == GateKind::clamped);
    });
    if (it == g.nodes().end()) return g;
    const bool gated = it->op.as<Gated>() != nullptr;
    // A clamped gate among others that stay: all are expanded.
    g = g.expanded(gated ? "gated" : it->op.name());
  }
}

}  // namespace

int64_t Storage::bytes(int64_t rows) const {
  return round_up(width * (per_token ? rows : 1) * (index ? 8 : 4), kAlignment);
}

TrainingLowering::TrainingLowering(const Graph& graph, const TrainingLoweringOptions& options)
    : graph_(lowered(graph, options.exact)), options_(options) {
  for (const Node& node : graph_.nodes())
    steps_.push_back({node, options.plain_loops ? StepKind{} : step_kind(node, options.exact), {}});
  if (!options.exact) {
    share_equal_nodes();
    find_chunked();
  }
  if (!options.plain_loops) fuse_additions();
  assign_storages();
}

/// What a backward pass makes again of what is there is read instead. A recomputed forward pass
/// keeps to itself: it is there so that nothing need be kept.
void TrainingLowering::share_equal_nodes() {
  std::map<std::string, const LoweredStep*> seen;
  std::map<ValueId, ValueId> same;
  std::vector<LoweredStep> kept;
  kept.reserve(steps_.size());
  for (LoweredStep& s : steps_) {
    std::string key(s.node.op.name());
    key += s.node.place.pass == Pass::recomputed ? '+' : ' ';
    for (const Attribute& a : s.node.op.attributes()) key += a.name + '=' + a.value + ' ';
    for (Input& in : s.node.inputs) {
      if (const auto it = same.find(in.value); it != same.end()) in = it->second;
      key += in.is_value() ? fmt::format("v{}", in.value.index())
                           : fmt::format("p{}", in.param.index());
    }
    const bool input = s.node.inputs.empty();  // constants have weights of their own
    const auto it = input ? seen.end() : seen.find(key);
    bool output = false;  // an output stays what it is
    for (const Output& o : graph_.outputs()) {
      for (const ValueId id : s.node.outputs) output = output || o.value == id;
    }
    if (it != seen.end() && !output) {
      for (size_t k = 0; k < s.node.outputs.size(); ++k)
        same[s.node.outputs[k]] = it->second->node.outputs[k];
      continue;
    }
    kept.push_back(std::move(s));
    if (!input) seen.emplace(std::move(key), &kept.back());
  }
  steps_ = std::move(kept);
}

/// The head, the loss and their gradients: everything that reads or writes rows as wide as the
/// logits, and what lies between. It is moved together, behind what it reads.
void TrainingLowering::find_chunked() {
  Type wide;
  for (const LoweredStep& s : steps_) {
    if (s.node.op.as<CrossEntropy>() != nullptr) wide = graph_.type(s.node.inputs[0]);
  }
  if (wide.axes.empty()) return;
  const auto reads_wide = [&](const LoweredStep& s) {
    return std::any_of(s.node.inputs.begin(), s.node.inputs.end(),
                       [&](const Input& in) { return in.is_value() && graph_.type(in) == wide; });
  };
  const size_t n = steps_.size();
  std::vector<bool> inside(n), after(n);
  IdVector<ValueId, bool> value_after(graph_.types().size()), needed(graph_.types().size());
  size_t last = 0;
  for (size_t i = 0; i < n; ++i) {
    const bool writes = graph_.type(steps_[i].node.outputs[0]) == wide;
    inside[i] = writes || reads_wide(steps_[i]);
    if (inside[i]) last = i;
    after[i] = inside[i];
    for (const Input& in : steps_[i].node.inputs)
      after[i] = after[i] || (in.is_value() && value_after[in.value]);
    for (const ValueId id : steps_[i].node.outputs) value_after[id] = after[i];
  }
  for (const Output& o : graph_.outputs()) {
    if (graph_.type(o.value) == wide) return;
  }
  for (size_t i = n; i-- > 0;) {  // what depends on the wide values and leads back to them
    bool leads = false;
    for (const ValueId id : steps_[i].node.outputs) leads = leads || needed[id];
    if (leads && after[i]) inside[i] = true;
    if (!inside[i]) continue;
    for (const Input& in : steps_[i].node.inputs) {
      if (in.is_value()) needed[in.value] = true;
    }
  }
  std::vector<LoweredStep> before, chunk, rest;
  for (size_t i = 0; i < n; ++i) {
    // Only steps that take rows, and give rows or sums of them that go on from chunk to chunk.
    if (inside[i] && !steps_[i].kind.by_rows) return;
    if (inside[i] && steps_[i].node.op.as<LinearWeightGrad>() == nullptr &&
        !graph_.type(steps_[i].node.outputs[0]).per_token())
      return;
  }
  for (size_t i = 0; i < n; ++i) {
    auto& to = inside[i] ? chunk : (i < last && !after[i]) ? before : rest;
    to.push_back(std::move(steps_[i]));
  }
  chunked_ = {before.size(), before.size() + chunk.size(), wide.feature_count()};
  steps_ = std::move(before);
  std::move(chunk.begin(), chunk.end(), std::back_inserter(steps_));
  std::move(rest.begin(), rest.end(), std::back_inserter(steps_));
}

/// a + b where b is a product that nobody else reads: the product begins with a.
void TrainingLowering::fuse_additions() {
  IdVector<ValueId, int> uses(graph_.types().size());
  IdVector<ValueId, int64_t> made_by(graph_.types().size(), -1);
  for (const Output& o : graph_.outputs()) ++uses[o.value];
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (const Input& in : steps_[i].node.inputs) {
      if (in.is_value()) ++uses[in.value];
    }
    for (const ValueId id : steps_[i].node.outputs) made_by[id] = static_cast<int64_t>(i);
  }
  std::vector<bool> gone(steps_.size());
  for (size_t i = 0; i < steps_.size(); ++i) {
    LoweredStep& sum = steps_[i];
    if (sum.node.op.as<Add>() == nullptr) continue;
    const auto inside = [&](size_t k) { return k >= chunked_.begin && k < chunked_.end; };
    if (graph_.type(sum.node.inputs[0]) != graph_.type(sum.node.inputs[1])) continue;
    int64_t best = -1;
    int other = 0;
    for (int k = 0; k < 2; ++k) {
      const Input& in = sum.node.inputs[static_cast<size_t>(k)];
      if (!in.is_value() || uses[in.value] != 1) continue;
      const int64_t by = made_by[in.value];
      if (by < 0) continue;
      const LoweredStep& p = steps_[static_cast<size_t>(by)];
      if (!p.kind.adds || p.start || p.node.outputs[0] != in.value ||
          inside(static_cast<size_t>(by)))
        continue;
      if (by > best) {
        best = by;
        other = 1 - k;
      }
    }
    if (best < 0 || inside(i)) continue;
    LoweredStep& product = steps_[static_cast<size_t>(best)];
    const ValueId result = sum.node.outputs[0];
    const Input start = sum.node.inputs[static_cast<size_t>(other)];
    LoweredStep fused = std::move(product);
    fused.start = start;
    fused.node.outputs[0] = result;
    gone[static_cast<size_t>(best)] = true;
    made_by[result] = static_cast<int64_t>(i);
    steps_[i] = std::move(fused);
  }
  std::vector<LoweredStep> kept;
  size_t begin = chunked_.begin, end = chunked_.end;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (!gone[i]) {
      kept.push_back(std::move(steps_[i]));
      continue;
    }
    begin -= i < chunked_.begin ? 1 : 0;
    end -= i < chunked_.end ? 1 : 0;
  }
  chunked_.begin = begin;
  chunked_.end = end;
  steps_ = std::move(kept);
}

void TrainingLowering::assign_storages() {
  const auto values = graph_.types().size();
  IdVector<ValueId, int64_t> last_use(values, -1);
  const auto steps = static_cast<int64_t>(steps_.size());
  for (int64_t i = 0; i < steps; ++i) {
    const LoweredStep& s = steps_[static_cast<size_t>(i)];
    for (const Input& in : s.node.inputs) {
      if (in.is_value()) last_use[in.value] = i;
    }
    if (s.start && s.start->is_value()) last_use[s.start->value] = i;
  }
  IdVector<ValueId, int32_t> output_of(values, -1);
  for (size_t o = 0; o < graph_.outputs().size(); ++o) {
    const ValueId id = graph_.outputs()[o].value;
    last_use[id] = steps;  // a second output of the same value is a copy
    if (output_of[id] < 0) output_of[id] = static_cast<int32_t>(o);
  }
  storage_of_.assign(values, StorageId());
  IdVector<StorageId, bool> given_start;  // storages whose first writer begins with another value
  const auto begin = static_cast<int64_t>(chunked_.begin), end = static_cast<int64_t>(chunked_.end);
  for (int64_t i = 0; i < steps; ++i) {
    const LoweredStep& s = steps_[static_cast<size_t>(i)];
    const bool inside = i >= begin && i < end;
    // An input whose memory the result may take: nothing reads it after this step.
    const auto dies_here = [&](const Input& in, const Type& type) {
      if (!in.is_value()) return false;
      const Storage& home = storages_[storage_of_[in.value]];
      return home.last == i && home.output < 0 && !home.index &&
             home.per_token == type.per_token() && home.width == type.feature_count();
    };
    for (size_t k = 0; k < s.node.outputs.size(); ++k) {
      const ValueId id = s.node.outputs[k];
      const Type& type = graph_.type(id);
      StorageId home;
      if (k == 0 && s.start && dies_here(*s.start, type)) home = storage_of_[s.start->value];
      if (s.kind.in_place) {
        for (const Input& in : s.node.inputs) {
          if (home.exists() || !dies_here(in, type)) continue;
          const StorageId candidate = storage_of_[in.value];
          bool taken = false;
          for (size_t j = 0; j < k; ++j)
            taken = taken || storage_of_[s.node.outputs[j]] == candidate;
          if (!taken) home = candidate;
        }
      }
      const bool shared = home.exists();
      if (!shared) {
        home = storages_.add({.width = type.feature_count(),
                              .per_token = type.per_token(),
                              .index = type.kind == Kind::index,
                              .local = inside && type.per_token() &&
                                       type.feature_count() == chunked_.width && last_use[id] < end,
                              .first = i,
                              .last = i});
        given_start.push_back(s.start.has_value() || !s.kind.adds || k > 0);
      }
      Storage& storage = storages_[home];
      storage_of_[id] = home;
      storage.last = std::max(storage.last, last_use[id]);
      // What goes on from chunk to chunk, or is read by later ones, stays through all of them.
      if (inside && !storage.local) {
        storage.first = std::min(storage.first, begin);
        storage.last = std::max(storage.last, end - 1);
      }
      // Written where the caller wants it: by what can also add to what is there.
      if (output_of[id] >= 0 && !type.per_token() && !given_start[home])
        storage.output = output_of[id];
    }
    if (!inside) continue;
    for (const Input& in : s.node.inputs) {
      if (!in.is_value()) continue;
      Storage& read = storages_[storage_of_[in.value]];
      if (!read.local) read.last = std::max(read.last, end - 1);
    }
  }
}

int64_t TrainingLowering::chunk_rows(int64_t tokens) const {
  if (chunked_.width == 0) return tokens;
  const int64_t most = std::max(kLeastChunk, kChunkNumbers / chunked_.width);
  const int64_t chunks = std::max<int64_t>(1, (tokens + most - 1) / most);
  return (tokens + chunks - 1) / chunks;
}

/// Largest first, each at the lowest place that is free as long as it is needed.
TrainingLowering::Places TrainingLowering::places(int64_t tokens) const {
  const int64_t chunk = chunk_rows(tokens);
  const auto bytes = [&](const Storage& s) { return s.bytes(s.local ? chunk : tokens); };
  std::vector<StorageId> order;
  for (const StorageId i : storages_.ids()) {
    if (storages_[i].output < 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](StorageId a, StorageId b) {
    return bytes(storages_[a]) > bytes(storages_[b]);
  });
  Places p;
  p.offsets.assign(storages_.size(), 0);
  std::vector<StorageId> placed;  // by offset
  for (const StorageId i : order) {
    const Storage& s = storages_[i];
    const int64_t need = bytes(s);
    int64_t offset = 0;
    for (const StorageId other : placed) {
      const Storage& o = storages_[other];
      if (o.last < s.first || o.first > s.last) continue;
      if (p.offsets[other] - offset >= need) break;
      offset = std::max(offset, p.offsets[other] + bytes(o));
    }
    p.offsets[i] = offset;
    p.bytes = std::max(p.bytes, offset + need);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), offset,
                                   [&](int64_t o, StorageId k) { return o < p.offsets[k]; }),
                  i);
  }
  return p;
}

TrainingLowering::Peak TrainingLowering::peak(int64_t tokens) const {
  Peak peak;
  const int64_t chunk = chunk_rows(tokens);
  for (int64_t i = 0; i < static_cast<int64_t>(steps_.size()); ++i) {
    Peak now;
    for (const Storage& s : storages_) {
      if (s.first > i || s.last < i) continue;
      (s.per_token ? now.of_tokens : now.others) += s.bytes(s.local ? chunk : tokens);
    }
    peak.of_tokens = std::max(peak.of_tokens, now.of_tokens);
    peak.others = std::max(peak.others, now.others);
  }
  return peak;
}

}  // namespace ashlar
