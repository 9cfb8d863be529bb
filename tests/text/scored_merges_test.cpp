// Merges by score, found one at a time, against the list of all of them.
#include "text/scored_merges.h"

#include <gtest/gtest.h>

#include <random>

namespace ashlar {
namespace {

/// A vocabulary of all letters and `words` random words of a small alphabet; one score in `classes`.
BpeModel random_vocabulary(uint32_t seed, int words, int classes) {
  std::mt19937 random(seed);
  BpeModel model;
  const auto add = [&](const std::string& text) {
    if (model.vocab.find(text) >= 0) return;
    model.vocab.set(text, static_cast<TokenId>(model.scores.size()));
    model.scores.push_back(-static_cast<float>(random() % static_cast<uint32_t>(classes)));
  };
  const std::vector<std::string> letters = {"a", "b", "c", "\u00e9", "\u2581"};
  for (const std::string& letter : letters) add(letter);
  for (int i = 0; i < words; ++i) {
    std::string text;
    for (uint32_t n = 2 + random() % 5; n > 0; --n) text += letters[random() % letters.size()];
    add(text);
  }
  return model;
}

TEST(ScoredMerges, FindWhatTheListHas) {
  for (const int classes : {1, 7, 1000, 1'000'000}) {
    const BpeModel model = random_vocabulary(static_cast<uint32_t>(classes), 400, classes);
    const std::vector<BpeModel::Merge> list = merges_from_scores(model);
    ASSERT_GT(list.size(), 100u);
    const ScoredMerges merges(model);
    std::string room;
    int64_t before = -1;
    for (const BpeModel::Merge& m : list) {
      const ScoredMerges::Merge found = merges.find(m.left, m.right, room);
      EXPECT_EQ(found.result, m.result);
      EXPECT_GT(int64_t{found.rank}, before) << "the order of the list";
      before = found.rank;
    }
    size_t pairs = 0;
    const auto tokens = static_cast<TokenId>(model.scores.size());
    for (TokenId left = 0; left < tokens; ++left)
      for (TokenId right = 0; right < tokens; ++right)
        pairs += merges.find(left, right, room).result >= 0;
    EXPECT_EQ(pairs, list.size()) << "and no others";
  }
}

TEST(ScoredMerges, EncodeAsTheListDoes) {
  for (const int classes : {1, 20, 1'000'000}) {
    const BpeModel scored = random_vocabulary(static_cast<uint32_t>(classes) + 9, 600, classes);
    BpeModel listed = scored;
    listed.merges = merges_from_scores(scored);
    listed.scores.clear();
    const Bpe by_score(scored, "test"), by_list(listed, "test");
    BpeScratch one, other;
    std::mt19937 random(5);
    const std::vector<std::string> letters = {"a", "b", "c", "\u00e9", "\u2581"};
    for (int round = 0; round < 200; ++round) {
      std::string text;
      for (uint32_t n = random() % 200; n > 0; --n) text += letters[random() % letters.size()];
      std::vector<TokenId> ids, expected;
      by_score.encode(text, one, ids);
      by_list.encode(text, other, expected);
      EXPECT_EQ(ids, expected) << text;
    }
  }
}

TEST(ScoredMerges, NeverMakeAControlToken) {
  BpeModel model = random_vocabulary(3, 300, 1'000'000);
  const BpeModel::Merge first = merges_from_scores(model).front();
  const std::string text(model.vocab.name(static_cast<size_t>(first.result)));
  const auto encoded = [&] {
    const Bpe bpe(model, "test");
    BpeScratch scratch;
    std::vector<TokenId> ids;
    bpe.encode(text, scratch, ids);
    return ids;
  };
  model.never = {first.result};
  for (const TokenId id : encoded()) EXPECT_NE(id, first.result);
}

}  // namespace
}  // namespace ashlar
