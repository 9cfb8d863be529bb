// What tests of models share: the tiny checkpoints of tests/golden/models, folders to write to, and
// checkpoints changed on purpose.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "formats/safetensors.h"
#include "model/convert.h"
#include "model/model.h"
#include "support/names.h"
#include "support/paths.h"

namespace ashlar::testing {

namespace fs = std::filesystem;

inline const fs::path kModels = fs::path(source_dir()) / "tests/golden/models";

/// Names of cases that have a folder of Hugging Face files.
inline std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(kModels, code)) {
    if (fs::exists(entry.path() / "model/config.json"))
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

inline fs::path golden(const std::string& name) { return kModels / name / "model"; }

template <class F>
Error error_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "expected an Error";
  return Error(ErrorKind::io, "none");
}

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is not in: " << text;
}

/// Parameters whose numbers differ.
inline std::vector<std::string> differing(const Model& a, const Model& b) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : a.weights) {
    const auto it = b.weights.find(name);
    if (it == b.weights.end() || to_f32(it->second) != to_f32(tensor)) names.push_back(name);
  }
  return names;
}

/// A golden checkpoint written anew with its config and tensors changed.
struct Edit {
  std::function<void(Json&)> config = [](Json&) {};
  std::function<void(std::map<std::string, Tensor>&)> tensors = [](auto&) {};
  int64_t shard_bytes = int64_t{1} << 40;
};

inline void write_changed(const std::string& name, const fs::path& folder, const Edit& edit) {
  const auto files = SafetensorsFolder::open(golden(name));
  std::map<std::string, Tensor> tensors;
  for (const auto& [tensor, entry] : files->entries())
    if (entry.refusal.empty()) tensors[tensor] = files->tensor(tensor);
  edit.tensors(tensors);
  SafetensorsWriter writer;
  for (const auto& [tensor, t] : tensors) writer.add_tensor(tensor, t);
  writer.write(folder, edit.shard_bytes);
  Json config = read_json(golden(name) / "config.json");
  edit.config(config);
  write_file(folder / "config.json", config.dump());
}

inline Tensor filled(Sizes sizes, float value) {
  std::byte* data = nullptr;
  Tensor t = make_tensor(Format::f32, std::move(sizes), &data);
  auto* values = reinterpret_cast<float*>(data);
  std::fill(values, values + t.elements(), value);
  return t;
}

}  // namespace ashlar::testing
