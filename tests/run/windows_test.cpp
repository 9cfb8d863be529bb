// Rings of pages: windows and chunks larger than a page, sequences that wrap around them.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "run/reference.h"
#include "support/comparison.h"
#include "support/random_model.h"
#include "support/samples.h"

namespace ashlar {
namespace {

using testing::all_logits;
using testing::difference;
using testing::random_weights;
using testing::some_tokens;

constexpr int64_t kPage = StateSpec::kStatePage;

/// Two layers that see a window, one that sees a chunk, one that sees all.
Blueprint windowed(int64_t window, int64_t chunk) {
  Blueprint bp = testing::qwen_like();
  AttentionPart near{.heads = 4, .kv_heads = 2, .head_dim = 6, .rope = RopePart{}};
  near.window = window;
  AttentionPart chunked = near;
  chunked.window = 0;
  chunked.chunk = chunk;
  AttentionPart all = near;
  all.window = 0;
  bp.blocks.clear();
  for (const AttentionPart& a : {near, chunked, all, near})
    bp.blocks.push_back({PreNorm{}, a, DenseFfn{.width = 16}});
  return bp;
}

struct Case {
  int64_t window, chunk;
};

class Ring : public ::testing::TestWithParam<Case> {
 protected:
  const Blueprint bp = windowed(GetParam().window, GetParam().chunk);
  const Graph graph = graph_of(bp);
  const Weights weights = random_weights(graph, 3);
  const std::vector<TokenId> ids = some_tokens(420, bp.embedding.vocab);
  const std::vector<float> whole = reference_logits(graph, weights, ids);
  const size_t vocab = static_cast<size_t>(bp.embedding.vocab);

  std::span<const float> expected(size_t at, size_t n) const {
    return std::span(whole).subspan(at * vocab, n * vocab);
  }
};

/// Nothing but windows of fewer keys than attention makes two parts of: a prompt has two parts all
/// the same, and there is room for them.
TEST(Windows, LongPromptOfNarrowOnes) {
  Blueprint bp = testing::qwen_like();
  for (Block& b : bp.blocks) {
    AttentionPart narrow{.heads = 4, .kv_heads = 4, .head_dim = 6, .rope = RopePart{}};
    narrow.window = 64;
    b.mixer = narrow;
  }
  const Graph graph = graph_of(bp);
  const Weights weights = random_weights(graph, 3);
  const std::vector<TokenId> ids = some_tokens(420, bp.embedding.vocab);
  Engine engine(graph, weights, {.threads = 2, .context = 512});
  EXPECT_LT(
      difference(all_logits(engine, *engine.open(), ids), reference_logits(graph, weights, ids)),
      3e-5);
}

TEST_P(Ring, EveryCutEqualsWhole) {
  const auto [window, chunk] = GetParam();
  for (const int64_t size : {int64_t{1}, window - 1, window, window + 1, chunk - 1, chunk,
                             chunk + 1, kPage - 1, kPage, kPage + 1, int64_t{420}}) {
    if (size < 1) continue;
    Engine engine(graph, weights, {.threads = 1, .context = 420, .chunk = size});
    EXPECT_LT(difference(all_logits(engine, *engine.open(), ids), whole), 3e-5)
        << "window " << window << ", chunk " << chunk << ", " << size << " at a time";
  }
}

TEST_P(Ring, TruncatesAsFarAsItRemembers) {
  for (const int64_t step : {1, 64, 100}) {
    Engine engine(graph, weights, {.threads = 1, .context = 420, .chunk = step});
    const SequenceId s = *engine.open();
    all_logits(engine, s, std::span(ids).first(400));
    int64_t least = 400;
    while (least > 0 && engine.can_truncate(s, least - 1)) --least;
    // A page more than the window and the step, at least: what it says it has, it has.
    EXPECT_LE(least, 400 - 1) << step;
    if (GetParam().window > 1 && GetParam().window < 200) {
      EXPECT_GT(least, 0) << step;
      EXPECT_FALSE(engine.can_truncate(s, 1));
      EXPECT_THROW(engine.truncate(s, least - 1), Error);
    }
    const auto at = static_cast<size_t>(least);
    engine.truncate(s, least);
    EXPECT_LT(difference(all_logits(engine, s, std::span(ids).subspan(at)),
                         expected(at, ids.size() - at)),
              3e-5)
        << "back to " << least << ", " << step << " at a time";
    EXPECT_TRUE(engine.can_truncate(s, 0));
    engine.truncate(s, 0);
    EXPECT_LT(difference(all_logits(engine, s, std::span(ids).first(90)), expected(0, 90)), 3e-5);
  }
}

TEST_P(Ring, ForksShareAndPart) {
  Engine engine(graph, weights, {.threads = 1, .context = 420, .sequences = 2, .chunk = 50});
  const SequenceId a = *engine.open();
  for (const size_t at : {size_t{40}, size_t{128}, size_t{300}}) {
    engine.truncate(a, 0);
    all_logits(engine, a, std::span(ids).first(at));
    const SequenceId b = *engine.fork(a);
    all_logits(engine, b, std::span(ids).first(90));  // parts from a within a page
    EXPECT_LT(difference(all_logits(engine, a, std::span(ids).subspan(at)),
                         expected(at, ids.size() - at)),
              3e-5)
        << at;
    engine.close(b);
  }
}

TEST_P(Ring, PlannedBytesAreAllocatedBytes) {
  for (const int64_t context : {1, 63, 64, 65, 300, 4096}) {
    for (const int64_t chunk : {1, 17, 512}) {
      for (const int64_t sequences : {1, 3}) {
        for (const Format state : {Format::f32, Format::f16, Format::bf16}) {
          const Engine engine(graph, weights,
                              {.threads = 1,
                               .context = context,
                               .sequences = sequences,
                               .chunk = chunk,
                               .state = state});
          int64_t planned = 0;
          for (const NodeState& n : states_of(graph))
            planned +=
                sequences * n.spec.paged_tokens(context, chunk) * row_bytes(state, n.spec.width());
          EXPECT_EQ(engine.state_bytes(), planned) << context << " " << chunk;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Ring,
                         ::testing::Values(Case{70, 96}, Case{64, 64}, Case{130, 150}, Case{1, 1},
                                           Case{63, 65}, Case{500, 600}),
                         [](const auto& i) {
                           return std::to_string(i.param.window) + "_" +
                                  std::to_string(i.param.chunk);
                         });

}  // namespace
}  // namespace ashlar
