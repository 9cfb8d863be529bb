// Writing safetensors, in one file or in shards with an index.
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/output_file.h"
#include "formats/safetensors.h"

namespace ashlar {
namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

std::string_view dtype_of(Format format) {
  switch (format) {
    case Format::f32:
      return "F32";
    case Format::f16:
      return "F16";
    case Format::bf16:
      return "BF16";
    default:
      return "";
  }
}

std::string shard_name(size_t index, size_t count) {
  return count == 1 ? kSingle : fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

std::string quoted(const std::string& name) {
  try {
    return Json(name).dump();
  } catch (const Json::exception&) {
    fail(ErrorKind::invalid, "tensor name \"{}\" is not valid UTF-8", name);
  }
}

}  // namespace

void SafetensorsWriter::add_tensor(const std::string& name, Format format, const Sizes& sizes,
                                   Producer producer) {
  if (dtype_of(format).empty()) {
    fail(ErrorKind::unsupported,
         "tensor \"{}\": safetensors are written as f32, f16 or bf16, not as {}", name,
         info(format).name);
  }
  const int64_t bytes = element_count(sizes, name) * info(format).block_bytes;
  items_.push_back({name, format, sizes, bytes, std::move(producer)});
}

void SafetensorsWriter::add_tensor(const std::string& name, const Tensor& tensor) {
  add_tensor(name, tensor.format, tensor.sizes, [tensor] { return tensor; });
}

int64_t SafetensorsWriter::total_bytes() const {
  int64_t total = 0;
  for (const Item& item : items_) total += item.bytes;
  return total;
}

std::string SafetensorsWriter::header_of(const std::vector<const Item*>& items) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  int64_t offset = 0;
  for (const Item* item : items) {
    header += fmt::format(R"(,{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                          quoted(item->name), dtype_of(item->format), fmt::join(item->sizes, ","),
                          offset, offset + item->bytes);
    offset += item->bytes;
  }
  header += '}';
  while (header.size() % 8 != 0) header += ' ';
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + header;
}

std::string SafetensorsWriter::index_of(const Shards& shards) const {
  std::vector<std::pair<std::string, std::string>> places;  // tensor, file
  for (size_t s = 0; s < shards.size(); ++s) {
    for (const Item* item : shards[s])
      places.emplace_back(quoted(item->name), shard_name(s, shards.size()));
  }
  std::sort(places.begin(), places.end());
  std::string index = fmt::format(
      "{{\n  \"metadata\": {{\"total_size\": {}}},\n  \"weight_map\": {{", total_bytes());
  for (size_t i = 0; i < places.size(); ++i) {
    index += fmt::format("{}\n    {}: \"{}\"", i ? "," : "", places[i].first, places[i].second);
  }
  return index + "\n  }\n}\n";
}

void SafetensorsWriter::write_items(OutputFile& out, const std::string& header,
                                    const std::vector<const Item*>& items, int64_t* done) const {
  out.write(header);
  for (const Item* item : items) {
    const Tensor tensor = item->producer();
    if (tensor.format != item->format || tensor.sizes != item->sizes) {
      fail(ErrorKind::invalid, "tensor \"{}\": promised {} {}, produced {} {}", item->name,
           info(item->format).name, to_string(item->sizes), info(tensor.format).name,
           to_string(tensor.sizes));
    }
    out.write(tensor.data, static_cast<size_t>(tensor.bytes()));
    *done += tensor.bytes();
    if (progress_) progress_(*done, total_bytes());
  }
}

SafetensorsWriter::Shards SafetensorsWriter::shards(int64_t max_bytes) const {
  std::set<std::string> names;
  Shards shards(1);
  int64_t filled = 0;
  for (const Item& item : items_) {
    if (!names.insert(item.name).second) {
      fail(ErrorKind::invalid, "tensor \"{}\" was added twice", item.name);
    }
    if (!shards.back().empty() && filled + item.bytes > max_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(&item);
    filled += item.bytes;
  }
  // Wide numbers first, so that every tensor lies at a multiple of its width.
  for (auto& shard : shards) {
    std::stable_sort(shard.begin(), shard.end(), [](const Item* a, const Item* b) {
      return info(a->format).block_bytes > info(b->format).block_bytes;
    });
  }
  return shards;
}

void SafetensorsWriter::write_single(const std::filesystem::path& file) const {
  const auto all = shards(std::numeric_limits<int64_t>::max());
  const std::string header = header_of(all[0]);
  int64_t done = 0;
  OutputFile out(file, static_cast<int64_t>(header.size()) + total_bytes());
  write_items(out, header, all[0], &done);
  out.commit();
}

void SafetensorsWriter::write(OutputFolder& folder, int64_t max_shard_bytes) const {
  // All shards are open until the last is written, and a process may not open any number of files.
  constexpr int64_t kMostShards = 250;
  const auto parts = shards(std::max(max_shard_bytes, total_bytes() / kMostShards));
  check_free_space(folder.path(), total_bytes());
  int64_t done = 0;
  for (size_t s = 0; s < parts.size(); ++s) {
    const std::string header = header_of(parts[s]);
    int64_t bytes = static_cast<int64_t>(header.size());
    for (const Item* item : parts[s]) bytes += item->bytes;
    write_items(folder.add(shard_name(s, parts.size()), bytes), header, parts[s], &done);
  }
  const bool single = parts.size() == 1;
  // What an earlier model of the other shape left would be read in place of this one.
  folder.replace(single ? kIndex : kSingle);
  if (!single) folder.add_text(kIndex, index_of(parts));
}

void SafetensorsWriter::write(const std::filesystem::path& folder, int64_t max_shard_bytes) const {
  OutputFolder out(folder);
  write(out, max_shard_bytes);
  out.commit();
}

}  // namespace ashlar
