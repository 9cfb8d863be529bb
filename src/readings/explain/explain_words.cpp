// Formulas with numbers, and sources.
#include "readings/explain/explain_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <set>
#include <sstream>

#include "base/units.h"
#include "readings/draw/words.h"

namespace ashlar {
namespace {

bool word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Attributes at these values switch nothing on.
bool neutral(const std::string& value) {
  return value == "0" || value == "false" || value == "none" || value == "1" || value.empty();
}

std::string short_value(const std::string& value) {
  // Attributes print so that they read back exactly; people want four digits.
  char* end = nullptr;
  const double v = std::strtod(value.c_str(), &end);
  if (end != value.c_str() + value.size()) return value;
  return v != 0 && std::abs(v) < 1e-4 ? fmt::format("{:g}", v) : real_words(v);
}

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream in{std::string(text)};
  return {std::istream_iterator<std::string>(in), {}};
}

/// The formula without the optional inputs that are not there.
std::string without_missing(std::string formula, const std::vector<std::string>& names,
                            size_t inputs) {
  for (size_t i = inputs; i < names.size(); ++i) {
    if (!names[i].ends_with('?')) continue;
    const std::string name = names[i].substr(0, names[i].size() - 1);
    for (const std::string& term : {" + " + name, " + " + name.substr(0, 1), " " + name}) {
      const size_t at = formula.find(term);
      const size_t end = at + term.size();
      if (at == std::string::npos || (end < formula.size() && word_character(formula[end])))
        continue;
      const bool indexed = end < formula.size() && formula[end] == '[';
      formula.erase(at, (indexed ? formula.find(']', end) + 1 : end) - at);
      break;
    }
  }
  return formula;
}

/// The formula of an op; where it gates, with the biases that are there and with what gpt-oss does
/// to its gate written out.
std::string written_out(const Op& op, const std::vector<Attribute>& attributes, size_t inputs) {
  const OpDoc doc = op.doc();
  const bool experts = doc.name == "expert_ffn";
  if (!experts && doc.name != "gated") return std::string(doc.formula);
  const bool clamped = std::any_of(attributes.begin(), attributes.end(), [](const Attribute& a) {
    return a.name == "kind" && a.value == "clamped";
  });
  const bool biased = experts && inputs == words_of(doc.inputs).size();
  std::string gate = experts ? "gate_e x" : "gate", up = experts ? "up_e x" : "up";
  if (biased) {
    gate += " + gate_bias_e";
    up += " + up_bias_e";
  }
  std::string product = "act(" + gate + ") " + (biased ? "(" + up + ")" : up), where;
  if (clamped) {
    product = "(clamp(" + up + ", -limit, limit) + 1) g sigmoid(alpha g)";
    where = ", g = min(" + gate + ", limit)";
  }
  if (!experts) return "y = " + product + where;
  product = "down_e(" + product + ")";
  return "y = sum_k w_k " + (biased ? "(" + product + " + down_bias_e)" : product) + where;
}

constexpr const char* kRotation = "rotation: Su et al. 2021, RoFormer, section 3.2";

std::vector<std::string> sources_of(const GatedDeltaNetPart&) {
  return {"gated delta rule: Yang et al. 2024, Gated Delta Networks, section 3",
          "delta rule: Schlag et al. 2021, Linear Transformers Are Secretly Fast Weight "
          "Programmers, section 4",
          "short convolution: Gu and Dao 2023, Mamba, section 3.4"};
}

std::vector<std::string> sources_of(const LatentAttentionPart&) {
  return {"latent attention: DeepSeek-AI 2024, DeepSeek-V2, section 2.1", kRotation};
}

std::vector<std::string> sources_of(const AttentionPart& a) {
  std::vector<std::string> s{
      "attention: Vaswani et al. 2017, Attention Is All You Need, section 3.2"};
  const auto add = [&](bool has, std::string source) {
    if (has && !source.empty()) s.push_back(std::move(source));
  };
  add(a.kv_heads == 1 && a.heads > 1,
      "one KV head: Shazeer 2019, Fast Transformer Decoding, section 3");
  add(a.kv_heads > 1 && a.kv_heads < a.heads,
      "grouped queries: Ainslie et al. 2023, GQA, section 2.2");
  add(a.window > 0, "sliding window: Beltagy et al. 2020, Longformer, section 3.1");
  add(a.chunk > 0, "chunks: Meta 2025, Llama 4 reference code");
  add(a.rope.has_value(), kRotation);
  add(a.rope.has_value(), a.rope ? rope_scaling_source(*a.rope) : "");
  add(a.qk_norm != QkNorm::none,
      "QK norm: Henry et al. 2020, Query-Key Normalization for Transformers, section 3");
  add(a.output_gate, "output gate: Qiu et al. 2025, Gated Attention for Large Language Models");
  add(a.sinks,
      "sinks: Xiao et al. 2023, Efficient Streaming Language Models with Attention Sinks, "
      "section 3.3");
  add(a.softcap > 0, "softcap: Gemma Team 2024, Gemma 2, section 2");
  return s;
}

std::string gate_source(FfnActivation a) {
  return has_gate(a) ? "gate: Shazeer 2020, GLU Variants Improve Transformer, section 2"
                     : "feed-forward: Vaswani et al. 2017, section 3.3";
}

std::vector<std::string> sources_of(const DenseFfn& d) { return {gate_source(d.activation)}; }

std::vector<std::string> sources_of(const ExpertFfnPart& e) {
  std::vector<std::string> s{
      "experts: Shazeer et al. 2017, Outrageously Large Neural Networks, section 2",
      gate_source(e.activation)};
  if (e.shared > 0) s.push_back("shared expert: Dai et al. 2024, DeepSeekMoE, section 3.2");
  if (e.shared_gate) s.push_back("gate of the shared expert: Qwen Team 2024, Qwen1.5-MoE");
  if (e.router.correction_bias)
    s.push_back("balancing bias: DeepSeek-AI 2024, DeepSeek-V3, section 2.1.2");
  if (e.router.groups > 1)
    s.push_back("groups of experts: DeepSeek-AI 2024, DeepSeek-V2, section 2.2.2");
  return s;
}

}  // namespace

std::string formula_with_numbers(const Op& op, std::span<const Input> inputs) {
  const std::vector<Attribute> attributes = op.attributes();
  const std::vector<std::string> names = words_of(op.doc().inputs);
  const std::string formula =
      without_missing(written_out(op, attributes, inputs.size()), names, inputs.size());
  std::set<std::string> used;
  const auto attribute = [&](const std::string& name) {
    const auto it = std::ranges::find(attributes, name, &Attribute::name);
    return it == attributes.end() ? nullptr : &*it;
  };
  const auto has_input = [&](const std::string& name) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i].starts_with(name)) return i < inputs.size();
    }
    return false;
  };
  std::string out;
  for (size_t i = 0; i < formula.size();) {
    // " [softcap, window, sink]" lists options: those that are on stay, with their numbers.
    if (formula.compare(i, 2, " [") == 0 && formula.find(']', i) != std::string::npos) {
      const size_t end = formula.find(']', i);
      std::string list;
      for (std::string item : words_of(formula.substr(i + 2, end - i - 2))) {
        while (!item.empty() && item.back() == ',') item.pop_back();
        const Attribute* a = attribute(item);
        used.insert(item);
        const bool on = a != nullptr ? !neutral(a->value) : has_input(item);
        if (!on) continue;
        list += (list.empty() ? "" : ", ") + item;
        if (a != nullptr) list += " " + short_value(a->value);
      }
      if (!list.empty()) out += " [" + list + "]";
      i = end + 1;
      continue;
    }
    if (!word_character(formula[i])) {
      out += formula[i++];
      continue;
    }
    size_t end = i;
    while (end < formula.size() && word_character(formula[end])) ++end;
    const std::string word = formula.substr(i, end - i);
    const Attribute* a = attribute(word);
    if (a == nullptr) {
      out += word;
    } else {
      used.insert(word);
      const bool call = end < formula.size() && formula[end] == '(';
      out += call ? word + "=" + short_value(a->value) : short_value(a->value);
    }
    i = end;
  }
  std::string rest;
  for (const Attribute& a : attributes) {
    if (used.contains(a.name) || neutral(a.value)) continue;
    rest += (rest.empty() ? "" : ", ") + a.name + "=" + short_value(a.value);
  }
  return rest.empty() ? out : out + "   with " + rest;
}

std::string sizes_words(const Graph& graph, const Node& node) {
  const auto sizes = [](const Type& t) {
    std::vector<std::string> each;
    for (const Axis& a : t.features()) each.push_back(grouped(a.size));
    return join(each, " × ");
  };
  if (node.inputs.empty() || node.outputs.empty()) return {};
  const std::string in = sizes(graph.type(node.inputs[0])),
                    out = sizes(graph.type(node.outputs[0]));
  return in.empty() || out.empty() ? out : in + " → " + out;
}

std::string axes_words(const Axes& axes) {
  std::vector<std::string> each;
  for (const Axis& a : axes) each.push_back(fmt::format("{}={}", a.name, a.size));
  return join(each, ", ");
}

std::string shapes_words(const Graph& graph, const Node& node) {
  const auto axes = [](const Type& t) { return "[" + axes_words(t.features()) + "]"; };
  const std::vector<std::string> in = words_of(node.op.doc().inputs),
                                 out = words_of(node.op.doc().outputs);
  std::string text;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    std::string name = i < in.size() ? in[i] : "x";
    if (name.ends_with('?')) name.pop_back();
    text += (text.empty() ? "" : " ") + name + " " + axes(graph.type(node.inputs[i]));
  }
  text += text.empty() ? "->" : " ->";
  for (size_t i = 0; i < node.outputs.size(); ++i)
    text += " " + (i < out.size() ? out[i] : "y") + " " + axes(graph.type(node.outputs[i]));
  return text;
}

std::string source_words(const Source& s, int64_t layer) {
  std::string text = s.name;
  for (size_t at = text.find("{i}"); at != std::string::npos; at = text.find("{i}"))
    text.replace(at, 3, std::to_string(layer));
  std::vector<std::string> notes;
  if (s.transposed) notes.push_back(s.unless_packed ? "transposed unless packed" : "transposed");
  if (s.group != s.count)
    notes.push_back(
        fmt::format("rows {} to {} of every {}", s.begin, s.begin + s.count - 1, s.group));
  if (s.minus_one) notes.push_back("holds w - 1");
  if (s.minus_exp) notes.push_back("holds -exp(w)");
  if (s.tiles > 0)
    notes.push_back(s.tiled_columns ? "heads of columns tiled" : "heads of rows tiled");
  if (s.rope_heads > 0) notes.push_back("rows of a head interleaved");
  return notes.empty() ? text : text + " (" + join(notes, ", ") + ")";
}

std::vector<std::string> mixer_sources(const Mixer& mixer) {
  return std::visit([](const auto& part) { return sources_of(part); }, mixer);
}

std::vector<std::string> ffn_sources(const Ffn& ffn) {
  return std::visit([](const auto& part) { return sources_of(part); }, ffn);
}

}  // namespace ashlar
