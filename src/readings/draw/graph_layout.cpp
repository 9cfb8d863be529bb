// Which nodes stand in which block, column and row.
#include "readings/draw/graph_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/units.h"
#include "readings/draw/words.h"
#include "transform/differentiate.h"

namespace ashlar {
namespace {

std::string sizes_of(const Type& type) {
  if (type.axes.empty()) return "one number";
  std::string text = "[";
  for (const Axis& a : type.axes) {
    if (text.size() > 1) text += ", ";
    text += a.size == kTokensSize ? a.name : fmt::format("{} {}", a.name, a.size);
  }
  return text + (type.kind == Kind::index ? "] of indices" : "]");
}

class Arrangement {
 public:
  explicit Arrangement(const Graph& graph)
      : graph_(graph), maker_(graph.types().size()), readers_(graph.types().size()) {
    for (const NodeId i : graph_.nodes().ids()) {
      const Node& node = graph_.nodes()[i];
      short_names_.push_back(std::string(name_in_layer(node.name())));
      for (const ValueId id : node.outputs) maker_[id] = i;
      for (const Input& in : node.inputs) {
        if (in.is_value()) readers_[in.value].push_back(i);
      }
    }
    for (const Output& o : graph_.outputs()) names_[o.value].push_back(o.name);
  }

  GraphLayout run() {
    GraphLayout layout;
    layout.nodes = graph_.nodes().size();
    std::set<Pass> passes;
    for (const Node& node : graph_.nodes()) passes.insert(node.place.pass);
    layout.passes.assign(passes.begin(), passes.end());
    gather();
    if (!before_.empty()) layout.blocks.push_back(block("before the layers", 0, before_));
    for (const auto& [layers, nodes] : kinds()) {
      std::string title = layer_words(layers, layers_.size());
      if (layers.size() > 1) title += ", drawn once";
      layout.blocks.push_back(block(title, layers.size(), nodes));
    }
    if (!after_.empty()) layout.blocks.push_back(block("after the layers", 0, after_));
    say_differences(layout);
    for (const GraphBlock& b : layout.blocks) {
      for (const GraphCell& c : b.cells) layout.drawn += c.port ? 0 : 1;
    }
    return layout;
  }

 private:
  using Nodes = std::vector<NodeId>;

  /// Deals the nodes out to layers and to what stands before and after them.
  void gather() {
    bool any_layer = false, any_backward_layer = false;
    for (const NodeId i : graph_.nodes().ids()) {
      const Place& p = place(i);
      const bool backward = p.pass == Pass::backward;
      if (p.layer) {
        (backward ? any_backward_layer : any_layer) = true;
        if (layers_.size() <= *p.layer) layers_.resize(*p.layer + 1);
        layers_[*p.layer].push_back(i);
      } else {
        const bool before = backward ? any_backward_layer : !any_layer;
        (before ? before_ : after_).push_back(i);
      }
    }
  }

  /// What a layer's nodes are, without which layer it is.
  std::string signature(const Nodes& nodes) const {
    std::map<NodeId, size_t> at;
    std::string text;
    for (const NodeId i : nodes) {
      at[i] = at.size();
      const Node& node = graph_.nodes()[i];
      text +=
          fmt::format("{} {} {}", static_cast<int>(place(i).pass), short_names_[i], node.op.name());
      for (const Attribute& a : node.op.attributes())
        text += fmt::format(" {}={}", a.name, a.value);
      for (const Input& in : node.inputs) {
        const auto made = in.is_value() ? at.find(maker_[in.value]) : at.end();
        text +=
            made == at.end() ? " " + to_string(graph_.type(in)) : fmt::format(" %{}", made->second);
      }
      text += '\n';
    }
    return text;
  }

  /// Layers that are alike, and the nodes of the first of them.
  std::vector<std::pair<std::vector<size_t>, Nodes>> kinds() const {
    std::vector<std::pair<std::vector<size_t>, Nodes>> all;
    std::map<std::string, size_t> of;
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
      if (layers_[layer].empty()) continue;
      const auto [it, fresh] = of.emplace(signature(layers_[layer]), all.size());
      if (fresh) all.push_back({{}, layers_[layer]});
      all[it->second].first.push_back(layer);
    }
    return all;
  }

  /// Attributes of forward nodes that not all kinds of layers have alike.
  static void say_differences(GraphLayout& layout) {
    std::map<std::pair<std::string, std::string>, std::set<std::string>> values;
    const auto each = [&](const auto& f) {
      for (GraphBlock& b : layout.blocks) {
        for (GraphCell& c : b.cells) {
          if (b.layers == 0 || c.port || c.pass != Pass::forward) continue;
          for (const Attribute& a : c.attributes) f(c, a);
        }
      }
    };
    each([&](const GraphCell& c, const Attribute& a) {
      values[{c.title, a.name}].insert(a.value);
    });
    each([&](GraphCell& c, const Attribute& a) {
      if (values[{c.title, a.name}].size() > 1) c.detail += fmt::format(" {} {}", a.name, a.value);
    });
  }

  GraphCell cell_of(NodeId i) const {
    const Node& node = graph_.nodes()[i];
    GraphCell cell;
    cell.pass = place(i).pass;
    cell.title = std::string(node.op.name());
    if (!short_names_[i].empty()) cell.title += " " + short_names_[i];
    cell.hover = std::string(node.op.doc().formula);
    cell.attributes = node.op.attributes();
    for (const Attribute& a : cell.attributes)
      cell.hover += fmt::format("\n{} = {}", a.name, a.value);
    for (const Input& in : node.inputs) {
      if (!in.is_param()) continue;
      const Param& p = graph_.params()[in.param];
      cell.hover += fmt::format("\nreads {} {}", p.name, sizes_of({Kind::real, p.axes}));
    }
    const std::string prefix = gradient_name({});
    std::vector<std::string> gradients;
    for (const ValueId id : node.outputs) {
      cell.hover += fmt::format("\nmakes {}", sizes_of(graph_.type(id)));
      const auto it = names_.find(id);
      if (it == names_.end()) continue;
      for (const std::string& name : it->second) {
        if (!name.starts_with(prefix)) continue;
        gradients.emplace_back(name_in_layer(name.substr(prefix.size())));
        cell.hover += fmt::format(": gradient of {}", gradients.back());
      }
    }
    cell.detail = sizes_of(graph_.type(node.outputs.front()));
    if (node.outputs.size() > 1)
      cell.detail += fmt::format(" and {} more", node.outputs.size() - 1);
    if (gradients.size() == 1)
      cell.gradient = "gradient of " + gradients[0];
    else if (!gradients.empty())
      cell.gradient = fmt::format("gradients of {} parameters", gradients.size());
    const bool loss = !node.place.layer && short_names_[i].starts_with("loss");
    cell.kind = enum_name(loss ? Part::head : node.place.part);
    return cell;
  }

  const Place& place(NodeId node) const { return graph_.nodes()[node].place; }

  GraphBlock block(const std::string& title, size_t layers, const Nodes& nodes) const {
    GraphBlock b;
    b.title = title;
    b.layers = layers;
    std::map<NodeId, size_t> cell_at;   // node -> cell
    std::map<ValueId, size_t> port_at;  // value that enters -> cell
    const std::set<NodeId> inside(nodes.begin(), nodes.end());
    for (const NodeId i : nodes) {
      const Node& node = graph_.nodes()[i];
      std::set<size_t> reads;
      for (const Input& in : node.inputs) {
        if (!in.is_value()) continue;
        const NodeId made = maker_[in.value];
        if (inside.count(made) != 0) {
          reads.insert(cell_at.at(made));
          continue;
        }
        const auto [it, fresh] = port_at.emplace(in.value, b.cells.size());
        if (fresh) b.cells.push_back(port("in", place(i).pass, in.value));
        reads.insert(it->second);
      }
      cell_at[i] = b.cells.size();
      b.cells.push_back(cell_of(i));
      b.cells.back().reads.assign(reads.begin(), reads.end());
    }
    for (const NodeId i : nodes) {
      for (const ValueId id : graph_.nodes()[i].outputs) {
        const auto& readers = readers_[id];
        const bool leaves = std::any_of(readers.begin(), readers.end(), [&](NodeId r) {
          return inside.count(r) == 0 && place(r).pass == place(i).pass;
        });
        if (place(i).pass == Pass::forward) {
          const bool kept = std::any_of(readers.begin(), readers.end(),
                                        [&](NodeId r) { return place(r).pass != Pass::forward; });
          if (kept && graph_.type(id).per_token()) b.kept += 4 * graph_.type(id).feature_count();
        }
        if (!leaves) continue;
        b.cells.push_back(port("out", place(i).pass, id));
        b.cells.back().reads = {cell_at.at(i)};
      }
    }
    set_rows(b, nodes, cell_at);
    return b;
  }

  GraphCell port(std::string_view direction, Pass pass, ValueId id) const {
    GraphCell cell;
    cell.pass = pass;
    cell.port = true;
    const std::string& made = short_names_[maker_[id]];
    const bool gradient = place(maker_[id]).pass == Pass::backward;
    cell.title = fmt::format("{}: {}{}", direction, gradient ? "gradient at " : "",
                             made.empty() ? "a value" : made);
    cell.detail = sizes_of(graph_.type(id));
    cell.kind = "io";
    return cell;
  }

  /// The backward pass stands, from below, in the rows of the forward nodes that it belongs to.
  void set_rows(GraphBlock& b, const Nodes& nodes, const std::map<NodeId, size_t>& cell_at) const {
    const auto from_below = [](const GraphCell& c) { return c.pass == Pass::backward; };
    const auto entering = [](const GraphCell& c) { return c.title.starts_with("in"); };
    const auto stack = [&](bool top) {  // ports at one end of the columns
      std::map<Pass, double> used;
      double most = 0;
      for (GraphCell& c : b.cells) {
        if (!c.port || (entering(c) != from_below(c)) != top) continue;
        c.row = b.rows + used[c.pass]++;
        most = std::max(most, used[c.pass]);
      }
      b.rows += most;
    };
    stack(true);
    const bool has_forward = std::any_of(nodes.begin(), nodes.end(),
                                         [&](NodeId i) { return place(i).pass == Pass::forward; });
    const Pass base = has_forward ? Pass::forward : Pass::backward;
    Nodes rows, later;
    for (const NodeId i : nodes) (place(i).pass == base ? rows : later).push_back(i);
    std::vector<Nodes> backward(rows.size()), again(rows.size());
    size_t at = rows.empty() ? 0 : rows.size() - 1, next = 0;
    for (const NodeId i : later) {
      const std::string& name = short_names_[i];
      if (place(i).pass == Pass::recomputed) {
        for (size_t r = next; r < rows.size(); ++r) {
          if (short_names_[rows[r]] != name) continue;
          next = r;
          break;
        }
        again[next].push_back(i);
        continue;
      }
      for (size_t r = at + 1; r-- > 0;) {
        const std::string& forward = short_names_[rows[r]];
        if (forward == name || forward.starts_with(name + ".")) {
          at = r;
          break;
        }
      }
      backward[at].push_back(i);
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      const double height =
          static_cast<double>(std::max<size_t>({1, backward[r].size(), again[r].size()}));
      const auto centred = [&](size_t n) { return b.rows + (height - static_cast<double>(n)) / 2; };
      b.cells[cell_at.at(rows[r])].row = centred(1);
      for (size_t k = 0; k < again[r].size(); ++k)
        b.cells[cell_at.at(again[r][k])].row = centred(again[r].size()) + static_cast<double>(k);
      for (size_t k = 0; k < backward[r].size(); ++k)
        b.cells[cell_at.at(backward[r][k])].row = b.rows + height - 1 - static_cast<double>(k);
      b.rows += height;
    }
    stack(false);
  }

  const Graph& graph_;
  IdVector<NodeId, std::string> short_names_;  // within their layers
  IdVector<ValueId, NodeId> maker_;
  IdVector<ValueId, Nodes> readers_;
  std::map<ValueId, std::vector<std::string>> names_;
  std::vector<Nodes> layers_;
  Nodes before_, after_;
};

}  // namespace

std::string GraphLayout::summary() const {
  return fmt::format("{} nodes; {} drawn, layers that are alike once",
                     grouped(static_cast<int64_t>(nodes)), grouped(static_cast<int64_t>(drawn)));
}

std::string GraphLayout::title(const GraphBlock& b) const {
  if (passes.size() == 1 || b.kept == 0) return b.title;
  return fmt::format("{}: keeps {} per token{}", b.title, short_bytes(static_cast<double>(b.kept)),
                     b.layers > 1 ? " and layer" : "");
}

GraphLayout layout_of(const Graph& graph) { return Arrangement(graph).run(); }

}  // namespace ashlar
