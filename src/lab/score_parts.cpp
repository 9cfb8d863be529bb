// Predictions two tokens ahead beside those one token ahead; the engine timed step by step; the
// routers of two checkpoints over the same rows.
#include "lab/score_parts.h"

#include <chrono>
#include <cmath>
#include <map>
#include <span>

#include "lab/score.h"
#include "lab/statistics.h"
#include "ops/loss.h"
#include "run/engine.h"
#include "train/checkpoint.h"

namespace ashlar::lab {
namespace {

std::span<const float> row_of(const Array<float>& logits, size_t row) {
  const auto vocab = static_cast<size_t>(logits.sizes[1]);
  return std::span(logits.values).subspan(row * vocab, vocab);
}

int32_t likeliest(std::span<const float> row) {
  return static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

double cross_entropy(std::span<const float> row, int32_t token) {
  const double most = static_cast<double>(*std::max_element(row.begin(), row.end()));
  double sum = 0;
  for (const float z : row) sum += std::exp(static_cast<double>(z) - most);
  return most + std::log(sum) - static_cast<double>(row[static_cast<size_t>(token)]);
}

}  // namespace

Json score_ahead(const Graph& trained, const Weights& weights, const ScoredRows& rows) {
  const Graph graph = trained.expanded();
  Float32Executor executor(graph, weights, scoring_options());
  double loss = 0;
  int64_t predicted = 0, accepted = 0;
  rows.each([&](const TokenBatch& batch, const std::vector<int64_t>&) {
    const std::vector<int64_t> next = next_rows(batch);
    const std::vector<Array<float>> outputs = executor.run(batch);
    for (size_t row = 0; row < next.size(); ++row) {
      if (next[row] < 0) continue;
      const auto after = static_cast<size_t>(next[row]);
      if (next[after] < 0) continue;
      const auto ahead = row_of(outputs[1], row);
      loss += cross_entropy(ahead, batch.tokens[static_cast<size_t>(next[after])]);
      accepted += likeliest(ahead) == likeliest(row_of(outputs[0], after)) ? 1 : 0;
      ++predicted;
    }
  });
  const auto n = static_cast<double>(std::max<int64_t>(predicted, 1));
  return {{"predicted", predicted},
          {"loss", loss / n},
          {"acceptance", static_cast<double>(accepted) / n}};
}

Json decode_speed(const Graph& graph, const Weights& weights, int64_t context) {
  Engine engine(graph, weights,
                {.threads = 1, .context = context, .pinned = false, .state = Format::f16});
  constexpr size_t kLeast = 256;
  std::vector<double> seconds;
  while (seconds.size() < kLeast) {
    const SequenceId sequence = engine.open().value();
    std::vector<TokenId> ids;
    for (int64_t i = 0; i < context / 2; ++i)
      ids.push_back(static_cast<TokenId>((7 * i + 3) % engine.vocab()));
    Run run{.sequence = sequence, .tokens = ids};
    engine.step({&run, 1});
    for (int64_t i = context / 2; i < context; ++i) {
      const TokenId id = ids[static_cast<size_t>(i) % ids.size()];
      run.tokens = {&id, 1};
      const auto begin = std::chrono::steady_clock::now();
      engine.step({&run, 1});
      seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    engine.close(sequence);
  }
  return {{"context", context},
          {"tokens_per_second", 1 / fastest_tenth(seconds)},
          {"state_bytes", engine.state_bytes()}};
}

Json router_drift(const Graph& model, const std::filesystem::path& checkpoints,
                  const ScoredRows& rows) {
  const std::vector<std::filesystem::path> kept = checkpoints_in(checkpoints);
  const Graph graph = scoring_graph(model, Scored::choices);
  if (kept.size() < 2 || graph.outputs().empty()) return {};
  Float32Executor before(graph, checkpoint_weights(kept.back(), graph.params()), scoring_options());
  Float32Executor after(graph, checkpoint_weights(kept.front(), graph.params()), scoring_options());
  struct Count {
    int64_t changed = 0, all = 0;
  };
  std::map<std::string, Count> counts;
  rows.each([&](const TokenBatch& batch, const std::vector<int64_t>&) {
    const std::vector<Array<float>> old = before.run(batch), now = after.run(batch);
    for (size_t r = 0; r < now.size(); ++r) {
      Count& c = counts[graph.outputs()[r].name];
      const auto chosen = static_cast<size_t>(now[r].sizes[1]);
      for (size_t i = 0; i < now[r].indices.size(); ++i) {
        const auto of_token = std::span(old[r].indices).subspan(i - i % chosen, chosen);
        c.changed += std::ranges::count(of_token, now[r].indices[i]) == 0 ? 1 : 0;
        ++c.all;
      }
    }
  });
  Json changed = Json::object();
  for (const auto& [router, c] : counts)
    changed[router] = static_cast<double>(c.changed) / static_cast<double>(c.all);
  return {{"from", step_of(kept.back())}, {"to", step_of(kept.front())}, {"changed", changed}};
}

}  // namespace ashlar::lab
