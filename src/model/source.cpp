// Folder, file or name.
#include "model/source.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/lower_case.h"
#include "base/regular_file.h"
#include "blueprint/blueprint.h"
#include "hub/cache.h"
#include "hub/fetch.h"

namespace ashlar {

namespace fs = std::filesystem;

namespace {

/// The one GGUF file of a folder, or the first part of the one split file.
fs::path only_gguf(const fs::path& folder) {
  std::vector<fs::path> files = listed(folder, ".gguf");
  std::erase_if(files, [](const fs::path& f) {  // the projector of a vision tower lies beside
    return f.filename().string().find("mmproj") != std::string::npos;
  });
  if (files.size() == 1) return files[0];
  if (files.empty() || files[0].filename().string().find("-00001-of-") == std::string::npos)
    return {};
  const std::string first = files[0].filename().string();
  const std::string stem = first.substr(0, first.find("-00001-of-"));
  for (const fs::path& f : files) {
    if (!f.filename().string().starts_with(stem + "-0")) return {};
  }
  return files[0];
}

/// The released model of that name, however it is capitalised; empty: there is none.
std::string blueprint_named(std::string name) {
  if (name.find('/') != std::string::npos) return "";
  name = lower_case(std::move(name));
  const std::vector<std::string> names = blueprint_names();
  return std::binary_search(names.begin(), names.end(), name) ? name : "";
}

/// A model that comes with the program: of $ASHLAR_MODELS, of where the program is installed
/// (share/ashlar/models) or was built (nano/ of the source). Empty: there is none of that name.
fs::path shipped(const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos) return {};
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code).parent_path();
  const char* const folder = std::getenv("ASHLAR_MODELS");
  for (const fs::path& place : {fs::path(folder != nullptr ? folder : ""),
                                program / "../share/ashlar/models", program / "../../nano"}) {
    const fs::path file = (place / (name + ".gguf")).lexically_normal();
    if (!place.empty() && fs::is_regular_file(file, code)) return file;
  }
  return {};
}

/// The blueprint that has the architecture of org/name, where the hub's cache does not hold that:
/// "Qwen/Qwen3-8B" is qwen3-8b, and so is what was trained further from it. Empty: none.
std::string stand_in(const std::string& repository) {
  if (is_whole(snapshot_of(repository_folder(repository)), false)) return "";
  std::string name = repository.substr(repository.find('/') + 1);
  for (;;) {
    if (const std::string found = blueprint_named(name); !found.empty()) return found;
    const size_t dash = name.rfind('-');
    if (dash == std::string::npos) return "";
    const std::string variant = lower_case(name.substr(dash + 1));
    const bool same_shape = variant == "instruct" || variant == "it" || variant == "base" ||
                            variant == "pt" || variant == "chat" || variant == "hf" ||
                            variant == "bf16" || variant == "fp8";
    if (!same_shape) return "";
    name.resize(dash);
  }
}

}  // namespace

ModelSource find_source(const std::string& model, const SourceOptions& options) {
  using Is = ModelSource::Kind;
  const fs::path path = model;
  std::error_code code;
  if (fs::is_directory(path, code)) {
    if (const fs::path snapshot = snapshot_of(path); snapshot != path)
      return find_source(snapshot.string(), options);
    if (fs::exists(path / "config.json", code)) return {Is::folder, path, {}};
    if (fs::exists(path / "run.json", code) && fs::exists(path / "model/config.json", code))
      return {Is::folder, path / "model", {}};  // a run of training that has finished
    const fs::path gguf = only_gguf(path);
    if (!gguf.empty()) return {Is::gguf, gguf, {}};
    const size_t several = listed(path, ".gguf").size();
    if (several > 1) {
      fail(ErrorKind::io, "{}: holds {} GGUF files; name the one that is meant", model, several);
    }
    return {Is::folder, path, {}};
  }
  if (!fs::exists(path, code)) {
    if (model.ends_with(".gguf") || model.ends_with(".safetensors"))
      fail(ErrorKind::io, "{}: no such file", model);
    if (const fs::path file = shipped(model); !file.empty()) return {Is::gguf, file, {}};
    if (const std::string name = blueprint_named(model); !name.empty())
      return {Is::blueprint, name, {}};
    if (is_repository_name(model) && !fs::exists(path.parent_path(), code)) {
      if (const std::string name = options.architecture ? stand_in(model) : ""; !name.empty()) {
        return {Is::blueprint, name,
                model + ": is not in the hub's cache; its architecture is that of the blueprint " +
                    name};
      }
      const fs::path snapshot =
          hub_model(model, {.weights = options.weights, .progress = options.progress});
      return find_source(snapshot.string(), options);
    }
    return {Is::blueprint, path, {}};
  }
  check_regular(path);
  const fs::path beside = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const std::string name = path.filename().string();
  if (path.extension() == ".gguf") return {Is::gguf, path, {}};
  if (path.extension() == ".safetensors" || name == "config.json" || name == "params.json" ||
      name.ends_with(".safetensors.index.json"))
    return {Is::folder, beside, {}};
  if (path.extension() == ".json") return {Is::blueprint, path, {}};
  std::string magic(4, 0);
  if (std::ifstream(path, std::ios::binary).read(magic.data(), 4) && magic == "GGUF")
    return {Is::gguf, path, {}};
  fail(
      ErrorKind::io,
      "{}: expected a Hugging Face folder, a .gguf file, a blueprint file (.json) or the name of a "
      "released model",
      model);
}

}  // namespace ashlar
