// Figures as Mermaid flowcharts.
#include <fmt/format.h>

#include "base/units.h"
#include "blueprint/wiring.h"
#include "figures/svg.h"
#include "readings/draw/figure.h"

namespace ashlar {
namespace {

class Chart {
 public:
  Chart(std::string& out, const Anatomy& a, size_t index)
      : out_(out), a_(a), prefix_("m" + std::to_string(index)) {}

  void write() {
    line(fmt::format("subgraph {}[{}]", prefix_,
                     mermaid_label({fmt::format(
                         "{}: {} parameters", a_.name(),
                         short_number(static_cast<double>(a_.count.parameters.total)))})));
    line("direction BT");
    const Embedding& e = a_.blueprint.embedding;
    std::string last = node("embedding", titled("Token embedding", embedding_facts(e)));
    if (a_.absolute) {
      const std::string positions = node("positions", {position_words(e)});
      const std::string plus = add("embedding_plus");
      edge(last, plus);
      edge(positions, plus);
      last = plus;
    }
    for (size_t p = 0; p < a_.panels.size(); ++p) last = panel(p, last);
    const std::string stream = last;
    if (a_.blueprint.final_norm) {
      const std::string norm = node("final_norm", {"Final " + norm_name(*a_.blueprint.final_norm)});
      edge(last, norm);
      last = norm;
    }
    edge(last, node("head", titled("Output head", head_facts(a_.blueprint))));
    if (a_.blueprint.head.tied) line(fmt::format("{}embedding -.- {}head", prefix_, prefix_));
    if (!a_.blueprint.mtp.empty()) multi_token(stream);
    line("end");
  }

 private:
  /// The layer that predicts the token after the next.
  void multi_token(const std::string& stream) {
    const Block& block = a_.blueprint.mtp[0];
    const std::string next = node("next", {"embedding of the next token"}),
                      join = node("mtp_project", {"norm each, join and project"}),
                      layer = node("mtp_layer", {"one more layer", mixer_name(block.mixer),
                                                 ffn_name(block.ffn)});
    edge(stream, join);
    edge(next, join);
    edge(join, layer);
    edge(layer, node("mtp_head", {"the same output head", "the token after the next"}));
  }

  void line(const std::string& text) { out_ += "  " + text + "\n"; }
  std::string node(const std::string& id, const std::vector<std::string>& words) {
    line(prefix_ + id + "[" + mermaid_label(words) + "]");
    return prefix_ + id;
  }
  std::string add(const std::string& id) {
    line(prefix_ + id + "((\"+\"))");
    return prefix_ + id;
  }
  void edge(const std::string& from, const std::string& to, const std::string& words = {}) {
    line(from + (words.empty() ? " --> " : " -- \"" + words + "\" --> ") + to);
  }

  std::string norm(const std::string& id, const Wiring& w, const std::string& from) {
    const std::string name = node(id, {norm_name(norm_of(w))});
    edge(from, name);
    return name;
  }

  std::string sublayer(const Panel& p, size_t panel, bool mixer, const std::string& from) {
    const std::string id = (mixer ? "attn" : "ffn") + std::to_string(panel);
    const NormPlaces norms = form_of(p.wiring).norms;
    const std::string read = norms.before ? norm(id + "_norm", p.wiring, from) : from;
    const std::string f = part(p, id, mixer);
    edge(read, f);
    const std::string last = norms.after ? norm(id + "_post_norm", p.wiring, f) : f;
    const std::string plus = add(id + "_plus");
    edge(last, plus, residual_words(p.wiring));
    edge(from, plus);
    return norms.on_stream ? norm(id + "_post_norm", p.wiring, plus) : plus;
  }

  /// Mixer and feed-forward side by side: one norm, one addition.
  std::string side_by_side(const Panel& p, size_t panel, const std::string& from) {
    const std::string id = "block" + std::to_string(panel);
    const std::string read = norm(id + "_norm", p.wiring, from);
    std::vector<std::string> parts;
    for (const bool mixer : {true, false}) {
      parts.push_back(part(p, (mixer ? "attn" : "ffn") + std::to_string(panel), mixer));
      edge(read, parts.back());
    }
    const std::string plus = add(id + "_plus");
    for (const std::string& f : parts) edge(f, plus);
    edge(from, plus);
    return plus;
  }

  std::string part(const Panel& p, const std::string& id, bool mixer) {
    std::vector<std::string> words;
    for (const size_t v : mixer ? p.mixers : p.ffns) {
      if (!words.empty()) words.push_back("or, by layer,");
      const PartWords w = words_of_part(a_, mixer, v);
      words.push_back(w.name);
      if (w.several) words.push_back(w.layers);
      for (const Fact& f : w.facts) words.push_back(f.text);
    }
    return node(id, words);
  }

  std::string panel(size_t index, const std::string& from) {
    const Panel& p = a_.panels[index];
    std::vector<std::string> title{fmt::format("{} ×", p.layers.size())};
    if (a_.panels.size() > 1) title.push_back(layer_words(p.layers, a_.layers()));
    line(
        fmt::format("subgraph {}layers{}[{}]", prefix_, index, mermaid_label({join(title, ", ")})));
    line("direction BT");
    const std::string enter = fmt::format("{}in{}", prefix_, index);
    line(enter + "([\"residual stream\"])");
    const std::string last = form_of(p.wiring).norms.parallel
                                 ? side_by_side(p, index, enter)
                                 : sublayer(p, index, false, sublayer(p, index, true, enter));
    line("end");
    edge(from, enter);
    return last;
  }

  std::string& out_;
  const Anatomy& a_;
  std::string prefix_;
};

}  // namespace

std::string mermaid_label(const std::vector<std::string>& lines) {
  static constexpr std::pair<char, std::string_view> kEntities[] = {
      {'"', "#quot;"}, {'#', "#35;"}, {'<', "#lt;"}, {'>', "#gt;"}, {'&', "#amp;"}};
  std::string out;
  for (const std::string& line : lines) {
    if (!out.empty()) out += "<br/>";
    out += with_entities(line, kEntities);
  }
  return "\"" + out + "\"";
}

std::string draw_mermaid(const std::vector<Anatomy>& models) {
  std::string out = "flowchart BT\n";
  for (size_t i = 0; i < models.size(); ++i) Chart(out, models[i], i).write();
  return out;
}

}  // namespace ashlar
