// Drawings of graphs: every node is there, in its layer and pass, and what is drawn is what is
// kept.
#include "readings/draw/draw_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "readings/draw/graph_layout.h"
#include "support/samples.h"
#include "support/xml.h"
#include "transform/differentiate.h"

namespace ashlar::testing {
namespace {

std::vector<Graph> graphs_of(const Blueprint& bp) {
  const Graph forward = graph_of(bp);
  std::vector<Graph> all{forward, differentiate(forward),
                         differentiate(forward, {.recompute_layers = true}),
                         differentiate(forward).expanded()};
  if (!bp.mtp.empty())
    all.push_back(differentiate(trained_graph(bp, true), {.losses = {.mtp = 0.3}}));
  return all;
}

std::vector<Blueprint> all_blueprints() {
  std::vector<Blueprint> all = sample_blueprints();
  for (const char* name : {"qwen3-0.6b", "gemma-3-27b", "deepseek-v3", "gpt-oss-120b"})
    all.push_back(load_blueprint(name));
  return all;
}

// Blocks times their layers are the nodes of the graph: none is left out or drawn twice.
TEST(DrawGraph, HasEveryNode) {
  for (const Blueprint& bp : all_blueprints()) {
    for (const Graph& graph : graphs_of(bp)) {
      const GraphLayout layout = layout_of(graph);
      size_t nodes = 0, layers = 0;
      for (const GraphBlock& b : layout.blocks) {
        const auto n = static_cast<size_t>(std::count_if(
            b.cells.begin(), b.cells.end(), [](const GraphCell& c) { return !c.port; }));
        nodes += n * std::max<size_t>(1, b.layers);
        layers += b.layers;
      }
      EXPECT_EQ(nodes, graph.nodes().size()) << bp.name;
      EXPECT_EQ(layers, bp.blocks.size()) << bp.name;
      EXPECT_LE(layout.drawn, layout.nodes);
    }
  }
}

// The layer for multi-token prediction and its loss, where they are trained.
TEST(DrawGraph, HasTheLayerForMultiTokenPrediction) {
  const Blueprint bp = deepseek_like();
  const auto drawn = [&](bool mtp) {
    return draw_graph(differentiate(trained_graph(bp, mtp), {.losses = {.mtp = mtp ? 0.3 : 0.0}}),
                      {.format = DrawFormat::text, .columns = 200});
  };
  for (const char* word : {"mtp", "mtp_loss"}) {
    EXPECT_NE(drawn(true).find(word), std::string::npos) << drawn(true);
    EXPECT_EQ(drawn(false).find(word), std::string::npos);
  }
}

// Forward passes run down, backward passes up: nothing is read before it is made.
TEST(DrawGraph, RunsDownAndUp) {
  for (const Blueprint& bp : all_blueprints()) {
    for (const Graph& graph : graphs_of(bp)) {
      for (const GraphBlock& b : layout_of(graph).blocks) {
        std::map<Pass, std::set<double>> rows;
        for (const GraphCell& c : b.cells) {
          EXPECT_TRUE(rows[c.pass].insert(c.row).second) << bp.name << " " << c.title;
          EXPECT_GE(c.row, 0);
          EXPECT_LE(c.row, b.rows - 1);
          for (const size_t r : c.reads) {
            const GraphCell& read = b.cells[r];
            if (read.pass != c.pass) {
              EXPECT_LT(read.pass, c.pass) << bp.name << " " << c.title;
            } else if (c.pass == Pass::backward) {
              EXPECT_GT(read.row, c.row) << bp.name << " " << c.title;
            } else {
              EXPECT_LT(read.row, c.row) << bp.name << " " << c.title;
            }
          }
        }
      }
    }
  }
}

// The bytes written beside the blocks are those of the forward values that later passes read.
TEST(DrawGraph, SaysWhatIsKept) {
  for (const Blueprint& bp : sample_blueprints()) {
    const Graph step = differentiate(graph_of(bp));
    std::set<ValueId> made, kept;
    for (const Node& node : step.nodes()) {
      const bool backward = node.place.pass == Pass::backward;
      for (const ValueId id : node.outputs) {
        if (!backward) made.insert(id);
      }
      for (const Input& in : node.inputs) {
        if (backward && in.is_value() && made.count(in.value) != 0 && step.type(in).per_token())
          kept.insert(in.value);
      }
    }
    int64_t expected = 0, found = 0;
    for (const ValueId id : kept) expected += 4 * step.type(id).feature_count();
    for (const GraphBlock& b : layout_of(step).blocks)
      found += b.kept * std::max<int64_t>(1, static_cast<int64_t>(b.layers));
    EXPECT_EQ(found, expected) << bp.name;
  }
}

TEST(DrawGraph, NamesEveryGradient) {
  const Blueprint bp = qwen_like();
  const std::string text =
      draw_graph(differentiate(graph_of(bp)), {.format = DrawFormat::text, .columns = 200});
  for (const char* name :
       {"embedding", "attn_norm", "attn.q", "attn.k_norm", "ffn.down", "final_norm"})
    EXPECT_NE(text.find(std::string("= gradient of ") + name + "\n"), std::string::npos) << name;
  EXPECT_NE(text.find("all 3 layers, drawn once"), std::string::npos);
  EXPECT_EQ(draw_graph(graph_of(bp), {.format = DrawFormat::text}).find("backward"),
            std::string::npos);
}

// Kinds of layers show in what they differ.
TEST(DrawGraph, SaysInWhatLayersDiffer) {
  const std::string text =
      draw_graph(graph_of(load_blueprint("gemma-3-27b")), {.format = DrawFormat::text});
  EXPECT_NE(text.find("head_dim 128] window 1024\n"), std::string::npos) << text;
  EXPECT_NE(text.find("head_dim 128] window 0\n"), std::string::npos);
  EXPECT_NE(text.find("theta 10000 "), std::string::npos);
  EXPECT_EQ(text.find("eps"), std::string::npos) << "all norms are alike";
}

// Well formed, and no box or text leaves the picture.
TEST(DrawGraph, FitsItsPicture) {
  for (const Blueprint& bp : all_blueprints()) {
    for (const Graph& graph : graphs_of(bp)) {
      const std::string svg = draw_graph(graph);
      const std::vector<Element> elements = XmlReader(svg).read();
      ASSERT_FALSE(elements.empty());
      const double width = elements[0].number("width"), height = elements[0].number("height");
      for (const Element& e : elements) {
        if (e.tag != "rect" || e.attribute("x").empty()) continue;
        EXPECT_GE(e.number("x"), 0);
        EXPECT_GE(e.number("y"), 0);
        EXPECT_LE(e.number("x") + e.number("width"), width) << bp.name;
        EXPECT_LE(e.number("y") + e.number("height"), height) << bp.name;
      }
    }
  }
}

// Every edge of a chart joins nodes or blocks that it has.
TEST(DrawGraph, MermaidJoinsWhatItHas) {
  for (const Blueprint& bp : sample_blueprints()) {
    const std::string chart =
        draw_graph(differentiate(graph_of(bp)), {.format = DrawFormat::mermaid});
    std::set<std::string> ids;
    const std::regex node(R"(\n  (?:subgraph )?(\w+)[\(\[])");
    for (auto it = std::sregex_iterator(chart.begin(), chart.end(), node);
         it != std::sregex_iterator(); ++it)
      ids.insert((*it)[1]);
    size_t edges = 0;
    const std::regex edge(R"(\n  (\w+) -\.?->? ?(\w+)|\n  (\w+) --> (\w+))");
    for (auto it = std::sregex_iterator(chart.begin(), chart.end(), edge);
         it != std::sregex_iterator(); ++it, ++edges) {
      for (const size_t g : {1, 2, 3, 4}) {
        if ((*it)[g].matched) {
          EXPECT_EQ(ids.count((*it)[g]), 1u) << bp.name << ": " << (*it)[g];
        }
      }
    }
    EXPECT_GT(edges, 20u);
  }
}

}  // namespace
}  // namespace ashlar::testing
