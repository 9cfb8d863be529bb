// What families refuse of GGUF files, and what keys of rotations mean there.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "base/error.h"
#include "support/published.h"

namespace ashlar::testing {
namespace {

std::string gguf_refusal(const std::string& model, const std::function<void(GgufKeys&)>& edit) {
  const Blueprint bp = published(model);
  const Family& family = *family_named(bp.family);
  GgufKeys keys = write_gguf_keys(bp, family);
  const std::set<std::string> tensors = tensor_names(bp, family, true);
  keys.has_tensor = [&](std::string_view name) { return tensors.contains(std::string(name)); };
  edit(keys);
  try {
    read_gguf_keys(keys, std::string(family.gguf), "x.gguf");
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing thrown";
}

auto setting(const std::string& key, const Json& value) {
  return [key, value](GgufKeys& k) { k.keys[key] = value; };
}

TEST(Refusals, KeysOfGgufThatNobodyReads) {
  for (const auto& [model, key, value] :
       {std::tuple{"olmo-2-1b", "no_such_thing", Json(1024)},
        std::tuple{"llama-3.1-8b", "residual_scale", Json(0.22)},
        std::tuple{"llama-3.1-8b", "attention.causal", Json(false)},
        std::tuple{"qwen3-0.6b", "attn_logit_softcapping", Json(50.0)},
        std::tuple{"qwen3-0.6b", "attention.sliding_window_pattern", Json::array({true, false})},
        std::tuple{"gpt2", "rope.freq_base", Json(10000.0)},
        std::tuple{"deepseek-v3", "attention.indexer.top_k", Json(2048)}}) {
    const std::string message = gguf_refusal(model, setting(key, value));
    EXPECT_TRUE(message.starts_with("x.gguf: ")) << message;
    EXPECT_NE(message.find(key), std::string::npos) << message;
  }
  // What says nothing, or says none.
  for (const auto& [key, value] :
       {std::pair{"residual_scale", Json(1.0)}, std::pair{"attention.causal", Json(true)},
        std::pair{"attn_logit_softcapping", Json(0.0)}, std::pair{"expert_count", Json(0)},
        std::pair{"vision.block_count", Json(27)}, std::pair{"pooling_type", Json(3)},
        std::pair{"use_parallel_residual", Json(false)},
        std::pair{"tensor_data_layout", Json("Meta AI original pth")}})
    EXPECT_EQ(gguf_refusal("llama-3.1-8b", setting(key, value)), "nothing thrown") << key;
}

TEST(Refusals, GgufThatMakesNoSense) {
  for (const auto& [model, key, value] :
       {std::tuple{"llama-3.1-8b", "attention.head_count_kv", Json::array({8})},
        std::tuple{"llama-3.1-8b", "attention.head_count_kv", Json(std::vector<int>(33, 8))},
        std::tuple{"llama-3.1-8b", "rope.freq_base", Json(0.0)},
        std::tuple{"llama-3.1-8b", "rope.freq_base", Json(-1.0)},
        std::tuple{"llama-3.1-8b", "rope_freqs", Json(std::vector<double>(5, 1.0))},
        std::tuple{"gemma-3-270m", "attention.sliding_window_pattern", Json::array({true})},
        std::tuple{"deepseek-v3", "expert_used_count", Json(0)}}) {
    const std::string message = gguf_refusal(model, setting(key, value));
    EXPECT_TRUE(message.starts_with("x.gguf: ")) << message;
    const std::string shown = key == std::string("rope_freqs") ? "rope_freqs.weight" : key;
    EXPECT_NE(message.find(shown), std::string::npos) << message;
  }
  EXPECT_EQ(gguf_refusal("llama-3.1-8b",
                         [](GgufKeys& k) {
                           k.keys["attention.head_count_kv"] = Json(std::vector<int>(32, 8));
                         }),
            "nothing thrown");
}

TEST(GgufRope, AFactorWithoutATypeIsLinear) {
  const auto rope_of = [](const std::function<void(Json&)>& edit) {
    const Blueprint bp = published("mistral-7b-v0.3");
    const Family& family = *family_named("llama");
    GgufKeys keys = write_gguf_keys(bp, family);
    const std::set<std::string> tensors = tensor_names(bp, family, true);
    keys.has_tensor = [&](std::string_view name) { return tensors.contains(std::string(name)); };
    edit(keys.keys);
    const Blueprint read = read_gguf_keys(keys, "llama", "x.gguf").blueprint;
    return *std::get<AttentionPart>(read.blocks[0].mixer).rope;
  };
  const RopePart linear = rope_of([](Json& k) { k["rope.scaling.factor"] = 4.0; });
  EXPECT_EQ(linear.scaling, RotationScaling::linear);
  EXPECT_EQ(linear.factor, 4);
  EXPECT_EQ(rope_of([](Json& k) { k["rope.scale_linear"] = 4.0; }), linear);
  EXPECT_EQ(rope_of([](Json& k) {
              k["rope.scaling.factor"] = 4.0;
              k["rope.scaling.type"] = "linear";
            }),
            linear);
  for (const auto& edit : {std::function<void(Json&)>([](Json&) {}),
                           {[](Json& k) { k["rope.scaling.factor"] = 1.0; }},
                           {[](Json& k) {
                             k["rope.scaling.factor"] = 4.0;
                             k["rope.scaling.type"] = "none";
                           }}})
    EXPECT_EQ(rope_of(edit).scaling, RotationScaling::none);
}

TEST(GgufRope, FactorsOfYarnSurvive) {
  for (const double attention : {1.0, 0.5, 1.2, 0.7071, 1.2772588722239782}) {
    Json config = published_config("qwen3-0.6b");
    config["rope_scaling"] = {{"rope_type", "yarn"},
                              {"factor", 4.0},
                              {"original_max_position_embeddings", 8192},
                              {"attention_factor", attention}};
    const Blueprint bp = read_config(config, "config.json").blueprint;
    const Blueprint again = through_gguf(bp, *family_named("qwen3"));
    const auto& rope = std::get<AttentionPart>(again.blocks[0].mixer).rope;
    EXPECT_NEAR(rope->attention_factor, attention, attention == 1.2772588722239782 ? 1e-6 : 0);
  }
}

}  // namespace
}  // namespace ashlar::testing
