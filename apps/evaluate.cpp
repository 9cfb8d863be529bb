// ashlar evaluate: a model's loss over the validation set of a data folder.
#include "data/evaluate.h"

#include <cstdio>

#include "apps/commands.h"
#include "base/error.h"
#include "base/units.h"

namespace ashlar::app {
namespace {

struct Options {
  ModelOptions model;
  std::string data, split = "validation";
  int64_t length = 512, tokens = 0;
  bool mask = false, json = false;
};

/// Appends what the sum says to `json`.
Json with(Json json, const LossSum& sum) {
  json["tokens"] = sum.tokens;
  json["bytes"] = sum.bytes;
  json["loss"] = sum.loss();
  json["bits_per_byte"] = sum.bits_per_byte();
  return json;
}

Json to_json(const Options& o, const Model& model, const DataFolder& data, const DataLoss& r) {
  Json json = with({{"model", model.source},
                    {"data", o.data},
                    {"fingerprint", data.manifest().fingerprint},
                    {"split", o.split},
                    {"length", o.length},
                    {"mask", o.mask},
                    {"texts", r.texts}},
                   r.all);
  json["loss_margin"] = r.loss_margin;
  json["bits_per_byte_margin"] = r.bits_per_byte_margin;
  json["positions"] = Json::array();
  for (const auto& p : r.positions)
    json["positions"].push_back(with({{"from", p.from}, {"to", p.to}}, p.sum));
  json["domains"] = Json::array();
  for (const auto& d : r.domains) json["domains"].push_back(with({{"name", d.name}}, d.sum));
  return json;
}

void print(const DataLoss& r) {
  std::printf(
      "loss %.4f +- %.4f nats per token, %.4f +- %.4f bits per byte (95 %%; %s tokens, %s, "
      "%s texts)\n",
      r.all.loss(), r.loss_margin, r.all.bits_per_byte(), r.bits_per_byte_margin,
      grouped(r.all.tokens).c_str(), short_bytes(r.all.bytes).c_str(), grouped(r.texts).c_str());
  std::printf("\npredicted from     tokens     loss\n");
  for (const auto& p : r.positions) {
    std::printf("%6s to %-6s %8s  %7.4f\n", grouped(p.from).c_str(), grouped(p.to).c_str(),
                grouped(p.sum.tokens).c_str(), p.sum.loss());
  }
  if (r.domains.empty()) return;
  std::printf("\n%-16s %10s     loss  bits per byte\n", "domain", "tokens");
  for (const auto& d : r.domains) {
    std::printf("%-16s %10s  %7.4f  %7.4f\n", d.name.c_str(), grouped(d.sum.tokens).c_str(),
                d.sum.loss(), d.sum.bits_per_byte());
  }
}

void run_evaluate(Options& o) {
  const auto data = DataFolder::open(o.data);
  const Model model = load(o.model);
  if (o.model.context > 0) o.length = o.model.context;
  const EngineOptions engine = engine_options(o.model, model, o.length + 1);
  Progress progress("evaluating");
  const DataLoss result =
      evaluate(model, data,
               {.split = o.split == "train" ? DataSplit::train : DataSplit::validation,
                .rows = {o.length, o.mask},
                .tokens = o.tokens,
                .engine = engine,
                .progress = std::ref(progress)});
  if (o.json) return print_line(to_json(o, model, *data, result).dump());
  print(result);
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto [command, o] = add_command(
      app, "evaluate", run_evaluate,
      "loss and bits per byte of a model on a data folder's validation set, by position "
      "and by domain, with a confidence interval");
  o.model.activations = "f32";  // the weights' loss; with "fast" the running engine's
  add_model_options(command, o.model, true);
  add_value(command, "--data", o.data, "DATA",
            "folder of ashlar data build, of the model's tokenizer")
      ->required();
  command.add_option("--split", o.split, "validation or train")
      ->capture_default_str()
      ->check(CLI::IsMember({"validation", "train"}));
  add_value(command, "--length", o.length, "N", "tokens of a row, as batch.length of a run")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{2}, int64_t{1} << 24));
  add_value(command, "--tokens", o.tokens, "N",
            "evaluate about so many, evenly spaced (default: all)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 50));
  command.add_flag("--mask", o.mask, "documents of a row do not see each other");
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
}

}  // namespace ashlar::app
