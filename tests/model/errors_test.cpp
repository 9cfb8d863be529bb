// Broken and unusual checkpoints: what the errors and notices say.
#include <set>

#include "support/models.h"

namespace ashlar {
namespace {

using namespace testing;
using Tensors = std::map<std::string, Tensor>;

constexpr const char* kPlain = "llama_31_scaling";

Error error_after(const Edit& edit, const std::string& name = kPlain) {
  const TemporaryFolder folder;
  write_changed(name, folder.path(), edit);
  return error_of([&] { load_model(folder.path().string()); });
}

std::vector<std::string> notices_after(const Edit& edit, const std::string& name = kPlain) {
  const TemporaryFolder folder;
  write_changed(name, folder.path(), edit);
  return load_model(folder.path().string()).notices;
}

TEST(Notices, SamplingThatIsAskedForAndNotDone) {
  const TemporaryFolder folder;
  write_changed(kPlain, folder.path(), {});
  const auto after = [&](const Json& generation) {
    write_file(folder.path() / "generation_config.json", generation.dump());
    return load_model(folder.path().string()).notices;
  };
  EXPECT_TRUE(
      after({{"top_k", 5}, {"typical_p", 1.0}, {"num_beams", 1}, {"min_length", nullptr}}).empty());
  const auto notices = after({{"no_repeat_ngram_size", 3}, {"suppress_tokens", {5, 6}}});
  ASSERT_EQ(notices.size(), 1u);
  expect_contains(notices[0], "no_repeat_ngram_size 3, suppress_tokens [5,6]");
}

TEST(LoadErrors, MissingAndMisshapenTensorsStandInOneList) {
  const Error e = error_after({.tensors = [](Tensors& t) {
    t.erase("model.layers.1.mlp.up_proj.weight");
    t.erase("model.norm.weight");
    t["model.layers.0.self_attn.q_proj.weight"] = filled({7, 32}, 0);
  }});
  EXPECT_EQ(e.kind(), ErrorKind::format);
  expect_contains(e.what(), "3 of ");
  expect_contains(e.what(), "model.layers.1.mlp.up_proj.weight: expected [40, 32], missing");
  expect_contains(e.what(), "model.norm.weight: expected [32], missing");
  expect_contains(e.what(),
                  "model.layers.0.self_attn.q_proj.weight: expected [32, 32], found [7, 32] "
                  "(");
  expect_contains(e.what(), "architecture llama");
}

TEST(LoadErrors, AConfigThatLiesAboutLayers) {
  const Error more = error_after({.config = [](Json& c) { c["num_hidden_layers"] = 40; }});
  EXPECT_EQ(more.kind(), ErrorKind::format);
  expect_contains(more.what(), "model.layers.2.input_layernorm.weight: expected [32], missing");
  expect_contains(more.what(), "more");  // the list ends somewhere
  EXPECT_LT(std::string(more.what()).size(), 4000u);
  const auto fewer = notices_after({.config = [](Json& c) { c["num_hidden_layers"] = 1; }});
  ASSERT_EQ(fewer.size(), 1u);
  expect_contains(fewer[0], "9 tensors of the file are not used");
}

TEST(LoadErrors, AConfigThatNamesTheWrongArchitecture) {
  const Error e = error_after({.config = [](Json& c) { c["model_type"] = "olmo2"; }});
  expect_contains(e.what(), "the nearest known architecture is ");
  const Error unknown = error_after({.config = [](Json& c) { c["model_type"] = "lama"; }});
  EXPECT_EQ(unknown.kind(), ErrorKind::unsupported);
  expect_contains(unknown.what(), "the architecture lama is not known");
}

TEST(LoadErrors, OneExpertIsMissing) {
  const Error e = error_after({.tensors =
                                   [](Tensors& t) {
                                     const auto it =
                                         std::find_if(t.begin(), t.end(), [](const auto& item) {
                                           return item.first.ends_with("experts.1.up_proj.weight");
                                         });
                                     ASSERT_NE(it, t.end());
                                     t.erase(it);
                                   }},
                              "qwen3_moe_normalised");
  expect_contains(e.what(), "experts.1.up_proj.weight");
  expect_contains(e.what(), "1 of ");
}

TEST(LoadErrors, TruncatedShardsAndMissingFiles) {
  const TemporaryFolder folder;
  write_changed(kPlain, folder.path(), {.shard_bytes = 20000});
  const std::string where = folder.path().string();
  EXPECT_EQ(load_model(where).weights.size(), load_model(golden(kPlain).string()).weights.size());
  const fs::path second = folder.path() / "model-00002-of-00005.safetensors";
  ASSERT_TRUE(fs::exists(second));
  fs::resize_file(second, fs::file_size(second) - 4);
  const Error cut = error_of([&] { load_model(where); });
  EXPECT_EQ(cut.kind(), ErrorKind::format);
  expect_contains(cut.what(), "model-00002-of-00005");
  fs::remove(second);
  const Error gone = error_of([&] { load_model(where); });
  EXPECT_EQ(gone.kind(), ErrorKind::io);
  expect_contains(gone.what(), "model-00002-of-00005.safetensors");
}

TEST(LoadErrors, NothingThere) {
  const TemporaryFolder folder;
  const Error empty = error_of([&] { load_model(folder.path().string()); });
  EXPECT_EQ(empty.kind(), ErrorKind::io);
  expect_contains(empty.what(), "config.json");
  expect_contains(error_of([&] { load_model("no/such/model.gguf"); }).what(), "no such file");
  expect_contains(error_of([&] { load_model("qwen3-0.6"); }).what(), "qwen3-0.6b");
  const Error bare = error_of([&] { load_model("qwen3-0.6b"); });
  EXPECT_EQ(bare.kind(), ErrorKind::invalid);
  expect_contains(bare.what(), "`random`");
  expect_contains(
      error_of([&] { load_model(golden(kPlain).string(), {.weights = "q8_0"}); }).what(),
      "`random`");
}

TEST(LoadErrors, RandomWeightsThatNoMemoryHolds) {
  const Error e = error_of([&] { load_model("llama-3.1-405b", {.random = 1}); });
  EXPECT_EQ(e.kind(), ErrorKind::resource);
  expect_contains(e.what(), "GiB");
}

TEST(LoadNotices, ExtraTensorsAreAWarning) {
  const auto notices = notices_after({.tensors = [](Tensors& t) {
    t["model.layers.0.self_attn.rotary_emb.inv_freq"] = filled({4}, 1);  // of old checkpoints
    t["adapter.weight"] = filled({4, 4}, 1);
  }});
  ASSERT_EQ(notices.size(), 1u);
  expect_contains(notices[0], "1 tensors of the file are not used: adapter.weight");
}

TEST(LoadNotices, VisionIsLeftAside) {
  const Model model = load_model(golden("gemma3_multimodal").string());
  ASSERT_EQ(model.notices.size(), 1u);
  expect_contains(model.notices[0], "vision");
}

TEST(TiedHeads, TheFileDecidesAsInTransformers) {
  const Model untied = load_model(golden(kPlain).string());
  ASSERT_FALSE(untied.blueprint.head.tied);
  const auto tie = [](Json& c) { c["tie_word_embeddings"] = true; };
  const TemporaryFolder folder;
  // A head that differs from the table is its own, whatever the config says.
  write_changed(kPlain, folder.path(), {.config = tie});
  const Model differs = load_model(folder.path().string());
  EXPECT_FALSE(differs.blueprint.head.tied);
  ASSERT_EQ(differs.notices.size(), 1u);
  expect_contains(differs.notices[0], "lm_head.weight differs");
  EXPECT_EQ(to_f32(differs.weights.at("head")), to_f32(untied.weights.at("head")));
  // One that is the table again is not loaded twice.
  write_changed(kPlain, folder.path(), {.config = tie, .tensors = [](Tensors& t) {
                                          t["lm_head.weight"] = t["model.embed_tokens.weight"];
                                        }});
  const Model same = load_model(folder.path().string());
  EXPECT_TRUE(same.blueprint.head.tied);
  EXPECT_EQ(same.notices, std::vector<std::string>());
  EXPECT_EQ(same.weights.count("head"), 0u);
  // Without a head of its own the model would answer with noise.
  const Error e = error_after({.tensors = [](Tensors& t) { t.erase("lm_head.weight"); }});
  expect_contains(e.what(), "lm_head.weight: expected [80, 32], missing");
}

/// Every golden checkpoint whose head is tied, as Transformers reads it with the table under the
/// head's name alone: it ties in reverse.
TEST(TiedHeads, AHeadAloneIsTheTable) {
  std::set<std::string> families;
  for (const std::string& name : golden_names()) {
    SCOPED_TRACE(name);
    const Model plain = load_model(golden(name).string());
    if (!plain.blueprint.head.tied) continue;
    families.insert(plain.blueprint.family);
    const auto source =
        std::find_if(plain.sources.begin(), plain.sources.end(),
                     [](const WeightSource& s) { return s.parameter == "embedding"; });
    const std::string table = source->tensors.substr(0, source->tensors.find(' '));
    const bool wrapped = table.starts_with("language_model.");
    const TemporaryFolder folder;
    write_changed(name, folder.path(), {.tensors = [&](Tensors& t) {
                    t.erase("lm_head.weight");
                    t[wrapped ? "language_model.lm_head.weight" : "lm_head.weight"] = t.at(table);
                    t.erase(table);
                  }});
    const Model model = load_model(folder.path().string());
    EXPECT_EQ(differing(plain, model), std::vector<std::string>());
    EXPECT_EQ(model.weights.size(), plain.weights.size());
    EXPECT_TRUE(model.blueprint.head.tied);
    EXPECT_EQ(model.notices, plain.notices);
  }
  EXPECT_GE(families.size(), 9u);
  // Not tied, so a table is missing, and the wrapper's names are known without it.
  const Error e = error_after({.tensors = [](Tensors& t) {
    Tensors wrapped;
    for (const auto& [name, tensor] : t) wrapped["language_model." + name] = tensor;
    wrapped.erase("language_model.model.embed_tokens.weight");
    t = wrapped;
  }});
  expect_contains(e.what(), "1 of ");
  expect_contains(e.what(), "language_model.model.embed_tokens.weight: expected [80, 32], missing");
}

TEST(Prefixes, WrappedAndBareNames) {
  const Model plain = load_model(golden(kPlain).string());
  for (const std::string prefix : {"", "language_model.model.", "model.language_model.", "base."}) {
    SCOPED_TRACE(prefix);
    const TemporaryFolder folder;
    write_changed(
        kPlain, folder.path(), {.tensors = [&](Tensors& t) {
          Tensors renamed;
          for (const auto& [name, tensor] : t) {
            if (name.starts_with("model."))
              renamed[prefix + name.substr(6)] = tensor;
            else
              renamed[prefix == "language_model.model." ? "language_model." + name : name] = tensor;
          }
          t = renamed;
        }});
    const Model model = load_model(folder.path().string());
    EXPECT_EQ(differing(plain, model), std::vector<std::string>());
    EXPECT_EQ(model.notices, std::vector<std::string>());
  }
}

TEST(MultiTokenPrediction, LoadsWhereItIsAndIsNoErrorWhereItIsNot) {
  const Model with = load_model(golden("deepseek_v3_mtp").string());
  ASSERT_EQ(with.blueprint.mtp.size(), 1u);
  EXPECT_EQ(with.weights.count("mtp.0.project"), 1u);
  EXPECT_EQ(with.notices, std::vector<std::string>());
  const Graph graph = mtp_graph_of(with.blueprint);
  for (const Param& p : graph.params()) EXPECT_EQ(with.weights.count(p.name), 1u) << p.name;
  const TemporaryFolder folder;
  write_changed("deepseek_v3_mtp", folder.path(), {.tensors = [](Tensors& t) {
                  std::erase_if(t, [](const auto& item) {
                    return item.first.starts_with("model.layers.2.");
                  });
                }});
  const Model without = load_model(folder.path().string());
  EXPECT_TRUE(without.blueprint.mtp.empty());
  ASSERT_EQ(without.notices.size(), 1u);
  expect_contains(without.notices[0], "multi-token prediction");
}

}  // namespace
}  // namespace ashlar
