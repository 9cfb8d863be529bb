// Typed GGUF metadata to the plain keys that families look up.
#include "model/gguf_keys.h"

#include "base/error.h"

namespace ashlar {

void refuse_other_kinds(const GgufFile& file, const std::string& where) {
  const auto text = [&](const char* key) {
    const GgufValue* value = file.find(key);
    return value == nullptr || value->type() != GgufType::string ? std::string()
                                                                 : value->as_string();
  };
  const std::string type = text("general.type"), architecture = text("general.architecture");
  if (type == "mmproj" || architecture == "clip") {
    fail(ErrorKind::unsupported,
         "{}: is the projector of a model's vision or audio tower (general.type mmproj), not a "
         "model: name the file of the language model",
         where);
  }
  if (type == "adapter" || type == "lora" || file.find("adapter.type") != nullptr) {
    fail(ErrorKind::unsupported,
         "{}: is an adapter (general.type {}; LoRA), not a model: name the base model; llama.cpp's "
         "llama-export-lora merges the two",
         where, type.empty() ? "adapter" : type);
  }
  if (type == "imatrix") {
    fail(ErrorKind::unsupported,
         "{}: is an importance matrix for quantisers (general.type imatrix), not a model", where);
  }
}

Read read_gguf(const GgufFile& file, const std::string& where) {
  const GgufValue* architecture = file.find("general.architecture");
  if (architecture == nullptr)
    fail(ErrorKind::format, "{}: the key general.architecture is missing", where);
  const std::string prefix = architecture->as_string() + ".";
  GgufKeys keys;
  for (const auto& [key, value] : file.metadata()) {
    if (!key.starts_with(prefix)) continue;
    Json& said = keys.keys[key.substr(prefix.size())];
    said = std::visit([](const auto& data) { return Json(data); }, value.data());
  }
  const auto table = file.entries().find("token_embd.weight");
  if (table != file.entries().end() && !table->second.sizes.empty())
    keys.keys["vocab_size"] = table->second.sizes[0];
  for (const std::string_view name : kGgufVectors) {
    const std::string tensor = std::string(name) + ".weight";
    if (!file.has(tensor)) continue;
    const std::vector<float> values = to_f32(file.tensor(tensor));
    keys.keys[std::string(name)] = std::vector<double>(values.begin(), values.end());
  }
  keys.has_tensor = [&file](std::string_view name) { return file.has(std::string(name)); };
  return read_gguf_keys(keys, architecture->as_string(), where);
}

}  // namespace ashlar
