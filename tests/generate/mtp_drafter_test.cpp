// A model drafts for itself: its layer for multi-token prediction changes no token, and guesses what
// the graph of that layer says.
#include "generate/mtp_drafter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "generate/drafting.h"
#include "generate/generator.h"
#include "run/reference.h"
#include "support/comparison.h"
#include "support/golden.h"
#include "support/models.h"
#include "support/random_model.h"
#include "support/samples.h"

namespace ashlar {
namespace {

using testing::expect_contains, testing::error_of, testing::some_tokens;

Model model_of(const Blueprint& bp, Format format, uint64_t seed = 5) {
  Model model;
  model.source = bp.name;
  model.blueprint = bp;
  model.graph = graph_of(bp);
  model.weights = testing::random_weights(model.graph, seed, format);
  model.weights.merge(testing::random_weights(mtp_graph_of(bp), seed, format));
  return model;
}

/// DeepSeek's, of a width that formats of 32 values fit.
Blueprint wide() {
  Blueprint bp = testing::deepseek_like();
  bp.embedding.width = 64;
  return bp;
}

Generation generate(const Model& model, const EngineOptions& made, bool mtp,
                    std::span<const TokenId> prompt, GenerateOptions options) {
  Engine engine = engine_of(model, made, mtp);
  if (mtp) options.drafter = mtp_drafter(engine);
  return Generator(engine, nullptr, {}).generate(prompt, options);
}

void expect_unchanged(const Model& model, std::span<const TokenId> prompt) {
  GenerateOptions options{.max_tokens = 24, .ignore_end = true};
  options.draft_tokens = 4;
  for (const int64_t chunk : {4, 64}) {
    const EngineOptions made{.threads = 1, .context = 128, .chunk = chunk};
    for (const float temperature : {0.0f, 0.8f}) {
      options.sampling.temperature = temperature;
      options.sampling.seed = 3;
      const Generation expected = generate(model, made, false, prompt, options);
      const Generation found = generate(model, made, true, prompt, options);
      EXPECT_EQ(found.ids, expected.ids) << chunk << " " << temperature;
      EXPECT_EQ(found.evaluated_tokens, expected.evaluated_tokens);
      EXPECT_GT(found.drafted_tokens, 0);
      EXPECT_LE(found.accepted_tokens, found.drafted_tokens);
    }
  }
}

/// Folders, and GGUF files of the families that keep the layer there.
TEST(MtpDrafting, ChangesNoTokenOfAnyFamily) {
  int64_t folders = 0, gguf = 0;
  for (const std::string& name : golden_names([](const fs::path&) { return true; })) {
    SCOPED_TRACE(name);
    const Golden golden = read_golden(name);
    for (const fs::path& file : {golden.folder / "model", golden.folder / (name + ".gguf")}) {
      if (!fs::exists(file)) continue;
      const Model model = load_model(file.string());
      if (model.blueprint.mtp.empty()) continue;
      expect_unchanged(model, std::span(golden.ids).first(9));
      ++(file.extension() == ".gguf" ? gguf : folders);
    }
  }
  EXPECT_GE(folders, 3);  // DeepSeek V3, GLM 4.5, GLM 4.7 Flash
  EXPECT_GE(gguf, 1);
}

TEST(MtpDrafting, ChangesNoTokenOfAnyFormat) {
  for (const Format format : {Format::f32, Format::bf16, Format::q8_0}) {
    SCOPED_TRACE(info(format).name);
    const Model model = model_of(wide(), format);
    expect_unchanged(model, some_tokens(50, model.blueprint.embedding.vocab));
  }
}

/// A row of hidden states for every token leaves the logits of the last as they are, to the bit.
TEST(MtpDrafting, HiddenStatesOfAllTokensChangeNoLogit) {
  const Model model = model_of(wide(), Format::bf16);
  const auto ids = some_tokens(50, model.blueprint.embedding.vocab);
  for (const std::string& table : testing::runnable_tables()) {
    for (const int64_t chunk : {8, 64}) {
      const EngineOptions made{.threads = 2, .kernels = table, .context = 64, .chunk = chunk};
      Engine plain = engine_of(model, made, false), both = engine_of(model, made, true);
      const ashlar::Run run{.sequence = *plain.open(), .tokens = ids};
      const auto expected = plain.step({&run, 1});
      const ashlar::Run every{.sequence = *both.open(), .tokens = ids, .every_row = true};
      const auto found = both.step({&every, 1});
      EXPECT_TRUE(std::equal(found.begin(), found.end(), expected.begin(), expected.end()))
          << table << " " << chunk;
      const auto rows = both.output("hidden");
      ASSERT_EQ(rows.size(), ids.size() * 64);
      // ... and the rows are those of a step whose logits are all wanted.
      const std::vector<float> hidden(rows.begin(), rows.end());
      both.truncate(every.sequence, 0);
      const ashlar::Run all{every.sequence, ids, ashlar::Run::Logits::all};
      both.step({&all, 1});
      EXPECT_LT(testing::difference(hidden, both.output("hidden")), 1e-2) << table;
    }
  }
}

size_t likeliest(std::span<const float> row) {
  return static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

/// The first guess against the plain loops of the graph that is trained, the second against the
/// layer evaluated anew with its own hidden state as the last.
TEST(MtpDrafting, GuessesWhatTheLayerSays) {
  const Model model = model_of(testing::deepseek_like(), Format::f32);
  const auto vocab = static_cast<size_t>(model.blueprint.embedding.vocab);
  const auto width = static_cast<size_t>(model.blueprint.embedding.width);
  const auto ids = some_tokens(40, model.blueprint.embedding.vocab);
  const auto expected = reference_logits(mtp_graph_of(model.blueprint), model.weights, ids);
  for (const int64_t chunk : {3, 64}) {
    const EngineOptions made{.threads = 1, .context = 64, .sequences = 2, .chunk = chunk};
    Engine engine = engine_of(model, made, true);
    MtpDrafter drafter(engine);
    const SequenceId s = *engine.open();
    std::vector<float> hidden;
    // A prompt of 20 in steps of up to the chunk, then one token or several at a time.
    for (size_t at = 0, n = 0; at + n < ids.size(); at += n) {
      const size_t room = static_cast<size_t>(std::min<int64_t>(chunk, 5));
      n = at < 20 ? std::min<size_t>(static_cast<size_t>(chunk), 20 - at) : 1 + at % room;
      n = std::min(n, ids.size() - at - 1);
      const ashlar::Run run{
          .sequence = s, .tokens = std::span(ids).subspan(at, n), .every_row = true};
      engine.step({&run, 1});
      const auto rows = engine.output("hidden");
      hidden.insert(hidden.end(), rows.begin(), rows.end());
      const size_t known = at < 20 ? 20 : at + 1;
      drafter.evaluated(s, std::span(ids).first(known), static_cast<int64_t>(at), rows);
      if (at + n < 20) continue;
      const auto tokens = std::span(ids).first(at + n + 1);
      const auto guess = drafter.guess(tokens, 2);
      ASSERT_EQ(guess.size(), 2u);
      const size_t row = at + n - 1;  // of the token before the last
      EXPECT_EQ(static_cast<size_t>(guess[0]),
                likeliest(std::span(expected).subspan(row * vocab, vocab)))
          << row;
      const SequenceId anew = *engine.open();
      std::vector<TokenId> next(tokens.begin() + 1, tokens.end());
      const std::span<const float> given = hidden;
      const ashlar::Run whole{anew, next, ashlar::Run::Logits::last, {&given, 1}};
      engine.step({&whole, 1}, {}, 1);
      const auto own = engine.output("hidden", 1);
      ASSERT_EQ(own.size(), width);
      const std::vector<float> last(own.begin(), own.end());
      const std::span<const float> state = last;
      const ashlar::Run after{anew, {guess.data(), 1}, ashlar::Run::Logits::last, {&state, 1}};
      EXPECT_EQ(static_cast<size_t>(guess[1]), likeliest(engine.step({&after, 1}, {}, 1)));
      engine.close(anew);
      EXPECT_EQ(engine.length(s, 1), static_cast<int64_t>(row) + 1);
    }
  }
}

/// A model whose next token follows from the last alone, and whose layer knows that: blocks add
/// nothing, and the layer's projection lets the embedding of the next token through.
Model knowing_model() {
  Blueprint bp = testing::deepseek_like();
  bp.head.tied = false;
  Model model = model_of(bp, Format::f32);
  const auto fill = [&](const std::string& name, auto value) {
    Tensor& t = model.weights.at(name);
    std::byte* data = nullptr;
    Tensor made = make_tensor(Format::f32, t.sizes, &data);
    auto* numbers = reinterpret_cast<float*>(data);
    const int64_t cols = t.sizes.size() > 1 ? t.cols() : 1;
    for (int64_t i = 0; i < t.elements(); ++i) numbers[i] = value(i / cols, i % cols);
    t = made;
  };
  const auto zero = [](int64_t, int64_t) { return 0.0f; };
  for (const auto& [name, tensor] : Weights(model.weights)) {
    if (name.ends_with(".attn.o") || name.ends_with(".down")) fill(name, zero);
    if (name.ends_with("norm")) fill(name, [](int64_t, int64_t) { return 1.0f; });
  }
  fill("mtp.0.project", [](int64_t r, int64_t c) { return r == c ? 1.0f : 0.0f; });
  return model;
}

TEST(MtpDrafting, ALayerThatKnowsIsAlwaysRight) {
  const Model model = knowing_model();
  const auto prompt = some_tokens(7, model.blueprint.embedding.vocab);
  const EngineOptions made{.threads = 1, .context = 64};
  GenerateOptions options{.max_tokens = 30, .ignore_end = true};
  const Generation expected = generate(model, made, false, prompt, options);
  const Generation found = generate(model, made, true, prompt, options);
  EXPECT_EQ(found.ids, expected.ids);
  EXPECT_GT(found.drafted_tokens, 15);
  EXPECT_EQ(found.accepted_tokens, found.drafted_tokens);
}

TEST(MtpDrafting, AConversationGoesOnFromWhatItHolds) {
  const Model model = knowing_model();
  const EngineOptions made{.threads = 1, .context = 128};
  Engine engine = engine_of(model, made, true);
  GenerateOptions options{.max_tokens = 10, .ignore_end = true};
  options.drafter = mtp_drafter(engine);
  Generator generator(engine, nullptr, {});
  std::vector<TokenId> prompt = some_tokens(7, model.blueprint.embedding.vocab);
  for (int turn = 0; turn < 4; ++turn) {
    // Each turn goes on, but for the third, which changes what was said.
    if (turn == 2) prompt.resize(12);
    prompt.push_back(turn);
    const Generation found = generator.generate(prompt, options);
    EXPECT_EQ(found.ids,
              generate(model, made, false, prompt, {.max_tokens = 10, .ignore_end = true}).ids)
        << turn;
    EXPECT_GT(found.accepted_tokens, 4) << turn;
    EXPECT_EQ(found.accepted_tokens, found.drafted_tokens) << turn;
    prompt.insert(prompt.end(), found.ids.begin(), found.ids.end());
  }
  // One that was evaluated without the drafter has no past to guess from.
  Engine other = engine_of(model, made, true);
  Generator late(other, nullptr, {});
  const Generation first = late.generate(prompt, {.max_tokens = 2, .ignore_end = true});
  prompt.insert(prompt.end(), first.ids.begin(), first.ids.end());
  options.drafter = mtp_drafter(other);
  const Generation second = late.generate(prompt, options);
  EXPECT_EQ(second.drafted_tokens, 0);
  EXPECT_EQ(second.ids.size(), 10u);
}

TEST(MtpDrafting, SaysWhatItNeeds) {
  const Model model = model_of(testing::deepseek_like(), Format::f32);
  const EngineOptions made{.threads = 1, .context = 32};
  Engine engine = engine_of(model, made, true), plain = engine_of(model, made, false);
  expect_contains(error_of([&] { mtp_drafter(plain); }).what(), "choose `mtp`");
  Engine same = engine_of(model, made, true);
  GenerateOptions options{.max_tokens = 3};
  options.drafter = mtp_drafter(engine);
  const std::vector<TokenId> prompt{1, 2};
  expect_contains(error_of([&] { Generator(same, nullptr, {}).generate(prompt, options); }).what(),
                  "another engine");
  const Model without = load_model(testing::golden("llama_tied_wide_heads").string());
  const Error e = error_of([&] { engine_of(without, made, true); });
  EXPECT_EQ(e.kind(), ErrorKind::unsupported);
  expect_contains(e.what(), "no layer for multi-token prediction");
  // Without drafting nothing grows.
  EXPECT_LT(plain.state_bytes(), engine.state_bytes());
  const Engine usual(model.graph, model.weights, made);
  EXPECT_EQ(plain.state_bytes(), usual.state_bytes());
  EXPECT_EQ(plain.activation_bytes(), usual.activation_bytes());
}

}  // namespace
}  // namespace ashlar
