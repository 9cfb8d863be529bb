// Keys of GGUF files, config.json, and the front matter of a model's README.md.
#include "apps/metadata.h"

#include <fmt/format.h>

#include <cstdio>
#include <sstream>

#include "apps/commands.h"
#include "apps/terminal.h"
#include "base/error.h"
#include "base/json.h"
#include "base/regular_file.h"
#include "base/units.h"
#include "base/utf8.h"
#include "formats/gguf.h"
#include "model/source.h"

namespace ashlar::app {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShownItems = 6, kShownText = 120;

Json value_json(const GgufValue& value) {
  return std::visit([](const auto& v) { return Json(v); }, value.data());
}

/// A value in one line; what is long is cut, and says so.
std::string value_text(const GgufValue& value) {
  const Json json = value_json(value);
  const auto cut = [](const std::string& text) {
    if (text.size() <= kShownText) return text;
    return fmt::format("{}... ({} bytes)",
                       std::string_view(text).substr(
                           0, utf8::valid_prefix(std::string_view(text).substr(0, kShownText))),
                       grouped(static_cast<int64_t>(text.size())));
  };
  if (!json.is_array()) return cut(dumped(json));
  std::string list;
  for (size_t i = 0; i < std::min(json.size(), kShownItems); ++i)
    list += (i == 0 ? "" : ", ") + cut(dumped(json[i]));
  return json.size() <= kShownItems ? "[" + list + "]"
                                    : fmt::format("[{}, ...] ({} values)", list,
                                                  grouped(static_cast<int64_t>(json.size())));
}

std::string word_after(const std::string& text, const std::string& key) {
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const size_t begin = line.find_first_not_of(" \"", key.size());
    const size_t end = line.find_last_not_of(" \"\r") + 1;
    return begin < end ? line.substr(begin, end - begin) : "";
  }
  return "";
}

}  // namespace

void print_metadata(const std::string& model, bool json) {
  const ModelSource source = find_source(model, {.weights = false});
  if (source.kind == ModelSource::Kind::folder)
    return print_json(read_regular_json(source.path / "config.json"), json ? -1 : 2);
  if (source.kind != ModelSource::Kind::gguf)
    fail(ErrorKind::invalid, "{}: is a blueprint; --metadata is about files of models", model);
  const auto file = GgufFile::open(source.path);
  if (json) {
    Json all = Json::object();
    for (const auto& [key, value] : file->metadata()) all[key] = value_json(value);
    return print_json(all, 1);
  }
  std::string text;
  for (const auto& [key, value] : file->metadata())
    text += fmt::format("{} = {}\n", key, value_text(value));
  print_fitted(text);
}

std::string licence_of(const std::string& model) {
  const ModelSource source = find_source(model, {.weights = false, .architecture = true});
  if (source.kind == ModelSource::Kind::gguf) {
    const auto file = GgufFile::open(source.path);
    for (const char* key : {"general.license.name", "general.license"}) {
      const GgufValue* value = file->find(key);
      if (value == nullptr) continue;
      if (const auto* text = std::get_if<std::string>(&value->data())) return *text;
    }
    return "";
  }
  const fs::path readme = source.path / "README.md";
  std::error_code code;
  if (source.kind != ModelSource::Kind::folder || !fs::is_regular_file(readme, code)) return "";
  const std::string text = read_file(readme, size_t{1} << 22);
  if (!text.starts_with("---")) return "";
  const std::string head = text.substr(0, text.find("\n---", 3));
  const std::string name = word_after(head, "license_name:");
  return name.empty() ? word_after(head, "license:") : name;
}

}  // namespace ashlar::app
