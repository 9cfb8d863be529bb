// ashlar convert: a model written as safetensors or GGUF, in other number formats.
#include "model/convert.h"

#include "apps/commands.h"
#include "base/error.h"

namespace ashlar::app {
namespace {

struct ConvertCommand {
  ModelOptions model;
  std::string out;
  ConvertOptions options;
};

/// Endings of files, as against folders like "Qwen3-0.6B".
bool is_file_ending(const std::string& ending) {
  for (const char* known : {".safetensors", ".bin", ".pt", ".pth", ".json", ".ggml", ".onnx",
                            ".npz", ".h5", ".msgpack", ".mlx", ".txt", ".zip", ".tar", ".pdf"}) {
    if (ending == known) return true;
  }
  return false;
}

void run_convert(ConvertCommand& o) {
  const std::filesystem::path out(o.out);
  if (o.options.to.empty() && out.extension() != ".gguf" && !out.extension().empty() &&
      is_file_ending(out.extension().string())) {
    fail(ErrorKind::invalid,
         "{}: expected a name that ends in .gguf, or a folder for safetensors (its files are named "
         "by themselves); --to says which is meant",
         o.out);
  }
  // For random weights --weights is what they are made in, for others what they become.
  if (!o.model.random) o.options.weights = std::exchange(o.model.weights, "");
  const Model model = load(o.model);
  o.options.notice = say_note;
  {
    Progress progress("writing");
    o.options.progress = std::ref(progress);
    convert_model(model, o.out, o.options);
  }
  say_written(o.out);
}

}  // namespace

void add_convert(CLI::App& app) {
  auto [command, o] = add_command(
      app, "convert", run_convert,
      "write a model as safetensors (with config.json, for Transformers) or GGUF (for llama.cpp)");
  add_model_options(command, o.model, false);
  command.get_option("--weights")
      ->description(
          "format of the matrices: f32 bf16 f16 q8_0 q4_0 q4_1 q5_0 q5_1 q2_k ... q6_k iq4_nl "
          "iq4_xs mxfp4, or a mix: "
          "q4_k_s q4_k_m q5_k_s q5_k_m; safetensors: f32 bf16 f16 (default: as they are)");
  add_value(command, "out", o.out, "OUT", "folder (safetensors) or .gguf file to write")
      ->required();
  command.add_option("--to", o.options.to, "safetensors or gguf (default: by OUT's name)")
      ->check(CLI::IsMember({"safetensors", "gguf"}));
  command.footer(
      "Examples:\n"
      "  ashlar convert ./Qwen3-0.6B qwen3-0.6b-q4_k_m.gguf --weights q4_k_m\n"
      "  ashlar convert model.gguf ./folder --weights bf16\n"
      "  ashlar convert ./base merged --adapter ./lora");
}

}  // namespace ashlar::app
