// GGUF, the single-file format of llama.cpp: typed metadata and tensors in blocks; versions 2
// and 3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/gguf_types.h"

namespace ashlar {

std::string_view to_string(GgufType type);

/// One metadata value. The accessors throw Error(format), naming the key and the type found, when
/// the value is of another kind; integers pass as floats, booleans in arrays as integers 0 and 1.
class GgufValue {
 public:
  using Data = std::variant<int64_t, double, bool, std::string, std::vector<int64_t>,
                            std::vector<double>, std::vector<std::string>>;
  /// `file` is for messages.
  GgufValue(std::shared_ptr<const std::string> file, std::string key, GgufType type,
            GgufType element, Data data)
      : file_(std::move(file)),
        key_(std::move(key)),
        type_(type),
        element_(element),
        data_(std::move(data)) {}

  GgufType type() const { return type_; }
  GgufType element_type() const { return element_; }  // of an array; else equal to type()
  bool is_array() const { return type_ == GgufType::array; }
  const std::string& key() const { return key_; }
  const Data& data() const { return data_; }

  const std::string& as_string() const;
  int64_t as_int() const;
  double as_float() const;
  bool as_bool() const;
  const std::vector<std::string>& as_strings() const;
  const std::vector<int64_t>& as_ints() const;
  std::vector<double> as_floats() const;

 private:
  [[noreturn]] void mismatch(std::string_view expected) const;
  template <class T>
  const T& as(std::string_view expected) const;
  std::shared_ptr<const std::string> file_;
  std::string key_;
  GgufType type_, element_;
  Data data_;  // a u64 above int64 keeps its bits
};

class GgufFile : public Checkpoint {
 public:
  /// Opens a file; a part of a split one ("...-00001-of-00003.gguf") opens all parts, which lie
  /// beside it.
  static std::unique_ptr<GgufFile> open(const std::filesystem::path& file);

  const std::map<std::string, GgufValue>& metadata() const { return metadata_; }
  const GgufValue* find(const std::string& key) const;  // null if absent
  Tensor tensor(const std::string& name) const override;

 private:
  struct Place {
    const std::byte* data;
    std::shared_ptr<const void> owner;
  };
  void add_part(const std::filesystem::path& file, int number, int count);  // from 1
  std::map<std::string, GgufValue> metadata_;
  std::map<std::string, Place> places_;
};

/// Writes a GGUF file of version 3, alignment 32, tensor by tensor: no more than one is in memory.
class GgufWriter {
 public:
  using Producer = std::function<Tensor()>;

  using Value =
      std::variant<std::string, bool, uint32_t, int32_t, int64_t, float, std::vector<std::string>,
                   std::vector<int32_t>, std::vector<float>, std::vector<bool>>;
  void set(const std::string& key, const Value& value);      // as the GGUF type of that C++ type
  void set(const std::string& key, const GgufValue& value);  // as another file had it

  /// A tensor of these sizes (slowest first); `producer` is called once, during write(), and must
  /// return this format and these sizes. Error(unsupported) for formats GGUF does not have.
  void add_tensor(const std::string& name, Format format, const Sizes& sizes, Producer producer);
  void add_tensor(const std::string& name, const Tensor& tensor);

  /// Called after each tensor with bytes written and bytes in all.
  void on_progress(std::function<void(int64_t done, int64_t total)> progress) {
    progress_ = std::move(progress);
  }

  /// Writes to a temporary file beside `file`, then renames: a failure leaves an old file intact.
  void write(const std::filesystem::path& file) const;

 private:
  struct Item {
    std::string name;
    Format format;
    Sizes sizes;
    Producer producer;
  };
  void put(const std::string& key, std::string encoded);
  std::vector<std::pair<std::string, std::string>> metadata_;  // key, encoded type and value
  std::vector<Item> items_;
  std::function<void(int64_t, int64_t)> progress_;
};

}  // namespace ashlar
