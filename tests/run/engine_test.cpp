// The engine against the plain loops, for every sample blueprint, kernel table and way to cut a
// sequence.
#include "run/engine.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "ops/elementwise.h"
#include "ops/inputs.h"
#include "ops/loss.h"
#include "run/reference.h"
#include "support/comparison.h"
#include "support/random_model.h"
#include "support/samples.h"

namespace ashlar {
namespace {

using testing::all_logits;
using testing::difference;
using testing::random_weights;
using testing::runnable_tables;
using testing::some_tokens;

bool has_fixed_state(const Graph& graph) {
  const std::vector<NodeState> states = states_of(graph);
  return std::any_of(states.begin(), states.end(),
                     [](const NodeState& n) { return n.spec.fixed > 0; });
}

class EverySample : public ::testing::TestWithParam<size_t> {
 protected:
  const Blueprint bp = testing::sample_blueprints()[GetParam()];
  const Graph graph = graph_of(bp);
  const Weights weights = random_weights(graph, 11 + GetParam());
  const std::vector<TokenId> ids = some_tokens(30, bp.embedding.vocab);
  const bool fixed = has_fixed_state(graph);
  // Norms on the small outputs of a young recurrence enlarge what is rounded before them.
  const double bound = fixed ? 1e-4 : 3e-5;
};

TEST_P(EverySample, EveryTableEqualsThePlainLoops) {
  const std::vector<float> expected = reference_logits(graph, weights, ids);
  for (const std::string& table : runnable_tables()) {
    Engine engine(graph, weights, {.threads = 2, .kernels = table, .context = 32});
    const auto got = all_logits(engine, *engine.open(), ids);
    EXPECT_LT(difference(got, expected), 2e-5) << table;
  }
}

TEST_P(EverySample, StepwiseAndChunkedEqualWhole) {
  const std::vector<float> whole = reference_logits(graph, weights, ids);
  const auto vocab = static_cast<size_t>(bp.embedding.vocab);
  for (const std::string& table : runnable_tables()) {
    Engine engine(graph, weights, {.threads = 1, .kernels = table, .context = 32});
    // Every size up to past the samples' windows (3, 5) and chunks (4).
    for (const size_t size : {1, 2, 3, 4, 5, 6, 7, 29}) {
      const SequenceId s = *engine.open();
      std::vector<float> got;
      for (size_t at = 0; at < ids.size(); at += size) {
        const auto part = std::span(ids).subspan(at, std::min(size, ids.size() - at));
        const auto rows = all_logits(engine, s, part);
        got.insert(got.end(), rows.begin(), rows.end());
      }
      EXPECT_LT(difference(got, whole), bound) << table << ", " << size << " at a time";
      engine.close(s);
    }
    // The same cuts made by the engine itself.
    for (const int64_t chunk : {1, 3, 4, 5, 16}) {
      Engine cutting(graph, weights,
                     {.threads = 1, .kernels = table, .context = 32, .chunk = chunk});
      const SequenceId s = *cutting.open();
      EXPECT_LT(difference(all_logits(cutting, s, ids), whole), bound) << table << ", " << chunk;
      cutting.close(s);
      const ashlar::Run last{*cutting.open(), ids, ashlar::Run::Logits::last};
      EXPECT_LT(difference(cutting.step({&last, 1}), std::span(whole).last(vocab)), bound);
    }
  }
}

TEST_P(EverySample, BatchedWithStrangersEqualsAlone) {
  const auto vocab = static_cast<size_t>(bp.embedding.vocab);
  constexpr size_t kSequences = 5;
  std::vector<std::vector<TokenId>> texts;
  std::vector<std::vector<float>> alone;
  for (size_t i = 0; i < kSequences; ++i) {
    texts.push_back(some_tokens(static_cast<int64_t>(9 + 5 * i), bp.embedding.vocab, i));
    alone.push_back(reference_logits(graph, weights, texts.back()));
  }
  for (const int threads : {1, 2, 3}) {
    Engine engine(graph, weights,
                  {.threads = threads, .context = 32, .sequences = kSequences, .chunk = 8});
    std::vector<SequenceId> open;
    for (size_t i = 0; i < kSequences; ++i) open.push_back(*engine.open());
    std::vector<std::vector<float>> got(kSequences);
    std::vector<size_t> done(kSequences, 0);
    std::mt19937_64 random(3);
    // Each round every sequence gives some tokens, one or none; the order changes.
    while (true) {
      std::vector<ashlar::Run> runs;
      std::vector<size_t> who;
      for (size_t k = 0; k < kSequences; ++k) {
        const size_t i = (k + static_cast<size_t>(random() % kSequences)) % kSequences;
        if (std::find(who.begin(), who.end(), i) != who.end()) continue;
        const size_t n = std::min<size_t>(random() % 6, texts[i].size() - done[i]);
        runs.push_back(
            {open[i], std::span(texts[i]).subspan(done[i], n), ashlar::Run::Logits::all});
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
      EXPECT_EQ(row * vocab, logits.size());
      bool all = true;
      for (size_t i = 0; i < kSequences; ++i) all = all && done[i] == texts[i].size();
      if (all) break;
    }
    for (size_t i = 0; i < kSequences; ++i)
      EXPECT_LT(difference(got[i], alone[i]), bound) << "sequence " << i << ", threads " << threads;
  }
}

TEST_P(EverySample, TruncatedGoesOnAsIfItHadNeverBeenLonger) {
  Engine engine(graph, weights, {.threads = 1, .context = 32});
  const std::vector<float> whole = reference_logits(graph, weights, ids);
  const auto vocab = static_cast<size_t>(bp.embedding.vocab);
  const auto other = some_tokens(12, bp.embedding.vocab, 99);
  const SequenceId s = *engine.open();
  all_logits(engine, s, std::span(ids).first(14));
  all_logits(engine, s, other);
  // Numbers of fixed size cannot forget the last tokens.
  for (const int64_t length : {14, 9, 0}) {
    ASSERT_EQ(engine.can_truncate(s, length), !fixed || length == 0);
    if (!engine.can_truncate(s, length)) {
      EXPECT_THROW(engine.truncate(s, length), Error);
      continue;
    }
    engine.truncate(s, length);
    EXPECT_EQ(engine.length(s), length);
    const auto rest = std::span(ids).subspan(static_cast<size_t>(length), 16);
    const auto expected = std::span(whole).subspan(static_cast<size_t>(length) * vocab, 16 * vocab);
    EXPECT_LT(difference(all_logits(engine, s, rest), expected), bound) << length;
  }
  EXPECT_FALSE(engine.can_truncate(s, 17));
  EXPECT_FALSE(engine.can_truncate(s, -1));
  EXPECT_THROW(engine.truncate(s, 17), Error);
}

TEST_P(EverySample, AForkGoesOnAsIfAlone) {
  Engine engine(graph, weights, {.threads = 2, .context = 32, .sequences = 3});
  const auto other = some_tokens(16, bp.embedding.vocab, 99);
  std::vector<TokenId> mixed(ids.begin(), ids.begin() + 14);
  mixed.insert(mixed.end(), other.begin(), other.end());
  const std::vector<float> whole = reference_logits(graph, weights, ids);
  const std::vector<float> turned = reference_logits(graph, weights, mixed);
  const auto after = static_cast<size_t>(14 * bp.embedding.vocab);
  const SequenceId a = *engine.open();
  all_logits(engine, a, std::span(ids).first(14));
  const SequenceId b = *engine.fork(a);
  EXPECT_EQ(engine.length(b), 14);
  EXPECT_LT(difference(all_logits(engine, b, other), std::span(turned).subspan(after)), bound);
  const SequenceId c = *engine.fork(a);
  EXPECT_FALSE(engine.fork(a));
  engine.close(a);
  EXPECT_THROW(engine.fork(a), Error);
  EXPECT_LT(difference(all_logits(engine, c, std::span(ids).subspan(14)),
                       std::span(whole).subspan(after)),
            bound);
}

TEST_P(EverySample, WhatIsWrongChangesNothing) {
  Engine engine(graph, weights, {.threads = 1, .context = 30, .sequences = 2});
  const SequenceId a = *engine.open(), b = *engine.open();
  EXPECT_FALSE(engine.open());
  all_logits(engine, a, std::span(ids).first(20));
  const auto refused = [&](std::vector<ashlar::Run> runs, ErrorKind kind) {
    try {
      engine.step(runs);
      ADD_FAILURE() << "not refused";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), kind) << e.what();
    }
    EXPECT_EQ(engine.length(a), 20);
    EXPECT_EQ(engine.length(b), 0);
  };
  const std::vector<TokenId> negative{1, -1}, beyond{static_cast<TokenId>(bp.embedding.vocab)};
  const auto good = std::span(ids).first(3);
  refused({{b, good}, {a, negative}}, ErrorKind::invalid);
  refused({{b, good}, {a, beyond}}, ErrorKind::invalid);
  refused({{b, good}, {a, std::span(ids).first(11)}}, ErrorKind::resource);
  refused({{b, good}, {b, good}}, ErrorKind::invalid);
  refused({{b, good}, {7, good}}, ErrorKind::invalid);
  refused({{-1, good}}, ErrorKind::invalid);
  engine.close(b);
  EXPECT_THROW(engine.length(b), Error);
  const std::vector<float> whole = reference_logits(graph, weights, ids);
  const auto vocab = static_cast<size_t>(bp.embedding.vocab);
  EXPECT_LT(difference(all_logits(engine, a, std::span(ids).subspan(20)),
                       std::span(whole).subspan(20 * vocab)),
            bound);
}

INSTANTIATE_TEST_SUITE_P(Samples, EverySample,
                         ::testing::Range(size_t{0}, testing::sample_blueprints().size()),
                         [](const auto& i) {
                           std::string name = testing::sample_blueprints()[i.param].name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name + std::to_string(i.param);
                         });

TEST(Engine, MultiTokenPredictionEqualsThePlainLoops) {
  const Graph graph = mtp_graph_of(testing::deepseek_like());
  const Weights weights = random_weights(graph, 5);
  const auto ids = some_tokens(20, 40);
  const auto expected = reference_logits(graph, weights, ids);
  for (const int64_t chunk : {3, 64}) {
    Engine engine(graph, weights, {.threads = 2, .context = 32, .chunk = chunk});
    EXPECT_LT(difference(all_logits(engine, *engine.open(), ids), expected), 3e-5) << chunk;
  }
}

/// A trunk that gives logits and hidden states, and a layer that drafts from them: two graphs over
/// one set of weights, against the one graph that is both.
TEST(Engine, GraphsShareWeightsAndHandValuesOn) {
  const Blueprint bp = testing::deepseek_like();
  const Graph both = mtp_graph_of(bp);
  Weights weights = random_weights(graph_of(bp), 5);
  weights.merge(random_weights(both, 5));
  const auto ids = some_tokens(20, bp.embedding.vocab);
  std::vector<TokenId> next(ids.begin() + 1, ids.end());
  next.push_back(ids.back());  // the last one has none after it
  const auto logits = reference_logits(graph_of(bp), weights, ids);
  const auto drafts = reference_logits(both, weights, ids);
  const auto width = static_cast<size_t>(bp.embedding.width);
  const Graph graphs[] = {trunk_graph_of(bp), mtp_layer_of(bp)};
  for (const int64_t chunk : {1, 7, 64}) {
    Engine engine(graphs, weights, {.threads = 2, .context = 32, .sequences = 2, .chunk = chunk});
    const SequenceId other = *engine.open(), s = *engine.open();
    EXPECT_LT(difference(all_logits(engine, s, ids), logits), 3e-5) << chunk;
    const auto rows = engine.output("hidden");
    ASSERT_EQ(rows.size(), ids.size() * width);
    const std::vector<float> hidden(rows.begin(), rows.end());
    EXPECT_EQ(engine.length(s), 20);
    EXPECT_EQ(engine.length(s, 1), 0);

    const auto draft = [&](SequenceId sequence, size_t begin, size_t n) {
      const std::span<const float> given = std::span(hidden).subspan(begin * width, n * width);
      const ashlar::Run run{
          sequence, std::span(next).subspan(begin, n), ashlar::Run::Logits::all, {&given, 1}};
      const auto out = engine.step({&run, 1}, {}, 1);
      return std::vector<float>(out.begin(), out.end());
    };
    const auto vocab = static_cast<size_t>(bp.embedding.vocab);
    auto got = draft(s, 0, 9);
    const auto tail = draft(s, 9, 11);
    got.insert(got.end(), tail.begin(), tail.end());
    EXPECT_LT(difference(got, drafts), 3e-5) << chunk;
    // What was drafted in vain is taken back, in the one graph only.
    engine.truncate(s, 9, 1);
    EXPECT_EQ(engine.length(s), 20);
    EXPECT_LT(difference(draft(s, 9, 2), std::span(drafts).subspan(9 * vocab, 2 * vocab)), 3e-5);
    engine.close(other);
    const SequenceId fork = *engine.fork(s);
    EXPECT_EQ(engine.length(fork, 1), 11);
    EXPECT_LT(difference(draft(fork, 11, 9), std::span(drafts).subspan(11 * vocab)), 3e-5);

    // What does not fit is refused, and changes nothing.
    const ashlar::Run none{s, std::span(next).first(1)};
    EXPECT_THROW(engine.step({&none, 1}, {}, 1), Error);
    const std::span<const float> narrow = std::span(hidden).first(width - 1);
    const ashlar::Run short_of{s, std::span(next).first(1), ashlar::Run::Logits::all, {&narrow, 1}};
    EXPECT_THROW(engine.step({&short_of, 1}, {}, 1), Error);
    EXPECT_THROW(engine.step({&none, 1}, {}, 2), Error);
    EXPECT_THROW(engine.output("nothing"), Error);
    EXPECT_EQ(engine.length(s, 1), 11);
  }
}

TEST(Engine, OutputsOfOneValueAndOfTheLastRows) {
  Builder b;
  const Value x = b.add1(Given{.name = "x", .size = 6}, {}, "x");
  const Value y = b.add1(Scale{.factor = 2}, {x}, "y");
  const Value z = b.add1(Softcap{.cap = 3}, {y}, "z");
  const Graph graph = b.finish({{"z", z}, {"y", y}, {"again", y}, {"x", x}});
  Engine engine(graph, {}, {.threads = 1, .context = 8, .chunk = 2});
  const std::vector<float> rows{1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6, 9, 8, 7, 6, 5, 4};
  const std::span<const float> given(rows);
  const std::vector<TokenId> tokens(3);
  const SequenceId s = *engine.open();
  for (const auto wanted : {ashlar::Run::Logits::all, ashlar::Run::Logits::last}) {
    const ashlar::Run run{s, tokens, wanted, {&given, 1}};
    const auto got = engine.step({&run, 1});
    const auto expected = wanted == ashlar::Run::Logits::all ? given : given.last(6);
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(got[i], 3 * std::tanh(2 * expected[i] / 3), 1e-5);
      EXPECT_EQ(engine.output("x")[i], expected[i]);
      EXPECT_EQ(engine.output("y")[i], 2 * expected[i]);
      EXPECT_EQ(engine.output("again")[i], 2 * expected[i]);
    }
    engine.truncate(s, 0);
  }
}

TEST(Engine, RefusesAnOpWhosePastNoStepCarries) {
  // What a token is charged depends on the token after it, which may come with the next step.
  Builder b;
  const Value x = b.add1(Given{.name = "x", .size = 6}, {}, "x");
  const Graph graph = b.finish(b.add1(CrossEntropy{}, {x, b.add1(TokenIds{}, {}, "ids")}, "loss"));
  try {
    Engine engine(graph, {}, {.threads = 1});
    ADD_FAILURE() << "not refused";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    EXPECT_NE(std::string(e.what()).find("cross_entropy"), std::string::npos) << e.what();
  }
}

TEST(Engine, SequencesShareTheTokensForWhichThereArePages) {
  const Blueprint bp = testing::qwen_like();
  const Graph graph = graph_of(bp);
  const Weights weights = random_weights(graph);
  Engine engine(graph, weights,
                {.threads = 1, .context = 256, .sequences = 4, .chunk = 16, .held_tokens = 256});
  Engine roomy(graph, weights, {.threads = 1, .context = 256, .sequences = 4, .chunk = 16});
  EXPECT_EQ(engine.state_bytes() * 4, roomy.state_bytes());
  const auto ids = some_tokens(130, bp.embedding.vocab);
  const SequenceId a = *engine.open(), b = *engine.open();
  all_logits(engine, a, ids);  // 3 of 4 pages
  try {
    all_logits(engine, b, std::span(ids).first(65));
    ADD_FAILURE() << "not refused";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::resource) << e.what();
  }
  EXPECT_EQ(engine.length(a), 130);
  EXPECT_EQ(engine.length(b), 0);
  // A fork needs one page of its own.
  const SequenceId c = *engine.fork(a);
  const auto expected = all_logits(roomy, *roomy.open(), ids);
  const auto more = some_tokens(3, bp.embedding.vocab, 1);
  const auto forked = all_logits(engine, c, more), first = all_logits(engine, a, more);
  EXPECT_EQ(forked, first);
  EXPECT_THROW(all_logits(engine, b, more), Error);
  engine.close(c);
  EXPECT_EQ(all_logits(engine, b, std::span(ids).first(64)),
            std::vector<float>(expected.begin(), expected.begin() + 64 * bp.embedding.vocab));
}

TEST(Engine, LearnedPositionsEndWhereTheTableEnds) {
  const Graph graph = graph_of(testing::gpt2_like());  // 32 positions
  const Weights weights = random_weights(graph);
  Engine engine(graph, weights, {.threads = 1, .context = 64});
  const auto ids = some_tokens(33, 30);
  const SequenceId s = *engine.open();
  EXPECT_THROW(all_logits(engine, s, ids), Error);
  EXPECT_EQ(engine.length(s), 0);
  all_logits(engine, s, std::span(ids).first(32));
  EXPECT_THROW(all_logits(engine, s, std::span(ids).last(1)), Error);
}

TEST(Engine, RefusesWeightsThatDoNotFit) {
  const Graph graph = graph_of(testing::qwen_like());
  Weights weights = random_weights(graph);
  const auto message = [&] {
    try {
      Engine engine(graph, weights, {.threads = 1});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(), "");
  const Tensor q = weights.at("layers.1.attn.q");
  weights.erase("layers.1.attn.q");
  EXPECT_NE(message().find("layers.1.attn.q is missing"), std::string::npos) << message();
  weights.emplace("layers.1.attn.q", weights.at("layers.1.attn.k"));
  EXPECT_NE(message().find("layers.1.attn.q: expected 24 rows of 12"), std::string::npos)
      << message();
}

TEST(Engine, RefusesOptionsThatMakeNoSense) {
  const Graph graph = graph_of(testing::qwen_like());
  const Weights weights = random_weights(graph);
  const auto refuses = [&](EngineOptions o) {
    try {
      Engine engine(graph, weights, o);
      return false;
    } catch (const Error&) {
      return true;
    }
  };
  EXPECT_TRUE(refuses({.threads = -1}));
  EXPECT_TRUE(refuses({.threads = 1, .kernels = "sse9"}));
  EXPECT_TRUE(refuses({.threads = 1, .context = 0}));
  EXPECT_TRUE(refuses({.threads = 1, .sequences = 0}));
  EXPECT_TRUE(refuses({.threads = 1, .chunk = 0}));
  EXPECT_TRUE(refuses({.threads = 1, .state = Format::q4_0}));
  EXPECT_TRUE(refuses({.threads = 1, .state = Format::q8_0}));  // heads of 6 numbers
  EXPECT_TRUE(refuses({.threads = 1, .context = 2147483646, .sequences = 1 << 20}));
}

}  // namespace
}  // namespace ashlar
