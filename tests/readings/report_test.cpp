// Reports: one file that needs no other, well-formed, with every model in it.
#include "readings/report/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "families/family.h"
#include "readings/count/count.h"
#include "support/samples.h"
#include "support/xml.h"

namespace ashlar {
namespace {

std::vector<testing::Element> elements_of(const std::string& page) {
  return testing::XmlReader(page, {"meta", "br"}).read();
}

/// Nothing is fetched to show the page: there are links to papers and cards, but no resources.
void expect_self_contained(const std::string& page) {
  int scripts = 0;
  for (const testing::Element& e : elements_of(page)) {
    EXPECT_TRUE(e.tag != "link" && e.tag != "img" && e.tag != "iframe") << e.tag;
    EXPECT_FALSE(e.attributes.contains("src"));
    const std::string href = e.attribute("href");
    EXPECT_TRUE(href.empty() || href.starts_with("#") ||
                (e.tag == "a" && href.starts_with("https://")))
        << href;
    scripts += e.tag == "script" ? 1 : 0;
  }
  EXPECT_EQ(scripts, 1);  // that sorts tables
  EXPECT_EQ(page.find("fetch("), std::string::npos);
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
    if (e.tag == "a" && e.attribute("href").starts_with("#"))
      links.push_back(e.attribute("href").substr(1));
    figures += e.tag == "svg" ? 1 : 0;
  }
  for (const std::string& l : links) EXPECT_TRUE(ids.contains(l)) << l;
  for (const Blueprint& bp : models) {
    std::string id = "m-" + bp.name;
    std::replace(id.begin(), id.end(), '.', '-');
    EXPECT_TRUE(ids.contains(id)) << id;
  }
  // Each model wide and tall; five plots without a machine and the lineage, broad and slim.
  EXPECT_EQ(figures, 4 * 2 + 5 * 2 + 2);
  EXPECT_NE(page.find("sliding window<span"), std::string::npos);
  EXPECT_NE(page.find("latent attention<span"), std::string::npos);
  // An idea that none of them has is not told.
  EXPECT_EQ(page.find("aligned chunks<span"), std::string::npos);
}

/// The rows of the first table of that kind: header cells, then those of each model.
std::vector<std::vector<std::string>> rows_of(const std::string& page, const std::string& kind) {
  const size_t begin = page.find("<table class=\"data " + kind + "\">");
  if (begin == std::string::npos) return {};
  const std::string table = page.substr(begin, page.find("</table>", begin) + 8 - begin);
  std::vector<std::vector<std::string>> rows;
  for (const testing::Element& e : elements_of(table)) {
    if (e.tag == "tr") rows.emplace_back();
    if (e.tag == "th" || e.tag == "td")
      rows.back().push_back(e.attribute("data-v").empty() ? e.text : e.attribute("data-v"));
  }
  return rows;
}

TEST(Report, CardsOfTheModelsAreShown) {
  const std::vector<Blueprint> models{load_blueprint("gpt-oss-20b"), load_blueprint("olmo-2-1b")};
  const std::string page = report(models);
  for (const char* text : {"OpenAI", "2025-08", "Apache-2.0", "mxfp4", "Allen Institute for AI",
                           "href=\"https://arxiv.org/abs/2508.10925\"",
                           "href=\"https://huggingface.co/openai/gpt-oss-20b\""})
    EXPECT_NE(page.find(text), std::string::npos) << text;
}

TEST(Report, TablesSortByNumbers) {
  const std::vector<Blueprint> models{load_blueprint("gpt-oss-20b"), load_blueprint("olmo-2-1b")};
  const auto rows = rows_of(report(models), "numbers");
  ASSERT_EQ(rows.size(), 3U);
  const auto column = [&](const std::string& name) {
    return static_cast<size_t>(std::find(rows[0].begin(), rows[0].end(), name) - rows[0].begin());
  };
  for (size_t i = 0; i < models.size(); ++i) {
    const Count c = count(models[i]);
    EXPECT_NEAR(std::stod(rows[i + 1].at(column("parameters"))),
                static_cast<double>(c.parameters.total), 1e-6 * 2e10);
    EXPECT_NEAR(std::stod(rows[i + 1].at(column("active without embedding"))),
                static_cast<double>(c.parameters.active_without_embedding), 1e-6 * 2e10);
    EXPECT_NEAR(std::stod(rows[i + 1].at(column("state at context"))),
                static_cast<double>(c.state.bytes_at_context), 1e-6 * 2e10);
  }
}

TEST(Report, ContextsBeyondWhatAModelWasMadeForAreMarked) {
  const std::vector<Blueprint> models{load_blueprint("gpt2"), load_blueprint("olmo-2-1b")};
  EXPECT_EQ(report(models, {.compare = {.context = 1024}}).find(">beyond "), std::string::npos);
  const std::string page = report(models, {.compare = {.context = 2048}});
  EXPECT_NE(page.find(">beyond 1,024<"), std::string::npos);
  EXPECT_EQ(page.find(">beyond 4,096<"), std::string::npos);
}

// Gemma 3 27B: 62 layers of 8,192 bytes per token, of which 52 see the last 1,024 tokens only.
TEST(Report, WindowsBendTheGrowthOfTheState) {
  const std::vector<Blueprint> models{load_blueprint("gemma-3-27b"), load_blueprint("olmo-2-1b")};
  const std::string page = report(models);
  EXPECT_NE(page.find(">496 KiB<span class=\"note\">80.0 KiB beyond 1,024</span>"),
            std::string::npos);
  EXPECT_EQ(page.find("beyond 4,096"), std::string::npos);
}

TEST(Report, ALineageSaysWhoHadAnIdeaFirst) {
  const std::vector<Blueprint> models{load_blueprint("qwen3-8b"), load_blueprint("gpt2-xl"),
                                      load_blueprint("olmo-2-7b")};
  const std::string page = report(models);
  const size_t norm = page.find("<h4>norm before the part<");
  ASSERT_NE(norm, std::string::npos);
  const std::string entry = page.substr(norm, page.find("</li>", norm) - norm);
  EXPECT_NE(entry.find("<b>gpt2-xl</b> (2019-11) had it first of 2 here"), std::string::npos)
      << entry;
  EXPECT_EQ(entry.find("olmo-2-7b"), std::string::npos) << entry;
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
