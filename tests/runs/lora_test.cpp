// Adapters: nothing but them is trained, they begin as nothing, and what is written adds up to the
// model that is written.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "ashlar/train.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "model/model.h"
#include "support/errors.h"
#include "support/paths.h"

namespace ashlar::testing {
namespace {

namespace fs = std::filesystem;

TrainingRequest request(const std::string& model, const fs::path& out,
                        std::vector<std::string> more = {}) {
  TrainingRequest r;
  const std::string golden = source_dir() + "/tests/golden/";
  r.changes = {"init.from=" + golden + "models/" + model + "/model",
               "data.tokens=" + golden + "training/llama/ids.npy",
               "out=" + out.string(),
               "batch.sequences=4",
               "optimiser.rate=1e-2",
               "optimiser.decay=0",
               "steps=10"};
  r.changes.insert(r.changes.end(), more.begin(), more.end());
  r.threads = 1;
  return r;
}

std::vector<double> losses(TrainingRun& run) {
  std::vector<double> found;
  while (!run.finished()) found.push_back(run.step().loss);
  run.finish();
  return found;
}

double difference(const Tensor& a, const Tensor& b) {
  const std::vector<float> x = to_f32(a), y = to_f32(b);
  double most = 0;
  for (size_t i = 0; i < x.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(x[i]) - y[i]));
  return most;
}

TEST(Lora, TrainsAdaptersAlone) {
  // Projections apart, fused ones (transposed and not), experts; how many of a layer are adapted.
  for (const auto& [name, adapted_ones] :
       std::map<std::string, int64_t>{{"llama_31_scaling", 7},
                                      {"olmo2_grouped", 7},
                                      {"gpt2_tied", 6},
                                      {"phi3_window_one_kv_head", 7},
                                      {"qwen3_moe_normalised", 7}}) {
    SCOPED_TRACE(name);
    const TemporaryFolder scratch;
    const auto whole = start_training(request(name, scratch.path() / "whole"));
    const double first = losses(*whole)[0];
    const fs::path out = scratch.path() / "lora";
    const auto run = start_training(request(name, out, {"lora.rank=4", "lora.alpha=6"}));
    EXPECT_GT(run->parameters(), whole->parameters());
    const std::vector<double> found = losses(*run);
    EXPECT_NEAR(found[0], first, 1e-6);  // B is zero
    EXPECT_LT(found.back(), found[0] - 1e-3);
    const std::string base = source_dir() + "/tests/golden/models/" + name + "/model";
    const Model before = load_model(base), sum = load_model((out / "model").string()),
                adapted = load_model(base, {.adapter = (out / "adapter").string()});
    int64_t changed = 0;
    for (const auto& [parameter, tensor] : before.weights) {
      // The reader of adapters, by itself, makes the weights that the run wrote.
      EXPECT_LT(difference(adapted.weights.at(parameter), sum.weights.at(parameter)), 1e-6)
          << parameter;
      if (difference(tensor, sum.weights.at(parameter)) == 0) continue;
      ++changed;
      EXPECT_TRUE(parameter.starts_with("layers.")) << parameter;
      EXPECT_EQ(parameter.find("norm"), std::string::npos) << parameter;
    }
    EXPECT_EQ(changed, adapted_ones * static_cast<int64_t>(before.blueprint.blocks.size()));
    EXPECT_EQ(read_json(out / "adapter/adapter_config.json")["lora_alpha"], 6);
  }
}

TEST(Lora, IsResumedToTheBit) {
  const TemporaryFolder scratch;
  const std::vector<std::string> settings{"lora.rank=2", "checkpoint.every=4"};
  const auto whole =
      start_training(request("llama_31_scaling", scratch.path() / "whole", settings));
  const std::vector<double> expected = losses(*whole);
  const fs::path out = scratch.path() / "part";
  {
    const auto part = start_training(request("llama_31_scaling", out, settings));
    for (int i = 0; i < 6; ++i) part->step();
  }
  TrainingRequest again = request("llama_31_scaling", out, settings);
  again.resume = true;
  const auto rest = start_training(again);
  EXPECT_EQ(rest->steps_done(), 4);
  EXPECT_EQ(losses(*rest), std::vector<double>(expected.begin() + 4, expected.end()));
}

TEST(Lora, RefusesWhatPeftCouldNotName) {
  const TemporaryFolder scratch;
  // Its files hold the experts of a layer as one tensor.
  expect_error(
      [&] { start_training(request("gpt_oss_yarn", scratch.path() / "x", {"lora.rank=2"})); },
      "no matrix of its own");
  TrainingRequest r = request("llama_31_scaling", scratch.path() / "y", {"lora.rank=2"});
  r.changes[0] = "model=smollm2-135m";
  expect_error([&] { start_training(r); }, "init.from is missing");
}

}  // namespace
}  // namespace ashlar::testing
