// Writing GGUF version 3.
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/output_file.h"
#include "formats/gguf.h"
#include "formats/gguf_types.h"

namespace ashlar {
namespace {

constexpr int64_t kAlignment = 32;
constexpr size_t kMaxTensorName = 63;  // bytes: what llama.cpp reads

template <class T>
void append(std::string* out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

void append_string(std::string* out, const std::string& value) {
  append(out, static_cast<uint64_t>(value.size()));
  *out += value;
}

template <class T>
std::string scalar(GgufType type, T value) {
  std::string out;
  append(&out, static_cast<uint32_t>(type));
  append(&out, value);
  return out;
}

std::string array_header(GgufType element, size_t count) {
  std::string out;
  append(&out, static_cast<uint32_t>(GgufType::array));
  append(&out, static_cast<uint32_t>(element));
  append(&out, static_cast<uint64_t>(count));
  return out;
}

template <class T>
std::string array(GgufType element, const std::vector<T>& values) {
  std::string out = array_header(element, values.size());
  for (const T& v : values) append(&out, v);
  return out;
}

std::string strings(const std::vector<std::string>& values) {
  std::string out = array_header(GgufType::string, values.size());
  for (const std::string& v : values) append_string(&out, v);
  return out;
}

std::string text(const std::string& value) {
  std::string out;
  append(&out, static_cast<uint32_t>(GgufType::string));
  append_string(&out, value);
  return out;
}

void append_integer(std::string* out, GgufType type, int64_t value) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return append(out, static_cast<uint8_t>(value));
    case GgufType::u16:
    case GgufType::i16:
      return append(out, static_cast<uint16_t>(value));
    case GgufType::u32:
    case GgufType::i32:
      return append(out, static_cast<uint32_t>(value));
    default:
      return append(out, value);
  }
}

void append_float(std::string* out, GgufType type, double value) {
  if (type == GgufType::f32) return append(out, static_cast<float>(value));
  append(out, value);
}

int64_t padded(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

int64_t bytes_of(Format format, const Sizes& sizes) {
  const int64_t cols = sizes.empty() ? 1 : sizes.back();
  return cols == 0 ? 0 : element_count(sizes, "tensor") / cols * row_bytes(format, cols);
}

}  // namespace

void GgufWriter::put(const std::string& key, std::string encoded) {
  for (auto& [known, value] : metadata_) {
    if (known == key) {
      value = std::move(encoded);
      return;
    }
  }
  metadata_.emplace_back(key, std::move(encoded));
}

void GgufWriter::set(const std::string& key, const std::string& value) { put(key, text(value)); }
void GgufWriter::set(const std::string& key, bool value) {
  put(key, scalar(GgufType::boolean, static_cast<uint8_t>(value)));
}
void GgufWriter::set(const std::string& key, uint32_t value) {
  put(key, scalar(GgufType::u32, value));
}
void GgufWriter::set(const std::string& key, int32_t value) {
  put(key, scalar(GgufType::i32, value));
}
void GgufWriter::set(const std::string& key, uint64_t value) {
  put(key, scalar(GgufType::u64, value));
}
void GgufWriter::set(const std::string& key, int64_t value) {
  put(key, scalar(GgufType::i64, value));
}
void GgufWriter::set(const std::string& key, float value) {
  put(key, scalar(GgufType::f32, value));
}
void GgufWriter::set(const std::string& key, double value) {
  put(key, scalar(GgufType::f64, value));
}
void GgufWriter::set(const std::string& key, const std::vector<std::string>& values) {
  put(key, strings(values));
}
void GgufWriter::set(const std::string& key, const std::vector<int32_t>& values) {
  put(key, array(GgufType::i32, values));
}
void GgufWriter::set(const std::string& key, const std::vector<uint32_t>& values) {
  put(key, array(GgufType::u32, values));
}
void GgufWriter::set(const std::string& key, const std::vector<float>& values) {
  put(key, array(GgufType::f32, values));
}
void GgufWriter::set(const std::string& key, const std::vector<bool>& values) {
  put(key, array(GgufType::boolean, std::vector<uint8_t>(values.begin(), values.end())));
}

void GgufWriter::set(const std::string& key, const GgufValue& value) {
  const GgufType type = value.element_type();
  const GgufValue::Data& data = value.data();
  std::string out;
  if (const auto* many = std::get_if<std::vector<std::string>>(&data)) {
    out = strings(*many);
  } else if (const auto* integers = std::get_if<std::vector<int64_t>>(&data)) {
    out = array_header(type, integers->size());
    for (const int64_t v : *integers) append_integer(&out, type, v);
  } else if (const auto* floats = std::get_if<std::vector<double>>(&data)) {
    out = array_header(type, floats->size());
    for (const double v : *floats) append_float(&out, type, v);
  } else if (const auto* string = std::get_if<std::string>(&data)) {
    out = text(*string);
  } else {
    append(&out, static_cast<uint32_t>(type));
    if (const auto* number = std::get_if<double>(&data)) {
      append_float(&out, type, *number);
    } else if (const auto* flag = std::get_if<bool>(&data)) {
      append(&out, static_cast<uint8_t>(*flag));
    } else {
      append_integer(&out, type, std::get<int64_t>(data));
    }
  }
  put(key, std::move(out));
}

void GgufWriter::add_tensor(const std::string& name, Format format, const Sizes& sizes,
                            Producer producer) {
  if (gguf_tensor_type(format) == nullptr) {
    fail(ErrorKind::unsupported, "tensor \"{}\": GGUF has no type for {}; convert it first", name,
         info(format).name);
  }
  if (name.empty() || name.size() > kMaxTensorName) {
    fail(ErrorKind::invalid, "tensor \"{}\": GGUF tensor names have 1 to {} bytes", name,
         kMaxTensorName);
  }
  if (sizes.size() > 4) {
    fail(ErrorKind::unsupported,
         "tensor \"{}\" of shape {}: GGUF tensors have at most 4 dimensions", name,
         to_string(sizes));
  }
  const int64_t cols = sizes.empty() ? 1 : sizes.back();
  if (cols % info(format).block_len != 0) {
    fail(ErrorKind::invalid, "tensor \"{}\" of shape {}: rows do not divide into {} blocks", name,
         to_string(sizes), info(format).name);
  }
  items_.push_back({name, format, sizes, std::move(producer)});
}

void GgufWriter::add_tensor(const std::string& name, const Tensor& tensor) {
  add_tensor(name, tensor.format, tensor.sizes, [tensor] { return tensor; });
}

void GgufWriter::write(const std::filesystem::path& file) const {
  std::string header;
  append(&header, uint32_t{0x46554747});  // "GGUF"
  append(&header, uint32_t{3});
  append(&header, static_cast<uint64_t>(items_.size()));
  append(&header, static_cast<uint64_t>(metadata_.size()));
  for (const auto& [key, value] : metadata_) {
    append_string(&header, key);
    header += value;
  }
  std::set<std::string> names;
  int64_t total = 0;
  for (const Item& item : items_) {
    if (!names.insert(item.name).second) {
      fail(ErrorKind::invalid, "tensor \"{}\" was added twice", item.name);
    }
    append_string(&header, item.name);
    const Sizes sizes = item.sizes.empty() ? Sizes{1} : item.sizes;
    append(&header, static_cast<uint32_t>(sizes.size()));
    for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) append(&header, *size);
    append(&header, gguf_tensor_type(item.format)->id);
    append(&header, total);
    total += padded(bytes_of(item.format, item.sizes));
  }
  OutputFile out(file, padded(static_cast<int64_t>(header.size())) + total);
  out.write(header);
  out.pad_to(kAlignment);
  int64_t done = 0;
  for (const Item& item : items_) {
    const Tensor tensor = item.producer();
    if (tensor.format != item.format || tensor.sizes != item.sizes) {
      fail(ErrorKind::invalid, "tensor \"{}\": promised {} {}, produced {} {}", item.name,
           info(item.format).name, to_string(item.sizes), info(tensor.format).name,
           to_string(tensor.sizes));
    }
    out.write(tensor.data, static_cast<size_t>(tensor.bytes()));
    out.pad_to(kAlignment);
    done += padded(tensor.bytes());
    if (progress_) progress_(done, total);
  }
  out.commit();
}

}  // namespace ashlar
