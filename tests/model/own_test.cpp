// An architecture that no published family can say, saved and read: folders and GGUF files that
// hold the blueprint itself.
#include <cmath>

#include "formats/gguf.h"
#include "run/engine.h"
#include "support/models.h"

namespace ashlar {
namespace {

using namespace testing;

/// Latent attention, a window with sinks and experts between layers of one model.
constexpr const char* kHybrid = R"({
  "name": "hybrid", "context": 64,
  "embedding": {"vocab": 96, "width": 64},
  "blocks": [
    {"wiring": {"pre_norm": {"eps": 1e-06}},
     "mixer": {"latent_attention": {"heads": 2, "qk_nope": 16, "qk_rope": 8, "value_dim": 16,
                                    "latent": 32, "rope": {"theta": 10000.0}}},
     "ffn": {"dense": {"width": 96}}},
    {"wiring": {"inner_post_norm": {"eps": 1e-06}},
     "mixer": {"attention": {"heads": 4, "kv_heads": 2, "head_dim": 16, "window": 8, "sinks": true,
                             "rope": {"theta": 10000.0}}},
     "ffn": {"experts": {"experts": 4, "top_k": 2, "width": 64}}}],
  "final_norm": {"eps": 1e-06},
  "head": {"tied": true}
})";

Model random_model(const fs::path& folder) {
  write_file(folder / "hybrid.json", kHybrid);
  return load_model((folder / "hybrid.json").string(), {.random = 7});
}

std::vector<float> logits_of(const Model& model) {
  Engine engine(model.graph, model.weights, {.threads = 1, .context = 32, .f32_activations = true});
  const std::vector<TokenId> ids{1, 5, 9, 2, 77, 40, 3, 3, 8, 21, 60, 11};
  const Run run{*engine.open(), ids, Run::Logits::all};
  const auto logits = engine.step({&run, 1});
  return {logits.begin(), logits.end()};
}

TEST(Own, FoldersAndGgufHoldTheBlueprint) {
  const TemporaryFolder scratch;
  const Model model = random_model(scratch.path());
  const std::vector<float> expected = logits_of(model);
  for (const char* out : {"folder", "file.gguf"}) {
    SCOPED_TRACE(out);
    std::vector<std::string> notices;
    convert_model(
        model, scratch.path() / out,
        {.weights = "f32", .notice = [&](const std::string& n) { notices.push_back(n); }});
    ASSERT_EQ(notices.size(), 1);
    expect_contains(notices[0], "no published family");
    const Model again = load_model((scratch.path() / out).string());
    EXPECT_TRUE(diff(model.blueprint, again.blueprint).empty());
    EXPECT_EQ(differing(model, again), std::vector<std::string>{});
    EXPECT_TRUE(again.notices.empty());
    EXPECT_EQ(logits_of(again), expected);
  }
  const Json config = read_json(scratch.path() / "folder/config.json");
  EXPECT_EQ(config["model_type"], "ashlar");
  EXPECT_EQ(config["blueprint"]["name"], "hybrid");
  const auto tensors = SafetensorsFolder::open(scratch.path() / "folder");
  EXPECT_TRUE(tensors->has("layers.0.attn.kv_a"));
  EXPECT_TRUE(tensors->has("layers.1.ffn.experts.gate"));
  // From one to the other and into blocks.
  const Model folder = load_model((scratch.path() / "folder").string());
  convert_model(folder, scratch.path() / "small.gguf", {.weights = "q8_0"});
  const Model small = load_model((scratch.path() / "small.gguf").string());
  EXPECT_EQ(small.weights.at("layers.1.attn.q").format, Format::q8_0);
  EXPECT_EQ(small.weights.at("layers.1.ffn.router").format, Format::f32);
  const std::vector<float> near = logits_of(small);
  double error = 0, size = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(near[i] - expected[i], 2);
    size += std::pow(expected[i], 2);
  }
  EXPECT_LT(std::sqrt(error / size), 0.05);
  EXPECT_GT(error, 0);
}

TEST(Own, BrokenFilesAreRefused) {
  const TemporaryFolder scratch;
  convert_model(random_model(scratch.path()), scratch.path() / "folder", {});
  const fs::path file = scratch.path() / "folder/config.json";
  Json config = read_json(file);
  const auto refused = [&](const Json& changed, const std::string& says) {
    write_file(file, changed.dump());
    const Error e = error_of([&] { load_model((scratch.path() / "folder").string()); });
    expect_contains(e.what(), says);
  };
  Json other = config;
  other.erase("blueprint");
  refused(other, "it is missing");
  other = config;
  other["blueprint"]["blocks"][0]["mixer"]["latent_attention"]["heads"] = 0;
  refused(other, "heads");
  other = config;
  other["blueprint"]["embedding"]["width"] = 32;
  refused(other, "embedding");
}

}  // namespace
}  // namespace ashlar
