// RUN.json: defaults, unknown keys, changes of blueprints by path.
#include "runs/run_file.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "runs/blueprint_change.h"
#include "support/errors.h"

namespace ashlar::testing {
namespace {

const Json kRun = Json::parse(R"({
 "model": {"base": "qwen3-0.6b", "change": {"layers": 6, "embedding.width": 128,
           "blocks[*].mixer.attention.qk_norm": "none"}},
 "init": {"from": "FOLDER"},
 "data": {"tokens": "ids.npy", "order": "sequential"},
 "batch": {"sequences": 8, "length": 256, "micro": 4},
 "optimiser": {"kind": "adamw", "rate": 1e-3, "betas": [0.9, 0.95], "eps": 1e-8, "decay": 0.1,
               "decay_on": "matrices"},
 "schedule": {"kind": "cosine", "warmup": 100, "final": 0.1},
 "clip": 1.0, "steps": 1000, "seed": 1, "precision": "f32", "out": "runs/a"})");

TEST(RunFile, IsReadAndWrittenBackWhole) {
  const RunFile run = run_file_from_json(kRun);
  EXPECT_EQ(run.init_from, "FOLDER");
  EXPECT_EQ(run.train.batch.micro, 4);
  EXPECT_EQ(run.train.optimiser.rate, 1e-3);
  EXPECT_EQ(run.train.schedule.kind, ScheduleKind::cosine);
  const Json back = to_json(run);
  const Json expected = kRun;
  for (const auto& [key, value] : expected.items()) {
    if (!value.is_object() || key == "model") {
      EXPECT_EQ(back[key], value) << key;
      continue;
    }
    for (const auto& [inner, v] : value.items()) EXPECT_EQ(back[key][inner], v) << key << inner;
  }
  EXPECT_EQ(to_json(run_file_from_json(back)), back);
  EXPECT_EQ(back["checkpoint"]["keep"], 2);
  EXPECT_EQ(back["losses"]["balance"]["kind"], "none");
}

TEST(RunFile, EveryFormOfAValue) {
  const auto read = [](const char* text) { return run_file_from_json(Json::parse(text)); };
  EXPECT_EQ(read(R"({"init": {"scheme": "gpt2", "std": 0.01}})").init.scheme, InitScheme::gpt2);
  EXPECT_EQ(read(R"({"steps": 1e3})").train.steps, 1000);
  const DecayOn on =
      read(R"({"optimiser": {"decay_on": ["expert", "router"]}})").train.optimiser.decay_on;
  EXPECT_EQ(on.kind, DecayOn::Kind::roles);
  EXPECT_EQ(on.roles, (std::vector<Role>{Role::expert, Role::router}));
  EXPECT_EQ(to_json(read(R"({"optimiser": {"decay_on": ["expert"]}})"))["optimiser"]["decay_on"],
            Json::parse(R"(["expert"])"));
}

TEST(RunFile, SaysWhichKeyIsWrong) {
  const auto fails = [](const char* text, const char* says) {
    expect_error([&] { run_file_from_json(Json::parse(text)); }, says);
  };
  fails(R"({"optimizer": {}})", "optimizer: unknown key; did you mean optimiser");
  fails(R"({"optimiser": {"lr": 1}})", "optimiser.lr: unknown key");
  fails(R"({"losses": {"balance": {"kin": "step"}}})",
        "losses.balance.kin: unknown key; did you mean kind");
  fails(R"({"optimiser": {"kind": "adam"}})", "optimiser.kind: expected one of adamw, muon, sgd");
  fails(R"({"optimiser": {"betas": 0.9}})", "optimiser.betas: expected two numbers");
  fails(R"({"steps": "many"})", "steps: expected a whole number");
  fails(R"({"seed": -1})", "seed: expected a whole number from 0");
  fails(R"({"precision": "f16"})", "precision: expected f32 or bf16");
  fails(R"({"init": {"from": "a", "std": 1}})", "init.std: unknown key");
  fails(R"({"model": 3})", "model: expected a name");
  fails(R"([])", "expected an object");
}

TEST(RunFile, KeysOfTheCommandLine) {
  Json json = kRun;
  set_key(json, "optimiser.rate=3e-4");
  set_key(json, "out=runs/b");
  set_key(json, "losses.balance.kind=step");
  set_key(json, "data={\"tokens\": \"x.npy\"}");
  const RunFile run = run_file_from_json(json);
  EXPECT_EQ(run.train.optimiser.rate, 3e-4);
  EXPECT_EQ(run.out, "runs/b");
  EXPECT_EQ(run.train.losses.balance.kind, BalanceKind::step);
  EXPECT_EQ(run.data.tokens, "x.npy");
  expect_error([&] { set_key(json, "rate"); }, "expected key=value");
}

TEST(BlueprintChange, ByPath) {
  const Blueprint bp = blueprint_of(kRun["model"]);
  EXPECT_EQ(bp.blocks.size(), 6);
  EXPECT_EQ(bp.embedding.width, 128);
  for (const Block& b : bp.blocks)
    EXPECT_EQ(std::get<AttentionPart>(b.mixer).qk_norm, QkNorm::none);
  const Blueprint deep = changed(load_blueprint("deepseek-v3"),
                                 Json::parse(R"({"layers": 5, "blocks[*].ffn.experts.experts": 16,
      "blocks[0..1].ffn.dense.width": 64, "blocks[2].ffn": {"dense": {"width": 32}}})"));
  ASSERT_EQ(deep.blocks.size(), 5);
  EXPECT_EQ(std::get<DenseFfn>(deep.blocks[1].ffn).width, 64);
  EXPECT_EQ(std::get<DenseFfn>(deep.blocks[2].ffn).width, 32);
  EXPECT_EQ(std::get<ExpertFfnPart>(deep.blocks[4].ffn).experts, 16);
  // More layers repeat the last pattern.
  const Blueprint longer = changed(load_blueprint("deepseek-v3"), Json::parse(R"({"layers": 63})"));
  EXPECT_TRUE(std::holds_alternative<ExpertFfnPart>(longer.blocks[62].ffn));
  EXPECT_EQ(blueprint_of(Json::parse(to_json(bp))), bp);
}

TEST(BlueprintChange, SaysWhatIsWrong) {
  const auto fails = [](const char* change, const char* says) {
    expect_error([&] { changed(load_blueprint("qwen3-0.6b"), Json::parse(change)); }, says);
  };
  fails(R"({"embeding.width": 3})", "did you mean embedding");
  fails(R"({"embedding.widht": 3})", "unknown field widht");
  fails(R"({"blocks[99].ffn.dense.width": 3})", "layers 0 to 27");
  fails(R"({"blocks[*].ffn.experts.width": 3})", "no layer of these has that");
  fails(R"({"blocks[*].mixer.attention.qk_norm": "some"})", "expected one of");
  fails(R"({"layers": 0})", "layers: expected 1 to");
  fails(R"({"layers": 3, "embedding.width": -3})", "width");
}

}  // namespace
}  // namespace ashlar::testing
