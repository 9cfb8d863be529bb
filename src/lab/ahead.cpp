// Two tokens ahead against one token ahead, a token later.
#include "lab/ahead.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/loss.h"
#include "train/executor.h"

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

Json score_ahead(const Graph& trained, const Weights& weights, const TokenRows& rows, int64_t count,
                 int64_t at_once) {
  const Graph graph = trained.expanded();
  Float32Executor executor(graph, weights, {.threads = 1, .numbers = Numbers::f32});
  double loss = 0;
  int64_t predicted = 0, accepted = 0;
  for (int64_t at = 0; at < count; at += at_once) {
    std::vector<int64_t> wanted;
    for (int64_t i = at; i < std::min(count, at + at_once); ++i) wanted.push_back(i);
    const TokenBatch batch = batch_of_rows(rows, wanted);
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
  }
  const auto n = static_cast<double>(std::max<int64_t>(predicted, 1));
  return {{"predicted", predicted},
          {"loss", loss / n},
          {"acceptance", static_cast<double>(accepted) / n}};
}

}  // namespace ashlar::lab
