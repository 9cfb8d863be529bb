// Texts are shortened: the ids are all there.
#include "runs/spike.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"

namespace ashlar {
namespace {

/// JSON has no NaN and no infinity.
Json number(double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }

Json of(const StepExamined::Series& s) {
  return {{"value", number(s.value)}, {"mean", s.mean}, {"deviation", s.deviation}};
}

std::string text_of(const StepExamined::Sequence& s, const Tokenizer* tokenizer) {
  return tokenizer == nullptr ? std::string() : utf8::repaired(tokenizer->decode(s.ids));
}

std::string beginning(const std::string& text) {
  constexpr size_t kBytes = 160;
  std::string line = text.substr(0, kBytes);
  line.resize(utf8::valid_prefix(line));
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

}  // namespace

Json to_json(const StepExamined& e, const TokenRows& data, const Tokenizer* tokenizer) {
  Json json = {{"step", e.step},
               {"loss", of(e.loss)},
               {"gradient_norm", of(e.gradient_norm)},
               {"parameters", Json::array()},
               {"sequences", Json::array()}};
  for (const StepExamined::Moved& m : e.parameters) {
    json["parameters"].push_back({{"name", m.parameter},
                                  {"gradient_norm", number(m.norm)},
                                  {"usual", m.usual},
                                  {"times", m.usual > 0 ? number(m.norm / m.usual) : Json()}});
  }
  for (const StepExamined::Sequence& s : e.sequences) {
    json["sequences"].push_back(
        {{"row", s.row},
         {"injected", s.row >= data.rows()},
         {"loss", number(s.loss)},
         {"text", tokenizer == nullptr ? Json() : Json(text_of(s, tokenizer))},
         {"ids", s.ids}});
  }
  return json;
}

std::string summary_of(const StepExamined& e, const Tokenizer* tokenizer) {
  std::string out = fmt::format(
      "step {}: loss {:.4f} ({:.4f} +- {:.4f} before), gradient norm {:.4g} ({:.4g} +- {:.2g} "
      "before)\n",
      e.step, e.loss.value, e.loss.mean, e.loss.deviation, e.gradient_norm.value,
      e.gradient_norm.mean, e.gradient_norm.deviation);
  constexpr size_t kMost = 5;
  for (size_t i = 0; i < std::min(kMost, e.parameters.size()); ++i) {
    const StepExamined::Moved& m = e.parameters[i];
    out += fmt::format("  {:<28} gradient norm {:10.4g}", m.parameter, m.norm);
    out += m.usual > 0 ? fmt::format(", {:.1f} times its usual one\n", m.norm / m.usual) : "\n";
  }
  for (size_t i = 0; i < std::min<size_t>(3, e.sequences.size()); ++i) {
    const StepExamined::Sequence& s = e.sequences[i];
    out += fmt::format("  row {:<8} loss {:8.4f}  {}\n", s.row, s.loss,
                       beginning(text_of(s, tokenizer)));
  }
  return out;
}

}  // namespace ashlar
