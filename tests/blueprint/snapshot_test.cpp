// The graph of one released model per family as text, compared with a stored file: what a change
// does to an architecture is a difference one can read. Equal layers are shown once.
//
// To write the files anew: ASHLAR_UPDATE=1 build/release/test_blueprint; then look at `git diff`.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/json.h"
#include "blueprint/blueprint.h"
#include "ops/all.h"
#include "support/names.h"
#include "support/paths.h"

namespace ashlar::testing {
namespace {

std::filesystem::path source_folder() { return source_dir(); }

/// The blueprint with each kind of block once, and a line that says which layers they stand for.
std::string folded(Blueprint& bp) {
  std::vector<Block> kinds;
  std::vector<std::string> layers;
  for (size_t i = 0; i < bp.blocks.size(); ++i) {
    const size_t kind =
        static_cast<size_t>(std::find(kinds.begin(), kinds.end(), bp.blocks[i]) - kinds.begin());
    if (kind == kinds.size()) {
      kinds.push_back(bp.blocks[i]);
      layers.emplace_back();
    }
    layers[kind] += (layers[kind].empty() ? "" : ",") + std::to_string(i);
  }
  bp.blocks = kinds;
  std::string text;
  for (size_t k = 0; k < kinds.size(); ++k)
    text += "# layers." + std::to_string(k) + " stands for layers " + layers[k] + "\n";
  return text;
}

class GraphSnapshot : public ::testing::TestWithParam<const char*> {};

TEST_P(GraphSnapshot, IsAsStored) {
  Blueprint bp = load_blueprint(
      (source_folder() / "blueprints" / (std::string(GetParam()) + ".json")).string());
  std::string text = folded(bp);
  text += graph_of(bp).text();
  if (!bp.mtp.empty()) text += "# multi-token prediction\n" + mtp_graph_of(bp).text();
  const auto file = source_folder() / "tests/snapshots" / (std::string(GetParam()) + ".txt");
  if (std::getenv("ASHLAR_UPDATE") != nullptr) write_file(file, text);
  ASSERT_TRUE(std::filesystem::exists(file)) << "run with ASHLAR_UPDATE=1";
  EXPECT_EQ(read_file(file), text) << "if this is meant, run with ASHLAR_UPDATE=1";
}

INSTANTIATE_TEST_SUITE_P(
    Families, GraphSnapshot,
    ::testing::Values("gpt2", "llama-3.2-1b", "mistral-7b-v0.1", "olmo-2-1b", "gemma-3-270m",
                      "qwen3-0.6b", "qwen3-30b-a3b", "smollm3-3b", "deepseek-v2-lite",
                      "deepseek-v3", "kimi-k2", "llama-4-maverick", "gpt-oss-20b", "glm-4.5",
                      "grok-2", "transformer-2017", "qwen2.5-0.5b", "qwen1.5-moe-a2.7b",
                      "mixtral-8x7b", "gemma-2-2b", "phi-4-mini", "phi-3.5-moe", "olmo-3-7b",
                      "granite-3.3-2b", "granite-4.0-micro", "glm-4-9b-0414", "command-r7b",
                      "starcoder2-3b", "seed-oss-36b", "ernie-4.5-0.3b", "ernie-4.5-21b-a3b",
                      "minimax-m2", "ministral-3-8b", "glm-4.7-flash", "qwen3-next-80b-a3b",
                      "qwen3.5-27b"),
    [](const auto& name) { return identifier(name.param); });

}  // namespace
}  // namespace ashlar::testing
