// Typed GGUF metadata to the plain keys that families look up.
#include "model/gguf_keys.h"

#include "base/error.h"

namespace ashlar {
namespace {

Json json_of(const GgufValue& value) {
  return std::visit([](const auto& data) { return Json(data); }, value.data());
}

}  // namespace

Read read_gguf(const GgufFile& file, const std::string& where) {
  const GgufValue* architecture = file.find("general.architecture");
  if (architecture == nullptr)
    fail(ErrorKind::format, "{}: the key general.architecture is missing", where);
  const std::string prefix = architecture->as_string() + ".";
  GgufKeys keys;
  for (const auto& [key, value] : file.metadata()) {
    if (key.starts_with(prefix)) keys.keys[key.substr(prefix.size())] = json_of(value);
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
