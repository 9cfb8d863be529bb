// ashlar show: what a model is, in a summary; its blueprint, where its weights lie, its keys.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "apps/commands.h"
#include "apps/metadata.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "base/json.h"
#include "base/units.h"
#include "blueprint/card.h"
#include "families/family.h"
#include "model/source.h"
#include "readings/compare/compare_words.h"
#include "readings/count/count.h"

namespace ashlar::app {
namespace {

struct ShowOptions {
  ModelOptions model;
  bool json = false, list = false, families = false;
  bool blueprint = false, where = false, metadata = false;
};

/// "layers.3.attn.q" -> "layers.{i}.attn.q", so that equal layers print once.
std::string folded(const std::string& name) {
  std::string out;
  for (size_t i = 0; i < name.size();) {
    size_t end = i;
    while (end < name.size() && name[end] >= '0' && name[end] <= '9') ++end;
    const bool number =
        end > i && i > 0 && name[i - 1] == '.' && end < name.size() && name[end] == '.';
    out += number ? "{i}" : name.substr(i, std::max(end - i, size_t{1}));
    i = std::max(end, i + 1);
  }
  return out;
}

Json sources_json(const Model& model) {
  Json all = Json::array();
  for (const WeightSource& s : model.sources) {
    const auto it = model.weights.find(s.parameter);
    Json item{{"parameter", s.parameter}, {"from", s.tensors}};
    if (it != model.weights.end()) {
      item["format"] = std::string(info(it->second.format).name);
      item["shape"] = it->second.sizes;
    }
    all.push_back(std::move(item));
  }
  return all;
}

void print_sources(const Model& model) {
  struct Line {
    std::string from;
    std::map<std::string, int> formats;
    int count = 0;
  };
  std::vector<std::pair<std::string, Line>> lines;
  for (const WeightSource& s : model.sources) {
    const std::string name = folded(s.parameter);
    auto it =
        std::find_if(lines.begin(), lines.end(), [&](const auto& l) { return l.first == name; });
    if (it == lines.end()) it = lines.insert(lines.end(), {name, Line{folded(s.tensors), {}, 0}});
    ++it->second.count;
    const auto w = model.weights.find(s.parameter);
    if (w != model.weights.end()) ++it->second.formats[std::string(info(w->second.format).name)];
  }
  std::string text = "Weights (parameter <- where it lies)\n";
  for (const auto& [name, line] : lines) {
    std::string formats;
    for (const auto& [format, n] : line.formats) {
      formats +=
          (formats.empty() ? "" : ", ") + format + (line.count > 1 ? fmt::format(" x{}", n) : "");
    }
    text += fmt::format("  {:<34} <- {}  [{}]\n", name, line.from, formats);
  }
  print_fitted(text);
}

void list_models() {
  std::string text = fmt::format("{:<24} {:<14} {:>17} {:>8} {:>25}\n", "model", "family",
                                 "parameters", "active", "active without embedding");
  for (const std::string& name : blueprint_names()) {
    const Blueprint b = load_blueprint(name);
    const auto p = count(b, {.training = false}).parameters;
    text += fmt::format("{:<24} {:<14} {:>17} {:>8} {:>25}\n", name, b.family, grouped(p.total),
                        short_number(static_cast<double>(p.active)),
                        short_number(static_cast<double>(p.active_without_embedding)));
  }
  print_fitted(text);
}

void list_families(bool as_json) {
  Json list = Json::array();
  std::string text;
  for (const Family* f : families()) {
    Json models = Json::array();
    for (const std::string& name : blueprint_names()) {
      if (load_blueprint(name).family == f->name) models.push_back(name);
    }
    if (as_json) {
      list.push_back({{"name", std::string(f->name)},
                      {"architectures", f->architectures},
                      {"gguf", std::string(f->gguf)},
                      {"blueprints", std::move(models)}});
    } else {
      text += fmt::format("{:<14} config.json: {:<28} GGUF: {}\n", f->name, f->architectures[0],
                          f->gguf);
    }
  }
  if (as_json) return print_line(list.dump(1));
  print_fitted(text);
}

/// One line of the summary, its value laid out behind the name.
std::string line(const std::string& name, const std::string& value) {
  return value.empty() ? "" : fmt::format("  {:<22}  {}\n", name, value);
}

std::string with_short(int64_t n) {
  return fmt::format("{} ({})", grouped(n), short_number(static_cast<double>(n)));
}

std::string parameter_words(const Count& c) {
  const auto& p = c.parameters;
  std::string text = with_short(p.total);
  if (p.active != p.total) text += fmt::format(", {} active per token", with_short(p.active));
  text += fmt::format("; {} active without the embedding", with_short(p.active_without_embedding));
  if (p.mtp > 0) text += fmt::format("; {} more for multi-token prediction", with_short(p.mtp));
  return text;
}

/// "q4_k 168, q6_k 29, f32 113": numbers of tensors, the most bytes first.
std::string format_words(const Model& model) {
  struct Sum {
    int64_t bytes = 0, tensors = 0;
  };
  std::map<std::string, Sum> sums;
  int64_t total = 0;
  for (const auto& [name, tensor] : model.weights) {
    Sum& sum = sums[std::string(info(tensor.format).name)];
    sum.bytes += tensor.bytes();
    ++sum.tensors;
    total += tensor.bytes();
  }
  std::vector<std::pair<std::string, Sum>> order(sums.begin(), sums.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
  std::string text;
  for (const auto& [name, sum] : order)
    text += fmt::format("{}{} in {} tensors", text.empty() ? "" : ", ", name, sum.tensors);
  return text.empty() ? "" : text + ", " + short_bytes(static_cast<double>(total));
}

/// The files that weights come from, with their bytes.
std::string file_words(const Model& model) {
  std::error_code code;
  const std::filesystem::path path =
      find_source(model.source, {.weights = false, .architecture = true}).path;
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(path, code)) {
    for (const auto& entry : std::filesystem::directory_iterator(path, code)) {
      if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
    }
  } else if (std::filesystem::is_regular_file(path, code)) {
    files.push_back(path);
  }
  if (files.empty()) return "";
  int64_t bytes = 0;
  for (const auto& file : files)
    bytes += static_cast<int64_t>(std::filesystem::file_size(file, code));
  std::sort(files.begin(), files.end());
  return fmt::format("{}{}, {}", files[0].filename().string(),
                     files.size() > 1 ? fmt::format(" and {} more", files.size() - 1) : "",
                     short_bytes(static_cast<double>(bytes)));
}

std::string template_words(const Model& model) {
  if (model.chat_template.empty() && model.chat_template_names.empty()) return "none";
  std::string text = "yes";
  const auto mentions = [&](const char* word) {
    return model.chat_template.find(word) != std::string::npos;
  };
  if (!model.tool_chat_template.empty() || mentions("tools")) text += ", takes tools";
  if (mentions("enable_thinking")) text += ", thinking can be turned off (enable_thinking)";
  return text;
}

std::string sampling_words(const Model& model) {
  std::string text;
  for (const auto& [name, value] : model.sampling) {
    if (name != "do_sample")
      text += fmt::format("{}{} {:g}", text.empty() ? "" : ", ", name, value);
  }
  return text;
}

void print_summary(const Model& model, const Count& c) {
  const Blueprint& b = model.blueprint;
  const Anatomy anatomy = anatomy_of(b);
  const std::string family = b.family.empty() ? "" : "  (family " + b.family + ")";
  std::string text = model.source + family + "\n";
  text += line("parameters", parameter_words(c));
  // What the blueprint says, topic by topic, in the words of `compare`.
  for (const Fact& fact : structure_of(anatomy)) {
    if (fact.text != "none" && fact.text != "no experts") text += line(fact.key, fact.text);
  }
  const auto card = card_of(b.name);
  text += line("weights", format_words(model));
  if (model.weights.empty() && card) text += line("released as", card->weights);
  text += line("files", file_words(model));
  std::string licence = licence_of(model.source);
  if (licence.empty() && card) licence = card->licence;
  text += line("licence", licence.empty() ? "not said" : licence);
  if (card)
    text +=
        line("published", fmt::format("{}, {}; {}", card->organisation, card->date, card->page));
  if (model.tokenizer) {
    std::string ends;
    for (const TokenId id : model.end_tokens)
      ends += (ends.empty() ? "" : ", ") + model.tokenizer->piece(id);
    text += line("tokenizer", fmt::format("{} tokens{}", grouped(model.tokenizer->size()),
                                          ends.empty() ? "" : "; ends at " + ends));
    text += line("chat template", template_words(model));
  } else if (!model.tokenizer_error.empty()) {
    text += line("tokenizer", model.tokenizer_error);
  }
  text += line("sampling", sampling_words(model));
  for (const std::string& notice : model.notices) text += line("note", notice);
  text += model.sources.empty()
              ? "\n--blueprint prints the architecture as data, --json everything.\n"
              : "\n--blueprint prints the architecture as data, --where the place of each "
                "parameter, --metadata the file's keys, --json everything.\n";
  print_fitted(text);
}

void show(const ShowOptions& o) {
  if (o.list) list_models();
  if (o.families) list_families(o.json);
  if (o.list || o.families) return;
  if (o.model.model.empty()) fail(ErrorKind::invalid, "expected MODEL, --list or --families");
  if (o.metadata) return print_metadata(o.model.model, o.json);
  const Model model = load(o.model, !o.model.random && has_weights(o.model.model));
  const Count c = count(model.blueprint, {.training = false});
  if (o.json) {
    Json out{{"model", model.source},
             {"family", model.blueprint.family},
             {"parameters",
              {{"total", c.parameters.total},
               {"active", c.parameters.active},
               {"active_without_embedding", c.parameters.active_without_embedding},
               {"mtp", c.parameters.mtp}}},
             {"blueprint", Json::parse(to_json(model.blueprint))},
             {"weights", sources_json(model)},
             {"notices", model.notices},
             {"tokenizer", model.tokenizer ? Json(model.tokenizer->size()) : Json()},
             {"chat_template", !model.chat_template.empty()}};
    return print_json(out, 1);
  }
  if (o.blueprint) return print_line(to_json(model.blueprint));
  if (!o.where) return print_summary(model, c);
  if (model.sources.empty()) fail(ErrorKind::invalid, "{}: has no weights", model.source);
  print_sources(model);
}

}  // namespace

void add_show(CLI::App& app) {
  auto [command, o] =
      add_command(app, "show", show, "what a model is: sizes, layers, files, licence, tokenizer");
  add_model_options(command, o.model, false);
  command.get_option("model")->required(false);
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
  command.add_flag("--blueprint", o.blueprint, "print the architecture as data (JSON)");
  command.add_flag("--where", o.where, "print where each parameter lies in the files");
  command.add_flag("--metadata", o.metadata, "print the keys of a GGUF file, or config.json");
  command.add_flag("--list", o.list, "list the released models whose blueprints are here");
  command.add_flag("--families", o.families, "list the families of checkpoints that can be read");
  command.footer(
      "Examples:\n"
      "  ashlar show --list\n"
      "  ashlar show gemma-3-27b\n"
      "  ashlar show model.gguf --metadata\n"
      "  ashlar show ./Qwen3-0.6B --blueprint > mine.json");
}

}  // namespace ashlar::app
