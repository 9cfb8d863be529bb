// GGUF files keep of Llama 3's rule of frequencies only the divisors; reading finds the rule again.
#include "base/error.h"
#include "support/published.h"

namespace ashlar::testing {
namespace {

/// The keys of a file as other converters write them: divisors as float32, none of our own keys.
GgufKeys foreign_keys(const Blueprint& bp, const Family& family) {
  GgufKeys keys = write_gguf_keys(bp, family);
  for (auto it = keys.keys.begin(); it != keys.keys.end();) {
    if (it.key().find("rope.llama3.") != std::string::npos) {
      it = keys.keys.erase(it);
      continue;
    }
    ++it;
  }
  const std::set<std::string> tensors = tensor_names(bp, family, true);
  keys.has_tensor = [tensors](std::string_view name) {
    return tensors.count(std::string(name)) > 0;
  };
  return keys;
}

std::vector<double> divisors(const Blueprint& bp, const Family& family) {
  std::vector<double> found;
  const GgufKeys keys = write_gguf_keys(bp, family);
  for (const auto& [key, value] : keys.keys.items()) {
    if (key.find("rope_freqs") != std::string::npos) found = value.get<std::vector<double>>();
  }
  return found;
}

TEST(RopeDivisors, ReadAsTheRuleThatMadeThem) {
  for (const std::string name : {"llama-3.1-8b", "llama-3.2-1b", "llama-4-scout"}) {
    for (const int64_t original : {8192, 256, 1000, 4096, 32768, 131072}) {
      Json config = published_config(name);
      Json& text = config.contains("text_config") ? config["text_config"] : config;
      text["rope_scaling"]["original_max_position_embeddings"] = original;
      const Read read = read_config(config, name);
      const Family& family = *read.family;
      const Blueprint back = read_gguf_keys(foreign_keys(read.blueprint, family),
                                            std::string(family.gguf), "file.gguf")
                                 .blueprint;
      const Json written = write_config(back, family);  // a rule that config.json can say
      EXPECT_NE(written.dump().find("llama3"), std::string::npos) << name << ' ' << original;
      if (name != "llama-4-scout")  // without a middle band many contexts are the same
        expect_same(read.blueprint, back, 1e-6);
      const auto want = divisors(read.blueprint, family), found = divisors(back, family);
      ASSERT_EQ(want.size(), found.size());
      ASSERT_FALSE(want.empty());
      for (size_t j = 0; j < want.size(); ++j)
        ASSERT_NEAR(found[j], want[j], 1e-5 * want[j]) << name << ' ' << original << " at " << j;
    }
  }
}

TEST(RopeDivisors, OthersStayDivisors) {
  const Read read = read_config(published_config("llama-3.1-8b"), "llama-3.1-8b");
  for (const double wrong : {0.0, -1.0, 1e300, std::nan("")}) {
    GgufKeys keys = foreign_keys(read.blueprint, *read.family);
    for (auto& [key, value] : keys.keys.items()) {
      if (key.find("rope_freqs") == std::string::npos) continue;
      value[3] = 2.5;
      value[40] = wrong;
    }
    try {
      const Blueprint bp = read_gguf_keys(keys, "llama", "file.gguf").blueprint;
      const auto& attention = std::get<AttentionPart>(bp.blocks[0].mixer);
      EXPECT_EQ(attention.rope->scaling, RotationScaling::divisors);
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("file.gguf"), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace ashlar::testing
