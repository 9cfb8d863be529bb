// Drawings say what the blueprint says: every number comes from it, every field is shown.
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/json.h"
#include "base/units.h"
#include "readings/draw/anatomy.h"
#include "support/drawings.h"
#include "support/mutations.h"
#include "support/xml.h"

namespace ashlar {
namespace {

using testing::all_blueprints;
using testing::Element;
using testing::elements_of;
using testing::svg_of;

/// All texts of a figure in one string.
std::string words_of(const std::string& svg) {
  std::string words;
  for (const Element& e : elements_of(svg)) {
    if (e.tag == "text") words += " " + e.text + " ";
  }
  return words;
}

void collect_numbers(const Json& json, std::set<std::string>& numbers) {
  if (json.is_number_integer()) numbers.insert(grouped(json.get<int64_t>()));
  if (json.is_number()) numbers.insert(real_words(json.get<double>()));
  if (json.is_structured()) {
    for (const Json& item : json) collect_numbers(item, numbers);
  }
}

/// What a figure may say: the blueprint's numbers, their products where a width is one, how many
/// layers there are, and the counts.
std::set<std::string> allowed_numbers(const Blueprint& bp) {
  std::set<std::string> numbers;
  collect_numbers(parse_json(to_json(bp), bp.name), numbers);
  const Anatomy a = anatomy_of(bp);
  const auto put = [&](int64_t n) { numbers.insert(grouped(n)); };
  for (int64_t i = 0; i <= static_cast<int64_t>(a.layers()); ++i) put(i);
  for (size_t i = 0; i < a.mixers.size(); ++i) {
    put(a.remembered[i]);
    put(a.naive[i]);
    put(a.fixed[i]);
    if (const auto* n = std::get_if<GatedDeltaNetPart>(&a.mixers[i].part)) {
      put(n->value_heads / n->key_heads);
      continue;
    }
    if (const auto* p = std::get_if<AttentionPart>(&a.mixers[i].part)) {
      put(p->heads * p->head_dim);
      put(p->kv_heads * p->head_dim);
      put(p->heads / p->kv_heads);
      numbers.insert(real_words(p->score_scale()));
    } else {
      const auto& m = std::get<LatentAttentionPart>(a.mixers[i].part);
      put(m.qk_nope + m.qk_rope);
      numbers.insert(real_words(m.score_scale()));
    }
  }
  put(a.count.state.elements_per_token);
  for (const Block& b : bp.mtp) {
    if (const auto* e = std::get_if<ExpertFfnPart>(&b.ffn)) put(e->experts);
  }
  for (const FfnVariant& v : a.ffns) {
    if (const auto* e = std::get_if<ExpertFfnPart>(&v.part)) {
      put(e->router.keep_groups);
      put(e->router.groups);
      numbers.insert(real_words(2 * e->router.jitter));
    }
    std::visit(
        [&](const auto& f) {
          put(f.width);
          numbers.insert(real_words(f.alpha));
          numbers.insert(real_words(f.limit));
        },
        v.part);
  }
  for (const int64_t n : {a.count.parameters.total, a.count.parameters.active,
                          a.count.parameters.active_without_embedding, a.count.parameters.mtp})
    numbers.insert(short_number(static_cast<double>(n)));
  return numbers;
}

TEST(Draw, EveryNumberComesFromTheBlueprint) {
  const std::regex number("[0-9][0-9,]*(\\.[0-9]+)?(e[-+]?[0-9]+)?[KMBT]?");
  for (const Blueprint& bp : all_blueprints()) {
    const std::set<std::string> allowed = allowed_numbers(bp);
    std::string words = words_of(svg_of(bp));
    // The name and the card may hold digits, and so does the name of one scaling of rotations.
    for (const std::string& name :
         {bp.name, card_words(anatomy_of(bp)), std::string("Llama 3"), std::string("KV")}) {
      for (size_t at = 0; !name.empty() && (at = words.find(name)) != std::string::npos;)
        words.erase(at, name.size());
    }
    for (auto it = std::sregex_iterator(words.begin(), words.end(), number);
         it != std::sregex_iterator(); ++it) {
      std::string found = it->str();
      while (found.ends_with(',')) found.pop_back();
      EXPECT_TRUE(allowed.contains(found)) << bp.name << " shows " << found;
    }
  }
}

template <class Part>
void expect_shown(const Blueprint& base, Part* (*part)(Block&),
                  const std::set<std::string>& unseen) {
  const std::string before = words_of(svg_of(base));
  int seen = 0;
  for (const testing::Mutation& m : testing::mutations<Part>(base, part)) {
    if (unseen.contains(m.field)) continue;
    std::string after;
    try {
      after = words_of(svg_of(m.blueprint));
    } catch (const Error&) {
      continue;  // a combination that check() refuses
    }
    ++seen;
    EXPECT_NE(after, before) << base.name << "." << m.field;
    if (m.number) {
      EXPECT_NE(after.find(grouped(*m.number)), std::string::npos)
          << base.name << "." << m.field << " = " << *m.number << " in " << after;
    }
  }
  EXPECT_GT(seen, 0) << base.name;
}

// A field that is changed changes the picture, and its new value stands in it. Not drawn: eps of
// norms, the constants of clamped activations and details of scaled rotations.
TEST(Draw, EveryFieldIsShown) {
  Blueprint plain = testing::qwen_like();
  for (Block& b : plain.blocks) std::get<AttentionPart>(b.mixer).kv_heads = 4;
  expect_shown<AttentionPart>(plain, [](Block& b) { return std::get_if<AttentionPart>(&b.mixer); },
                              {"qk_norm_eps"});
  expect_shown<GatedDeltaNetPart>(testing::qwen_next_like(),
                                  [](Block& b) { return std::get_if<GatedDeltaNetPart>(&b.mixer); },
                                  {"norm_eps"});
  expect_shown<DenseFfn>(testing::qwen_like(),
                         [](Block& b) { return std::get_if<DenseFfn>(&b.ffn); },
                         {"alpha", "limit"});
  expect_shown<LatentAttentionPart>(
      testing::deepseek_like(), [](Block& b) { return std::get_if<LatentAttentionPart>(&b.mixer); },
      {"norm_eps"});
  expect_shown<ExpertFfnPart>(testing::deepseek_like(),
                              [](Block& b) { return std::get_if<ExpertFfnPart>(&b.ffn); },
                              {"alpha", "limit"});
  expect_shown<Router>(testing::deepseek_like(),
                       [](Block& b) -> Router* {
                         auto* e = std::get_if<ExpertFfnPart>(&b.ffn);
                         return e == nullptr ? nullptr : &e->router;
                       },
                       {"jitter"});
  EXPECT_NE(words_of(svg_of(load_blueprint("phi-3.5-moe"))).find("within 0.02 of the best"),
            std::string::npos);
  Blueprint head = testing::qwen_like();
  head.head = {.tied = false, .bias = true, .scale = 0.25, .softcap = 17};
  head.embedding.scale = 3.5;
  const std::string words = words_of(svg_of(head));
  for (const char* text : {"with a bias", "logits × 0.25", "capped at 17", "rows × 3.5"})
    EXPECT_NE(words.find(text), std::string::npos) << text;
}

// The formula of gpt-oss is drawn whole: limits, the constant of its gate, the one that is added.
TEST(Draw, ClampedActivationsAreWrittenOut) {
  Blueprint bp = testing::oss_like();
  for (Block& b : bp.blocks) {
    auto& e = std::get<ExpertFfnPart>(b.ffn);
    e.alpha = 1.625;
    e.limit = 5.5;
  }
  const std::string words = words_of(svg_of(bp));
  for (const char* text : {"min(g, 5.5)", "sigmoid(1.625 g)", "to ±5.5", "+ 1", "+ bias"})
    EXPECT_NE(words.find(text), std::string::npos) << text << " in " << words;
}

TEST(Draw, PositionsOfQueriesAreWrittenOut) {
  Blueprint bp = testing::qwen_like();
  for (Block& b : bp.blocks)
    std::get<AttentionPart>(b.mixer).temperature = {.scale = 0.25, .length = 64, .offset = 1};
  EXPECT_NE(words_of(svg_of(bp)).find("× (1 + 0.25 ln(1 + floor((p + 1) / 64)))"),
            std::string::npos);
}

TEST(Draw, MultiTokenPredictionIsDrawn) {
  const Blueprint with = load_blueprint("deepseek-v3");
  Blueprint without = with;
  without.mtp.clear();
  for (const char* text : {"Join and project", "2 × 7,168 → 7,168", "One more layer", "11.6B"}) {
    EXPECT_NE(words_of(svg_of(with)).find(text), std::string::npos) << text;
    EXPECT_EQ(words_of(svg_of(without)).find(text), std::string::npos) << text;
  }
  EXPECT_NE(draw({&with, 1}, {.format = DrawFormat::mermaid}).find("mtp_project"),
            std::string::npos);
}

TEST(Draw, TheFirstTransformerSaysWhatItIs) {
  const Blueprint bp = load_blueprint("transformer-2017");
  EXPECT_NE(words_of(svg_of(bp)).find("the decoder of an encoder and a decoder"),
            std::string::npos);
}

TEST(Draw, PartsHaveWordsNotNamesOfTensors) {
  for (const Blueprint& bp : all_blueprints()) {
    const std::string words = words_of(svg_of(bp));
    for (const char* code : {"q_a", "q_b", "kv_a", "kv_b", "k_b", "v_b", "_proj"})
      EXPECT_EQ(words.find(code), std::string::npos) << bp.name << ": " << code;
  }
}

TEST(Draw, LayersFoldAndTheStripShowsEachOfThem) {
  const Blueprint bp = testing::gemma_like(14);
  const std::string svg = svg_of(bp), words = words_of(svg);
  EXPECT_NE(words.find("14 ×"), std::string::npos);
  EXPECT_NE(words.find("5 of every 6 layers"), std::string::npos);
  EXPECT_NE(words.find("every 6th layer"), std::string::npos);
  std::map<std::string, int> cells;
  const std::vector<Element> all = elements_of(svg);
  for (const Element& e : all) {
    if (e.tag != "path" || all[static_cast<size_t>(e.parent)].attribute("class") != "strip")
      continue;
    const std::string d = e.attribute("d");
    cells[e.attribute("class")] += static_cast<int>(std::count(d.begin(), d.end(), 'M'));
  }
  EXPECT_EQ(cells["window-solid"], 12);
  EXPECT_EQ(cells["full-solid"], 2);
}

}  // namespace
}  // namespace ashlar
