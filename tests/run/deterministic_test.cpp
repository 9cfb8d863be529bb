// EngineOptions::deterministic: a token's logits are the same to the bit, alone or among others, and
// however a text is cut into steps, on every kernel table.
#include <gtest/gtest.h>

#include "kernels/activations.h"
#include "run/engine.h"
#include "support/comparison.h"
#include "support/random_model.h"
#include "support/samples.h"
#include "support/sanitized.h"
#include "support/thorough.h"
#include "support/with_tiles.h"

namespace ashlar {
namespace {

using testing::random_weights;
using testing::runnable_tables;
using testing::some_tokens;

constexpr int64_t kTokens = 270;  // so many that attention cuts its keys

Blueprint dense(int64_t window = 0) {
  Blueprint bp;
  bp.name = window > 0 ? "windows and sinks" : "dense";
  bp.embedding = {.vocab = 64, .width = 256};
  bp.blocks = repeat(2, {PreNorm{},
                         AttentionPart{.heads = 8,
                                       .kv_heads = 2,
                                       .head_dim = 64,
                                       .rope = RopePart{},
                                       .window = window,
                                       .sinks = window > 0},
                         DenseFfn{.width = 512}});
  bp.final_norm = Norm{};
  bp.head.tied = true;
  return bp;
}

Blueprint latent_experts() {
  Blueprint bp = dense();
  bp.name = "latent attention and experts";
  bp.blocks = repeat(2, {PreNorm{},
                         LatentAttentionPart{.heads = 6,
                                             .query_rank = 256,
                                             .latent = 256,
                                             .qk_nope = 64,
                                             .qk_rope = 32,
                                             .value_dim = 128},
                         ExpertFfnPart{.experts = 8,
                                       .top_k = 2,
                                       .width = 256,
                                       .router = {.score = RouteScore::softmax, .normalize = true},
                                       .shared = 256}});
  return bp;
}

/// The logits of all ids, in steps of so many tokens, among `others` sequences that move on too.
std::vector<float> logits_of(Engine& engine, const std::vector<TokenId>& ids, size_t each,
                             size_t others = 0) {
  std::vector<SequenceId> sequences;
  for (size_t i = 0; i <= others; ++i) sequences.push_back(*engine.open());
  std::vector<float> all;
  for (size_t at = 0; at < ids.size(); at += each) {
    const auto tokens = std::span(ids).subspan(at, std::min(each, ids.size() - at));
    std::vector<Run> runs;
    for (size_t i = 0; i < others; ++i) {
      // Of other lengths, before and behind it.
      const auto some = std::span(ids).subspan((at + 37 * i) % (ids.size() - i), 1 + i % 3);
      runs.push_back({sequences[i], some, i % 2 == 0 ? Run::Logits::last : Run::Logits::none});
    }
    const size_t before = others / 2;
    runs.insert(runs.begin() + static_cast<ptrdiff_t>(before),
                {sequences[others], tokens, Run::Logits::all});
    size_t skipped = 0;
    for (size_t i = 0; i < before; ++i) skipped += runs[i].logits == Run::Logits::last ? 1 : 0;
    const auto rows = engine.step(runs);
    const auto vocab = static_cast<size_t>(engine.vocab());
    const auto mine = rows.subspan(skipped * vocab, tokens.size() * vocab);
    all.insert(all.end(), mine.begin(), mine.end());
  }
  for (const SequenceId s : sequences) engine.close(s);
  return all;
}

class Deterministic : public ::testing::TestWithParam<Format> {};

TEST_P(Deterministic, LogitsDependOnTheSequenceAlone) {
  if (GetParam() != Format::bf16 && GetParam() != Format::q8_0 && !test::thorough())
    GTEST_SKIP() << "./test --long";
  const test::WithTiles tiles;
  const std::vector<Blueprint> blueprints = kernels::is_float(GetParam())
                                                ? std::vector{dense(), dense(150)}
                                                : std::vector{latent_experts()};
  for (const Blueprint& bp : blueprints) {
    const Graph graph = graph_of(bp);
    const Weights weights = random_weights(graph, 5, GetParam());
    const std::vector<TokenId> ids = some_tokens(kTokens, bp.embedding.vocab);
    for (const std::string& table : runnable_tables()) {
      // Minutes with a sanitizer: other tests run every table there.
      if (ASHLAR_SANITIZED && table != runnable_tables().front()) continue;
      SCOPED_TRACE(bp.name + ", " + table);
      EngineOptions options{
          .threads = 2, .kernels = table, .context = kTokens, .sequences = 8, .chunk = 512};
      options.deterministic = true;
      Engine engine(graph, weights, options);
      const std::vector<float> alone = logits_of(engine, ids, ids.size());
      EXPECT_EQ(logits_of(engine, ids, 1), alone);
      EXPECT_EQ(logits_of(engine, ids, 7), alone);
      EXPECT_EQ(logits_of(engine, ids, 64, 7), alone);
      // Panels that are kept give tokens the same sums too, if others than dots do.
      options.packed_weights = true;
      Engine packed(graph, weights, options);
      const std::vector<float> from_panels = logits_of(packed, ids, ids.size());
      EXPECT_EQ(logits_of(packed, ids, 1), from_panels);
      EXPECT_EQ(logits_of(packed, ids, 64, 7), from_panels);
      options.packed_weights = false;
      // Without the option, a run that asks for it is as its tokens one by one.
      options.deterministic = false;
      options.threads = 1;
      options.chunk = 64;
      Engine usual(graph, weights, options);
      const ashlar::Run run{.sequence = *usual.open(),
                            .tokens = ids,
                            .logits = ashlar::Run::Logits::all,
                            .alone = true};
      const auto rows = usual.step({&run, 1});
      EXPECT_EQ(std::vector<float>(rows.begin(), rows.end()), alone);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Deterministic,
                         ::testing::Values(Format::f32, Format::bf16, Format::q8_0, Format::q4_k,
                                           Format::mxfp4),
                         [](const auto& p) { return std::string(ashlar::info(p.param).name); });

/// The same for layers that remember numbers of fixed size, and for every option of the parts.
TEST(DeterministicSamples, LogitsDependOnTheSequenceAlone) {
  for (const Blueprint& bp : testing::sample_blueprints()) {
    const Graph graph = graph_of(bp);
    const Weights weights = random_weights(graph, 5);
    const std::vector<TokenId> ids = some_tokens(30, bp.embedding.vocab);
    EngineOptions options{.threads = 2, .context = 32, .sequences = 8};
    options.deterministic = true;
    Engine engine(graph, weights, options);
    const std::vector<float> alone = logits_of(engine, ids, ids.size());
    EXPECT_EQ(logits_of(engine, ids, 1), alone) << bp.name;
    EXPECT_EQ(logits_of(engine, ids, 7), alone) << bp.name;
    EXPECT_EQ(logits_of(engine, ids, 3, 7), alone) << bp.name;
  }
}

}  // namespace
}  // namespace ashlar
