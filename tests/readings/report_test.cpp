// Reports: one file that needs no other, well-formed, with every model in it.
#include "readings/report/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "../blueprint/samples.h"
#include "base/error.h"
#include "families/family.h"
#include "xml.h"

namespace ashlar {
namespace {

std::vector<testing::Element> elements_of(const std::string& page) {
  return testing::XmlReader(page, {"meta", "br"}).read();
}

void expect_self_contained(const std::string& page) {
  for (const testing::Element& e : elements_of(page)) {
    EXPECT_TRUE(e.tag != "script" && e.tag != "link" && e.tag != "img" && e.tag != "iframe")
        << e.tag;
    EXPECT_FALSE(e.attributes.contains("src"));
    const std::string href = e.attribute("href");
    EXPECT_TRUE(href.empty() || href.starts_with("#")) << href;
  }
  EXPECT_EQ(page.find("@import"), std::string::npos);
  EXPECT_EQ(page.find("url("), std::string::npos);
}

TEST(Report, IsOnePageWithEveryModel) {
  const std::vector<Blueprint> models{load_blueprint("gemma-3-1b"),
                                      load_blueprint("deepseek-v2-lite"),
                                      load_blueprint("gpt-oss-20b"), load_blueprint("olmo-2-1b")};
  const std::string page = report(models);
  expect_self_contained(page);
  std::set<std::string> ids;
  std::vector<std::string> links;
  int figures = 0;
  for (const testing::Element& e : elements_of(page)) {
    if (!e.attribute("id").empty()) {
      EXPECT_TRUE(ids.insert(e.attribute("id")).second);
    }
    if (e.tag == "a") links.push_back(e.attribute("href").substr(1));
    figures += e.tag == "svg" ? 1 : 0;
  }
  for (const std::string& l : links) EXPECT_TRUE(ids.contains(l)) << l;
  for (const Blueprint& bp : models) {
    std::string id = "m-" + bp.name;
    std::replace(id.begin(), id.end(), '.', '-');
    EXPECT_TRUE(ids.contains(id)) << id;
  }
  EXPECT_EQ(figures, 4 * 2 + 5);  // each model wide and tall; five plots without a machine
  EXPECT_NE(page.find("sliding window<span"), std::string::npos);
  EXPECT_NE(page.find("latent attention<span"), std::string::npos);
  // An idea that none of them has is not told.
  EXPECT_EQ(page.find("aligned chunks<span"), std::string::npos);
}

TEST(Report, OfAComparisonSaysTheDifferencesFirst) {
  const std::vector<Blueprint> two{testing::qwen_like(), testing::olmo_like()};
  const std::string page = report(two, {.comparison = true});
  expect_self_contained(page);
  EXPECT_LT(page.find("inside the residual"), page.find("id=\"table\""));
  EXPECT_NE(page.find("is not the same in all of them"), std::string::npos);
  EXPECT_THROW(report(std::vector{testing::qwen_like()}, {.comparison = true}), Error);
  EXPECT_THROW(report({}), Error);
}

TEST(Report, OfOneModelAndOfHostileNames) {
  Blueprint bp = testing::deepseek_like();
  bp.name = "<img src=x onerror=alert(1)> & \"co\"";
  const std::string page = report(std::vector{bp});
  expect_self_contained(page);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  const std::vector<Blueprint> two{bp, bp};
  expect_self_contained(report(two));
}

TEST(Report, DefaultModelsAreTheLargestOfEachFamily) {
  const std::vector<std::string> names = report_models();
  std::set<std::string> families;
  int64_t before = 0;
  for (const std::string& name : names) {
    const Blueprint bp = load_blueprint(name);
    EXPECT_TRUE(families.insert(bp.family.empty() ? name : bp.family).second) << name;
    const int64_t n = graph_of(bp).parameter_count();
    EXPECT_GE(n, before);
    before = n;
    for (const std::string& other : blueprint_names()) {
      const Blueprint o = load_blueprint(other);
      if (bp.family.empty() || o.family != bp.family) continue;
      EXPECT_LE(graph_of(o).parameter_count(), n);
    }
  }
  for (const std::string& other : blueprint_names()) {
    const Blueprint o = load_blueprint(other);
    EXPECT_TRUE(families.contains(o.family.empty() ? other : o.family)) << other;
  }
}

}  // namespace
}  // namespace ashlar
