// Files of experiments: what is refused, how arms are made equal, what a run's key depends on.
#include "lab/experiment.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/output_file.h"
#include "base/temporary_folder.h"
#include "formats/npy.h"
#include "lab/campaign.h"
#include "lab/numbers.h"
#include "lab/plan.h"
#include "readings/count/count.h"
#include "support/errors.h"

namespace ashlar::lab {
namespace {

using ashlar::testing::expect_error;

Json small() {
  return Json::parse(R"({
    "id": "small", "question": "q", "hypothesis": "h",
    "criteria": [{"id": "c", "says": "s", "metric": "loss", "arm": "deep", "direction": "lower", "size": 0.01}],
    "base": {"base": "smollm2-135m", "change": {"layers": 2, "embedding.vocab": 16, "embedding.width": 16,
      "blocks[*].mixer.attention.heads": 2, "blocks[*].mixer.attention.kv_heads": 2,
      "blocks[*].mixer.attention.head_dim": 8, "blocks[*].ffn.dense.width": 400}},
    "run": {"batch": {"sequences": 4}},
    "data": {"task": "markov", "parameters": {"symbols": 16, "length": 32}, "validation_rows": 8},
    "tokens": 1280,
    "arms": {"flat": {}, "deep": {"change": {"layers": 4}}},
    "rates": [0.003, 0.01], "seeds": [1, 2, 3]})");
}

Experiment read(const Json& json) { return experiment_from_json(json, "/nowhere/small.json"); }

TEST(ExperimentFile, RefusesWhatItDoesNotKnow) {
  const auto with = [](const char* pointer, const Json& value) {
    Json json = small();
    json[Json::json_pointer(pointer)] = value;
    return json;
  };
  read(small());
  expect_error([&] { read(with("/seed", 1)); }, "did you mean seeds?");
  expect_error([&] { read(with("/arms/deep/changes", 1)); }, "did you mean change?");
  expect_error([&] { read(with("/criteria/0/metric", "los")); }, "did you mean loss?");
  expect_error([&] { read(with("/criteria/0/arm", "dep")); }, "did you mean deep?");
  expect_error([&] { read(with("/criteria/0/direction", "less")); }, "criteria[0].direction");
  expect_error([&] { read(with("/criteria/0/metric", "sensitivity")); }, "\"seeds_at\": \"all\"");
  expect_error([&] { read(with("/criteria/0/test", "sing")); }, "did you mean sign?");
  expect_error([&] { read(with("/criteria/0/test", "sign")); }, "a metric of events");
  expect_error([&] { read(with("/run/optimiser", {{"rate", 1}})); }, "write them in rates");
  expect_error([&] { read(with("/run/seed", 1)); }, "what the experiment itself decides");
  expect_error([&] { read(with("/equal", {{"what", "bodi"}})); }, "did you mean body?");
  expect_error([&] { read(with("/equal", {{"what", "flops"}, {"knob", "layers"}})); }, "tokens");
  expect_error([&] { read(with("/rates", Json::array({0}))); }, "above 0");
  expect_error([&] { read(with("/seeds", Json::array({1, 1}))); }, "each once");
  expect_error([&] { describe_data(read(with("/events", {{"count", 2}}))); }, "sequential");
}

TEST(ExperimentFile, AllOfTheProjectsAreRight) {
  EXPECT_GE(experiment_ids().size(), 10);
  for (const std::string& id : experiment_ids()) {
    const Experiment e = find_experiment(id);
    EXPECT_EQ(e.id, id);
    if (e.data.contains("task")) {  // others read corpora that need not be there
      EXPECT_TRUE(expand(e, describe_data(e), [](const Arm&) { return 1e-3; })) << id;
    }
  }
}

double of(const ExpandedArm& arm, const std::string& what) {
  const Count c = count(arm.blueprint, {.tokens = 32, .context = 32});
  if (what == "total") return static_cast<double>(c.parameters.total);
  if (what == "active") return static_cast<double>(c.parameters.active);
  if (what == "flops_per_token") return c.training.flops_per_token;
  if (what == "state") return static_cast<double>(c.state.bytes_at_context);
  double body = 0;
  for (const int64_t n : c.parameters.by_layer) body += static_cast<double>(n);
  return body;
}

TEST(Arms, AreEqualInWhatIsHeld) {
  for (const char* what : {"total", "active", "body", "flops_per_token"}) {
    Json json = small();
    json["equal"] = {{"what", what}, {"knob", "blocks[*].ffn.dense.width"}};
    const Experiment e = read(json);
    const auto arms = *expand(e, describe_data(e), [](const Arm&) { return std::nullopt; });
    EXPECT_EQ(arms[0].value, 0);
    EXPECT_GT(arms[1].value, 100);
    EXPECT_NEAR(of(arms[1], what) / of(arms[0], what), 1, 0.005) << what;
    EXPECT_EQ(arms[1].blueprint.blocks.size(), 4);
  }
  Json json = small();
  json["arms"]["deep"]["change"] = {{"blocks[*].mixer.attention.kv_heads", 1}};
  json["arms"]["deep"]["knob"] = "layers";
  json["equal"] = {{"what", "state"}, {"knob", "layers"}};
  const Experiment state = read(json);
  const auto arms = *expand(state, describe_data(state), [](const Arm&) { return std::nullopt; });
  EXPECT_EQ(arms[1].blueprint.blocks.size(), 4);  // half of the state in each layer
  EXPECT_EQ(of(arms[1], "state"), of(arms[0], "state"));
}

TEST(Arms, EqualOperationsAndSecondsAreSolvedByTokens) {
  Json json = small();
  json["tokens"] = 128000;
  json["equal"] = {{"what", "flops"}};
  const Experiment flops = read(json);
  const auto arms = *expand(flops, describe_data(flops), [](const Arm&) { return std::nullopt; });
  EXPECT_LT(arms[1].tokens, arms[0].tokens);
  EXPECT_NEAR(arms[1].cost.flops_per_token * static_cast<double>(arms[1].tokens) /
                  (arms[0].cost.flops_per_token * static_cast<double>(arms[0].tokens)),
              1, 0.005);
  json["equal"] = {{"what", "seconds"}};
  const Experiment seconds = read(json);
  EXPECT_FALSE(expand(seconds, describe_data(seconds), [](const Arm&) { return std::nullopt; }));
  const auto timed = *expand(seconds, describe_data(seconds),
                             [](const Arm& a) { return a.name == "deep" ? 2e-3 : 1e-3; });
  EXPECT_EQ(timed[1].tokens * 2, timed[0].tokens);
}

TEST(Arms, SayWhereNothingMakesThemEqual) {
  Json json = small();
  json["equal"] = {{"what", "body"}, {"knob", "layers"}};
  json["arms"]["deep"]["change"] = {{"blocks[*].ffn.dense.width", 777}};
  const Experiment e = read(json);
  expect_error([&] { expand(e, describe_data(e), [](const Arm&) { return std::nullopt; }); },
               "arms.deep: no value of layers makes body equal");
}

TEST(Plan, KeysDependOnWhatDecidesARun) {
  const TemporaryFolder folder;
  const Store store(folder.path());
  const auto keys = [&](const Json& json) {
    std::set<std::string> all;
    const Prepared p = prepare(read(json), store);
    for (const RunSpec& spec : plan(p, store).runs) all.insert(spec.key);
    return all;
  };
  const std::set<std::string> usual = keys(small());
  EXPECT_EQ(usual.size(), 4);  // two arms at two rates
  Json json = small();
  json["title"] = "other words";
  json["criteria"][0]["size"] = 0.5;
  json["run"]["clip"] = 0.0;  // the default
  EXPECT_EQ(keys(json), usual);
  for (const char* change : {R"({"tokens": 2560})", R"({"run": {"clip": 1.0}})",
                             R"({"data": {"seed": 3}})", R"({"evaluation_rows": 4})"}) {
    json = small();
    json.merge_patch(Json::parse(change));
    for (const std::string& key : keys(json)) EXPECT_FALSE(usual.contains(key)) << change;
  }
}

TEST(Data, LongerRowsAndLabelsOfText) {
  const TemporaryFolder folder;
  Json json = small();
  json["beyond"] = 3;
  const Data markov = make_data(read(json), folder.path(), 1280, 4);
  EXPECT_EQ(NpyIntegers(markov.beyond).cols(), 3 * 32);
  json["data"] = {{"task", "copy"}};
  expect_error([&] { make_data(read(json), folder.path(), 1280, 4); }, "markov and nested");

  // Every document of letter x is of its own folder; those held out keep their label.
  const std::filesystem::path texts = folder.path() / "texts";
  for (const char* name : {"a", "b"}) {
    std::filesystem::create_directories(texts / name);
    for (int i = 0; i < 40; ++i)
      write_file(texts / name / (std::to_string(i) + ".txt"), std::string(63, name[0]));
  }
  json["data"] = {{"text", texts.string()}, {"length", 16}, {"held_out", 4}};
  const Data text = make_data(read(json), folder.path(), 1280, 4);
  EXPECT_EQ(text.domain_names, (std::vector<std::string>{"a", "b"}));
  const NpyIntegers ids(text.validation), labels(text.domains);
  ASSERT_EQ(labels.rows(), ids.rows());
  std::vector<int32_t> id(16), label(16);
  std::set<int32_t> seen;
  for (int64_t r = 0; r < ids.rows(); ++r) {
    ids.read(r, id);
    labels.read(r, label);
    for (size_t i = 0; i < 16; ++i) {
      if (id[i] != '\n') {
        EXPECT_EQ(label[i], id[i] - 'a');
      }
      seen.insert(label[i]);
    }
  }
  EXPECT_EQ(seen, (std::set<int32_t>{0, 1}));
  EXPECT_EQ(NpyIntegers(text.beyond).cols(), 48);
}

TEST(Plan, KeysKnowTheProgram) {
  const Json here = numbers_of_program("f32");
  EXPECT_EQ(here, numbers_of_program("f32"));
  EXPECT_NE(here["version"], "");
  const std::string usual = here["probe"];
  EXPECT_EQ(usual.size(), 16);
}

}  // namespace
}  // namespace ashlar::lab
