// What families refuse, and how: unknown architectures, missing and misshapen keys, options that
// would change the results, sizes that cannot be.
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/errors.h"
#include "support/published.h"

namespace ashlar::testing {
namespace {

std::string refusal(const Json& config) {
  try {
    read_config(config, "config.json");
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing thrown";
}

void expect_refusal(const Json& config, std::initializer_list<const char*> parts) {
  const std::string message = refusal(config);
  for (const char* part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
}

Json changed(const std::string& name, const std::string& key, Json value) {
  Json config = published_config(name);
  Json& text = config.contains("text_config") ? config["text_config"] : config;
  text[key] = std::move(value);
  return config;
}

Json without(const std::string& name, const std::string& key) {
  Json config = published_config(name);
  config.erase(key);
  return config;
}

TEST(Refusals, UnknownArchitecture) {
  expect_refusal(Json::parse(R"({"model_type": "qwen4", "architectures": ["Qwen4ForCausalLM"]})"),
                 {"config.json", "qwen4", "known are", "llama", "gpt_oss"});
  expect_refusal(Json::parse(R"({"architectures": ["Olmo9ForCausalLM"]})"), {"Olmo9ForCausalLM"});
  expect_refusal(Json::object(), {"model_type is missing"});
  expect_refusal(Json::array(), {"expected an object"});
  expect_refusal(Json::parse(R"({"model_type": 7})"), {"model_type is missing"});
  EXPECT_THROW(read_gguf_keys({}, "rwkv7", "x.gguf"), Error);
  try {
    read_gguf_keys({}, "qwen37", "x.gguf");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    // A name that looks alike says nothing about what is computed.
    EXPECT_EQ(std::string(e.what()).find("nearest"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("qwen35"), std::string::npos) << e.what();
  }
}

TEST(Refusals, OptionsThatChangeTheResult) {
  expect_refusal(changed("phi-4-mini", "attention_bias", true), {"attention_bias", "true"});
  expect_refusal(changed("phi-4-mini", "lm_head_bias", true), {"lm_head_bias", "true"});
  expect_refusal(changed("gemma-2-2b", "use_bidirectional_attention", true),
                 {"use_bidirectional_attention", "true"});
  expect_refusal(changed("granite-3.3-2b", "logits_scaling", 0), {"logits_scaling", "0"});
  expect_refusal(changed("granite-3.3-2b", "attention_multiplier", 0), {"attention_multiplier"});
  expect_refusal(changed("granite-4.0-micro", "num_local_experts", 8), {"num_local_experts", "8"});
  expect_refusal(without("granite-4.0-micro", "num_local_experts"), {"num_local_experts"});
  expect_refusal(without("granite-4.0-micro", "layer_types"), {"layer_types"});
  Json hybrid = published_config("granite-4.0-micro");
  hybrid["layer_types"][3] = "mamba";
  expect_refusal(hybrid, {"layer_types", "mamba"});
  expect_refusal(changed("glm-4-9b-0414", "partial_rotary_factor", 1.5), {"partial_rotary_factor"});
  expect_refusal(changed("qwen2.5-7b", "hidden_act", "relu"), {"hidden_act", "relu"});
}

TEST(Refusals, AModelTypeThatIsUnknownWhateverIsAroundIt) {
  // A wrapper's name says nothing about what is wrapped, nor does a class that is not this one's.
  for (const char* wrapper : {"mistral-small-3.1-24b", "gemma-3-27b", "llama-4-scout"}) {
    Json config = published_config(wrapper);
    ASSERT_TRUE(config.contains("text_config")) << wrapper;
    config["text_config"]["model_type"] = "dragon7";
    expect_refusal(config, {"config.json", "dragon7", "not known"});
  }
  Json config = published_config("llama-3.1-8b");
  config["model_type"] = "dragon7";
  expect_refusal(config, {"dragon7", "not known"});
  // Another known type inside is read as what it is.
  config = published_config("mistral-small-3.1-24b");
  config["text_config"]["model_type"] = "llama";
  EXPECT_EQ(read_config(config, "config.json").family->name, "llama");
}

TEST(Refusals, ArchitectureWithoutModelType) {
  Json config = without("qwen3-0.6b", "model_type");
  EXPECT_EQ(read_config(config, "config.json").family->name, "qwen3");
}

TEST(Refusals, MissingKeys) {
  // Of a model type that no class of Transformers has; others have its defaults.
  expect_refusal(without("grok-2", "hidden_size"), {"config.json", "hidden_size is missing"});
  expect_refusal(changed("llama-3.1-8b", "hidden_size", nullptr), {"hidden_size is missing"});
  expect_refusal(without("grok-2", "residual_moe"), {"residual_moe is missing"});
  GgufKeys keys;
  keys.keys["block_count"] = 2;
  EXPECT_THROW(read_gguf_keys(keys, "llama", "x.gguf"), Error);
}

TEST(Refusals, WrongKinds) {
  expect_refusal(changed("llama-3.1-8b", "hidden_size", "4096"),
                 {"hidden_size", "whole number", "\"4096\""});
  expect_refusal(changed("llama-3.1-8b", "hidden_size", 4096.5), {"hidden_size", "4096.5"});
  expect_refusal(changed("llama-3.1-8b", "rms_norm_eps", Json::array()),
                 {"rms_norm_eps", "a number"});
  expect_refusal(changed("llama-3.1-8b", "tie_word_embeddings", "no"),
                 {"tie_word_embeddings", "true or false"});
  expect_refusal(changed("qwen3-0.6b", "layer_types", "full_attention"), {"layer_types", "a list"});
  expect_refusal(changed("smollm3-3b", "no_rope_layers", Json::array({1, "x"})),
                 {"no_rope_layers"});
  expect_refusal(changed("llama-3.1-8b", "hidden_act", 3), {"hidden_act", "a text"});
  for (const Json& scaling : {Json(3), Json("llama3"), Json::array()})
    expect_refusal(changed("llama-3.1-8b", "rope_scaling", scaling),
                   {"rope_scaling", "an object", scaling.dump().c_str()});
  expect_refusal(changed("llama-3.1-8b", "rope_theta", 0), {"rope_theta", "positive", "0"});
}

TEST(Refusals, OptionsThatWouldChangeTheResult) {
  expect_refusal(changed("llama-3.1-8b", "hidden_act", "quick_gelu"),
                 {"hidden_act", "silu", "quick_gelu"});
  expect_refusal(changed("gpt2", "activation_function", "tanh"), {"activation_function", "tanh"});
  // What is missing is named where the file has what stands beside it.
  expect_refusal(changed("llama-3.1-8b", "rope_scaling", Json{{"type", "linear"}}),
                 {"rope_scaling.factor is missing"});
  expect_refusal(
      changed("llama-3.1-8b", "rope_scaling", Json{{"rope_type", "llama3"}, {"factor", 8}}),
      {"rope_scaling.low_freq_factor is missing"});
  expect_refusal(changed("llama-3.1-8b", "rope_scaling", Json{{"type", "dynamic"}, {"factor", 2}}),
                 {"rope_type", "dynamic"});
  expect_refusal(changed("qwen3-0.6b", "rope_scaling", Json{{"rope_type", "longrope"}}),
                 {"short_factor"});
  expect_refusal(changed("llama-3.1-8b", "partial_rotary_factor", 0.5), {"partial_rotary_factor"});
  expect_refusal(changed("gemma-3-270m", "use_bidirectional_attention", true),
                 {"use_bidirectional_attention"});
  expect_refusal(changed("gemma-3-270m", "hidden_activation", "relu"),
                 {"hidden_activation", "relu"});
  expect_refusal(changed("deepseek-v3", "topk_method", "greedy"),
                 {"topk_method", "noaux_tc", "greedy"});
  expect_refusal(changed("deepseek-v3", "scoring_func", "tanh"), {"scoring_func", "tanh"});
  expect_refusal(changed("deepseek-v2", "mlp_bias", true), {"mlp_bias"});
  expect_refusal(changed("gpt-oss-20b", "hidden_act", "relu"), {"hidden_act"});
  expect_refusal(changed("grok-2", "sliding_window_size", 1024), {"sliding_window_size"});
  expect_refusal(changed("gpt2", "add_cross_attention", true), {"add_cross_attention"});
  expect_refusal(changed("command-r7b", "rotary_pct", 0.5), {"rotary_pct", "0.5"});
  expect_refusal(changed("command-r7b", "use_parallel_block", false), {"use_parallel_block"});
  expect_refusal(changed("command-r7b", "use_qk_norm", true), {"use_qk_norm"});
  expect_refusal(changed("command-r7b", "order_of_interleaved_layers", "global_attn_first"),
                 {"order_of_interleaved_layers", "global_attn_first"});
  expect_refusal(changed("command-r7b", "sliding_window", nullptr), {"sliding_window", "none"});
  expect_refusal(changed("starcoder2-3b", "norm_type", "rms_norm"), {"norm_type", "rms_norm"});
  expect_refusal(changed("starcoder2-3b", "mlp_type", "gated"), {"mlp_type", "gated"});
  expect_refusal(changed("ernie-4.5-21b-a3b", "moe_norm_min", 0.1), {"moe_norm_min"});
  expect_refusal(changed("ernie-4.5-21b-a3b", "moe_layer_interval", 0), {"moe_layer_interval"});
  expect_refusal(changed("ernie-4.5-0.3b", "partial_rotary_factor", 0.5),
                 {"partial_rotary_factor"});
  expect_refusal(changed("minimax-m2", "use_qk_norm", false), {"use_qk_norm", "true"});
  expect_refusal(changed("minimax-m2", "qk_norm_type", "per_head"), {"qk_norm_type", "per_head"});
  expect_refusal(changed("minimax-m2", "scoring_func", "softmax"), {"scoring_func", "softmax"});
  expect_refusal(changed("minimax-m2", "use_routing_bias", false), {"use_routing_bias"});
  expect_refusal(changed("minimax-m2", "shared_intermediate_size", 8),
                 {"shared_intermediate_size"});
  expect_refusal(changed("minimax-m2", "attn_type_list", Json::array({1, 0})), {"attn_type_list"});
  expect_refusal(changed("glm-4.7-flash", "topk_method", "greedy"), {"topk_method", "greedy"});
  expect_refusal(changed("glm-4.7-flash", "first_k_dense_replace", 2), {"first_k_dense_replace"});
  expect_refusal(changed("glm-4.7-flash", "partial_rotary_factor", 0.5), {"partial_rotary_factor"});
  expect_refusal(
      changed("glm-4.7-flash", "mlp_layer_types", Json(std::vector<std::string>(47, "linear"))),
      {"mlp_layer_types", "linear"});
  expect_refusal(changed("glm-4.7-flash", "mlp_layer_types", Json::array({"dense"})),
                 {"mlp_layer_types", "47"});
  expect_refusal(
      changed("qwen3-0.6b", "layer_types", Json(std::vector<std::string>(28, "linear_attention"))),
      {"layer_types", "linear_attention"});
  expect_refusal(changed("qwen3-next-80b-a3b", "layer_types",
                         Json(std::vector<std::string>(48, "sliding_attention"))),
                 {"layer_types", "sliding_attention"});
  expect_refusal(changed("qwen3-next-80b-a3b", "linear_num_value_heads", 33),
                 {"linear_num_value_heads", "16 key heads", "33"});
  expect_refusal(changed("qwen3-next-80b-a3b", "linear_num_key_heads", 0),
                 {"linear_num_key_heads"});
  expect_refusal(changed("qwen3-next-80b-a3b", "linear_conv_kernel_dim", 0),
                 {"linear_conv_kernel_dim"});
}

TEST(Refusals, SizesThatCannotBe) {
  const int64_t huge = int64_t{1} << 40;
  for (const char* key : {"num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size",
                          "intermediate_size", "num_key_value_heads", "head_dim"}) {
    for (const Json& value :
         {Json(0), Json(-1), Json(huge), Json(huge * 4), Json(1e300), Json(1u << 31)})
      EXPECT_NE(refusal(changed("qwen3-0.6b", key, value)), "nothing thrown")
          << key << " " << value;
  }
  expect_refusal(changed("qwen3-0.6b", "num_hidden_layers", huge), {"layers", "4096"});
  expect_refusal(changed("qwen3-0.6b", "num_key_value_heads", 5),
                 {"16 heads do not divide among 5"});
  expect_refusal(changed("deepseek-v3", "n_routed_experts", 250), {"groups"});
  expect_refusal(changed("deepseek-v3", "num_nextn_predict_layers", 1 << 20),
                 {"num_nextn_predict_layers"});
  expect_refusal(changed("qwen3-30b-a3b", "num_experts_per_tok", 300), {"num_experts_per_tok"});
  expect_refusal(changed("qwen3-30b-a3b", "decoder_sparse_step", 0), {"decoder_sparse_step"});
  expect_refusal(changed("smollm3-3b", "no_rope_layers", Json::array({1, 0})),
                 {"no_rope_layers", "36"});
  expect_refusal(changed("gpt-oss-20b", "layer_types", Json::array({"full_attention"})),
                 {"layer_types", "24"});
  expect_refusal(changed("llama-3.1-8b", "rope_theta", -1), {"theta"});
  expect_refusal(changed("llama-3.1-8b", "head_dim", 63), {"head_dim", "even", "63"});
  expect_refusal(changed("glm-4.5", "partial_rotary_factor", 2.0), {"partial_rotary_factor"});
  expect_refusal(changed("deepseek-v2", "rope_scaling", Json{{"type", "yarn"}, {"factor", -4}}),
                 {"factor"});
}

TEST(Refusals, ListsOfTheWrongLength) {
  const auto types = [](size_t n) { return Json(std::vector<std::string>(n, "full_attention")); };
  for (const size_t n : {size_t{0}, size_t{1}, size_t{27}, size_t{29}, size_t{1000}})
    expect_refusal(changed("qwen3-0.6b", "layer_types", types(n)),
                   {"config.json: layer_types: expected"});
  EXPECT_EQ(refusal(changed("qwen3-0.6b", "layer_types", types(28))), "nothing thrown");
  expect_refusal(changed("smollm3-3b", "no_rope_layers", Json(std::vector<int>(37, 1))),
                 {"config.json: no_rope_layers: expected 36"});
  expect_refusal(changed("smollm3-3b", "no_rope_layers", Json::array()), {"no_rope_layers"});
  // A list where there is one number.
  for (const char* key : {"hidden_size", "num_key_value_heads", "intermediate_size"})
    expect_refusal(changed("qwen3-0.6b", key, Json::array({1024})),
                   {"config.json: ", key, "a whole number", "[1024]"});
}

TEST(Refusals, TablesOfTheWrongLength) {
  for (const char* list : {"short_factor", "long_factor"}) {
    Json config = published_config("phi-3.5-mini");
    Json& table = config.at("rope_scaling").at(list);
    const size_t right = table.size();
    table.push_back(1.0);
    const std::string message = refusal(config);
    EXPECT_NE(message.find(list), std::string::npos) << message;
    EXPECT_NE(message.find(fmt::format("{} numbers", right)), std::string::npos) << message;
    config["rope_scaling"][list] = Json(std::vector<double>(right, 0.0));
    EXPECT_NE(refusal(config).find("positive"), std::string::npos) << refusal(config);
  }
}

TEST(Refusals, SayTheKeyAndTheFileOnce) {
  for (const auto& [model, key, value] : {std::tuple{"llama-3.1-8b", "hidden_size", 0},
                                          std::tuple{"llama-3.1-8b", "vocab_size", -1},
                                          std::tuple{"qwen3-0.6b", "num_key_value_heads", 5},
                                          std::tuple{"qwen3-0.6b", "head_dim", 0},
                                          std::tuple{"qwen3-0.6b", "num_hidden_layers", 0},
                                          std::tuple{"gpt2", "n_embd", -8},
                                          std::tuple{"gpt2", "n_head", 0},
                                          std::tuple{"gpt-oss-20b", "num_local_experts", -1},
                                          std::tuple{"gpt-oss-20b", "swiglu_limit", -7},
                                          std::tuple{"qwen3-30b-a3b", "num_experts_per_tok", 300},
                                          std::tuple{"qwen3-30b-a3b", "num_experts_per_tok", 0},
                                          std::tuple{"deepseek-v3", "topk_group", 0},
                                          std::tuple{"deepseek-v3", "topk_group", 9},
                                          std::tuple{"deepseek-v3", "n_group", 0},
                                          std::tuple{"deepseek-v3", "n_group", 7},
                                          std::tuple{"deepseek-v3", "kv_lora_rank", -1},
                                          std::tuple{"deepseek-v3", "moe_intermediate_size", -1},
                                          std::tuple{"gemma-3-270m", "query_pre_attn_scalar", 0},
                                          std::tuple{"gemma-3-270m", "rope_local_base_freq", 0},
                                          std::tuple{"llama-3.1-8b", "rope_theta", 0},
                                          std::tuple{"llama-4-scout", "floor_scale", 0},
                                          std::tuple{"llama-3.1-8b", "max_position_embeddings", -4},
                                          std::tuple{"llama-3.1-8b", "rms_norm_eps", -1}}) {
    const std::string message = refusal(changed(model, key, value));
    EXPECT_TRUE(message.starts_with(fmt::format("config.json: {}", key))) << message;
    EXPECT_EQ(message.find("config.json", 1), std::string::npos) << message;
  }
}

/// Calls f with the path of each whole number in `at` and a way to change it.
void each_number(Json& at, const std::string& path,
                 const std::function<void(const std::string&, Json&)>& f) {
  if (at.is_object()) {
    for (auto it = at.begin(); it != at.end(); ++it) each_number(it.value(), it.key(), f);
  } else if (at.is_number_integer()) {
    f(path, at);
  }
}

// Whatever size or count of a published config is nonsense, the message says the key as the file
// has it, never the path within the blueprint that would come of it.
TEST(Refusals, NameKeysAsFilesSpellThem) {
  for (const std::string& name : published_names()) {
    Json config = published_config(name);
    each_number(config, "", [&](const std::string& key, Json& value) {
      const Json before = value;
      for (const Json& wrong : {Json(0), Json(-1), Json(-7), Json(int64_t{1} << 34)}) {
        value = wrong;
        const std::string message = refusal(config);
        if (message == "nothing thrown") continue;
        EXPECT_TRUE(message.starts_with("config.json: ")) << name << ": " << message;
        EXPECT_NE(message.find(key), std::string::npos) << name << " " << key << ": " << message;
        for (const char* inside : {"blocks[", "blueprint", ".mixer", ".ffn.", "embedding."})
          EXPECT_EQ(message.find(inside), std::string::npos) << name << ": " << message;
      }
      value = before;
    });
  }
}

// Files of GPT-2 keep queries, keys and values in one matrix, each as wide as the embedding.
TEST(Refusals, HeadsOfAnotherSizeThanGpt2Has) {
  Blueprint bp = published("gpt2");
  for (Block& b : bp.blocks) std::get<AttentionPart>(b.mixer).head_dim = 32;
  const std::string says = "12 heads of 32 numbers: expected 768 in all";
  expect_error([&] { write_config(bp, *family_named("gpt2")); }, says);
  expect_error([&] { write_gguf_keys(bp, *family_named("gpt2")); }, says);
  EXPECT_EQ(family_for(bp).name, "ashlar");
}

TEST(Refusals, WritingWhatCannotBeSaid) {
  Blueprint bp = published("qwen3-0.6b");
  std::get<AttentionPart>(bp.blocks[3].mixer).sinks = true;
  try {
    write_config(bp, *family_named("qwen3"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    EXPECT_NE(std::string(e.what()).find("blocks[3].mixer.attention.sinks"), std::string::npos)
        << e.what();
  }
  // What none of them can say is written as the blueprint itself.
  EXPECT_EQ(family_for(bp).name, "ashlar");
  const Blueprint post_norm =
      load_blueprint((source_folder() / "blueprints/transformer-2017.json").string());
  EXPECT_EQ(family_for(post_norm).name, "ashlar");
  for (const Blueprint& own : {bp, post_norm}) {
    EXPECT_EQ(to_json(read_config(write_config(own, family_for(own)), "config.json").blueprint),
              to_json(own));
  }
  EXPECT_THROW(write_gguf_keys(bp, *family_named("qwen3")), Error);
}

// A blueprint without a family finds one that can write it.
TEST(Refusals, StrayBlueprintsFindTheirFamily) {
  Blueprint bp = published("olmo-2-1b");
  bp.family.clear();
  EXPECT_EQ(family_for(bp).name, "olmo2");
  bp = published("smollm3-3b");
  bp.family = "qwen3";  // wrong: it cannot leave out a rotation
  EXPECT_EQ(family_for(bp).name, "smollm3");
}

}  // namespace
}  // namespace ashlar::testing
