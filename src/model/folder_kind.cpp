// The marks that quantisers, trainers and the hub leave in folders.
#include "model/folder_kind.h"

#include <fstream>

#include "base/error.h"
#include "base/lower_case.h"
#include "base/placeholder.h"
#include "base/regular_file.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

/// Methods of quantization_config.quant_method that are not read, as people write them.
constexpr std::pair<std::string_view, const char*> kMethods[] = {{"gptq", "GPTQ"},
                                                                 {"awq", "AWQ"},
                                                                 {"bitsandbytes", "bitsandbytes"},
                                                                 {"hqq", "HQQ"},
                                                                 {"exl2", "EXL2"},
                                                                 {"exl3", "EXL3"},
                                                                 {"aqlm", "AQLM"},
                                                                 {"quanto", "Quanto"},
                                                                 {"eetq", "EETQ"},
                                                                 {"higgs", "HIGGS"},
                                                                 {"vptq", "VPTQ"},
                                                                 {"spqr", "SpQR"},
                                                                 {"torchao", "torchao"},
                                                                 {"auto-round", "AutoRound"},
                                                                 {"bitnet", "BitNet"},
                                                                 {"marlin", "Marlin"},
                                                                 {"quip", "QuIP"},
                                                                 {"modelopt", "ModelOpt"},
                                                                 {"fp_quant", "FP-Quant"},
                                                                 {"quark", "Quark"},
                                                                 {"gptq_marlin", "GPTQ"},
                                                                 {"intel/auto-round", "AutoRound"},
                                                                 {"fbgemm_fp8", "FBGEMM FP8"}};

std::string unread(const std::string& where, const std::string& method, const std::string& mark) {
  return fmt::format(
      "{}: the weights are quantised by {} ({}), which is not read; use the unquantised checkpoint "
      "or a GGUF file (count, plan, compare, draw and show work without the weights)",
      where, method, mark);
}

/// quantization_config, of the whole model or of its text tower; null where there is none.
const Json& quantisation_of(const Json& config) {
  for (const char* key : {"quantization_config", "compression_config"}) {
    if (const Json& own = value_at(config, key); own.is_object()) return own;
  }
  return value_at(value_at(config, "text_config"), "quantization_config");
}

bool is_mlx(const Json& json) {
  return json.is_object() && json.contains("group_size") && json.contains("bits") &&
         !json.contains("quant_method");
}

}  // namespace

std::string unread_weights(const fs::path& folder, const Json& config) {
  const std::string where = folder.string();
  if (!config.is_object()) return "";
  if (is_mlx(value_at(config, "quantization")))
    return unread(where, "MLX", "quantization of config.json");
  const Json& q = quantisation_of(config);
  if (q.is_object()) {
    if (is_mlx(q)) return unread(where, "MLX", "quantization_config of config.json");
    std::string method = lower_case(text_at(q, "quant_method"));
    if (method.empty() && (q.contains("load_in_4bit") || q.contains("load_in_8bit")))
      method = "bitsandbytes";
    for (const auto& [known, spelt] : kMethods) {
      if (method == known)
        return unread(where, spelt, "quantization_config.quant_method of config.json");
    }
    const std::string format = text_at(q, "format");
    for (const char* other : {"nvfp4-pack-quantized", "mxfp4-pack-quantized", "int-quantized",
                              "marlin-24", "sparse-bitmask", "sparse-24-bitmask"}) {
      if (method == "compressed-tensors" && format == other) {
        return unread(where, fmt::format("compressed-tensors as {}", format),
                      "quantization_config.format of config.json");
      }
    }
  }
  for (const auto& [file, method] :
       {std::pair{"quantize_config.json", "GPTQ"}, std::pair{"quant_config.json", "AWQ"},
        std::pair{"qmodel.pt", "HQQ"}}) {
    if (is_there(folder / file) && !q.is_object())
      return unread(where, method, std::string("it has ") + file);
  }
  return "";
}

std::string unread_weights(const Checkpoint& checkpoint, const std::string& where) {
  bool scales = false, biases = false;
  for (const auto& [name, entry] : checkpoint.entries()) {
    for (const auto& [end, method] :
         {std::pair{".qweight", "GPTQ or AWQ"}, std::pair{".SCB", "bitsandbytes"},
          std::pair{".absmax", "bitsandbytes"}, std::pair{".q_weight", "EXL2"},
          std::pair{".W_q", "HQQ"}, std::pair{".trellis", "EXL3"}}) {
      if (name.ends_with(end)) return unread(where, method, "the tensor " + name);
    }
    scales = scales || (name.ends_with(".scales") && name.find("experts") == std::string::npos);
    biases = biases || name.ends_with(".biases");
  }
  return scales && biases ? unread(where, "MLX", "its tensors .scales and .biases") : "";
}

bool has_placeholders(const fs::path& folder) {
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (it->path().extension() != ".safetensors" || !it->is_regular_file(code)) continue;
    std::string head(256, 0);
    std::ifstream in(it->path(), std::ios::binary);
    in.read(head.data(), static_cast<std::streamsize>(head.size()));
    head.resize(static_cast<size_t>(in.gcount()));
    try {
      refuse_placeholder(head, "");
    } catch (const Error&) {
      return true;
    }
  }
  return false;
}

void fail_no_model(const fs::path& folder) {
  const std::string where = folder.string();
  if (is_there(folder / "adapter_config.json")) {
    const Json adapter = read_regular_json(folder / "adapter_config.json");
    const std::string base = text_at(adapter, "base_model_name_or_path");
    fail(ErrorKind::unsupported,
         "{}: is an adapter ({}){}{}, not a model: name the base model, with `adapter` {}", where,
         text_at(adapter, "peft_type").empty() ? "LoRA" : text_at(adapter, "peft_type"),
         base.empty() ? "" : " of ", base, where);
  }
  if (is_there(folder / "consolidated.00.pth")) {
    fail(ErrorKind::unsupported,
         "{}: weights are pickled PyTorch (.pth) as Meta ships them, which are not read; use the "
         "checkpoint in Hugging Face's format (config.json and safetensors)",
         where);
  }
  if (is_there(folder / "tokenizer.json") || is_there(folder / "tokenizer_config.json")) {
    fail(
        ErrorKind::io,
        "{}: holds a tokenizer but no model: expected config.json and safetensors files, or a GGUF "
        "file",
        where);
  }
  fail(ErrorKind::io, "{}: expected config.json and safetensors files, or a GGUF file", where);
}

}  // namespace ashlar
