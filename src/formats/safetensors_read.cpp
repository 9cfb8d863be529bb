// Opening a folder of safetensors: which files belong to it, and one entry per weight.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/regular_file.h"
#include "formats/safetensors.h"
#include "formats/safetensors_composite.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTail = ".safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

// Names of the .safetensors files in the folder, sorted.
std::vector<std::string> listed(const fs::path& folder) {
  std::error_code code;
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with(kTail)) names.push_back(name);
  }
  if (code) fail(ErrorKind::io, "{}: cannot list the folder: {}", folder.string(), code.message());
  std::sort(names.begin(), names.end());
  return names;
}

int digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return text.empty() ? -1 : value;
}

// The rank of "...-TP-003.safetensors", -1 for "...-TP-common.safetensors", nothing for other
// names.
std::optional<int> slice_rank(std::string_view name) {
  if (name.ends_with("-TP-common.safetensors")) return -1;
  constexpr size_t kLength = 7 + kTail.size();  // -TP-003.safetensors
  if (name.size() < kLength || !name.ends_with(kTail)) return std::nullopt;
  const std::string_view part = name.substr(name.size() - kLength, 7);
  const int rank = digits(part.substr(4));
  if (part.substr(0, 4) != "-TP-" || rank < 0) return std::nullopt;
  return rank;
}

// For "model-00002-of-00005.safetensors" the number of shards, else 0.
int shard_count(std::string_view name) {
  constexpr size_t kLength = 15 + kTail.size();
  if (name.size() < kLength || !name.ends_with(kTail)) return 0;
  const std::string_view part = name.substr(name.size() - kLength, 15);
  if (part[0] != '-' || part.substr(6, 4) != "-of-" || digits(part.substr(1, 5)) < 0) return 0;
  return std::max(digits(part.substr(10)), 0);
}

struct Source {
  std::vector<std::string> files;             // names in the folder
  std::map<std::string, std::string> placed;  // tensor to file, if an index says so
  bool sliced = false;
};

Source with_index(const fs::path& folder, const std::string& index) {
  Source source;
  source.placed = read_safetensors_index(folder / index);
  std::set<std::string> files;
  for (const auto& [tensor, file] : source.placed) {
    constexpr size_t kLongestName = 255;
    if (file.empty() || file.size() > kLongestName || file == ".." ||
        file.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
      fail(ErrorKind::format,
           "{}: tensor \"{}\" is said to be in {}, expected a file name of the same folder",
           (folder / index).string(), tensor.substr(0, 100),
           Json(file.substr(0, 100)).dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    files.insert(file);
  }
  for (const std::string& file : files) {
    if (!is_there(folder / file)) {
      fail(ErrorKind::io, "{}: names the file {}, which is missing; is the download complete?",
           (folder / index).string(), file);
    }
  }
  source.files.assign(files.begin(), files.end());
  return source;
}

Source files_of(const fs::path& folder) {
  Source source;
  const std::vector<std::string> names = listed(folder);
  for (const std::string& name : names) {
    if (slice_rank(name)) source.files.push_back(name);
  }
  if (!source.files.empty()) {
    source.sliced = true;
    return source;
  }
  if (is_there(folder / "model.safetensors")) return {{"model.safetensors"}, {}, false};
  if (is_there(folder / kIndex)) return with_index(folder, kIndex);
  std::vector<std::string> shards;
  int count = 0;
  for (const std::string& name : names) {
    if (shard_count(name) > 0) {
      shards.push_back(name);
      count = std::max(count, shard_count(name));
    }
  }
  if (!shards.empty()) {
    if (static_cast<int>(shards.size()) != count) {
      fail(ErrorKind::io,
           "{}: {} of {} shards are there (e.g. {}) and no {}; is the download complete?",
           folder.string(), shards.size(), count, shards.front(), kIndex);
    }
    return {shards, {}, false};
  }
  if (names.size() == 1) return {names, {}, false};
  fail(ErrorKind::io, "{}: expected model.safetensors or {}, found {}", folder.string(), kIndex,
       names.empty() ? "no .safetensors file"
                     : fmt::format("{} and {} others", names[0], names.size() - 1));
}

// config.json's quantization_config.weight_block_size, if there is one.
Fp8Blocks fp8_blocks(const fs::path& folder) {
  Fp8Blocks blocks;
  if (!is_there(folder / "config.json")) return blocks;
  const Json config = read_regular_json(folder / "config.json");
  const Json& size = value_at(value_at(config, "quantization_config"), "weight_block_size");
  if (size.is_null()) return blocks;
  const auto length = [&](size_t i) -> int64_t {
    if (size.is_array() && size.size() == 2 && size[i].is_number_unsigned()) {
      const auto value = size[i].get<uint64_t>();
      if (value > 0 && value <= 65536) return static_cast<int64_t>(value);
    }
    fail(ErrorKind::format, "{}: weight_block_size is {}, expected two numbers like [128, 128]",
         (folder / "config.json").string(), size.dump());
  };
  return {length(0), length(1), true};
}

void add_tensor(RawTensor tensor, const Source& source, const std::string& file, RawTensors* raw) {
  auto& slices = (*raw)[tensor.name];
  if (!slices.empty() && !source.sliced) {
    const auto placed = source.placed.find(tensor.name);
    if (placed == source.placed.end()) {
      fail(ErrorKind::format, "tensor \"{}\" stands in {} and in {}", tensor.name, slices[0].file,
           tensor.file);
    }
    if (placed->second != file) return;
    slices.clear();
  }
  slices.push_back(std::move(tensor));
}

// Slices arrive in the order of files; each rank must hold each sliced tensor once.
void check_ranks(const RawTensors& raw, const fs::path& folder) {
  std::set<int> ranks;
  const auto rank_of = [](const RawTensor& t) {
    return *slice_rank(fs::path(t.file).filename().string());
  };
  for (const auto& [name, slices] : raw) {
    for (const RawTensor& s : slices) ranks.insert(rank_of(s));
  }
  ranks.erase(-1);
  const int count = static_cast<int>(ranks.size());
  if (count > 0 && *ranks.rbegin() != count - 1) {
    fail(ErrorKind::io,
         "{}: slices of rank {} are there, but only {} ranks in all; is the download complete?",
         folder.string(), *ranks.rbegin(), count);
  }
  for (const auto& [name, slices] : raw) {
    const bool common = rank_of(slices.front()) == -1;
    bool right = static_cast<int>(slices.size()) == (common ? 1 : count);
    for (size_t i = 0; right && !common && i < slices.size(); ++i) {
      right = rank_of(slices[i]) == static_cast<int>(i);
    }
    if (!right) {
      fail(ErrorKind::format,
           "{}: tensor \"{}\" has {} slices (first in {}), expected one of each of {} ranks",
           folder.string(), name, slices.size(), slices.front().file, count);
    }
  }
}

}  // namespace

std::unique_ptr<SafetensorsFolder> SafetensorsFolder::open(const fs::path& path) {
  std::error_code ignored;
  fs::path folder = path;
  Source source;
  if (fs::is_directory(path, ignored)) {
    source = files_of(folder);
  } else {
    const std::string name = path.filename().string();
    folder = path.parent_path();
    if (name.ends_with(".json")) {
      source = with_index(folder, name);
    } else if (shard_count(name) > 1 || slice_rank(name)) {
      source = files_of(folder.empty() ? "." : folder);
    } else {
      source.files = {name};
    }
  }

  auto result = std::make_unique<SafetensorsFolder>();
  RawTensors raw;
  for (const std::string& file : source.files) {
    SafetensorsHeader header = read_safetensors(folder / file);
    std::set<std::string> names;
    for (RawTensor& tensor : header.tensors) {
      if (!source.placed.empty()) names.insert(tensor.name);
      add_tensor(std::move(tensor), source, file, &raw);
    }
    for (const auto& [tensor, place] : source.placed) {
      if (place == file && names.count(tensor) == 0) {
        fail(ErrorKind::format, "{}: lacks tensor \"{}\", which the index places there",
             (folder / file).string(), tensor);
      }
    }
    result->metadata_.merge(header.metadata);
  }
  if (source.sliced) {
    for (auto& [name, slices] : raw) {
      std::stable_sort(slices.begin(), slices.end(), [](const RawTensor& a, const RawTensor& b) {
        return *slice_rank(fs::path(a.file).filename().string()) <
               *slice_rank(fs::path(b.file).filename().string());
      });
    }
    check_ranks(raw, folder);
  }

  const auto enter = [&](Logical logical) {
    if (!result->entries_.emplace(logical.name, std::move(logical.entry)).second) {
      fail(ErrorKind::format, "{}: weight \"{}\" stands there both whole and in pieces",
           folder.string(), logical.name);
    }
    result->makers_[logical.name] = std::move(logical.make);
  };
  std::set<std::string> taken;
  for (Logical& logical : find_composites(raw, fp8_blocks(folder))) {
    taken.insert(logical.pieces.begin(), logical.pieces.end());
    enter(std::move(logical));
  }
  for (const auto& [name, slices] : raw) {
    if (taken.count(name) != 0) continue;
    enter(slices.size() > 1 ? concatenated(slices) : plain(slices.front()));
  }
  return result;
}

Tensor SafetensorsFolder::tensor(const std::string& name) const {
  readable(name, "safetensors files");
  return makers_.at(name)();
}

}  // namespace ashlar
