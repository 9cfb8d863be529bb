// Vocabularies learned from a text equal those of Hugging Face's BpeTrainer, and what is written is
// read with the same ids.
#include <gtest/gtest.h>

#include "base/json.h"
#include "support/errors.h"
#include "support/paths.h"
#include "text/bpe_trainer.h"
#include "text/tokenizer.h"

namespace ashlar::testing {
namespace {

std::string folder() { return source_dir() + "/tests/golden/bpe/"; }

/// Lines with their ends, as the golden data was made.
std::vector<std::string> lines() {
  const std::string all = read_file(folder() + "corpus.txt");
  std::vector<std::string> found;
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = std::min(all.find('\n', begin), all.size() - 1) + 1;
    found.push_back(all.substr(begin, end - begin));
    begin = end;
  }
  return found;
}

TEST(BpeTrainer, EqualsHuggingFaces) {
  const std::vector<std::string> text = lines();
  WordCounts words;
  words.add(std::span(text).subspan(0, 50), 1);
  words.add(std::span(text).subspan(50), 2);
  for (const Json& expected : read_json(folder() + "expected.json")) {
    SCOPED_TRACE(expected["vocab"].dump());
    const TrainedBpe bpe =
        train_bpe(words, {.vocab = expected["vocab"], .min_frequency = expected["min_frequency"]});
    EXPECT_EQ(bpe.tokens, expected["tokens"].get<std::vector<std::string>>());
    std::vector<std::pair<std::string, std::string>> merges;
    for (const auto& [left, right] : bpe.merges)
      merges.emplace_back(bpe.tokens[static_cast<size_t>(left)],
                          bpe.tokens[static_cast<size_t>(right)]);
    EXPECT_EQ(Json(merges), expected["merges"]);
    const auto tokenizer = Tokenizer::from_json(tokenizer_json_of(bpe), "learned");
    for (size_t i = 0; i < expected["ids"].size(); ++i) {
      EXPECT_EQ(tokenizer->encode(text[i]), expected["ids"][i].get<std::vector<TokenId>>());
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text[i])), text[i]);
    }
    EXPECT_EQ(tokenizer->encode("<|endoftext|>x")[0], 0);
  }
}

TEST(BpeTrainer, StopsWhereNothingIsFrequent) {
  WordCounts words;
  const std::vector<std::string> text{"ab ab ab cd"};
  words.add(text, 1);
  const TrainedBpe bpe = train_bpe(words, {.vocab = 1000, .min_frequency = 2});
  EXPECT_EQ(bpe.tokens.size(), 257 + 2);  // "ab", " ab"
  expect_error([&] { train_bpe(words, {.vocab = 256}); }, "expected 257");
  const TrainedBpe bytes = byte_vocabulary();
  const auto tokenizer = Tokenizer::from_json(tokenizer_json_of(bytes), "bytes");
  EXPECT_EQ(tokenizer->size(), 257);
  EXPECT_EQ(tokenizer->encode("é\n").size(), 3);
}

}  // namespace
}  // namespace ashlar::testing
