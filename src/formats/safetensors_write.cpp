// Writing safetensors, in one file or in shards with an index.
#include <algorithm>
#include <deque>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "formats/output_file.h"
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

void SafetensorsWriter::write_items(OutputFile& out, std::vector<const Item*>& items, int64_t total,
                                    int64_t* done) const {
  // Wide numbers first, so that every tensor lies at a multiple of its width.
  std::stable_sort(items.begin(), items.end(), [](const Item* a, const Item* b) {
    return info(a->format).block_bytes > info(b->format).block_bytes;
  });
  std::string header = R"({"__metadata__":{"format":"pt"})";
  int64_t offset = 0;
  for (const Item* item : items) {
    header +=
        fmt::format(R"(,{}:{{"dtype":"{}","shape":[)", quoted(item->name), dtype_of(item->format));
    for (size_t i = 0; i < item->sizes.size(); ++i)
      header += fmt::format("{}{}", i ? "," : "", item->sizes[i]);
    header += fmt::format(R"(],"data_offsets":[{},{}]}})", offset, offset + item->bytes);
    offset += item->bytes;
  }
  header += '}';
  while (header.size() % 8 != 0) header += ' ';
  const uint64_t length = header.size();
  out.write(&length, sizeof(length));
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
    if (progress_) progress_(*done, total);
  }
}

void SafetensorsWriter::write_single(const std::filesystem::path& file) const {
  int64_t total = 0, done = 0;
  std::set<std::string> names;
  std::vector<const Item*> items;
  for (const Item& item : items_) {
    if (!names.insert(item.name).second)
      fail(ErrorKind::invalid, "tensor \"{}\" was added twice", item.name);
    items.push_back(&item);
    total += item.bytes;
  }
  OutputFile out(file);
  write_items(out, items, total, &done);
  out.close();
  out.commit();
}

void SafetensorsWriter::write(const std::filesystem::path& folder, int64_t max_shard_bytes) const {
  std::set<std::string> names;
  int64_t total = 0, done = 0;
  std::vector<std::vector<const Item*>> shards(1);
  int64_t filled = 0;
  for (const Item& item : items_) {
    if (!names.insert(item.name).second) {
      fail(ErrorKind::invalid, "tensor \"{}\" was added twice", item.name);
    }
    if (!shards.back().empty() && filled + item.bytes > max_shard_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(&item);
    filled += item.bytes;
    total += item.bytes;
  }

  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code)
    fail(ErrorKind::io, "{}: cannot create the folder: {}", folder.string(), code.message());
  const bool single = shards.size() == 1;
  std::deque<OutputFile> files;
  std::vector<std::pair<std::string, std::string>> places;  // tensor, file
  for (size_t s = 0; s < shards.size(); ++s) {
    const std::string name =
        single ? kSingle : fmt::format("model-{:05}-of-{:05}.safetensors", s + 1, shards.size());
    OutputFile& out = files.emplace_back(folder / name);
    write_items(out, shards[s], total, &done);
    for (const Item* item : shards[s]) places.emplace_back(quoted(item->name), name);
    out.close();
  }
  for (OutputFile& file : files) file.commit();
  // What an earlier model of the other shape left would be read in place of this one.
  std::filesystem::remove(folder / (single ? kIndex : kSingle), code);
  if (single) return;
  std::sort(places.begin(), places.end());
  std::string index =
      fmt::format("{{\n  \"metadata\": {{\"total_size\": {}}},\n  \"weight_map\": {{", total);
  for (size_t i = 0; i < places.size(); ++i) {
    index += fmt::format("{}\n    {}: \"{}\"", i ? "," : "", places[i].first, places[i].second);
  }
  index += "\n  }\n}\n";
  write_file(folder / kIndex, index);
}

}  // namespace ashlar
