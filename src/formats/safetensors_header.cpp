// Parsing safetensors headers and indices event by event: no document is built, so that a header of
// a hundred thousand tensors stays cheap and a hostile one small.
#include "formats/safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/placeholder.h"
#include "base/regular_file.h"

namespace ashlar {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // bytes, as the reference library limits it
constexpr size_t kMaxDims = 32;
constexpr size_t kMaxName = 65535;  // bytes

struct Dtype {
  std::string_view name;
  int bits;
};
constexpr Dtype kDtypes[] = {{"BOOL", 8},    {"U8", 8},      {"I8", 8},   {"F8_E4M3", 8},
                             {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F4", 4},   {"F6_E2M3", 6},
                             {"F6_E3M2", 6}, {"I16", 16},    {"U16", 16}, {"F16", 16},
                             {"BF16", 16},   {"I32", 32},    {"U32", 32}, {"F32", 32},
                             {"C64", 64},    {"F64", 64},    {"I64", 64}, {"U64", 64}};

// Zero for a dtype nobody has heard of.
int bits_of(std::string_view dtype) {
  for (const Dtype& d : kDtypes) {
    if (d.name == dtype) return d.bits;
  }
  return 0;
}

// The events of nlohmann's parser, with a bound on depth; derived classes take keys and scalars.
class Events : public nlohmann::json_sax<Json> {
 public:
  explicit Events(std::string where) : where_(std::move(where)) {}

  bool null() override { return other("null"); }
  bool boolean(bool) override { return other("a boolean"); }
  bool number_integer(number_integer_t) override { return other("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return other("a fraction or too large a number");
  }
  bool binary(binary_t&) override { return other("binary data"); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& e) override {
    constexpr size_t kLongest = 300;  // the message quotes the text
    fail(ErrorKind::format, "{}: not valid JSON: {}", where_,
         std::string(e.what()).substr(0, kLongest));
  }

 protected:
  virtual bool other(std::string_view what) = 0;
  void enter() {
    constexpr int kMaxDepth = 64;
    if (++depth_ > kMaxDepth)
      fail(ErrorKind::format, "{}: JSON nested deeper than {}", where_, kMaxDepth);
  }
  std::string where_;
  int depth_ = 0;  // of open objects and arrays
};

struct HeaderRow {
  std::string name, dtype;
  std::optional<std::vector<uint64_t>> shape, offsets;
};

// {"name": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}, "__metadata__": {"format":
// "pt"}}
class HeaderEvents : public Events {
 public:
  using Events::Events;
  std::vector<HeaderRow> rows;
  std::map<std::string, std::string> metadata;

  bool start_object(size_t) override {
    enter();
    if (depth_ == 1 || (depth_ == 2 && !list_)) return true;
    return other("an object");
  }
  bool end_object() override {
    --depth_;
    if (depth_ == 1 && !in_metadata_) {
      const HeaderRow& row = rows.back();
      if (row.dtype.empty() || !row.shape || !row.offsets) {
        fail(ErrorKind::format, "{}: tensor \"{}\" lacks dtype, shape or data_offsets", where_,
             row.name);
      }
    }
    if (depth_ == 1) in_metadata_ = false;
    return true;
  }
  bool start_array(size_t) override {
    enter();
    if (depth_ != 3 || in_metadata_) return other("an array");
    HeaderRow& row = rows.back();
    std::optional<std::vector<uint64_t>>* list = key_ == "shape"          ? &row.shape
                                                 : key_ == "data_offsets" ? &row.offsets
                                                                          : &ignored_;
    if (*list) {
      fail(ErrorKind::format, "{}: tensor \"{}\" has two of \"{}\"", where_, row.name, key_);
    }
    list_ = &list->emplace();
    return true;
  }
  bool end_array() override {
    --depth_;
    list_ = nullptr;
    ignored_.reset();
    return true;
  }
  bool key(string_t& key) override {
    if (key.size() > kMaxName) {
      fail(ErrorKind::format, "{}: a name of {} bytes, expected at most {}", where_, key.size(),
           kMaxName);
    }
    if (depth_ == 1) {
      if (!names_.insert(key).second)
        fail(ErrorKind::format, "{}: tensor \"{}\" stands twice", where_, key);
      in_metadata_ = key == "__metadata__";
      if (!in_metadata_) rows.push_back({.name = key});
    }
    key_ = key;
    return true;
  }
  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_) {
      metadata[key_] = value;
    } else if (depth_ == 2 && key_ == "dtype") {
      if (!rows.back().dtype.empty())
        fail(ErrorKind::format, "{}: tensor \"{}\" has two of \"dtype\"", where_, rows.back().name);
      rows.back().dtype = value;
    } else if (depth_ != 2) {
      return other("a string");
    }
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (list_ == nullptr) return other("a number");
    if (list_->size() >= kMaxDims) {
      fail(ErrorKind::format, "{}: tensor \"{}\": \"{}\" has more than {} numbers", where_,
           rows.back().name, key_, kMaxDims);
    }
    list_->push_back(value);
    return true;
  }

 private:
  // Anything the format has no place for.
  bool other(std::string_view what) override {
    fail(ErrorKind::format, "{}: header is no list of tensors: {} found at \"{}\"{}", where_, what,
         key_, rows.empty() ? "" : fmt::format(" of \"{}\"", rows.back().name));
  }
  std::set<std::string> names_;
  std::string key_;
  std::vector<uint64_t>* list_ = nullptr;  // the array being read
  std::optional<std::vector<uint64_t>> ignored_;
  bool in_metadata_ = false;
};

// {"metadata": anything, "weight_map": {"tensor": "file"}}
class IndexEvents : public Events {
 public:
  using Events::Events;
  std::map<std::string, std::string> files;
  bool found = false;

  bool start_object(size_t) override {
    enter();
    if (depth_ == 2 && key_ == "weight_map") found = in_map_ = true;
    return true;
  }
  bool end_object() override {
    if (--depth_ == 1) in_map_ = false;
    return true;
  }
  bool start_array(size_t) override {
    enter();
    return in_map_ ? other("an array") : true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& key) override {
    key_ = key;
    return true;
  }
  bool string(string_t& value) override {
    if (!in_map_) return true;
    if (depth_ != 2) return other("a string");
    if (!files.emplace(key_, value).second) {
      fail(ErrorKind::format, "{}: tensor \"{}\" stands twice in weight_map", where_, key_);
    }
    return true;
  }
  bool number_unsigned(number_unsigned_t) override { return other("a number"); }

 private:
  bool other(std::string_view what) override {
    if (!in_map_) return true;
    fail(ErrorKind::format, "{}: weight_map has {} for \"{}\", expected a file name", where_, what,
         key_);
  }
  std::string key_;
  bool in_map_ = false;
};

template <class Handler>
void parse(std::string_view text, Handler* handler) {
  Json::sax_parse(text.begin(), text.end(), handler);
}

RawTensor checked(const HeaderRow& row, std::span<const std::byte> data, const std::string& file) {
  const std::string where = fmt::format("{}: tensor \"{}\"", file, row.name);
  RawTensor tensor;
  tensor.name = row.name;
  tensor.dtype = row.dtype;
  tensor.file = file;
  for (const uint64_t size : *row.shape) {
    if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      fail(ErrorKind::format, "{}: dimension of {}", where, size);
    }
    tensor.sizes.push_back(static_cast<int64_t>(size));
  }
  const std::vector<uint64_t>& offsets = *row.offsets;
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    fail(ErrorKind::format, "{}: data_offsets are not [begin, end]", where);
  }
  const uint64_t begin = offsets[0], end = offsets[1];
  if (end > data.size()) {
    fail(ErrorKind::format,
         "{}: its data ends at byte {}, but the file has {} after the header; truncated or broken",
         where, end, data.size());
  }
  const int bits = bits_of(row.dtype);
  const int64_t count = element_count(tensor.sizes, where);
  const int64_t needed = count * bits;
  if (needed % 8 != 0) {
    fail(ErrorKind::format, "{}: shape {} of {} is no number of bytes", where,
         to_string(tensor.sizes), row.dtype);
  }
  if (bits != 0 && static_cast<uint64_t>(needed / 8) != end - begin) {
    fail(ErrorKind::format, "{}: shape {} of {} needs {} bytes, but data_offsets span {}", where,
         to_string(tensor.sizes), row.dtype, needed / 8, end - begin);
  }
  tensor.bytes = data.subspan(begin, end - begin);
  return tensor;
}

// As the reference library: the data has no holes, no overlaps and nothing after the last tensor.
void check_cover(const std::vector<RawTensor>& tensors, std::span<const std::byte> data,
                 const std::string& file) {
  std::vector<const RawTensor*> order;
  for (const RawTensor& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) {
    return a->bytes.data() != b->bytes.data() ? a->bytes.data() < b->bytes.data()
                                              : a->bytes.size() < b->bytes.size();
  });
  const std::byte* at = data.data();
  for (const RawTensor* t : order) {
    if (t->bytes.data() != at) {
      fail(ErrorKind::format,
           "{}: tensor \"{}\" begins at byte {}, expected {}: tensors overlap or leave a hole",
           file, t->name, t->bytes.data() - data.data(), at - data.data());
    }
    at += t->bytes.size();
  }
  if (at != data.data() + data.size()) {
    fail(ErrorKind::format, "{}: {} bytes after the last tensor; truncated header or broken file",
         file, data.data() + data.size() - at);
  }
}

}  // namespace

std::optional<Format> format_of_dtype(std::string_view dtype) {
  if (dtype == "F32") return Format::f32;
  if (dtype == "F16") return Format::f16;
  if (dtype == "BF16") return Format::bf16;
  return std::nullopt;
}

SafetensorsHeader read_safetensors(const std::filesystem::path& file) {
  const auto mapped = MappedFile::open(file);
  const std::span<const std::byte> bytes = mapped->bytes();
  const std::string where = file.string();
  refuse_placeholder({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, where);
  uint64_t length = 0;
  if (bytes.size() < sizeof(length)) {
    fail(ErrorKind::format, "{}: {} bytes, too few for a safetensors file", where, bytes.size());
  }
  std::memcpy(&length, bytes.data(), sizeof(length));
  if (length > bytes.size() - sizeof(length)) {
    fail(ErrorKind::format,
         "{}: header of {} bytes in a file of {}; truncated, or not a safetensors file", where,
         length, bytes.size());
  }
  if (length > kMaxHeader) {
    fail(ErrorKind::format, "{}: header of {} bytes, expected at most {}", where, length,
         kMaxHeader);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(length), length);
  if (text.empty() || text.front() != '{') {
    fail(ErrorKind::format, "{}: header does not start with {{; not a safetensors file", where);
  }
  HeaderEvents events(where);
  parse(text, &events);

  SafetensorsHeader header;
  header.metadata = std::move(events.metadata);
  const auto data = bytes.subspan(sizeof(length) + length);
  header.tensors.reserve(events.rows.size());
  for (const HeaderRow& row : events.rows) {
    header.tensors.push_back(checked(row, data, where));
    header.tensors.back().owner = mapped;
  }
  check_cover(header.tensors, data, where);
  return header;
}

std::map<std::string, std::string> read_safetensors_index(const std::filesystem::path& file) {
  const std::string text = read_regular_file(file, size_t{1} << 28);
  refuse_placeholder(text, file.string());
  IndexEvents events(file.string());
  parse(text, &events);
  if (!events.found) fail(ErrorKind::format, "{}: no \"weight_map\"", file.string());
  return std::move(events.files);
}

}  // namespace ashlar
