// Broken configs and GGUF keys end in an Error or in a blueprint that passes its checks, nothing else.
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "support/published.h"

namespace ashlar::testing {
namespace {

/// Any value a broken config may hold.
Json anything(std::mt19937& random) {
  switch (random() % 12) {
    case 0:
      return nullptr;
    case 1:
      return true;
    case 2:
      return "yarn";
    case 3:
      return Json::array();
    case 4:
      return Json::object();
    case 5:
      return Json(std::vector<int>(random() % 50, 1));
    case 6:
      return -1;
    case 7:
      return 1e308;
    case 8:
      return static_cast<int64_t>(uint64_t{1} << (random() % 63));
    case 9:
      return 0;
    case 10:
      return static_cast<int64_t>(random() % 9);
    default:
      return 0.5;
  }
}

// Broken configs end in an Error or in a blueprint that passes its checks, nothing else.
TEST(Hostile, ChangedKeys) {
  std::mt19937 random(7);
  int read = 0, refused = 0;
  for (const std::string& name : published_names()) {
    const Json original = published_config(name);
    for (int round = 0; round < 60; ++round) {
      Json config = original;
      Json& text = config.contains("text_config") ? config["text_config"] : config;
      for (size_t n = 1 + random() % 3; n > 0; --n) {
        auto at = text.begin();
        std::advance(at, static_cast<int64_t>(random() % text.size()));
        if (at->is_object() && !at->empty() && random() % 2 == 0) {
          auto inner = at->begin();
          std::advance(inner, static_cast<int64_t>(random() % at->size()));
          *inner = anything(random);
        } else {
          *at = anything(random);
        }
      }
      try {
        const Read r = read_config(config, name);
        check(r.blueprint);
        EXPECT_LE(r.blueprint.blocks.size(), 4096u);
        ++read;
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(read, 100);
  EXPECT_GT(refused, 100);
}

TEST(Hostile, ChangedGgufKeys) {
  std::mt19937 random(8);
  for (const std::string& name : published_names()) {
    const Blueprint bp = published(name);
    const Family& family = *family_named(bp.family);
    const GgufKeys original = write_gguf_keys(bp, family);
    for (int round = 0; round < 30; ++round) {
      GgufKeys keys = original;
      keys.has_tensor = [&](std::string_view) { return random() % 2 == 0; };
      for (size_t n = 1 + random() % 3; n > 0; --n) {
        auto at = keys.keys.begin();
        std::advance(at, static_cast<int64_t>(random() % keys.keys.size()));
        *at = anything(random);
      }
      try {
        check(read_gguf_keys(keys, std::string(family.gguf), name).blueprint);
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace
}  // namespace ashlar::testing
