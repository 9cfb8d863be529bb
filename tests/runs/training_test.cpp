// Runs of training: curves equal PyTorch's and Transformers', resumed runs equal whole ones.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "ashlar/train.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "formats/safetensors.h"
#include "model/model.h"
#include "runs/start.h"
#include "support/errors.h"
#include "support/paths.h"

namespace ashlar::testing {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kGolden{"gpt2",
                                       "llama",
                                       "olmo2",
                                       "gemma3",
                                       "gpt_oss",
                                       "qwen3_moe",
                                       "qwen3_moe_balanced",
                                       "deepseek_v3",
                                       "deepseek_v3_corrected",
                                       "deepseek_v3_mtp"};

fs::path golden(const std::string& name) {
  return fs::path(source_dir()) / "tests/golden/training" / name;
}

/// The golden run, from its checkpoint of tests/golden/models.
TrainingRequest request(const std::string& name, const fs::path& out,
                        std::vector<std::string> changes = {}) {
  const Json run = read_json(golden(name) / "run.json");
  TrainingRequest r;
  r.file = (golden(name) / "run.json").string();
  r.changes = {"init.from=" + source_dir() + "/tests/golden/models/" +
                   run["init"]["from"].get<std::string>() + "/model",
               "out=" + out.string()};
  r.changes.insert(r.changes.end(), changes.begin(), changes.end());
  r.threads = 2;
  return r;
}

std::vector<StepRecord> all_steps(TrainingRun& run) {
  std::vector<StepRecord> records;
  while (!run.finished()) records.push_back(run.step());
  return records;
}

class Curves : public ::testing::TestWithParam<std::string> {};

TEST_P(Curves, EqualPyTorchs) {
  const TemporaryFolder folder;
  const Json expected = read_json(golden(GetParam()) / "expected.json");
  const auto run = start_training(request(GetParam(), folder.path() / "run"));
  const std::vector<StepRecord> records = all_steps(*run);
  ASSERT_EQ(records.size(), expected["loss"].size());
  for (size_t i = 0; i < records.size(); ++i) {
    const double loss = expected["loss"][i], norm = expected["gradient_norm"][i],
                 tolerance = i < 10 ? 1e-5 : 1e-3;
    EXPECT_NEAR(records[i].loss / loss, 1, tolerance) << "step " << i + 1;
    EXPECT_NEAR(records[i].gradient_norm / norm, 1, i < 10 ? 1e-4 : 2e-2) << "step " << i + 1;
    for (const auto& [name, values] : records[i].values) {
      if (expected.contains(name)) {
        EXPECT_NEAR(values.at(0) / expected[name][i].get<double>(), 1, i < 10 ? 1e-5 : 1e-3)
            << name;
      }
    }
    EXPECT_NEAR(records[i].rate, expected["rate"][i].get<double>(), 1e-12);
  }
}
INSTANTIATE_TEST_SUITE_P(Families, Curves, ::testing::ValuesIn(kGolden),
                         [](const auto& c) { return c.param; });

/// Every byte of the trained weights.
std::string weights_of(const fs::path& run) { return read_file(run / "model/model.safetensors"); }

// 2 N steps = N steps, a checkpoint, another process's worth of objects, N steps: to the bit.
TEST(Resume, IsEqualToTheBit) {
  for (const char* optimiser : {"adamw", "muon", "sgd"}) {
    SCOPED_TRACE(optimiser);
    const TemporaryFolder folder;
    const std::vector<std::string> changes{std::string("optimiser.kind=") + optimiser, "steps=12",
                                           "data.order=shuffled", "batch.micro=3",
                                           "checkpoint.every=3"};
    const auto whole = start_training(request("qwen3_moe", folder.path() / "whole", changes));
    const std::vector<StepRecord> expected = all_steps(*whole);
    whole->finish();
    {
      const auto part = start_training(request("qwen3_moe", folder.path() / "part", changes));
      for (int i = 0; i < 8; ++i) part->step();  // two steps beyond the last checkpoint: lost
    }
    TrainingRequest again = request("qwen3_moe", folder.path() / "part", changes);
    again.resume = true;
    const auto rest = start_training(again);
    EXPECT_EQ(rest->steps_done(), 6);
    const std::vector<StepRecord> found = all_steps(*rest);
    rest->finish();
    ASSERT_EQ(found.size(), 6);
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].loss, expected[6 + i].loss);
      EXPECT_EQ(found[i].gradient_norm, expected[6 + i].gradient_norm);
    }
    EXPECT_EQ(weights_of(folder.path() / "part"), weights_of(folder.path() / "whole"));
    // The log holds every step once.
    std::ifstream log(folder.path() / "part/log.jsonl");
    int64_t step = 0;
    for (std::string line; std::getline(log, line);) EXPECT_EQ(Json::parse(line)["step"], ++step);
    EXPECT_EQ(step, 12);
  }
}

// A decay that branches off a checkpoint of a trunk gives what the trunk would have given, had it
// been so long from the beginning: to the bit.
TEST(Branch, DecaysAsAWholeRunWould) {
  const TemporaryFolder folder;
  const std::vector<std::string> common{"schedule.kind=wsd", "schedule.warmup=2",
                                        "data.order=shuffled", "optimiser.kind=muon"};
  auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), common.begin(), common.end());
    return more;
  };
  const auto whole = start_training(
      request("llama", folder.path() / "whole", with({"steps=12", "schedule.decay=0.5"})));
  const std::vector<StepRecord> expected = all_steps(*whole);
  whole->finish();
  {
    const auto trunk =
        start_training(request("llama", folder.path() / "trunk",
                               with({"steps=100", "checkpoint={\"every\": 3, \"keep\": 3}"})));
    for (int i = 0; i < 10; ++i) trunk->step();
  }
  const std::string from = (folder.path() / "trunk/checkpoints/step-00000006").string();
  const std::vector<std::string> decay =
      with({"steps=12", "schedule.decay=0.5", "branch=" + from, "checkpoint.every=0"});
  const auto branch = start_training(request("llama", folder.path() / "branch", decay));
  EXPECT_EQ(branch->steps_done(), 6);
  const std::vector<StepRecord> found = all_steps(*branch);
  branch->finish();
  ASSERT_EQ(found.size(), 6);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].loss, expected[6 + i].loss);
    EXPECT_EQ(found[i].rate, expected[6 + i].rate);
    EXPECT_EQ(found[i].step, expected[6 + i].step);
  }
  EXPECT_EQ(weights_of(folder.path() / "branch"), weights_of(folder.path() / "whole"));
  // The newest where a run is named; a run without any, or longer already, is refused.
  EXPECT_EQ(checkpoint_named((folder.path() / "trunk").string()).filename(), "step-00000009");
  expect_error([&] { checkpoint_named(folder.path().string()); }, "expected the folder of a run");
  expect_error(
      [&] {
        start_training(
            request("llama", folder.path() / "short", with({"steps=6", "branch=" + from})));
      },
      "has done 6");
  expect_error(
      [&] {
        start_training(request("llama", folder.path() / "other",
                               with({"steps=12", "branch=" + from,
                                     "data.tokens=" + (golden("gpt2") / "ids.npy").string()})));
      },
      "the data is not what this run began with");
}

void damage(const fs::path& file) {
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  f.seekp(-5, std::ios::end);
  f.put('x');
}

TEST(Resume, PassesOverADamagedCheckpoint) {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "run";
  {
    const auto run = start_training(request("llama", out, {"steps=20", "checkpoint.every=4"}));
    for (int i = 0; i < 13; ++i) run->step();
  }
  const fs::path checkpoints = out / "checkpoints";
  EXPECT_TRUE(fs::exists(checkpoints / "step-00000012/state.json"));
  EXPECT_TRUE(fs::exists(checkpoints / "step-00000008/state.json"));
  EXPECT_FALSE(fs::exists(checkpoints / "step-00000004"));  // two are kept
  damage(checkpoints / "step-00000012/second_moment.safetensors");
  TrainingRequest again = request("llama", out, {"steps=20", "checkpoint.every=4"});
  again.resume = true;
  std::vector<std::string> notices;
  again.notice = [&](const std::string& text) { notices.push_back(text); };
  EXPECT_EQ(start_training(again)->steps_done(), 8);
  ASSERT_EQ(notices.size(), 1);
  EXPECT_NE(notices[0].find("step-00000012"), std::string::npos) << notices[0];
  EXPECT_NE(notices[0].find("damaged"), std::string::npos) << notices[0];
  // One without its marker is none.
  fs::remove(checkpoints / "step-00000008/state.json");
  notices.clear();
  EXPECT_EQ(start_training(again)->steps_done(), 0);
}

TEST(Resume, KeepsEveryMth) {
  const TemporaryFolder folder;
  const auto run = start_training(
      request("llama", folder.path() / "run",
              {"steps=14", "checkpoint={\"every\": 2, \"keep\": 1, \"keep_every\": 6}"}));
  all_steps(*run);
  run->finish();
  std::vector<std::string> found;
  for (const auto& e : fs::directory_iterator(folder.path() / "run/checkpoints"))
    found.push_back(e.path().filename().string());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (std::vector<std::string>{"step-00000006", "step-00000012", "step-00000014"}));
}

TEST(Resume, RefusesOtherDataAndModels) {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "run";
  {
    const auto run = start_training(request("llama", out, {"steps=4"}));
    run->step();
    run->checkpoint();
  }
  TrainingRequest other =
      request("llama", out, {"steps=4", "data.tokens=" + (golden("gpt2") / "ids.npy").string()});
  other.resume = true;
  expect_error([&] { start_training(other); }, "the data is not what this run began with");
  TrainingRequest twice = request("llama", out, {"steps=4"});
  expect_error([&] { start_training(twice); }, "holds a run already");
}

TEST(Runs, WriteBackWhatTheyAre) {
  const TemporaryFolder folder;
  const auto run = start_training(request("gpt2", folder.path() / "run", {"steps=3"}));
  const std::vector<StepRecord> first = all_steps(*run);
  run->finish();
  // From run.json alone the same again.
  TrainingRequest again;
  again.file = (folder.path() / "run/run.json").string();
  again.changes = {"out=" + (folder.path() / "again").string()};
  again.threads = 1;
  const auto second_run = start_training(again);
  const std::vector<StepRecord> second = all_steps(*second_run);
  second_run->finish();
  for (size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i].loss, second[i].loss);
  EXPECT_EQ(weights_of(folder.path() / "run"), weights_of(folder.path() / "again"));
  const Model model = load_model((folder.path() / "run/model").string());
  EXPECT_EQ(model.blueprint.family, "gpt2");
  std::ifstream log(folder.path() / "run/log.jsonl");
  std::string line;
  std::getline(log, line);
  const Json record = Json::parse(line);
  for (const char* key :
       {"step", "tokens", "loss", "gradient_norm", "rate", "seconds", "tokens_per_second"})
    EXPECT_TRUE(record.contains(key)) << key;
  EXPECT_EQ(record["tokens"], 4 * 24);
}

TEST(Runs, EvaluateAsTheyTrain) {
  const TemporaryFolder folder;
  const std::string ids = (golden("llama") / "ids.npy").string();
  const auto run =
      start_training(request("llama", folder.path() / "run",
                             {"steps=5", "data.validation=" + ids, "evaluate.every=2",
                              "optimiser.rate=0", "batch={\"sequences\": 10, \"micro\": 3}"}));
  const std::vector<StepRecord> records = all_steps(*run);
  for (const StepRecord& r : records) {
    EXPECT_EQ(r.validation_loss.has_value(), r.step % 2 == 0 || r.step == 5);
    // All rows in every step, and nothing learned: the same loss.
    if (r.validation_loss) {
      EXPECT_NEAR(*r.validation_loss, r.loss, 1e-6);
    }
  }
}

TEST(Runs, FailBeforeAnythingIsWritten) {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "run";
  const auto fails = [&](const std::string& name, std::vector<std::string> changes,
                         const std::string& says) {
    expect_error([&] { start_training(request(name, out, std::move(changes))); }, says);
    EXPECT_FALSE(fs::exists(out));
  };
  fails("llama", {"data.tokens=none.npy"}, "none.npy: there is no such file");
  fails("llama", {"batch.length=25"}, "rows of 24 tokens");
  fails("llama", {"batch.micro=5"}, "batch.micro");
  fails("llama", {"steps=-1"}, "steps");
  fails("llama", {"optimiser.rate=-1"}, "optimiser.rate");
  fails("llama", {"model={\"base\": \"llama-3.2-1b\", \"change\": {\"embedding.vocab\": 20}}"},
        "vocabulary has 0 to 19");
  fails("llama",
        {"model={\"base\": \"gpt2\", \"change\": {\"layers\": 1, \"embedding.positions\": 8}}"},
        "8 learned positions");
  fails("llama", {"model=qwen3-0.6b"}, "init.from");
  fails("llama", {"model={\"base\": \"deepseek-v3\"}"}, "training deepseek-v3 takes");
  fails("llama", {"data.folder=x"}, "data: expected");
}

}  // namespace
}  // namespace ashlar::testing
