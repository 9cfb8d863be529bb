// Names and numbers of claims in words.
#include "readings/claims/claims_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/units.h"

namespace ashlar {
namespace {

std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (const char c : name) {
    if (c == '_') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

/// Names that are written otherwise than their letters in a file.
std::string proper(const std::string& word) {
  static constexpr std::pair<const char*, const char*> kProper[] = {{"qwen3", "Qwen3"},
                                                                    {"llama", "Llama"},
                                                                    {"gemma", "Gemma"},
                                                                    {"mistral", "Mistral"},
                                                                    {"maverick", "Maverick"},
                                                                    {"deepseek", "DeepSeek"},
                                                                    {"gpt", "gpt"},
                                                                    {"v2", "V2"},
                                                                    {"v3", "V3"},
                                                                    {"mha", "MHA"},
                                                                    {"moe", "experts:"},
                                                                    {"flop", "FLOP"},
                                                                    {"4bit", "4 bits"},
                                                                    {"gb", "GB"}};
  for (const auto& [from, to] : kProper) {
    if (word == from) return to;
  }
  // "32k" is a length of context.
  if (word.size() > 1 && word.back() == 'k' && std::isdigit(static_cast<unsigned char>(word[0])))
    return word.substr(0, word.size() - 1) + "K";
  return word;
}

bool has(std::string_view name, std::string_view word) {
  const std::vector<std::string> words = words_of(name);
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Few digits for people, all of them where they are few.
std::string plain(const Json& value) {
  if (value.is_number_integer()) return grouped(value.get<int64_t>());
  return fmt::format("{:.4g}", value.get<double>());
}

/// "1 layer", "40 layers".
std::string counted(const Json& value, std::string what) {
  if (value == 1) what.pop_back();
  return plain(value) + " " + what;
}

std::string large(const Json& value) {
  const double number = value.get<double>();
  return number < 1e6 ? plain(value) : short_number(number);
}

}  // namespace

std::string figure_words(std::string_view name) {
  std::string out;
  for (const std::string& word : words_of(name)) out += (out.empty() ? "" : " ") + proper(word);
  if (!out.empty()) out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  return out;
}

std::string figure_value(std::string_view name, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (!value.is_number()) return value.dump();
  const double number = value.get<double>();
  const auto is = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  if (is("per_flop")) return plain(value) + " parameters per FLOP";
  if (is("per_byte")) return plain(value) + " parameters per byte";
  if (has(name, "share") || has(name, "saving")) return fmt::format("{:.3g} %", 100 * number);
  if (is("tokens_per_second") || has(name, "predicted") || has(name, "measured"))
    return number == 0 ? "not measured" : fmt::format("{:.3g} tokens/s", number);
  if (has(name, "bytes")) return short_bytes(number);
  if (has(name, "seconds")) return short_seconds(number);
  if (has(name, "operations")) return fmt::format("{:.3g} FLOPs", number);
  if (has(name, "ratio") || has(name, "reduction") || has(name, "slower") ||
      has(name, "narrowest") || has(name, "widest"))
    return fmt::format("{:.3g} ×", number);
  if (has(name, "elements") || has(name, "heads") || has(name, "latent") || has(name, "expanded"))
    return large(value) + " numbers";
  if (has(name, "parameters")) return large(value);
  if (name == "total" || name.ends_with("_total") || name == "active" ||
      name.ends_with("_active") || is("without_embedding") || is("multi_token"))
    return large(value) + " parameters";
  if (has(name, "tokens") || has(name, "context")) return large(value) + " tokens";
  if (has(name, "width")) return plain(value) + " numbers";
  for (const char* what : {"layers", "experts", "models", "steps"}) {
    if (name == what || name.ends_with(std::string("_") + what)) return counted(value, what);
  }
  if (has(name, "routed") || has(name, "shared")) return counted(value, "experts");
  return plain(value);
}

std::vector<std::pair<Verdict, std::vector<const Claim*>>> by_verdict(
    const std::vector<Claim>& claims) {
  std::vector<std::pair<Verdict, std::vector<const Claim*>>> groups;
  for (const Verdict& verdict : kVerdicts) {
    groups.push_back({verdict, {}});
    for (const Claim& c : claims) {
      if (c.verdict == verdict.name) groups.back().second.push_back(&c);
    }
  }
  return groups;
}

}  // namespace ashlar
