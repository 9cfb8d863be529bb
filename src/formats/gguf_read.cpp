// Reading GGUF: header, metadata, tensor table. Nothing in the file is believed before it is
// checked.
#include <algorithm>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/placeholder.h"
#include "formats/gguf.h"
#include "formats/gguf_types.h"

namespace ashlar {
namespace {

constexpr uint64_t kMaxArray = uint64_t{1} << 26;   // elements of one metadata array
constexpr uint64_t kMaxString = uint64_t{1} << 28;  // bytes of one string
constexpr uint64_t kMaxName = 65535;                // bytes of a key or tensor name
constexpr uint64_t kMaxAlignment = uint64_t{1} << 20;
constexpr uint32_t kMaxDims = 4;

// A cursor over the bytes of a file. Every read is checked against what remains; errors name the
// file and the byte.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, std::string where)
      : bytes_(bytes), where_(std::move(where)) {}

  size_t position() const { return at_; }
  size_t remaining() const { return bytes_.size() - at_; }
  const std::string& where() const { return where_; }

  template <class T>
  T read(std::string_view what) {
    need(sizeof(T), what);
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  std::string string(std::string_view what, uint64_t limit) {
    const auto length = read<uint64_t>(what);
    if (length > limit) {
      fail(ErrorKind::format, "{}: {} is {} bytes long, expected at most {}", where_, what, length,
           limit);
    }
    need(length, what);
    std::string value(reinterpret_cast<const char*>(bytes_.data() + at_), length);
    at_ += length;
    return value;
  }

  // That `count` items of at least `size` bytes each can still follow.
  void need_items(uint64_t count, uint64_t size, std::string_view what) const {
    if (count > remaining() / size) {
      fail(ErrorKind::format,
           "{}: {} {} announced at byte {}, but only {} bytes remain; truncated or broken", where_,
           count, what, at_, remaining());
    }
  }

 private:
  void need(uint64_t size, std::string_view what) const {
    if (size > remaining()) {
      fail(ErrorKind::format,
           "{}: {} needs {} bytes at byte {}, but only {} remain; truncated or broken", where_,
           what, size, at_, remaining());
    }
  }
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
  std::string where_;
};

// Bytes of one value; of strings and arrays the least there can be.
int size_of(GgufType type) {
  if (type == GgufType::array) return 12;
  return with_number(type, [](auto zero) { return static_cast<int>(sizeof(zero)); });
}

bool is_float(GgufType type) { return type == GgufType::f32 || type == GgufType::f64; }

GgufType read_type(Cursor& in, const std::string& key) {
  const auto number = in.read<uint32_t>("value type");
  if (number > static_cast<uint32_t>(GgufType::f64)) {
    fail(ErrorKind::format, "{}: metadata key \"{}\" has type {}, expected 0 to 12", in.where(),
         key, number);
  }
  return static_cast<GgufType>(number);
}

template <class T>
T read_number(Cursor& in, GgufType type) {
  const auto read = [&](auto zero) { return static_cast<T>(in.read<decltype(zero)>("value")); };
  const T value = with_number(type, read);
  return type == GgufType::boolean ? static_cast<T>(value != 0) : value;
}

GgufValue::Data read_array(Cursor& in, const std::string& key, GgufType element) {
  if (element == GgufType::array) {
    fail(ErrorKind::unsupported,
         "{}: metadata key \"{}\" is an array of arrays, which no known writer makes", in.where(),
         key);
  }
  const auto count = in.read<uint64_t>("array length");
  in.need_items(count, static_cast<uint64_t>(size_of(element)), "array elements");
  if (count > kMaxArray) {
    fail(ErrorKind::format,
         "{}: metadata key \"{}\" is an array of {} elements, expected at most {}", in.where(), key,
         count, kMaxArray);
  }
  if (element == GgufType::string) {
    std::vector<std::string> values;
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) values.push_back(in.string("string", kMaxString));
    return values;
  }
  if (is_float(element)) {
    std::vector<double> values(count);
    for (double& v : values) v = read_number<double>(in, element);
    return values;
  }
  std::vector<int64_t> values(count);
  for (int64_t& v : values) v = read_number<int64_t>(in, element);
  return values;
}

GgufValue read_value(Cursor& in, const std::shared_ptr<const std::string>& file,
                     const std::string& key) {
  const GgufType type = read_type(in, key);
  if (type == GgufType::array) {
    const GgufType element = read_type(in, key);
    return {file, key, type, element, read_array(in, key, element)};
  }
  if (type == GgufType::string) return {file, key, type, type, in.string("string", kMaxString)};
  if (is_float(type)) return {file, key, type, type, read_number<double>(in, type)};
  if (type == GgufType::boolean)
    return {file, key, type, type, read_number<int64_t>(in, type) != 0};
  return {file, key, type, type, read_number<int64_t>(in, type)};
}

struct TableRow {
  std::string name;
  Sizes sizes;  // slowest first
  uint32_t type;
  uint64_t offset;
  uint64_t bytes = 0;
};

TableRow read_row(Cursor& in) {
  TableRow row;
  row.name = in.string("tensor name", kMaxName);
  const auto dims = in.read<uint32_t>("number of dimensions");
  if (dims > kMaxDims) {
    fail(ErrorKind::format, "{}: tensor \"{}\" has {} dimensions, expected at most {}", in.where(),
         row.name, dims, kMaxDims);
  }
  for (uint32_t i = 0; i < dims; ++i) {
    const auto size = in.read<uint64_t>("tensor size");
    if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      fail(ErrorKind::format, "{}: tensor \"{}\" has a dimension of {}", in.where(), row.name,
           size);
    }
    row.sizes.insert(row.sizes.begin(), static_cast<int64_t>(size));
  }
  row.type = in.read<uint32_t>("tensor type");
  row.offset = in.read<uint64_t>("tensor offset");
  return row;
}

// Bytes of the tensor's data, with its shape checked; unknown types count as one byte.
uint64_t data_bytes(const TableRow& row, const std::string& where) {
  const GgufTensorType* type = gguf_tensor_type(row.type);
  const std::string name = fmt::format("{}: tensor \"{}\"", where, row.name);
  const int64_t count = element_count(row.sizes, name);
  if (type == nullptr) return 1;
  const int64_t cols = row.sizes.empty() ? 1 : row.sizes.back();
  if (cols % type->block_len != 0) {
    fail(ErrorKind::format, "{} of type {} has rows of {} values, expected a multiple of {}", name,
         type->name, cols, type->block_len);
  }
  return static_cast<uint64_t>(count / type->block_len * type->block_bytes);
}

// That each tensor lies inside the data section and none over another.
void check_places(std::vector<TableRow>& rows, uint64_t section, uint64_t alignment,
                  const std::string& where) {
  for (TableRow& row : rows) {
    row.bytes = data_bytes(row, where);
    if (row.offset % alignment != 0) {
      fail(ErrorKind::format,
           "{}: tensor \"{}\" lies at offset {}, expected a multiple of the alignment {}", where,
           row.name, row.offset, alignment);
    }
    if (row.offset > section || row.bytes > section - row.offset) {
      fail(ErrorKind::format,
           "{}: tensor \"{}\" needs {} bytes at offset {}, but the file's data section has {}; "
           "truncated or "
           "broken",
           where, row.name, row.bytes, row.offset, section);
    }
  }
  std::vector<const TableRow*> order;
  for (const TableRow& row : rows) {
    if (row.bytes > 0) order.push_back(&row);
  }
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->bytes) {
      fail(ErrorKind::format, "{}: tensors \"{}\" and \"{}\" overlap at offset {}", where,
           order[i - 1]->name, order[i]->name, order[i]->offset);
    }
  }
}

uint64_t alignment_of(const std::map<std::string, GgufValue>& metadata, const std::string& where) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return 32;
  const int64_t value = found->second.as_int();
  if (value <= 0 || (value & (value - 1)) != 0 || static_cast<uint64_t>(value) > kMaxAlignment) {
    fail(ErrorKind::format, "{}: general.alignment is {}, expected a power of two up to {}", where,
         value, kMaxAlignment);
  }
  return static_cast<uint64_t>(value);
}

void check_header(Cursor& in) {
  if (in.remaining() < 24) {
    fail(ErrorKind::format, "{}: {} bytes, too few for a GGUF header", in.where(), in.remaining());
  }
  const auto magic = in.read<uint32_t>("magic");
  if (magic != 0x46554747u) {  // "GGUF"
    fail(ErrorKind::format, "{}: not a GGUF file (starts with {:#010x}, expected \"GGUF\")",
         in.where(), magic);
  }
  const auto version = in.read<uint32_t>("version");
  if (version == 2 || version == 3) return;
  if (version == 1) {
    fail(ErrorKind::unsupported, "{}: GGUF version 1; convert it with llama.cpp to version 3",
         in.where());
  }
  if ((version & 0xffffu) == 0) {
    fail(ErrorKind::unsupported, "{}: a big-endian GGUF file; Ashlar reads little-endian ones",
         in.where());
  }
  fail(ErrorKind::unsupported, "{}: GGUF version {}, expected 2 or 3", in.where(), version);
}

// "model-00002-of-00005.gguf" is {stem "model", number 2, count 5}.
struct SplitName {
  std::string stem;
  int number = 1, count = 1;
};

bool split_name(const std::filesystem::path& file, SplitName* split) {
  const std::string name = file.filename().string();
  constexpr size_t kTail = 20;  // -00001-of-00005.gguf
  if (name.size() < kTail) return false;
  const std::string tail = name.substr(name.size() - kTail);
  const auto digits = [&](size_t at) {
    int value = 0;
    for (size_t i = at; i < at + 5; ++i) {
      if (tail[i] < '0' || tail[i] > '9') return -1;
      value = value * 10 + (tail[i] - '0');
    }
    return value;
  };
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || tail.substr(15) != ".gguf") return false;
  split->stem = name.substr(0, name.size() - kTail);
  split->number = digits(1);
  split->count = digits(10);
  return split->number >= 1 && split->count >= split->number;
}

}  // namespace

const GgufValue* GgufFile::find(const std::string& key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

void GgufFile::add_part(const std::filesystem::path& file, int number, int count) {
  const auto mapped = MappedFile::open(file);
  refuse_placeholder(
      {reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()},
      file.string());
  Cursor in(mapped->bytes(), file.string());
  check_header(in);
  const auto tensors = in.read<uint64_t>("tensor count");
  const auto keys = in.read<uint64_t>("metadata count");
  in.need_items(keys, 13, "metadata entries");  // key length, type, one byte of value
  in.need_items(tensors, 24, "tensors");        // name length, dimensions, type, offset

  const auto name = std::make_shared<const std::string>(file.string());
  std::map<std::string, GgufValue> metadata;
  for (uint64_t i = 0; i < keys; ++i) {
    const std::string key = in.string("metadata key", kMaxName);
    if (!metadata.emplace(key, read_value(in, name, key)).second) {
      fail(ErrorKind::format, "{}: metadata key \"{}\" stands twice", in.where(), key);
    }
  }
  std::vector<TableRow> rows;
  in.need_items(tensors, 24, "tensors");
  rows.reserve(tensors);
  for (uint64_t i = 0; i < tensors; ++i) rows.push_back(read_row(in));

  const uint64_t alignment = alignment_of(metadata, in.where());
  const uint64_t size = mapped->bytes().size();
  const uint64_t start = std::min((in.position() + alignment - 1) / alignment * alignment, size);
  check_places(rows, size - start, alignment, in.where());

  const auto split_count = metadata.find("split.count");
  const int64_t announced = split_count == metadata.end() ? 1 : split_count->second.as_int();
  if (announced < 0) {
    fail(ErrorKind::format, "{}: split.count is {}, expected the number of parts", in.where(),
         announced);
  }
  if (announced > 1 && announced != count) {
    fail(ErrorKind::format,
         "{}: part of a file split in {}; expected a name ending in -{:05}-of-{:05}.gguf with all "
         "parts beside "
         "it",
         in.where(), announced, number, announced);
  }
  if (const auto no = metadata.find("split.no"); no != metadata.end() && announced > 1) {
    if (no->second.as_int() != number - 1) {
      fail(ErrorKind::format, "{}: says it is part {} of the split file, expected part {}",
           in.where(), no->second.as_int() + 1, number);
    }
  }
  for (const TableRow& row : rows) {
    const GgufTensorType* type = gguf_tensor_type(row.type);
    TensorEntry entry = {Format::f32, row.sizes, file.string()};
    if (type == nullptr) {
      entry.refusal = fmt::format("unknown type {}", row.type);
    } else if (!type->format) {
      entry.refusal = fmt::format("type {} is not supported", type->name);
    } else {
      entry.format = *type->format;
    }
    if (!entries_.emplace(row.name, std::move(entry)).second) {
      fail(ErrorKind::format, "{}: tensor \"{}\" stands twice", in.where(), row.name);
    }
    places_[row.name] = {mapped->bytes().data() + start + row.offset, mapped};
  }
  if (number == 1 || metadata_.empty()) metadata_ = std::move(metadata);
}

std::unique_ptr<GgufFile> GgufFile::open(const std::filesystem::path& file) {
  auto gguf = std::unique_ptr<GgufFile>(new GgufFile);
  SplitName split;
  if (!split_name(file, &split)) {
    gguf->add_part(file, 1, 1);
    return gguf;
  }
  for (int number = 1; number <= split.count; ++number) {
    const auto part =
        file.parent_path() / fmt::format("{}-{:05}-of-{:05}.gguf", split.stem, number, split.count);
    if (std::error_code ignored; !std::filesystem::exists(part, ignored)) {
      fail(ErrorKind::io, "{}: part {} of {} of the split file is missing: expected {}",
           file.string(), number, split.count, part.string());
    }
    gguf->add_part(part, number, split.count);
  }
  if (const GgufValue* total = gguf->find("split.tensors.count")) {
    if (total->as_int() != static_cast<int64_t>(gguf->entries().size())) {
      fail(ErrorKind::format, "{}: the parts hold {} tensors, expected {} (split.tensors.count)",
           file.string(), gguf->entries().size(), total->as_int());
    }
  }
  return gguf;
}

Tensor GgufFile::tensor(const std::string& name) const {
  const TensorEntry& e = readable(name, "GGUF file");
  const Place& place = places_.at(name);
  return aligned({e.format, e.sizes, place.data, place.owner});
}

}  // namespace ashlar
