// Scores of a trained run against the trainer's own evaluation and plain sums.
#include "lab/score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ashlar/train.h"
#include "base/temporary_folder.h"
#include "formats/safetensors.h"
#include "graph/evaluate.h"
#include "lab/arms.h"
#include "lab/data.h"
#include "lab/metrics.h"
#include "lab/tasks/task.h"
#include "ops/attention.h"
#include "run/reference.h"
#include "runs/start.h"
#include "train/checkpoint.h"

namespace ashlar::lab {
namespace {

/// A trained run of a small mixture of experts with a shared one, on copying.
class Score : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto task = make_task("copy", {{"symbols", 6}, {"string", 4}, {"gaps", {0, 3}}}, 1);
    const TaskRows train = rows_of(*task, 64, 1, false), held = rows_of(*task, 10, 1, true);
    rows_ = held;
    write_npy(folder_.path() / "train.npy", train.rows, train.length, train.ids);
    write_npy(folder_.path() / "held.npy", held.rows, held.length, held.ids);
    write_npy(folder_.path() / "answers.npy", held.rows, held.length, held.answers);
    // The first four rows have the label 1, others 0; longer rows are each row twice.
    std::vector<int32_t> labels, twice;
    for (int64_t r = 0; r < held.rows; ++r) {
      labels.insert(labels.end(), static_cast<size_t>(held.length), r < 4 ? 1 : 0);
      for (int i = 0; i < 2; ++i)
        twice.insert(twice.end(), held.ids.begin() + r * held.length,
                     held.ids.begin() + (r + 1) * held.length);
    }
    write_npy(folder_.path() / "labels.npy", held.rows, held.length, labels);
    write_npy(folder_.path() / "twice.npy", held.rows, 2 * held.length, twice);
    Json run = Json::parse(R"({
      "model": {"base": "smollm2-135m", "change": {"layers": 2, "embedding.vocab": 13, "embedding.width": 16,
        "blocks[*].mixer.attention.heads": 2, "blocks[*].mixer.attention.kv_heads": 1,
        "blocks[*].mixer.attention.head_dim": 8,
        "blocks[1].ffn.experts": {"experts": 4, "top_k": 2, "width": 8, "shared": 8, "router": {}}}},
      "batch": {"sequences": 8}, "optimiser": {"rate": 0.01}, "steps": 30, "write_model": false,
      "evaluate": {"every": 30}})");
    run["data"] = {{"tokens", (folder_.path() / "train.npy").string()},
                   {"validation", (folder_.path() / "held.npy").string()}};
    write_file(folder_.path() / "request.json", run.dump());
    const auto training = start_training({.file = (folder_.path() / "request.json").string(),
                                          .changes = {"out=" + run_folder().string()},
                                          .threads = 1});
    while (!training->finished()) last_ = training->step();
    training->finish();
  }
  std::filesystem::path run_folder() const { return folder_.path() / "run"; }
  Json scored() const {
    return score({.run = run_folder(),
                  .answers = (folder_.path() / "answers.npy").string(),
                  .first_choice = 0,
                  .last_choice = 6,
                  .buckets = 4,
                  .bytes = true,
                  .domains = (folder_.path() / "labels.npy").string(),
                  .domain_names = {"rest", "first"},
                  .beyond = (folder_.path() / "twice.npy").string()});
  }

  TemporaryFolder folder_;
  TaskRows rows_;
  StepRecord last_;
};

TEST_F(Score, EqualsTheTrainersEvaluation) {
  const Json s = scored();
  EXPECT_NEAR(s["loss"], *last_.validation_loss, 1e-6);
  EXPECT_EQ(s["predicted"], 10 * 11);
  EXPECT_NEAR(s["bits_per_byte"].get<double>(), *last_.validation_loss / std::log(2.0), 1e-6);
  EXPECT_FALSE(std::filesystem::exists(run_folder() / "model"));
}

/// A run that trains a layer for multi-token prediction too: its loss against the sum of the plain
/// loops, its guesses against theirs, and the model's own numbers without it.
TEST_F(Score, TellsWhatTheLayerAheadGuesses) {
  Json run = read_json((folder_.path() / "request.json").string());
  run["model"]["change"]["mtp"] = Json::parse(R"([{"wiring": {"pre_norm": {"eps": 1e-05}},
      "mixer": {"attention": {"heads": 2, "kv_heads": 1, "head_dim": 8, "rope": {"theta": 10000}}},
      "ffn": {"experts": {"experts": 4, "top_k": 2, "width": 8, "router": {}}}}])");
  run["losses"] = {{"mtp", 0.3}};
  write_file(folder_.path() / "ahead.json", run.dump());
  const auto folder = folder_.path() / "ahead";
  const auto training = start_training({.file = (folder_.path() / "ahead.json").string(),
                                        .changes = {"out=" + folder.string()},
                                        .threads = 1});
  StepRecord last;
  while (!training->finished()) last = training->step();
  training->finish();
  const Json s = score({.run = folder});
  EXPECT_NEAR(s["loss"], *last.validation_loss, 1e-6);
  EXPECT_EQ(s["loads"].size(), 1u);  // the model's router

  const RunStart start = read_start({.file = (folder / "run.json").string()});
  Weights weights;
  const auto checkpoint = checkpoints_in(folder / "checkpoints").at(0);
  const auto file = SafetensorsFolder::open(checkpoint / "weights.safetensors");
  for (const Param& p : start.graph.params()) weights[p.name] = file->tensor(p.name);
  double loss = 0;
  int64_t accepted = 0, predicted = 0;
  for (int64_t r = 0; r < rows_.rows; ++r) {
    const std::vector<int32_t> ids(rows_.ids.begin() + r * rows_.length,
                                   rows_.ids.begin() + (r + 1) * rows_.length);
    const auto model = reference_logits(graph_of(start.blueprint), weights, ids);
    const auto layer = reference_logits(mtp_graph_of(start.blueprint), weights, ids);
    const auto row = [&](const std::vector<float>& of, int64_t t) {
      constexpr int64_t kVocab = 13;
      return std::span(of).subspan(static_cast<size_t>(t * kVocab), kVocab);
    };
    const auto best = [](std::span<const float> z) {
      return std::max_element(z.begin(), z.end()) - z.begin();
    };
    for (int64_t t = 0; t + 2 < rows_.length; ++t) {
      double sum = 0;
      for (const float z : row(layer, t)) sum += std::exp(static_cast<double>(z));
      loss += std::log(sum) - static_cast<double>(row(
                                  layer, t)[static_cast<size_t>(ids[static_cast<size_t>(t + 2)])]);
      accepted += best(row(layer, t)) == best(row(model, t + 1)) ? 1 : 0;
      ++predicted;
    }
  }
  EXPECT_EQ(s["ahead"]["predicted"], predicted);
  EXPECT_NEAR(s["ahead"]["loss"], loss / static_cast<double>(predicted), 1e-5);
  EXPECT_NEAR(s["ahead"]["acceptance"],
              static_cast<double>(accepted) / static_cast<double>(predicted), 1e-9);
  const Json m = metrics_of(folder / "log.jsonl", s, {}, false);
  EXPECT_EQ(m["draft_acceptance"], s["ahead"]["acceptance"]);
  EXPECT_EQ(m["ahead_loss"], s["ahead"]["loss"]);
  EXPECT_FALSE(scored().contains("ahead"));
  // Training it costs operations; what the model is stays.
  const ArmCost with = cost_of(start.blueprint, 12, 8, true),
                without = cost_of(start.blueprint, 12, 8);
  EXPECT_GT(with.flops_per_token, without.flops_per_token);
  EXPECT_GT(with.memory_bytes, without.memory_bytes);
  EXPECT_EQ(with.total, without.total);
}

TEST_F(Score, TellsDomainsAndLongerRowsApart) {
  const Json s = scored();
  const Json &first = s["by_domain"]["first"], &rest = s["by_domain"]["rest"];
  EXPECT_EQ(first["predicted"], 4 * 11);
  EXPECT_EQ(rest["predicted"], 6 * 11);
  EXPECT_NEAR(0.4 * first["loss"].get<double>() + 0.6 * rest["loss"].get<double>(),
              s["loss"].get<double>(), 1e-9);
  const Json few = score({.run = run_folder(), .rows = 4});
  EXPECT_NEAR(first["loss"], few["loss"], 1e-6);
  // What comes before does not depend on what comes after.
  const Json& longer = s["beyond"];
  EXPECT_EQ(longer["length"], 24);
  ASSERT_EQ(longer["by_position"].size(), 8);
  double second_half = 0;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(longer["by_position"][i], s["by_position"][i], 1e-5);
    second_half += longer["by_position"][i + 4].get<double>() / 4;
  }
  EXPECT_NEAR(longer["loss"], second_half, 1e-9);  // buckets of three tokens each
  EXPECT_EQ(s["decode"]["context"], 12);
  EXPECT_GT(s["decode"]["tokens_per_second"], 0);
  const RunStart start = read_start({.file = (run_folder() / "run.json").string()});
  EXPECT_GE(s["decode"]["state_bytes"], cost_of(start.blueprint, 12, 1).state_bytes);
}

/// A checkpoint's parameters for the plain loops.
std::map<std::string, Array<double>> values_at(const RunStart& start,
                                               const std::filesystem::path& checkpoint) {
  ParameterArrays arrays(start.graph.params());
  arrays.take(start.graph.params(), checkpoint_weights(checkpoint, start.graph.params()));
  std::map<std::string, Array<double>> values;
  for (const ParamId i : start.graph.params().ids()) {
    const Param& p = start.graph.params()[i];
    Array<double>& a = values[p.name];
    for (const Axis& axis : p.axes) a.sizes.push_back(axis.size);
    for (const float v : arrays[i]) a.values.push_back(static_cast<double>(v));
  }
  return values;
}

// Everything else from the reference executor: plain loops in double.
TEST_F(Score, EqualsPlainLoops) {
  const Json s = scored();
  const RunStart start = read_start({.file = (run_folder() / "run.json").string()});
  const auto values = values_at(start, checkpoints_in(run_folder() / "checkpoints").at(0));
  double answers = 0, most = 0, last_bucket = 0;
  int64_t right = 0, count = 0, in_bucket = 0;
  std::vector<double> load(4, 0);
  const auto length = static_cast<size_t>(rows_.length);
  for (size_t r = 0; r < 10; ++r) {
    const std::span<const int32_t> ids = std::span(rows_.ids).subspan(r * length, length);
    const ValueHook<double> hook = [&](const Node& node, const std::vector<Array<double>>& out) {
      if (node.op.name() == "route") {
        for (const int64_t e : out[1].indices) load[static_cast<size_t>(e)] += 1;
      }
    };
    const Array<double> logits = evaluate<double>(
        start.graph, [&](const Param& p) -> const Array<double>& { return values.at(p.name); },
        TokenBatch::whole({ids.begin(), ids.end()}), hook);
    for (size_t t = 0; t + 1 < length; ++t) {
      const double* z = logits.values.data() + t * 13;
      double sum = 0;
      for (int i = 0; i < 13; ++i) sum += std::exp(z[i]);
      const double loss = std::log(sum) - z[ids[t + 1]];
      if ((t + 1) * 4 / length == 3) {
        last_bucket += loss;
        ++in_bucket;
      }
      if (rows_.answers[r * length + t + 1] == 0) continue;
      answers += loss;
      ++count;
      right += std::max_element(z, z + 6) - z == ids[t + 1] ? 1 : 0;
    }
  }
  EXPECT_EQ(s["answers"]["count"], 40);
  EXPECT_EQ(count, 40);
  EXPECT_NEAR(s["answers"]["loss"].get<double>(), answers / 40, 1e-5);
  EXPECT_NEAR(s["answers"]["accuracy"].get<double>(), static_cast<double>(right) / 40, 1e-9);
  EXPECT_NEAR(s["by_position"][3].get<double>(), last_bucket / static_cast<double>(in_bucket),
              1e-5);
  ASSERT_EQ(s["loads"].size(), 1);
  const Json loads = s["loads"].begin().value();
  for (size_t e = 0; e < 4; ++e)
    EXPECT_NEAR(loads[e].get<double>(), load[e] / (10.0 * static_cast<double>(length) * 2 / 4),
                1e-5);
  // Largest scores are positive and of each layer; the shared expert matters.
  ASSERT_EQ(s["max_logit"].size(), 2);
  for (const auto& [layer, value] : s["max_logit"].items())
    most = std::max(most, value.get<double>());
  EXPECT_GT(most, 0);
  EXPECT_GT(std::abs(s["loss_without_shared"].get<double>() - s["loss"].get<double>()), 1e-4);
}

/// Choices of the routers of a run's model at a checkpoint, token by token, by plain loops.
std::vector<std::vector<int64_t>> choices_at(const RunStart& start,
                                             const std::filesystem::path& checkpoint,
                                             const TaskRows& rows) {
  const auto values = values_at(start, checkpoint);
  std::vector<std::vector<int64_t>> choices;
  const auto length = static_cast<size_t>(rows.length);
  for (size_t r = 0; r < static_cast<size_t>(rows.rows); ++r) {
    const std::span<const int32_t> ids = std::span(rows.ids).subspan(r * length, length);
    evaluate<double>(
        start.graph, [&](const Param& p) -> const Array<double>& { return values.at(p.name); },
        TokenBatch::whole({ids.begin(), ids.end()}),
        [&](const Node& node, const std::vector<Array<double>>& out) {
          if (node.op.name() != "route") return;
          for (size_t t = 0; t < length; ++t)
            choices.push_back({out[1].indices[2 * t], out[1].indices[2 * t + 1]});
        });
  }
  return choices;
}

TEST_F(Score, TellsHowFarRoutersMoved) {
  EXPECT_FALSE(scored().contains("router_drift"));  // one checkpoint alone
  const auto folder = folder_.path() / "kept";
  const auto training = start_training({.file = (folder_.path() / "request.json").string(),
                                        .changes = {"out=" + folder.string(), "checkpoint.every=10",
                                                    "checkpoint.keep=3", "optimiser.rate=0.03"},
                                        .threads = 1});
  while (!training->finished()) training->step();
  training->finish();
  const Json s = score({.run = folder});
  EXPECT_EQ(s["router_drift"]["from"], 10);
  EXPECT_EQ(s["router_drift"]["to"], 30);
  const RunStart start = read_start({.file = (folder / "run.json").string()});
  const auto kept = checkpoints_in(folder / "checkpoints");
  ASSERT_EQ(kept.size(), 3u);
  const auto now = choices_at(start, kept[0], rows_), old = choices_at(start, kept[2], rows_);
  ASSERT_EQ(now.size(), 120u);
  double changed = 0;
  for (size_t t = 0; t < now.size(); ++t) {
    for (const int64_t e : now[t]) changed += e != old[t][0] && e != old[t][1] ? 1 : 0;
  }
  EXPECT_GT(changed, 0);
  const double share = s["router_drift"]["changed"].begin().value();
  EXPECT_NEAR(share, changed / 240, 1.5 / 240);  // one near tie may fall the other way
  EXPECT_EQ(metrics_of(folder / "log.jsonl", s, {}, false)["router_drift"], share);
}

TEST(Metrics, StepsUntilBalance) {
  using Series = std::vector<std::pair<double, double>>;
  Series series;
  for (int i = 0; i < 20; ++i) series.emplace_back(10 * i + 10, i < 8 ? 3.0 : 0.5);
  EXPECT_EQ(steps_until_balance(series, 200), 90);
  series[15].second = 4;  // a record alone is noise
  EXPECT_EQ(steps_until_balance(series, 200), 90);
  EXPECT_EQ(steps_until_balance(Series(20, {10, 0.9}), 200), 0);
  EXPECT_EQ(steps_until_balance(Series(20, {10, 1.1}), 200), 200);

  // Layers come in the order of their numbers, not of their names.
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 1; i <= 20; ++i) {
    const auto of = [&](int balanced) { return Json{{"max_violation", i < balanced ? 2.0 : 0.2}}; };
    lines += Json{{"step", 10 * i},
                  {"experts",
                   {{"layers.10.ffn", of(5)}, {"layers.2.ffn", of(15)}, {"layers.3.ffn", of(7)}}}}
                 .dump() +
             "\n";
  }
  write_file(folder.path() / "telemetry.jsonl", lines);
  write_file(folder.path() / "log.jsonl",
             R"({"step":1,"tokens":8,"loss":2,"gradient_norm":1,"seconds":1})"
             "\n");
  const Json score = {{"loss", 1.25},
                      {"by_position", {2.0, 1.0}},
                      {"loads", {{"layers.10.ffn", {2.0, 0.0}}, {"layers.2.ffn", {1.5, 0.5}}}}};
  const Json m = metrics_of(folder.path() / "log.jsonl", score, {.steps = 200}, false);
  EXPECT_EQ(m["balance_steps"], 150);
  EXPECT_EQ(m["balance_steps_first"], 150);
  EXPECT_EQ(m["balance_lag_first"], 150 - (50 + 70) / 2);
  EXPECT_EQ(m["load_violation_first"], 0.5);
  EXPECT_EQ(m["load_violation"], 1);
}

TEST(Metrics, OfALogAreItsSums) {
  const TemporaryFolder folder;
  std::string log;
  for (int i = 0; i < 400; ++i) {
    // ln g rises by 2 per thousand steps and jumps by 0.1 up and down; one spike.
    const double g = std::exp(0.002 * i + (i % 2 == 0 ? 0.05 : -0.05)) * (i == 350 ? 20 : 1);
    log += Json{{"step", i + 1},
                {"tokens", 100 * (i + 1)},
                {"loss", 5.0 - 0.01 * i},
                {"gradient_norm", g},
                {"seconds", i == 7 ? 9.0 : 0.5}}
               .dump() +
           "\n";
  }
  write_file(folder.path() / "log.jsonl", log);
  const Json score = {
      {"loss", 1.25},
      {"by_position", {2.0, 1.0}},
      {"loads", {{"layers.0.ffn", {4.0, 0.0, 0.0, 0.0}}, {"layers.1.ffn", {1, 1, 1, 1}}}}};
  const Json m = metrics_of(folder.path() / "log.jsonl", score,
                            {.flops_per_token = 10, .entropy = 1.0, .steps = 400}, false);
  EXPECT_NEAR(m["excess"], 0.25, 1e-12);
  EXPECT_NEAR(m["seconds"], 200, 1e-9);
  EXPECT_NEAR(m["tokens_per_second"], 200, 1e-9);
  EXPECT_NEAR(m["flops"], 400000, 1e-6);
  EXPECT_NEAR(m["gradient_slope"], 2, 0.25);  // the spike pulls a little
  EXPECT_NEAR(m["gradient_roughness"], 0.1 + 2 * 3.0 / 360, 0.01);
  EXPECT_NEAR(m["spikes"], 100.0 / (360 - 128), 1e-9);
  EXPECT_NEAR(m["load_violation"], 3, 1e-12);
  EXPECT_NEAR(m["load_violation_first"], 3, 1e-12);
  EXPECT_NEAR(m["dead_experts"], 0.75, 1e-12);
  EXPECT_NEAR(m["train_loss"], 5 - 0.01 * 379.5, 1e-9);
  const Json bad = metrics_of(folder.path() / "log.jsonl", Json(), {}, true);
  EXPECT_EQ(bad["loss"], 5.0);
  EXPECT_EQ(bad["diverged"], 1);
  // Wortsman's formula by hand: (0.5 + 0 + min(9, 4) - 2) / 3.
  EXPECT_NEAR(sensitivity({{1e-3, 2.5}, {1e-2, 2.0}, {1e-1, 9.0}}, 4.0), 2.5 / 3, 1e-12);
}

}  // namespace
}  // namespace ashlar::lab
