// Runs on data folders: trained, evaluated, resumed; texts injected; what is refused.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "ashlar/train.h"
#include "data/evaluate.h"
#include "data/identity.h"
#include "support/corpus.h"
#include "support/errors.h"

namespace ashlar::testing {
namespace {

std::string model_json(int64_t vocab) {
  return "model={\"base\": \"llama-3.2-1b\", \"change\": {\"layers\": 2, \"embedding.width\": 32, "
         "\"embedding.vocab\": " +
         std::to_string(vocab) +
         ", \"blocks[*].mixer.attention.heads\": 2, \"blocks[*].mixer.attention.kv_heads\": 1, "
         "\"blocks[*].mixer.attention.head_dim\": 16, \"blocks[*].ffn.dense.width\": 64}}";
}

TrainingRequest request(const fs::path& data, const fs::path& out, int64_t vocab,
                        std::vector<std::string> more = {}) {
  TrainingRequest r;
  r.changes = {model_json(vocab),     "data.folder=" + data.string(),
               "out=" + out.string(), "batch={\"sequences\": 4, \"length\": 64}",
               "optimiser.rate=1e-2", "steps=12"};
  r.changes.insert(r.changes.end(), more.begin(), more.end());
  r.threads = 1;
  return r;
}

TEST_F(Built, TrainsAndEvaluatesAsTheRunSays) {
  const DataManifest m = build(data_);
  const fs::path out = scratch_.path() / "run";
  for (const char* mask : {"false", "true"}) {
    fs::remove_all(out);
    const auto run = start_training(
        request(data_, out, m.vocabulary,
                {"data.order=shuffled", std::string("data.mask=") + mask, "evaluate.every=6"}));
    std::vector<StepRecord> records;
    while (!run->finished()) records.push_back(run->step());
    run->finish();
    EXPECT_LT(records.back().loss, records.front().loss - 0.5);
    ASSERT_TRUE(records[5].bits_per_byte && records.back().validation_loss);
    EXPECT_FALSE(records[4].validation_loss);
    // The tokenizer came along, and the engine's evaluation is the trainer's.
    const Model model = load_model((out / "model").string());
    ASSERT_NE(model.tokenizer, nullptr);
    EXPECT_EQ(fingerprint_of(*model.tokenizer), m.tokenizer_fingerprint);
    ASSERT_EQ(model.end_tokens.size(), 1);
    EvaluateOptions options{.rows = {64, std::string(mask) == "true"}};
    options.engine.threads = 1;
    options.engine.f32_activations = true;
    const auto data = DataFolder::open(data_);
    const DataLoss loss = evaluate(model, data, options);
    EXPECT_NEAR(loss.all.loss(), *records.back().validation_loss, 1e-5);
    EXPECT_NEAR(loss.all.bits_per_byte(), *records.back().bits_per_byte, 1e-4);
    // Parts add up.
    LossSum positions, domains;
    for (const auto& p : loss.positions) {
      positions.tokens += p.sum.tokens;
      positions.nats += p.sum.nats;
    }
    for (const auto& d : loss.domains) {
      domains.tokens += d.sum.tokens;
      domains.nats += d.sum.nats;
    }
    EXPECT_EQ(positions.tokens, loss.all.tokens);
    EXPECT_EQ(domains.tokens, loss.all.tokens);
    EXPECT_NEAR(positions.nats, loss.all.nats, 1e-6);
    EXPECT_NEAR(domains.nats, loss.all.nats, 1e-6);
    EXPECT_EQ(loss.domains.size(), 2);
    EXPECT_EQ(loss.positions.back().from, 32);
    EXPECT_EQ(loss.positions.back().to, 63);
    EXPECT_GT(loss.loss_margin, 0);
  }
}

TEST_F(Built, IsRefusedForAnotherTokenizerBeforeAnythingIsMade) {
  const DataManifest m = build(data_);
  const fs::path out = scratch_.path() / "run";
  expect_error([&] { start_training(request(data_, out, m.vocabulary - 1)); },
               "embedding.vocab is too small");
  const fs::path bytes = scratch_.path() / "bytes";
  write_tokenizer(byte_vocabulary(), bytes);
  expect_error(
      [&] { start_training(request(data_, out, m.vocabulary, {"tokenizer=" + bytes.string()})); },
      "another tokenizer");
  EXPECT_FALSE(fs::exists(out));
  {
    const auto run = start_training(request(data_, out, m.vocabulary));
    run->step();
    run->checkpoint();
  }
  // Resumed with data that has changed.
  BuildOptions options;
  options.seed = 9;
  fs::remove_all(data_);
  build(data_, options);
  TrainingRequest again = request(data_, out, m.vocabulary);
  again.resume = true;
  expect_error([&] { start_training(again); }, "not what this run began with");
}

TEST_F(Built, TextsAreInjectedAtTheirSteps) {
  const DataManifest m = build(data_);
  const auto losses = [&](const char* out, const std::string& inject) {
    const auto run =
        start_training(request(data_, scratch_.path() / out, m.vocabulary,
                               inject.empty() ? std::vector<std::string>{}
                                              : std::vector<std::string>{"data.inject=" + inject}));
    std::vector<double> found;
    for (int i = 0; i < 4; ++i) found.push_back(run->step().loss);
    return found;
  };
  const std::vector<double> plain = losses("plain", ""),
                            other = losses("inject",
                                           R"([{"steps": [3], "rows": 2, "text": "spam spam "}])");
  EXPECT_EQ(plain[0], other[0]);
  EXPECT_EQ(plain[1], other[1]);
  EXPECT_NE(plain[2], other[2]);
  expect_error([&] { losses("wrong", R"([{"steps": [3], "ids": [100000]}])"); }, "data.inject[0]");
  expect_error([&] { losses("none", R"([{"steps": [3]}])"); }, "a text or ids");
  expect_error([&] { losses("zero", R"([{"steps": [0], "ids": [1]}])"); }, "steps from 1");
}

TEST_F(Built, SpikesAreToldAndReplayed) {
  const DataManifest m = build(data_);
  const fs::path out = scratch_.path() / "run";
  // Two rows of what no document says, after the window of the rules is full.
  TrainingRequest r =
      request(data_, out, m.vocabulary,
              {"steps=150", "checkpoint.every=50", "telemetry.every=25", "optimiser.rate=3e-3",
               R"(data.inject=[{"steps": [140], "rows": 2, "text": "zqx#%@ ~^{}<>|\\\\ QXZ"}])"});
  std::vector<std::string> notices;
  r.notice = [&](const std::string& text) { notices.push_back(text); };
  {
    const auto run = start_training(r);
    std::vector<StepRecord> records;
    while (!run->finished()) records.push_back(run->step());
    run->finish();
    EXPECT_FALSE(records[139].spikes.empty());
  }
  EXPECT_TRUE(std::any_of(notices.begin(), notices.end(), [](const std::string& n) {
    return n.find("spike-140.json") != std::string::npos && n.find("zqx#%@") != std::string::npos;
  }));
  const Json spike = read_json(out / "spike-140.json");
  EXPECT_EQ(spike["step"], 140);
  EXPECT_EQ(spike["checkpoint"], 100);
  EXPECT_EQ(spike["sequences"][0]["injected"], true);
  EXPECT_EQ(spike["sequences"][1]["injected"], true);
  EXPECT_EQ(spike["sequences"][2]["injected"], false);
  EXPECT_NE(spike["sequences"][0]["text"].get<std::string>().find("zqx#%@"), std::string::npos);
  EXPECT_GT(spike["parameters"][0]["times"].get<double>(), 1);
  EXPECT_FALSE(spike["rules"].empty());
  // The log and telemetry have it too.
  std::ifstream telemetry(out / "telemetry.jsonl");
  int64_t step = 0;
  for (std::string line; std::getline(telemetry, line);) {
    step += 25;
    const Json record = Json::parse(line);
    EXPECT_EQ(record["step"], step);
    EXPECT_TRUE(record["gradient_norm"]["layers"].contains("1"));
  }
  EXPECT_EQ(step, 150);
  const std::string page = read_file(out / "report.html");
  EXPECT_NE(page.find("Update over weight by layer"), std::string::npos);
  // The step again, from the checkpoint before it, to the bit.
  TrainingRequest again;
  again.file = (out / "run.json").string();
  again.threads = 1;
  const Replayed replayed = replay_step(again, 140);
  ASSERT_TRUE(replayed.equal);
  EXPECT_TRUE(*replayed.equal);
  const Json replay = read_json(replayed.file);
  EXPECT_EQ(replay["from_checkpoint"], 100);
  EXPECT_EQ(replay["sequences"], spike["sequences"]);
  EXPECT_TRUE(replay["telemetry"]["largest_score"].contains("layers.0.attn"));
  expect_error([&] { replay_step(again, 151); }, "from 1 to 150");
}

TEST_F(Built, ARunThatDivergesKeepsTheStepBefore) {
  const DataManifest m = build(data_);
  const fs::path out = scratch_.path() / "run";
  const auto run = start_training(request(data_, out, m.vocabulary, {"optimiser.rate=1e30"}));
  expect_error(
      [&] {
        while (!run->finished()) run->step();
      },
      "has diverged");
  const int64_t done = run->steps_done();
  EXPECT_TRUE(fs::exists(out / fmt::format("checkpoints/step-{:08}/state.json", done)));
  const Json spike = read_json(out / fmt::format("spike-{}.json", done + 1));
  EXPECT_TRUE(spike["loss"]["value"].is_null() || spike["gradient_norm"]["value"].is_null());
}

}  // namespace
}  // namespace ashlar::testing
