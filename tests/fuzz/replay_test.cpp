// What the fuzz targets must survive, without a fuzzer: their seeds as they are, cut short and
// with bytes changed. (tools/fuzz.sh searches; this test repeats.)
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/json.h"
#include "support/paths.h"

// One function per file of fuzz/, whose LLVMFuzzerTestOneInput the build names fuzz_TARGET.
#define TARGET(name) extern "C" int fuzz_##name(const uint8_t* data, size_t size);
FUZZ_TARGETS
#undef TARGET

namespace ashlar::testing {
namespace {

namespace fs = std::filesystem;

struct Target {
  const char* name;
  int (*run)(const uint8_t* data, size_t size);
};

#define TARGET(name) {#name, fuzz_##name},
const Target kTargets[] = {FUZZ_TARGETS};
#undef TARGET

void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

/// Folder and ending of the seeds, as in tools/fuzz.sh.
std::pair<std::string, std::string> seeds_of(const std::string& target) {
  if (target == "chat_template") return {"tests/text/templates", ".jinja"};
  if (target == "tokenizer_json") return {"tests/text/tokenizers", ".json"};
  if (target == "config_json") return {"tests/families/published", ".json"};
  if (target == "blueprint_json") return {"blueprints", ".json"};
  if (target == "graph_text") return {"tests/snapshots", ".txt"};
  if (target == "claims_expression") return {"claims", ".json"};
  if (target == "gguf") return {"tests/golden/formats", ".gguf"};
  if (target == "safetensors") return {"tests/golden/formats", ".safetensors"};
  return {};
}

/// Seeds of a moderate size, the smallest first.
std::vector<std::string> seeds(const std::string& target) {
  const auto [folder, ending] = seeds_of(target);
  std::vector<std::string> all;
  if (!folder.empty()) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(source_dir()) / folder))
      if (entry.path().extension() == ending && entry.file_size() < (128 << 10))
        all.push_back(read_file(entry.path()));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  all.insert(all.begin(), "");
  return all;
}

void changed(std::string& bytes, std::mt19937_64& random) {
  for (auto left = random() % 8; left > 0 && !bytes.empty(); --left) {
    const size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      case 2:
        bytes.erase(at, 1 + random() % 16);
        break;
      default:
        bytes.insert(at, bytes.substr(random() % bytes.size(), 1 + random() % 64));
    }
  }
}

class Replay : public ::testing::TestWithParam<Target> {};

TEST_P(Replay, EndsWell) {
  const auto run = [](const std::string& bytes) {
    return GetParam().run(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  };
  std::mt19937_64 random(1);
  const std::vector<std::string> all = seeds(GetParam().name);
  for (const std::string& seed : all) EXPECT_EQ(run(seed), 0);
  // Few of the longer ones: the time goes with the length.
  const size_t some = std::min<size_t>(all.size(), 12);
  for (size_t i = 0; i < some; ++i) {
    for (int n = 0; n < 40; ++n) {
      std::string bytes = all[i].substr(0, 16 << 10);
      if (bytes.empty())
        for (auto left = random() % 200; left > 0; --left) bytes += static_cast<char>(random());
      if (n % 4 == 0) bytes.resize(random() % (bytes.size() + 1));
      changed(bytes, random);
      EXPECT_EQ(run(bytes), 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, ::testing::ValuesIn(kTargets),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace ashlar::testing
