// Writing GGUF version 3.
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/output_file.h"
#include "base/overloaded.h"
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

/// The GGUF type that a C++ type is written as.
template <class T>
constexpr GgufType type_of() {
  return std::is_same_v<T, std::string> ? GgufType::string
         : std::is_same_v<T, bool>      ? GgufType::boolean
         : std::is_same_v<T, uint32_t>  ? GgufType::u32
         : std::is_same_v<T, int32_t>   ? GgufType::i32
         : std::is_same_v<T, float>     ? GgufType::f32
                                        : GgufType::i64;
}

/// Writes what stands behind a key: a value, or a list of values of the same `type`.
struct Encoder {
  std::string out = {};

  template <class T>
  void item(GgufType type, const T& value) {
    if constexpr (std::is_same_v<T, std::string>)
      append_string(&out, value);
    else
      with_number(type, [&](auto zero) { append(&out, static_cast<decltype(zero)>(value)); });
  }
  template <class T>
  void add(GgufType type, const T& value) {
    append(&out, type);
    item(type, value);
  }
  template <class T>
  void add(GgufType type, const std::vector<T>& values) {
    append(&out, GgufType::array);
    append(&out, type);
    append(&out, static_cast<uint64_t>(values.size()));
    for (const T& value : values) item(type, value);
  }
};

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

void GgufWriter::set(const std::string& key, const Value& value) {
  Encoder encoder;
  std::visit(Overloaded{[&]<class T>(const T& v) { encoder.add(type_of<T>(), v); },
                        [&]<class T>(const std::vector<T>& v) { encoder.add(type_of<T>(), v); }},
             value);
  put(key, std::move(encoder.out));
}

void GgufWriter::set(const std::string& key, const GgufValue& value) {
  Encoder encoder;
  std::visit([&](const auto& v) { encoder.add(value.element_type(), v); }, value.data());
  put(key, std::move(encoder.out));
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
