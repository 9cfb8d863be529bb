// Names, places and completeness.
#include "hub/cache.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/error.h"
#include "base/json.h"
#include "base/regular_file.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestName = 96;  // of each half, as the hub has it

bool found(const fs::path& file) {
  std::error_code code;
  return fs::exists(file, code);
}

bool is_half(std::string_view text) {
  if (text.empty() || text.size() > kLongestName || text.front() == '.' || text.front() == '-')
    return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

bool ends_in(const fs::path& folder, std::string_view extension) {
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (it->path().extension() == extension) return found(it->path());
  }
  return false;
}

}  // namespace

bool is_repository_name(const std::string& name) {
  const size_t slash = name.find('/');
  return slash != std::string::npos && is_half(std::string_view(name).substr(0, slash)) &&
         is_half(std::string_view(name).substr(slash + 1));
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path hub_cache() {
  if (const std::string cache = environment("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const std::string home = environment("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  const std::string cache = environment("XDG_CACHE_HOME");
  const fs::path base = cache.empty() ? fs::path(environment("HOME")) / ".cache" : fs::path(cache);
  return base / "huggingface" / "hub";
}

fs::path repository_folder(const std::string& name) {
  std::string folder = name;
  folder.replace(folder.find('/'), 1, "--");
  return hub_cache() / ("models--" + folder);
}

fs::path snapshot_of(const fs::path& folder, const std::string& revision) {
  const fs::path snapshots = folder / "snapshots";
  std::error_code code;
  if (found(folder / "config.json") || !fs::is_directory(snapshots, code)) return folder;
  const fs::path ref = folder / "refs" / revision;
  if (fs::is_regular_file(ref, code)) {
    std::string commit = read_file(ref, 256);
    while (!commit.empty() && std::isspace(static_cast<unsigned char>(commit.back())))
      commit.pop_back();
    if (is_half(commit) && fs::is_directory(snapshots / commit, code)) return snapshots / commit;
  }
  if (is_half(revision) && fs::is_directory(snapshots / revision, code))
    return snapshots / revision;
  if (revision != "main") return folder;
  fs::path newest;
  fs::file_time_type at;
  for (fs::directory_iterator it(snapshots, code), end; !code && it != end; it.increment(code)) {
    std::error_code ignored;
    if (!it->is_directory(ignored)) continue;
    const auto time = it->last_write_time(ignored);
    if (newest.empty() || time > at) {
      newest = it->path();
      at = time;
    }
  }
  return newest.empty() ? folder : newest;
}

bool is_whole(const fs::path& snapshot, bool weights) {
  const bool gguf = ends_in(snapshot, ".gguf");
  if (!found(snapshot / "config.json") && !found(snapshot / "params.json") && !gguf) return false;
  if (!weights || gguf || found(snapshot / "model.safetensors")) return true;
  for (const char* name : {"model.safetensors.index.json", "consolidated.safetensors.index.json"}) {
    if (!found(snapshot / name)) continue;
    const Json index = read_regular_json(snapshot / name);
    const auto map = index.find("weight_map");
    if (map == index.end() || !map->is_object()) return true;  // reported when it is read
    return std::all_of(map->begin(), map->end(), [&](const Json& file) {
      return !file.is_string() || found(snapshot / file.get<std::string>());
    });
  }
  return ends_in(snapshot, ".safetensors");
}

}  // namespace ashlar
