// Keys that a config.json leaves out mean what Transformers' classes say
// (tools/config_defaults.py).
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/published.h"

namespace ashlar::testing {
namespace {

const Json& table() {
  static const Json kTable = read_json(source_folder() / "tests/families/config_defaults.json");
  return kTable;
}

Blueprint blueprint_of(const Json& config) { return read_config(config, "config.json").blueprint; }

class Defaults : public ::testing::TestWithParam<std::string> {};

TEST_P(Defaults, NothingGivenIsTheClass) {
  const Json& c = table()[GetParam()];
  expect_same(blueprint_of(c["given"]), blueprint_of(c["expanded"]), 1e-12);
}

TEST_P(Defaults, EveryKeyLeftOut) {
  const Json& c = table()[GetParam()];
  const Blueprint whole = blueprint_of(c["expanded"]);
  for (const auto& [key, value] : c["expanded"].items()) {
    if (key == "model_type" || c["given"].contains(key)) continue;
    SCOPED_TRACE(key);
    Json config = c["expanded"];
    config.erase(key);
    expect_same(blueprint_of(config), whole, 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(ModelTypes, Defaults, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const auto& [name, value] : table().items()) names.push_back(name);
                           return names;
                         }()),
                         [](const auto& c) { return c.param; });

// An object that the file has is not filled in from a default object.
TEST(DefaultsWithin, AnObjectIsWhole) {
  Json config = table()["gpt_oss"]["given"];
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 1000.0}};
  const Blueprint blueprint = blueprint_of(config);
  const auto& rope = std::get<AttentionPart>(blueprint.blocks[0].mixer).rope;
  EXPECT_EQ(rope->scaling, RotationScaling::none);
  EXPECT_EQ(rope->theta, 1000);
}

}  // namespace
}  // namespace ashlar::testing
