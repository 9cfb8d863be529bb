// ashlar show: the blueprint of a model, where each part comes from, and how many parameters it
// has.
#include <fmt/format.h>

#include <cstdio>
#include <map>

#include "apps/commands.h"
#include "base/error.h"
#include "base/json.h"
#include "families/family.h"
#include "readings/count/count.h"

namespace ashlar::app {
namespace {

struct ShowOptions {
  ModelOptions model;
  bool json = false, list = false, families = false;
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

std::string grouped(int64_t n) {
  std::string digits = std::to_string(n);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
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
  std::printf("\nWeights (parameter <- where it lies)\n");
  for (const auto& [name, line] : lines) {
    std::string formats;
    for (const auto& [format, n] : line.formats) {
      formats +=
          (formats.empty() ? "" : ", ") + format + (line.count > 1 ? fmt::format(" x{}", n) : "");
    }
    std::printf("  %-34s <- %s  [%s]\n", name.c_str(), line.from.c_str(), formats.c_str());
  }
}

void list_models() {
  for (const std::string& name : blueprint_names()) {
    const Blueprint b = load_blueprint(name);
    std::printf("%-24s %-12s %20s parameters\n", name.c_str(), b.family.c_str(),
                grouped(count(b, {.training = false}).parameters.total).c_str());
  }
}

void list_families(bool as_json) {
  Json list = Json::array();
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
      std::printf("%-14s config.json: %-28s GGUF: %s\n", std::string(f->name).c_str(),
                  std::string(f->architectures[0]).c_str(), std::string(f->gguf).c_str());
    }
  }
  if (as_json) std::printf("%s\n", list.dump(1).c_str());
}

void show(const ShowOptions& o) {
  const Model model = load(o.model, !o.model.random && has_weights(o.model.model));
  const Count c = count(model.blueprint, {.training = false});
  if (o.json) {
    Json out{{"model", model.source},
             {"family", model.blueprint.family},
             {"parameters",
              {{"total", c.parameters.total},
               {"active", c.parameters.active},
               {"mtp", c.parameters.mtp}}},
             {"blueprint", Json::parse(to_json(model.blueprint))},
             {"weights", sources_json(model)},
             {"notices", model.notices},
             {"tokenizer", model.tokenizer ? Json(model.tokenizer->size()) : Json()},
             {"chat_template", !model.chat_template.empty()}};
    std::printf("%s\n", out.dump(1, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  std::printf("%s", model.source.c_str());
  if (!model.blueprint.family.empty()) std::printf("  (family %s)", model.blueprint.family.c_str());
  std::printf("\n%s parameters", grouped(c.parameters.total).c_str());
  if (c.parameters.active != c.parameters.total) {
    std::printf(", %s of them active per token", grouped(c.parameters.active).c_str());
  }
  if (c.parameters.mtp > 0)
    std::printf(", and %s for multi-token prediction", grouped(c.parameters.mtp).c_str());
  std::printf("\n\n%s\n", to_json(model.blueprint).c_str());
  if (model.tokenizer) {
    std::printf("\nTokenizer: %s tokens; chat template: %s\n",
                grouped(model.tokenizer->size()).c_str(),
                model.chat_template.empty() ? "none" : "yes");
  } else if (!model.tokenizer_error.empty()) {
    std::printf("\nTokenizer: %s\n", model.tokenizer_error.c_str());
  }
  if (!model.sources.empty()) print_sources(model);
}

}  // namespace

void add_show(CLI::App& app) {
  auto o = std::make_shared<ShowOptions>();
  CLI::App* command =
      app.add_subcommand("show", "print a model's blueprint, where each part comes from, its size");
  add_model_options(*command, o->model, false);
  command->get_option("model")->required(false);
  command->add_flag("--json", o->json, "print JSON (fields: docs/json.md)");
  command->add_flag("--list", o->list, "list the released models whose blueprints are here");
  command->add_flag("--families", o->families, "list the families of checkpoints that can be read");
  command->callback([o] {
    if (o->list) list_models();
    if (o->families) list_families(o->json);
    if (o->list || o->families) return;
    if (o->model.model.empty()) fail(ErrorKind::invalid, "expected MODEL, --list or --families");
    show(*o);
  });
}

}  // namespace ashlar::app
