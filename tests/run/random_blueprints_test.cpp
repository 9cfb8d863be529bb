// The engine against the plain loops for random blueprints, options and ways to cut and mix
// sequences.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "run/engine.h"
#include "run/reference.h"
#include "support/comparison.h"
#include "support/random_blueprint.h"
#include "support/random_model.h"
#include "support/samples.h"
#include "support/sanitized.h"
#include "support/thorough.h"

namespace ashlar {
namespace {

using testing::difference;
using testing::random_weights;
using testing::RandomBlueprint;
using testing::RandomChoice;
using testing::some_tokens;

EngineOptions some_options(RandomChoice& random, int64_t context, int64_t sequences) {
  return {.threads = static_cast<int>(random.number(1, 3)),
          .kernels = testing::runnable_tables()[static_cast<size_t>(
              random.number(0, std::ssize(testing::runnable_tables()) - 1))],
          .context = context,
          .sequences = sequences,
          .chunk = random.chance(50) ? 512 : random.number(1, random.of({8, 80, 512})),
          .f32_activations = true,
          .deterministic = random.chance(20),
          .latents = random.of({LatentForm::absorbed, LatentForm::expanded}),
          .packed_weights = random.chance(30),
          .pinned = false,
          .state = Format::f32};
}

std::string says(const EngineOptions& o) {
  return fmt::format(
      "threads {}, kernels {}, context {}, sequences {}, chunk {}, deterministic {}, latents {}, "
      "packed {}",
      o.threads, o.kernels, o.context, o.sequences, o.chunk, o.deterministic,
      o.latents == LatentForm::absorbed ? "absorbed" : "expanded", o.packed_weights);
}

class RandomBlueprints : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomBlueprints, EngineEqualsThePlainLoops) {
  RandomChoice random(GetParam());
  const int64_t context = random.number(1, random.of({20, 150, 420}));
  const Blueprint bp = RandomBlueprint(GetParam()).make(context);
  const Graph graph = graph_of(bp);
  const Format format =
      random.of({Format::f32, Format::f32, Format::bf16, Format::q8_0, Format::q4_0, Format::q6_k});
  const Weights weights = random_weights(graph, GetParam(), format);
  const auto vocab = static_cast<size_t>(bp.embedding.vocab);

  const auto sequences = static_cast<size_t>(random.number(1, 3));
  const EngineOptions options = some_options(random, context, static_cast<int64_t>(sequences));
  Engine engine(graph, weights, options);
  std::vector<SequenceId> open;
  std::vector<std::vector<TokenId>> texts(sequences);
  std::vector<std::vector<float>> got(sequences);
  std::vector<size_t> done(sequences, 0);
  for (size_t i = 0; i < sequences; ++i) {
    open.push_back(*engine.open());
    texts[i] = some_tokens(random.chance(30) ? context : random.number(1, context),
                           bp.embedding.vocab, GetParam() + i);
  }
  const int64_t most = random.of({1, 8, 100, 420});
  const auto left = [&] {
    for (size_t i = 0; i < sequences; ++i)
      if (done[i] < texts[i].size()) return true;
    return false;
  };
  while (left()) {
    std::vector<ashlar::Run> runs;
    std::vector<size_t> who;
    for (size_t i = 0; i < sequences; ++i) {
      if (done[i] == texts[i].size() || random.chance(20)) continue;
      const size_t n =
          std::min<size_t>(static_cast<size_t>(random.number(1, most)), texts[i].size() - done[i]);
      runs.push_back({open[i], std::span(texts[i]).subspan(done[i], n), ashlar::Run::Logits::all});
      who.push_back(i);
      done[i] += n;
    }
    const auto logits = engine.step(runs);
    size_t row = 0;
    for (size_t r = 0; r < runs.size(); ++r) {
      const auto rows = logits.subspan(row * vocab, runs[r].tokens.size() * vocab);
      got[who[r]].insert(got[who[r]].end(), rows.begin(), rows.end());
      row += runs[r].tokens.size();
    }
  }
  for (size_t i = 0; i < sequences; ++i) {
    EXPECT_LT(difference(got[i], reference_logits(graph, weights, texts[i])), 2e-4)
        << "sequence " << i << " of " << texts[i].size() << " tokens; " << says(options)
        << "; weights " << to_string(format) << "\n"
        << to_json(bp);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomBlueprints,
                         ::testing::Range<uint64_t>(1, test::thorough() && !ASHLAR_SANITIZED
                                                           ? 2001
                                                           : 101));

}  // namespace
}  // namespace ashlar
