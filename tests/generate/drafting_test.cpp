// Drafting changes no token: lookup, a draft model, and guesses that are right or wrong on purpose,
// against the same generation without them.
#include "generate/drafting.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "generate/generator.h"
#include "support/golden.h"
#include "support/models.h"
#include "support/random_model.h"
#include "support/samples.h"
#include "support/small_text_model.h"

namespace ashlar {
namespace {

using testing::expect_contains, testing::error_of;

/// Guesses what it was told, some of it wrongly.
class Oracle : public Drafter {
 public:
  Oracle(std::vector<TokenId> all, size_t wrong) : all_(std::move(all)), wrong_(wrong) {}
  std::vector<TokenId> guess(std::span<const TokenId> tokens, int64_t most) override {
    std::vector<TokenId> guessed;
    for (size_t i = tokens.size(); i < all_.size() && guessed.size() < static_cast<size_t>(most);
         ++i)
      guessed.push_back(wrong_ > 0 && i % wrong_ == 0 ? (all_[i] + 1) % 30 : all_[i]);
    return guessed;
  }

 private:
  std::vector<TokenId> all_;
  size_t wrong_;
};

void expect_same(const Generation& found, const Generation& expected) {
  EXPECT_EQ(found.ids, expected.ids);
  EXPECT_EQ(found.text, expected.text);
  EXPECT_EQ(found.stop, expected.stop);
  EXPECT_LE(found.accepted_tokens, found.drafted_tokens);
}

/// Every family, with the weights as they are and as int8 blocks where they fit.
TEST(Drafting, ChangesNoTokenOfAnyFamily) {
  int64_t accepted = 0, families = 0;
  for (const std::string& name : golden_names([](const fs::path&) { return true; })) {
    SCOPED_TRACE(name);
    const Golden golden = read_golden(name);
    const auto model =
        std::make_shared<const Model>(load_model((golden.folder / "model").string()));
    const EngineOptions made{.threads = 1, .context = 96};
    Engine engine(model->graph, model->weights, made);
    const std::vector<TokenId> prompt(golden.ids.begin(), golden.ids.begin() + 9);
    for (const float temperature : {0.0f, 0.8f}) {
      GenerateOptions options{.max_tokens = 24, .ignore_end = true};
      options.sampling.temperature = temperature;
      options.sampling.seed = 3;
      Generator plain(engine, nullptr, {});
      const Generation expected = plain.generate(prompt, options);
      for (const auto& drafter :
           {lookup_drafter(),
            engine.can_go_back() ? model_drafter(model, *model, made) : nullptr}) {
        options.drafter = drafter;
        options.draft_tokens = 4;
        Engine other(model->graph, model->weights, made);
        Generator drafted(other, nullptr, {});
        const Generation found = drafted.generate(prompt, options);
        expect_same(found, expected);
        accepted += found.accepted_tokens;
        if (!engine.can_go_back()) {
          EXPECT_EQ(found.drafted_tokens, 0);
        }
      }
    }
    ++families;
  }
  EXPECT_GT(families, 50);
  EXPECT_GT(accepted, 10 * families);  // some models go round in circles, each drafts for itself
}

class Guessing : public testing::SmallTextModel {
 protected:
  Generation generate(GenerateOptions options, int64_t context = 64,
                      std::vector<TokenId> end_tokens = {}) const {
    Engine e(graph_, weights_, {.threads = 1, .context = context});
    Generator generator(e, tokenizer_.get(), std::move(end_tokens));
    const Generation first = generator.generate(prompt_, options);
    // What the sequence holds afterwards is what it says: a longer prompt goes on from it.
    std::vector<TokenId> longer = prompt_;
    longer.insert(longer.end(), first.ids.begin(), first.ids.end());
    if (static_cast<int64_t>(longer.size()) < context) {
      const Generation more = generator.generate(longer, {.max_tokens = 1});
      Engine fresh(graph_, weights_, {.threads = 1, .context = context});
      Generator anew(fresh, tokenizer_.get(), {});
      EXPECT_EQ(more.ids, anew.generate(longer, {.max_tokens = 1}).ids);
    }
    return first;
  }
  /// All of it, with guesses that are right, or every third of which is wrong.
  void expect_unchanged(const GenerateOptions& options, int64_t context = 64,
                        const std::vector<TokenId>& end_tokens = {}) const {
    const Generation expected = generate(options, context, end_tokens);
    GenerateOptions long_ones{.max_tokens = 40, .sampling = options.sampling, .ignore_end = true};
    std::vector<TokenId> all = prompt_;
    const Generation whole = generate(long_ones);
    all.insert(all.end(), whole.ids.begin(), whole.ids.end());
    for (const size_t wrong : {0, 3, 1}) {
      for (const int64_t most : {1, 4, 16}) {
        GenerateOptions drafting = options;
        drafting.drafter = std::make_shared<Oracle>(all, wrong);
        drafting.draft_tokens = most;
        const Generation found = generate(drafting, context, end_tokens);
        expect_same(found, expected);
        if (wrong == 0 && expected.ids.size() > 4) {
          EXPECT_GT(found.accepted_tokens, 0);
        }
        if (wrong == 1) {
          EXPECT_EQ(found.accepted_tokens, 0);
        }
      }
    }
  }

  const std::vector<TokenId> prompt_ = {5, 9, 2, 40};
};

TEST_F(Guessing, EndsInsideAGuessAsWithoutOne) {
  for (const int64_t tokens : {1, 2, 3, 7, 24}) expect_unchanged({.max_tokens = tokens});
  const Generation whole = generate({.max_tokens = 24});
  for (const size_t at : {1, 4, 6, 11}) {
    expect_unchanged({.max_tokens = 24}, 64, {whole.ids[at]});
    expect_unchanged({.max_tokens = 24, .stop = {whole.text.substr(2 * at, 3)}});
  }
  for (const int64_t context : {6, 9, 10, 17}) expect_unchanged({.max_tokens = 50}, context);
}

TEST_F(Guessing, KeepsTheSeedsText) {
  GenerateOptions options{.max_tokens = 24};
  options.sampling.temperature = 1.2f;
  options.sampling.top_k = 20;
  options.sampling.repetition_penalty = 1.1f;
  options.sampling.frequency_penalty = 0.2f;
  for (const uint64_t seed : {1, 2, 3}) {
    options.sampling.seed = seed;
    expect_unchanged(options);
  }
}

TEST_F(Guessing, ALeaverLeavesAtTheSameToken) {
  const auto until = [&](std::shared_ptr<Drafter> drafter, int64_t tokens) {
    Engine e(graph_, weights_, {.threads = 1, .context = 64});
    Generator generator(e, tokenizer_.get(), {});
    int64_t calls = 0;
    return generator.generate(prompt_, {.max_tokens = 20, .drafter = std::move(drafter)},
                              [&](std::string_view) { return ++calls < tokens; });
  };
  const Generation whole = generate({.max_tokens = 20});
  std::vector<TokenId> all = prompt_;
  all.insert(all.end(), whole.ids.begin(), whole.ids.end());
  for (const int64_t tokens : {1, 2, 3, 5})
    expect_same(until(std::make_shared<Oracle>(all, 0), tokens), until(nullptr, tokens));
}

TEST_F(Guessing, WrongAndForeignGuessesDoNoHarm) {
  class Foreign : public Drafter {
   public:
    std::vector<TokenId> guess(std::span<const TokenId>, int64_t most) override {
      return std::vector<TokenId>(static_cast<size_t>(2 * most), ++calls_ % 2 == 0 ? -1 : 1 << 30);
    }

   private:
    int calls_ = 0;
  };
  GenerateOptions options{.max_tokens = 9};
  const Generation expected = generate(options);
  options.drafter = std::make_shared<Foreign>();
  expect_same(generate(options), expected);
  options.draft_tokens = 0;
  expect_contains(error_of([&] { generate(options); }).what(), "`draft_tokens`");
}

TEST(Lookup, CopiesWhatFollowedTheLongestLatestMatch) {
  const auto drafter = lookup_drafter();
  const auto guess = [&](std::vector<TokenId> tokens, int64_t most = 3) {
    return drafter->guess(tokens, most);
  };
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(guess({1, 2, 3, 4, 5, 9, 1, 2}), Ids({3, 4, 5}));
  EXPECT_EQ(guess({1, 2, 3, 1, 2, 4, 1, 2}, 2), Ids({4, 1}));        // the latest
  EXPECT_EQ(guess({7, 1, 2, 3, 8, 1, 2, 4, 7, 1, 2}, 1), Ids({3}));  // the longest
  EXPECT_EQ(guess({4, 4, 4}, 5), Ids({4, 4, 4, 4, 4}));              // a text that goes round
  EXPECT_EQ(guess({1, 2, 3, 1, 2}, 5), Ids({3, 1, 2, 3, 1}));
  EXPECT_EQ(guess({1, 2, 3, 4}), Ids());
  EXPECT_EQ(guess({2, 5, 3, 2}), Ids());  // one token is no reason
  EXPECT_EQ(guess({1}), Ids());
  EXPECT_EQ(guess({}), Ids());
}

TEST(DraftModels, OfAnotherVocabularyAreRefused) {
  const auto load = [](const std::string& name) {
    return std::make_shared<const Model>(load_model(testing::golden(name).string()));
  };
  const auto model = load("llama_tied_wide_heads");
  const EngineOptions options{.threads = 1, .context = 32};
  EXPECT_NO_THROW(model_drafter(model, *model, options));
  Model other = load_model(testing::golden("llama_tied_wide_heads").string());
  other.blueprint.embedding.vocab += 1;
  other.source = "other";
  const Error e = error_of([&] { model_drafter(model, other, options); });
  EXPECT_EQ(e.kind(), ErrorKind::invalid);
  expect_contains(e.what(), "same vocabulary");
  expect_contains(e.what(), "other");

  const auto recurrent = load("qwen3_next_usual");
  const Error gone = error_of([&] { model_drafter(recurrent, *recurrent, options); });
  EXPECT_EQ(gone.kind(), ErrorKind::unsupported);
  expect_contains(gone.what(), "cannot go back");
}

TEST(DraftModels, SpellEveryTokenAlike) {
  Json file = read_json(std::filesystem::path(source_dir()) / "tests/text/tokenizers/gpt2.json");
  const auto model = [&](const std::string& name) {
    auto m = std::make_shared<Model>();
    m->source = name;
    m->blueprint = testing::qwen_like();
    m->tokenizer = Tokenizer::from_json(file.at("tokenizer").dump(), name);
    m->blueprint.embedding.vocab = m->tokenizer->size();
    m->graph = graph_of(m->blueprint);
    m->weights = testing::random_weights(m->graph);
    return m;
  };
  const auto target = model("big");
  EXPECT_NO_THROW(model_drafter(model("small"), *target, {.threads = 1, .context = 32}));
  Json& vocab = file.at("tokenizer").at("model").at("vocab");
  std::string a, b;  // two words of no merge change places
  for (const auto& [token, id] : vocab.items()) {
    if (id == 3) a = token;
    if (id == 4) b = token;
  }
  vocab[a] = 4;
  vocab[b] = 3;
  const Error e =
      error_of([&] { model_drafter(model("swapped"), *target, {.threads = 1, .context = 32}); });
  expect_contains(e.what(), "swapped: cannot draft for big");
  expect_contains(e.what(), "token 3 is \"" + b + "\" there and \"" + a + "\" here");
}

}  // namespace
}  // namespace ashlar
