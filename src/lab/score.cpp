// The forward graph with more outputs, run over the rows of the held-out set.
#include "lab/score.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>
#include <set>

#include "base/error.h"
#include "data/folder.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "graph/builder.h"
#include "lab/score_parts.h"
#include "ops/attention.h"
#include "ops/experts.h"
#include "ops/inputs.h"
#include "ops/loss.h"
#include "ops/router_losses.h"
#include "runs/start.h"
#include "train/checkpoint.h"

namespace ashlar::lab {
namespace {

namespace fs = std::filesystem;

/// Sums over predicted tokens.
struct Sum {
  double loss = 0;
  int64_t count = 0, right = 0;
  double mean() const { return count > 0 ? loss / static_cast<double>(count) : 0; }
  double accuracy() const {
    return count > 0 ? static_cast<double>(right) / static_cast<double>(count) : 0;
  }
};

Json json_of(const Sum& s) {
  return {{"count", s.count}, {"accuracy", s.accuracy()}, {"loss", s.mean()}};
}

Weights weights_of(const RunStart& start, const fs::path& run) {
  const std::vector<fs::path> all = checkpoints_in(run / "checkpoints");
  if (all.empty()) fail(ErrorKind::invalid, "{}: has no checkpoint to score", run.string());
  return checkpoint_weights(all[0], start.graph.params());
}

/// The same with what shared experts return made zero; nothing where there are none.
std::optional<Weights> without_shared(const Weights& weights) {
  Weights changed = weights;
  bool any = false;
  for (auto& [name, tensor] : changed) {
    if (name.find(".shared.down") == std::string::npos) continue;
    std::byte* data = nullptr;
    tensor = make_tensor(Format::f32, tensor.sizes, &data);
    std::fill_n(data, tensor.bytes(), std::byte{0});
    any = true;
  }
  return any ? std::optional(changed) : std::nullopt;
}

/// Labels of the held-out tokens: from a matrix beside them, or from the documents of a data folder.
class Domains {
 public:
  Domains(const ScoreRequest& request, const RunStart& start)
      : length_(start.validation->length()) {
    if (!request.domains.empty()) {
      matrix_.emplace(request.domains);
      names_ = request.domain_names;
    } else if (!start.file.data.folder.empty()) {
      folder_ = DataFolder::open(start.file.data.folder);
      names_ = folder_->manifest().domains;
    }
  }
  /// Of each token of a row; below 0: none.
  std::vector<int32_t> of_row(int64_t row) const {
    std::vector<int32_t> labels(static_cast<size_t>(length_), -1);
    if (matrix_) matrix_->read(row, labels);
    if (!folder_ || names_.empty()) return labels;
    const TokenStream& stream = folder_->stream(DataSplit::validation);
    int64_t document = stream.document_at(row * length_);
    for (int64_t i = 0; i < length_; ++i) {
      while (stream.document(document).end <= row * length_ + i) ++document;
      labels[static_cast<size_t>(i)] = stream.document(document).domain;
    }
    return labels;
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  const int64_t length_;
  std::optional<NpyIntegers> matrix_;
  std::shared_ptr<const DataFolder> folder_;
  std::vector<std::string> names_;
};

class Scorer {
 public:
  Scorer(const ScoreRequest& request, const RunStart& start, const ScoredRows& rows)
      : request_(request),
        rows_(rows),
        graph_(
            scoring_graph(start.graph, request.answers.empty() ? Scored::losses : Scored::logits)),
        by_position_(static_cast<size_t>(request.buckets)) {
    if (!request.answers.empty()) answers_.emplace(request.answers);
    if (&rows_.rows == start.validation.get()) domains_.emplace(request, start);
  }

  void run(const Weights& weights) {
    Float32Executor executor(graph_, weights, scoring_options());
    rows_.each([&](const TokenBatch& batch, const std::vector<int64_t>& wanted) {
      add(batch, wanted, executor.run(batch));
    });
  }

  double loss() const { return all_.mean(); }
  /// Of tokens from this place in their row on.
  double loss_from(int64_t place) const {
    Sum sum;
    for (size_t i = static_cast<size_t>(place); i < by_place_.size(); ++i) {
      sum.loss += by_place_[i].loss;
      sum.count += by_place_[i].count;
    }
    return sum.mean();
  }

  Json json() const {
    Json json = {{"loss", all_.mean()}, {"predicted", all_.count}, {"rows", rows_.count}};
    if (bytes_ && *bytes_ > 0) {
      json["bits_per_byte"] = all_.loss / (static_cast<double>(*bytes_) * std::numbers::ln2);
    }
    Json& places = json["by_position"] = Json::array();
    for (const Sum& s : by_position_) places.push_back(s.mean());
    for (const auto& [label, sum] : by_domain_) {
      const std::string& name = domains_->names().at(static_cast<size_t>(label));
      json["by_domain"][name] = {{"predicted", sum.count}, {"loss", sum.mean()}};
    }
    if (answers_) {
      json["answers"] = json_of(right_);
      Json& by = json["answers"]["by_difficulty"] = Json::object();
      for (const auto& [difficulty, sum] : by_difficulty_)
        by[std::to_string(difficulty)] = json_of(sum);
    }
    for (const auto& [scope, load] : loads_) {
      double sum = 0;
      for (const double x : load) sum += x / static_cast<double>(load.size());
      Json& out = json["loads"][scope] = Json::array();
      for (const double x : load) out.push_back(x / sum);
    }
    return json;
  }

 private:
  void add(const TokenBatch& batch, const std::vector<int64_t>& wanted,
           const std::vector<Array<float>>& outputs) {
    const std::vector<int64_t> next = next_rows(batch);
    const auto length = static_cast<size_t>(rows_.rows.length());
    const std::vector<float>& losses = outputs[0].values;
    std::vector<int32_t> difficulties(length);
    by_place_.resize(length);
    for (size_t r = 0; r < wanted.size(); ++r) {
      if (answers_) answers_->read(wanted[r], difficulties);
      const std::vector<int32_t> labels = domains_ && !domains_->names().empty()
                                              ? domains_->of_row(wanted[r])
                                              : std::vector<int32_t>(length, -1);
      for (size_t t = 0; t + 1 < length; ++t) {
        const size_t row = r * length + t;
        if (next[row] < 0) continue;
        const double loss = static_cast<double>(losses[row]);
        add(all_, loss);
        add(by_position_[(t + 1) * by_position_.size() / length], loss);
        add(by_place_[t + 1], loss);
        if (labels[t + 1] >= 0) add(by_domain_[labels[t + 1]], loss);
        if (!answers_ || difficulties[t + 1] == 0) continue;
        const bool right = chosen(outputs[1], row) == batch.tokens[row + 1];
        for (Sum* s : {&right_, &by_difficulty_[difficulties[t + 1]]}) {
          add(*s, loss);
          s->right += right ? 1 : 0;
        }
      }
      const std::optional<int64_t> more = request_.bytes
                                              ? std::optional<int64_t>(rows_.rows.length() - 1)
                                              : rows_.rows.predicted_bytes(wanted[r]);
      bytes_ = bytes_ && more ? std::optional(*bytes_ + *more) : std::nullopt;
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string& name = graph_.outputs()[i].name;
      if (!name.starts_with("load.")) continue;
      std::vector<double>& sum = loads_[name.substr(5)];
      sum.resize(outputs[i].values.size());
      for (size_t e = 0; e < sum.size(); ++e)
        sum[e] += static_cast<double>(outputs[i].values[e]) * static_cast<double>(wanted.size());
    }
  }
  static void add(Sum& s, double loss) {
    s.loss += loss;
    ++s.count;
  }
  int32_t chosen(const Array<float>& logits, size_t row) const {
    const auto vocab = static_cast<size_t>(logits.sizes[1]);
    const float* z = logits.values.data() + row * vocab;
    const auto first = static_cast<size_t>(request_.first_choice);
    const size_t last =
        request_.last_choice > 0 ? static_cast<size_t>(request_.last_choice) : vocab;
    return static_cast<int32_t>(std::max_element(z + first, z + std::min(last, vocab)) - z);
  }

  const ScoreRequest& request_;
  const ScoredRows rows_;
  const Graph graph_;
  std::optional<NpyIntegers> answers_;
  Sum all_, right_;
  std::optional<Domains> domains_;
  std::vector<Sum> by_position_, by_place_;
  std::map<int32_t, Sum> by_difficulty_, by_domain_;
  std::map<std::string, std::vector<double>> loads_;
  std::optional<int64_t> bytes_ = 0;
};

/// The largest score that any query of these rows gives a key it sees.
double largest_score(const Attention& op, const Array<float>& q, const Array<float>& k,
                     const TokenBatch& batch) {
  const int64_t kv_heads = q.sizes[1], group = q.sizes[2], d = q.sizes[3];
  double most = 0;
  for (int64_t i = 0; i < batch.size(); ++i) {
    for (int64_t j = i; j >= 0 && batch.sequences[static_cast<size_t>(j)] ==
                                      batch.sequences[static_cast<size_t>(i)];
         --j) {
      if (!op.sees(batch.positions[static_cast<size_t>(i)],
                   batch.positions[static_cast<size_t>(j)]))
        continue;
      for (int64_t h = 0; h < kv_heads * group; ++h) {
        const float* a = q.values.data() + (i * kv_heads * group + h) * d;
        const float* b = k.values.data() + (j * kv_heads + h / group) * d;
        float dot = 0;
        for (int64_t c = 0; c < d; ++c) dot += a[c] * b[c];
        most = std::max(most, std::abs(op.scale * static_cast<double>(dot)));
      }
    }
  }
  return most;
}

Json largest_scores(const RunStart& start, const Weights& weights) {
  const Graph graph = scoring_graph(start.graph, Scored::attention);
  Json json = Json::object();
  constexpr int64_t kRows = 4;
  std::vector<int64_t> wanted;
  for (int64_t i = 0; i < std::min(kRows, start.validation->rows()); ++i) wanted.push_back(i);
  const TokenBatch batch = batch_of_rows(*start.validation, wanted);
  Float32Executor executor(graph, weights, scoring_options());
  const std::vector<Array<float>> outputs = executor.run(batch);
  for (const Node& node : graph.nodes()) {
    const auto* op = node.op.as<Attention>();
    if (op == nullptr) continue;
    std::optional<size_t> q, k;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (graph.outputs()[i].name == "q." + node.scope) q = i;
      if (graph.outputs()[i].name == "k." + node.scope) k = i;
    }
    if (q && k) json[node.scope] = largest_score(*op, outputs[*q], outputs[*k], batch);
  }
  return json;
}

}  // namespace

Weights checkpoint_weights(const fs::path& checkpoint, const Params& params) {
  const auto file = SafetensorsFolder::open(checkpoint / "weights.safetensors");
  Weights weights;
  for (const Param& p : params) weights[p.name] = file->tensor(p.name);
  return weights;
}

Graph scoring_graph(const Graph& forward, Scored what) {
  const Graph graph = forward.expanded();
  Builder b;
  for (const Param& p : graph.params()) b.param(p);
  IdVector<ValueId, Value> values(graph.types().size());
  Value ids;
  std::vector<NamedValue> more;
  std::set<std::string> seen;
  for (const Node& node : graph.nodes()) {
    const std::vector<Value> in = b.inputs(graph, node, values);
    const std::vector<Value> out = b.add_node(graph, node, values);
    const auto* tokens = node.op.as<TokenIds>();
    if (tokens != nullptr && tokens->ahead == 0) ids = out[0];
    // A layer that is trained beside the model is none of it.
    if (node.place.part == Part::mtp) continue;
    if (node.op.as<Route>() != nullptr && what == Scored::choices) {
      more.push_back({node.scope, out[1]});
    } else if (node.op.as<Route>() != nullptr && what != Scored::attention) {
      more.push_back({"load." + node.scope,
                      b.add1(ExpertLoad{.experts = in[0].type().axes[1].size}, {out[1]}, "load")});
    }
    if (what == Scored::attention && node.op.as<Attention>() != nullptr &&
        seen.insert(node.scope).second) {
      more.push_back({"q." + node.scope, in[0]});
      more.push_back({"k." + node.scope, in[1]});
    }
  }
  b.set_scope({});
  if (what == Scored::choices) return more.empty() ? Graph() : b.finish(more).pruned();
  const Value z = values[graph.output()];
  std::vector<NamedValue> outputs{{"losses", b.add1(CrossEntropy{}, {z, ids}, "losses")}};
  if (what == Scored::logits) outputs.push_back({"logits", z});
  outputs.insert(outputs.end(), more.begin(), more.end());
  return b.finish(outputs).pruned();
}

Json score(const ScoreRequest& request) {
  const RunStart start = read_start({.file = (request.run / "run.json").string()});
  if (!start.validation) fail(ErrorKind::invalid, "{}: has no held-out set", request.run.string());
  const Weights weights = weights_of(start, request.run);
  const auto scored = [&](const TokenRows& rows) {
    return ScoredRows{rows, request.rows > 0 ? std::min(request.rows, rows.rows()) : rows.rows(),
                      std::max<int64_t>(1, start.file.train.batch.micro)};
  };
  const ScoredRows rows = scored(*start.validation);
  const int64_t length = rows.rows.length();
  Scorer scorer(request, start, rows);
  scorer.run(weights);
  Json json = scorer.json();
  json["max_logit"] = largest_scores(start, weights);
  const bool ahead = start.graph.outputs().size() > 1;
  json["decode"] = decode_speed(ahead ? graph_of(start.blueprint) : start.graph, weights, length);
  if (ahead) json["ahead"] = score_ahead(start.graph, weights, rows);
  if (Json drift = router_drift(start.graph, request.run / "checkpoints", rows); !drift.is_null())
    json["router_drift"] = std::move(drift);
  ScoreRequest loss_only = request;
  loss_only.answers.clear();
  if (!request.beyond.empty()) {
    const std::unique_ptr<TokenRows> far = npy_rows(request.beyond);
    loss_only.buckets = request.buckets * far->length() / length;
    Scorer longer(loss_only, start, scored(*far));
    longer.run(weights);
    json["beyond"] = {{"length", far->length()},
                      {"loss", longer.loss_from(length)},
                      {"by_position", longer.json()["by_position"]}};
  }
  if (const std::optional<Weights> silent = without_shared(weights)) {
    Scorer other(loss_only, start, rows);
    other.run(*silent);
    json["loss_without_shared"] = other.loss();
  }
  return json;
}

}  // namespace ashlar::lab
