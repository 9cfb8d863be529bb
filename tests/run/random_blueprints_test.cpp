// The engine against the plain loops for random blueprints, options and ways to cut and mix
// sequences.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>

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
          .kernels = random.of(testing::runnable_tables()),
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

/// A router that all but ties may choose another expert where sums are rounded otherwise: once in
/// some 20,000 texts.
double bound_of(const Blueprint& bp) {
  const bool chooses = std::any_of(bp.blocks.begin(), bp.blocks.end(), [](const Block& b) {
    const auto* e = std::get_if<ExpertFfnPart>(&b.ffn);
    return e != nullptr && e->top_k < e->experts;
  });
  return chooses ? 5e-2 : 2e-4;
}

using Texts = std::vector<std::vector<TokenId>>;

/// Logits of all tokens of all texts, evaluated together in steps that `seed` decides.
std::vector<std::vector<float>> evaluated(const Graph& graph, const Weights& weights,
                                          const EngineOptions& options, const Texts& texts,
                                          uint64_t seed) {
  RandomChoice random(seed);
  Engine engine(graph, weights, options);
  const auto vocab = static_cast<size_t>(engine.vocab());
  std::vector<SequenceId> open;
  for (size_t i = 0; i < texts.size(); ++i) open.push_back(*engine.open());
  std::vector<std::vector<float>> logits(texts.size());
  std::vector<size_t> done(texts.size(), 0);
  const int64_t most = random.of({1, 8, 100, 420});
  for (size_t left = texts.size(); left > 0;) {
    std::vector<ashlar::Run> runs;
    std::vector<size_t> who;
    for (size_t i = 0; i < texts.size(); ++i) {
      if (done[i] == texts[i].size() || random.chance(20)) continue;
      const size_t n =
          std::min<size_t>(static_cast<size_t>(random.number(1, most)), texts[i].size() - done[i]);
      runs.push_back({open[i], std::span(texts[i]).subspan(done[i], n), ashlar::Run::Logits::all});
      who.push_back(i);
      done[i] += n;
      left -= done[i] == texts[i].size() ? 1 : 0;
    }
    std::span<const float> rows = engine.step(runs);
    for (size_t r = 0; r < runs.size(); ++r) {
      const auto of_run = rows.first(runs[r].tokens.size() * vocab);
      logits[who[r]].insert(logits[who[r]].end(), of_run.begin(), of_run.end());
      rows = rows.subspan(of_run.size());
    }
  }
  return logits;
}

class RandomBlueprints : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomBlueprints, EngineEqualsThePlainLoops) {
  const uint64_t seed = GetParam();
  RandomChoice random(seed);
  const int64_t context = random.number(1, random.of({20, 150, 420}));
  const Blueprint bp = RandomBlueprint(seed).make(context);
  const Graph graph = graph_of(bp);
  const Format format =
      random.of({Format::f32, Format::f32, Format::bf16, Format::q8_0, Format::q4_0, Format::q6_k});
  const Weights weights = random_weights(graph, seed, format);
  const int64_t sequences = random.number(1, 3);
  EngineOptions options = some_options(random, context, sequences);
  Texts texts;
  for (int64_t i = 0; i < sequences; ++i) {
    texts.push_back(some_tokens(random.chance(30) ? context : random.number(1, context),
                                bp.embedding.vocab, seed + static_cast<uint64_t>(i)));
  }
  const std::string about =
      fmt::format("{}; weights {}\n{}", says(options), to_string(format), to_json(bp));
  const auto found = evaluated(graph, weights, options, texts, seed);
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_LT(difference(found[i], reference_logits(graph, weights, texts[i])), bound_of(bp))
        << "sequence " << i << " of " << texts[i].size() << " tokens; " << about;
  }
  // The same bits for any number of threads, with rounded products and states too; deterministic,
  // for any steps.
  if (random.chance(50)) {
    options.f32_activations = false;
    options.state = random.of({Format::f16, Format::bf16});
  }
  const auto first = evaluated(graph, weights, options, texts, seed);
  options.threads = options.threads % 3 + 1;
  if (options.deterministic) options.chunk = random.of({1, 7, 512});
  EXPECT_EQ(evaluated(graph, weights, options, texts, options.deterministic ? seed + 1 : seed),
            first)
      << about;
}

/// Sequences that grow, are cut back as far as they can and fork, in any order.
TEST_P(RandomBlueprints, WhatSequencesHoldDecidesTheirLogits) {
  const uint64_t seed = GetParam();
  RandomChoice random(seed + 7);
  const int64_t context = random.number(2, random.of({20, 150, 300}));
  const Blueprint bp = RandomBlueprint(seed).make(context);
  const Graph graph = graph_of(bp);
  const Weights weights = random_weights(graph, seed);
  constexpr int64_t kSequences = 3;
  const EngineOptions options = some_options(random, context, kSequences);
  Engine engine(graph, weights, options);
  std::map<SequenceId, std::vector<TokenId>> texts;
  texts[*engine.open()];
  const auto vocab = static_cast<size_t>(bp.embedding.vocab);
  for (int round = 0; round < 12; ++round) {
    auto it = std::next(texts.begin(), random.number(0, std::ssize(texts) - 1));
    const SequenceId s = it->first;
    if (random.chance(30)) {
      const int64_t to = random.number(0, std::ssize(it->second));
      if (engine.can_truncate(s, to)) {
        engine.truncate(s, to);
        it->second.resize(static_cast<size_t>(to));
      }
    }
    if (std::ssize(texts) < kSequences && random.chance(30)) texts[*engine.fork(s)] = it->second;
    if (std::ssize(texts) > 1 && random.chance(10)) {
      engine.close(s);
      texts.erase(s);
      continue;
    }
    ASSERT_EQ(engine.length(s), std::ssize(it->second));
    const int64_t room = context - std::ssize(it->second);
    if (room == 0) continue;
    const auto more = some_tokens(random.number(1, room), bp.embedding.vocab,
                                  seed + static_cast<uint64_t>(round));
    it->second.insert(it->second.end(), more.begin(), more.end());
    const auto rows = testing::all_logits(engine, s, more);
    const auto whole = reference_logits(graph, weights, it->second);
    ASSERT_LT(difference(rows, std::span(whole).last(more.size() * vocab)), bound_of(bp))
        << "round " << round << ", " << more.size() << " tokens up to " << it->second.size() << "; "
        << says(options) << "\n"
        << to_json(bp);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomBlueprints,
                         ::testing::Range<uint64_t>(1, ASHLAR_SANITIZED   ? 21
                                                       : test::thorough() ? 2001
                                                                          : 61));

}  // namespace
}  // namespace ashlar
