// ashlar plan: does a model fit a machine, how fast would it be, and what bounds it.
#include <cmath>
#include <cstdio>

#include "apps/blueprints.h"
#include "apps/commands.h"
#include "apps/step_options.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "base/json.h"
#include "base/units.h"
#include "measure/probe.h"
#include "readings/predict/predict.h"

namespace ashlar::app {
namespace {

struct PlanCommand {
  std::string model, weights;
  std::vector<std::string> machines;
  PredictOptions options{.devices = 0};
  bool json = false, list = false, train = false;
  StepCostOptions step;
};

Machine machine_of(const std::string& name) {
  if (!name.empty()) return load_machine(name);
  if (const auto probed = probed_machine()) return *probed;
  say_note(
      "limits measured in a hurry; `ashlar probe` measures this machine and its kernels, once");
  return quick_probe();
}

void list_machines() {
  std::string text;
  for (const std::string& name : machine_names()) {
    const Machine m = load_machine(name);
    text +=
        fmt::format("{:<18} {:<8} {:<10} {:6.1f} GiB at {:6.0f} GB/s, {:8.1f} TFLOP/s in bf16\n",
                    name, m.kind, m.source, m.memory_bytes / (1 << 30), m.bandwidth(1e30) * 1e-9,
                    m.peak(Format::bf16) * 1e-12);
  }
  print_fitted(text);
}

/// Bits of a weight as the methods of quantisation spell them; 0: not said.
int64_t bits_of(const Json& quantised) {
  for (const char* key : {"bits", "w_bit", "nbits"}) {
    const auto it = quantised.find(key);
    if (it != quantised.end() && it->is_number()) return static_cast<int64_t>(it->get<double>());
  }
  const auto is_set = [&](const char* key) {
    const auto it = quantised.find(key);
    return it != quantised.end() && it->is_boolean() && it->get<bool>();
  };
  if (is_set("load_in_4bit")) return 4;
  if (is_set("load_in_8bit")) return 8;
  const std::string method = text_at(quantised, "quant_method");
  const bool usually_four =
      method == "compressed-tensors" || method == "gptq" || method == "awq" || method == "hqq";
  return usually_four ? 4 : 0;
}

/// Format of the release as a folder's config.json says it; empty: it does not.
std::string native_of(const std::string& model) {
  const std::filesystem::path path = model;
  std::error_code code;
  const std::filesystem::path file =
      std::filesystem::is_directory(path, code) ? path / "config.json" : path;
  if (file.filename() != "config.json" || !std::filesystem::is_regular_file(file, code)) return {};
  const Json config = parse_json(read_file(file, size_t{1} << 24), file.string());
  for (const char* key : {"quantization_config", "quantization"}) {  // the second is MLX's
    const auto quantised = config.find(key);
    if (quantised == config.end() || !quantised->is_object()) continue;
    const std::string method = text_at(*quantised, "quant_method"),
                      algorithm = text_at(*quantised, "quant_algo");
    if (method == "fp8") return "fp8_b128";
    if (method == "mxfp4") return "mxfp4";
    if (algorithm == "NVFP4") return "nvfp4";
    if (algorithm == "FP8") return "fp8";
    const int64_t bits = bits_of(*quantised);
    if (bits == 4) return "int4_g32";
    if (bits == 8) return "q8_0";  // whole numbers of 8 bits with scales
  }
  std::string type = text_at(config, "dtype");
  if (type.empty()) type = text_at(config, "torch_dtype");
  if (type == "float32") return "f32";
  if (type == "float16") return "f16";
  return {};
}

/// One line for each machine: which of them run it, and how fast.
void compare_machines(const std::vector<Prediction>& all) {
  const auto speed = [](const Prediction& p, const Phase& phase) {
    if (!p.memory.fits)
      return p.devices_needed > 0 ? fmt::format("needs {} x", p.devices_needed) : std::string("-");
    const auto rate = [](double n) {
      return n >= 100 ? grouped(std::llround(n)) : fmt::format("{:.3g}", n);
    };
    return rate(phase.expected->low) + " to " + rate(phase.expected->high);
  };
  const Prediction& first = all.front();
  const int width = columns(stdout);
  // Where it is narrow, what matters least goes.
  const bool memory = width == 0 || width >= 88, prefill = width == 0 || width >= 66;
  std::string text =
      fmt::format("{} ({} weights, {}), {} sequence(s) of {} tokens", first.model,
                  first.options.weights, short_bytes(static_cast<double>(first.memory.weights)),
                  grouped(first.options.sequences), grouped(first.options.context));
  print_fitted(text);
  const auto row = [&](const std::string& name, const std::string& devices,
                       const std::string& total, const std::string& usable,
                       const std::string& decode, const std::string& prefilled) {
    std::string line = fmt::format("{:<15} {:>7}", name, devices);
    if (memory) line += fmt::format(" {:>10} {:>11}", total, usable);
    line += fmt::format(" {:>15}", decode);
    if (prefill) line += fmt::format(" {:>17}", prefilled);
    return line + "\n";
  };
  text = "\n" + row("machine", "devices", "memory", "usable", "decode tok/s", "prefill tok/s");
  for (const Prediction& p : all) {
    text += row(p.machine.name, fmt::format("{} x", p.devices),
                short_bytes(static_cast<double>(p.memory.total)),
                short_bytes(static_cast<double>(p.memory.available)), speed(p, p.decode),
                speed(p, p.prefill));
  }
  print_fitted(text);
}

void run_plan(PlanCommand o) {
  if (o.list) return list_machines();
  if (o.model.empty()) fail(ErrorKind::invalid, "expected MODEL or --list");
  if (o.train) {
    const Model model = load_model(o.model, {.need_weights = false});
    StepPlan p = plan_step(trained_graph(model.blueprint, o.step.mtp), o.step);
    p.model = model.blueprint.name.empty() ? model.source : model.blueprint.name;
    return print_line(o.json ? Json(p).dump(2) : step_plan_text(p));
  }
  o.options.native = native_of(o.model);
  if (!o.options.native.empty()) o.options.weights = o.options.native;
  const Model model = load_to_count(o.model, o.weights, o.options);
  std::vector<Prediction> all;
  if (o.machines.empty()) o.machines.emplace_back();
  if (o.machines == std::vector<std::string>{"all"}) o.machines = machine_names();
  o.options.alternatives = o.machines.size() == 1 || o.json;
  for (const std::string& name : o.machines) {
    all.push_back(predict(model.blueprint, machine_of(name), o.options));
    if (all.back().model.empty()) all.back().model = model.source;
  }
  if (o.json) {
    std::string text;
    for (const Prediction& p : all) text += (text.empty() ? "" : ",\n") + prediction_json(p);
    std::printf(all.size() == 1 ? "%s\n" : "[%s]\n", text.c_str());
  } else if (all.size() > 1) {
    compare_machines(all);
  } else {
    print_fitted(prediction_text(all.front()));
  }
}

}  // namespace

void add_plan(CLI::App& app) {
  auto [command, o] = add_command(
      app, "plan", run_plan,
      "does a model fit a machine, how fast is it there, what bounds it; needs no weights");
  add_blueprint_argument(command, o.model);
  add_value(command, "--machine", o.machines, "FILE|NAME",
            "machine file or name from --list, or several (a,b,c), or all (default: this "
            "machine, as `ashlar probe` measured it)")
      ->delimiter(',');
  command.add_flag("--list", o.list, "list the known machines (published figures)");
  add_value(command, "--devices", o.options.devices, "N",
            "such machines that hold it between them (default: the fewest that do)");
  add_value(command, "--context", o.options.context, "N",
            "tokens a sequence can hold (default 4096)");
  add_value(command, "--sequences", o.options.sequences, "N",
            "sequences decoded together (default 1)");
  add_value(command, "--prompt", o.options.prompt, "N", "tokens of the prompt (default 512)");
  add_value(command, "--generate", o.options.generate, "N",
            "tokens generated after it (default 128)");
  add_value(command, "--depth", o.options.depth, "N",
            "tokens remembered before the prompt (default 0)");
  add_value(command, "--weights", o.weights, "FORMAT",
            "native or a format or mix: bf16 fp8 int4 mxfp4 nvfp4 q8_0 q4_k_m ... (default: as "
            "in the file; of a blueprint native, as the model was released)");
  add_state_option(command, o.options.state);
  command.add_flag("--packed-weights", o.options.packed_weights,
                   "plan for matrices kept in the kernels' panels too (`ashlar run --help`)");
  command.add_flag("--train", o.train, "a step of training on this machine instead");
  add_step_options(command, o.step);
  command.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
  command.footer(
      "Examples:\n"
      "  ashlar plan gpt-oss-120b --machine h100-sxm\n"
      "  ashlar plan deepseek-v3 --machine h200-sxm,b200,apple-m3-ultra\n"
      "  ashlar plan llama-3.1-70b --machine rtx-3090 --devices 2 --weights q4_k_m --context 8k\n"
      "  ashlar plan ./model.gguf --sequences 16");
}

}  // namespace ashlar::app
