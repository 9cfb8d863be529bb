// The chains that GGUF files name: all are valid, and the longest of them is what its file spells.
#include "text/known_patterns.h"

#include <gtest/gtest.h>

#include "text/pattern.h"

namespace ashlar {
namespace {

TEST(KnownPatterns, AllCompile) {
  for (const char* name : {"gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "grok-2", "gpt-4o",
                           "tekken", "deepseek-llm", "deepseek-coder", "deepseek-v3", "kimi-k2",
                           "command-r", "starcoder", "seed-coder", "minimax-m2", "default", ""}) {
    const KnownPatterns* known = known_patterns(name);
    ASSERT_NE(known, nullptr) << name;
    ASSERT_FALSE(known->patterns.empty()) << name;
    for (const char* pattern : known->patterns) {
      EXPECT_NO_THROW(Pattern::regex(pattern, name)) << name << ": " << pattern;
    }
  }
  EXPECT_EQ(known_patterns("no such chain"), nullptr);
}

std::vector<std::string> split(const char* name, std::string_view text) {
  std::vector<std::string> found;
  Pattern::regex(known_patterns(name)->patterns.at(0), name)
      .split(text, [&](size_t start, size_t end, bool) {
        found.emplace_back(text.substr(start, end - start));
      });
  return found;
}

// As the tokenizers library splits: Seed's punctuation leaves the ends of lines to the next piece.
TEST(KnownPatterns, PiecesOfSeedAndMiniMax) {
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(split("seed-coder", "It'S 12 ...!!\n\n  x;\r\n a"),
            (Pieces{"It", "'S", " ", "1", "2", " ...!!", "\n\n", " ", " x", ";", "\r\n", " a"}));
  EXPECT_EQ(split("minimax-m2", "HTMLParser's 1234 //\n x"),
            (Pieces{"HTMLParser's", " ", "123", "4", " //\n", " x"}));
}

// The letters of DeepSeek V2 include two that are other letters in normal form C.
TEST(KnownPatterns, LettersOfDeepseekV2) {
  const Pattern letters = Pattern::regex(known_patterns("deepseek-llm")->patterns.at(1), "letters");
  const auto pieces = [&](std::string_view text) {
    std::vector<std::string> found;
    letters.split(text, [&](size_t start, size_t end, bool is_match) {
      if (is_match) found.emplace_back(text.substr(start, end - start));
    });
    return found;
  };
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(pieces("abc d\u00e9 \u1f7d\u1fbe"), (Pieces{"abc", " d\u00e9", " \u1f7d\u1fbe"}));
  EXPECT_EQ(pieces("\U00010400\U0001e943"), (Pieces{"\U00010400\U0001e943"}));
  EXPECT_EQ(pieces("\u4e2d\u0627\u1fbd\u1f7e1"), Pieces{});
}

}  // namespace
}  // namespace ashlar
