// The engine, timed step by step.
#include "lab/decode.h"

#include <chrono>
#include <vector>

#include "lab/statistics.h"
#include "run/engine.h"

namespace ashlar::lab {

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

}  // namespace ashlar::lab
