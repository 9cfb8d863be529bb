// TokenMap: looking up many names at once equals looking up each.
#include "text/token_map.h"

#include <gtest/gtest.h>

#include <random>

namespace ashlar {
namespace {

TEST(TokenMap, FindAllIsFindOfEach) {
  std::mt19937 random(7);
  const auto word = [&] {
    std::string text(random() % 12, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 4);
    return text;
  };
  TokenMap map;
  for (TokenId id = 0; id < 5000; ++id) map.set(word(), id);
  std::vector<std::string> words;
  for (int i = 0; i < 1000; ++i) words.push_back(word());
  const std::vector<std::string_view> texts(words.begin(), words.end());
  int known = 0;
  for (const size_t count : {0, 1, 63, 64, 65, 1000}) {
    std::vector<TokenId> ids(count, -2);
    map.find_all({texts.data(), count}, ids.data());
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(ids[i], map.find(texts[i])) << texts[i];
      known += ids[i] >= 0;
    }
  }
  EXPECT_GT(known, 100);
  EXPECT_LT(known, 1100);
}

}  // namespace
}  // namespace ashlar
