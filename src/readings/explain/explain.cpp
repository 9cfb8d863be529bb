// Explaining: nodes of the graph in the order in which they are computed, grouped into parts.
#include "readings/explain/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/edit_distance.h"
#include "base/error.h"
#include "blueprint/wiring.h"
#include "families/family.h"
#include "ops/fractions.h"
#include "ops/state.h"
#include "plan/state_plan.h"
#include "readings/count/count.h"
#include "readings/draw/anatomy.h"
#include "readings/explain/explain_words.h"

namespace ashlar {
namespace {

bool within(std::string_view name, std::string_view scope) {
  return scope.empty() || name == scope ||
         (name.starts_with(scope) && name.size() > scope.size() && name[scope.size()] == '.');
}

class Explainer {
 public:
  Explainer(const Blueprint& bp, const ExplainOptions& o)
      : bp_(bp), o_(o), anatomy_(anatomy_of(bp)) {
    if (o.context < 1 || o.context > int64_t{1} << 23)
      fail(ErrorKind::invalid, "context: expected 1 to {}, found {}", int64_t{1} << 23, o.context);
    if (const Family* family = family_named(bp.family)) names_ = names_of(*family, bp);
  }

  Explanation whole() {
    use(graph_of(bp_));
    Explanation e{bp_.name, bp_.family, "", o_, {}};
    // What stands before the layers, each kind of layer once, what stands after them.
    std::vector<std::string> before, after;
    bool seen_layer = false;
    for (const Node& n : graph_.nodes()) {
      if (n.place.layer) {
        seen_layer = true;
      } else {
        (seen_layer ? after : before).push_back(n.name());
      }
    }
    e.parts.push_back(outside("embedding", "Embedding", before));
    for (size_t i = 0; i < anatomy_.layers(); ++i) layer_parts(i, e.parts);
    if (bp_.final_norm) e.parts.push_back(outside("final_norm", "Final norm", {"final_norm"}));
    std::erase(after, "final_norm");
    e.parts.push_back(outside("logits", "Output head", after));
    return e;
  }

  Explanation scoped(const std::string& scope) {
    use(within(scope, "mtp") && !bp_.mtp.empty() ? mtp_graph_of(bp_) : graph_of(bp_));
    Explanation e{bp_.name, bp_.family, scope, o_, {}};
    ExplainedPart part =
        part_of(scope, [&](const std::string& name) { return within(name, scope); });
    part.title = scope;
    if (part.steps.empty()) unknown(scope);
    if (const auto layer = place_of(scope).layer; layer && *layer < anatomy_.layers())
      describe(part, *layer, scope);
    e.parts.push_back(std::move(part));
    return e;
  }

 private:
  /// The nodes of these names.
  template <class Wanted>
  ExplainedPart part_of(const std::string& scope, const Wanted& wanted) const {
    ExplainedPart p;
    p.scope = scope;
    for (const NodeId i : graph_.nodes().ids()) {
      if (wanted(graph_.nodes()[i].name())) add(p, i);
    }
    return p;
  }

  void use(Graph graph) {
    graph_ = std::move(graph);
    formats_ = weight_formats(o_.weights, bp_);
    fractions_ = expert_fractions(graph_);
    states_.clear();
    for (const NodeState& n : states_of(graph_)) states_[n.node] = n.spec;
  }

  [[noreturn]] void unknown(const std::string& scope) const {
    std::set<std::string> scopes;
    for (const Node& n : graph_.nodes()) {
      const std::string name = n.name();
      for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
        scopes.insert(name.substr(0, dot));
      scopes.insert(name);
    }
    if (!bp_.mtp.empty()) scopes.insert("mtp.0");
    scopes.erase("layers");
    const std::vector<std::string> near = nearest(scope, {scopes.begin(), scopes.end()}, 6);
    fail(ErrorKind::invalid, "{}: {} has no part of that name; near names: {}", scope,
         bp_.name.empty() ? "the model" : bp_.name, join(near, ", "));
  }

  const Panel& panel_of(size_t layer) const {
    return *std::find_if(anatomy_.panels.begin(), anatomy_.panels.end(), [&](const Panel& p) {
      return std::binary_search(p.layers.begin(), p.layers.end(), layer);
    });
  }

  std::string mixer_scope(size_t layer) const {
    return fmt::format("layers.{}.{}", layer, scope_of(bp_.blocks[layer].mixer));
  }

  /// The parts of a layer that no earlier layer has shown: norms and wiring, mixer, feed-forward.
  void layer_parts(size_t layer, std::vector<ExplainedPart>& parts) {
    const std::string prefix = "layers." + std::to_string(layer);
    const Panel& panel = panel_of(layer);
    const auto first = [&](char what, size_t index) { return shown_.insert({what, index}).second; };
    const std::string mixer = mixer_scope(layer), ffn = prefix + ".ffn";
    if (first('w', static_cast<size_t>(&panel - anatomy_.panels.data()))) {
      ExplainedPart p = part_of(prefix, [&](const std::string& name) {
        return within(name, prefix) && !within(name, mixer) && !within(name, ffn);
      });
      p.title = "Wiring and norms";
      p.layers = layer_words(panel.layers, anatomy_.layers());
      p.count = std::ssize(panel.layers);
      describe_wiring(p, panel.wiring);
      parts.push_back(std::move(p));
    }
    const auto part = [&](const std::string& scope) {
      parts.push_back(part_of(scope, [&](const std::string& name) { return within(name, scope); }));
      describe(parts.back(), layer, scope);
    };
    if (first('m', anatomy_.mixer_of[layer])) part(mixer);
    if (first('f', anatomy_.ffn_of[layer])) part(ffn);
  }

  /// Title, words and sources of a layer's part, if the scope is one.
  void describe(ExplainedPart& p, size_t layer, const std::string& scope) {
    const std::string prefix = "layers." + std::to_string(layer);
    const Block& block = bp_.blocks[layer];
    const bool mixer = scope == mixer_scope(layer);
    if (scope == prefix) {
      p.title = "Layer " + std::to_string(layer);
      describe_wiring(p, block.wiring);
    }
    if (!mixer && scope != prefix + ".ffn") return;
    const size_t variant = mixer ? anatomy_.mixer_of[layer] : anatomy_.ffn_of[layer];
    const PartWords w = words_of_part(anatomy_, mixer, variant);
    p.title = w.name;
    p.layers = w.layers;
    p.count = std::ssize(mixer ? anatomy_.mixers[variant].layers : anatomy_.ffns[variant].layers);
    p.sources = mixer ? mixer_sources(block.mixer) : ffn_sources(block.ffn);
    for (const Fact& f : w.facts) p.words.push_back(f.text);
    for (const Fact& f : w.router) p.words.push_back("router: " + f.text);
  }

  static void describe_wiring(ExplainedPart& p, const Wiring& wiring) {
    p.words = {wiring_formula(wiring) + ": " + wiring_words(wiring)};
    p.sources = {form_of(wiring).source};
  }

  ExplainedPart outside(const std::string& scope, const std::string& title,
                        const std::vector<std::string>& names) const {
    ExplainedPart p = part_of(scope, [&](const std::string& name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    });
    p.title = title;
    if (scope == "logits" && bp_.head.tied) {
      p.words = {"the embedding’s table again"};
      p.sources = {"Press and Wolf 2017, Using the Output Embedding to Improve Language Models"};
    }
    return p;
  }

  ExplainedWeight weight_of(const Param& p) const {
    ExplainedWeight w{p.name, axes_words(p.axes), p.elements(), "", ""};
    int64_t layer = 0;
    const Name* name = names_.find(p.name, static_cast<int64_t>(bp_.blocks.size()), &layer);
    if (name == nullptr) return w;
    if (!name->config.empty()) w.config = source_words(name->config[0], layer);
    if (!name->gguf.empty()) w.gguf = source_words(name->gguf[0], layer);
    return w;
  }

  void add(ExplainedPart& part, NodeId index) const {
    const Node& node = graph_.nodes()[index];
    const std::vector<Type> types = graph_.input_types(node);
    ExplainedStep s;
    s.scope = node.name();
    s.op = node.op.name();
    s.formula = node.op.doc().formula;
    s.numbers = formula_with_numbers(node.op, node.inputs);
    s.sizes = sizes_words(graph_, node);
    s.shapes = shapes_words(graph_, node);
    s.source = node.op.doc().source;
    s.prefill_flops = static_cast<double>(node.op.flops(types, Workload::prefill(o_.context))) /
                      static_cast<double>(o_.context);
    s.decode_flops = static_cast<double>(node.op.flops(types, Workload::decode(o_.context)));
    for (const Input& in : node.inputs) {
      if (!in.is_param()) continue;
      const Param& p = graph_.params()[in.param];
      const Fraction f = fractions_[in.param];
      s.weights.push_back(weight_of(p));
      s.parameters += p.elements();
      s.active += p.elements() / f.experts * f.chosen;
      s.weight_bytes += p.rows() * row_bytes(formats_(p), p.cols());
    }
    if (const auto it = states_.find(index); it != states_.end()) {
      const StateSpec& spec = it->second;
      s.state_per_token = spec.width();
      s.state_bytes = static_cast<double>(live_state_bytes(spec, o_.state, o_.context));
    }
    part.prefill_flops += s.prefill_flops;
    part.decode_flops += s.decode_flops;
    part.parameters += s.parameters;
    part.active += s.active;
    part.weight_bytes += s.weight_bytes;
    part.state_per_token += s.state_per_token;
    part.state_bytes += s.state_bytes;
    part.steps.push_back(std::move(s));
  }

  const Blueprint& bp_;
  ExplainOptions o_;
  Anatomy anatomy_;
  Names names_;
  Graph graph_;
  WeightFormats formats_;
  IdVector<ParamId, Fraction> fractions_;
  std::map<NodeId, StateSpec> states_;
  std::set<std::pair<char, size_t>> shown_;
};

}  // namespace

Explanation explain(const Blueprint& bp, std::string_view scope, const ExplainOptions& options) {
  Explainer explainer(bp, options);
  return scope.empty() ? explainer.whole() : explainer.scoped(std::string(scope));
}

}  // namespace ashlar
