// Runs on data folders: trained, evaluated, resumed; texts injected; what is refused.
#include <gtest/gtest.h>

#include "ashlar/train.h"
#include "data/evaluate.h"
#include "data/identity.h"
#include "data/support.h"
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

}  // namespace
}  // namespace ashlar::testing
