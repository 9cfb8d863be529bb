// Blueprints: architectures as data. Every reading (count, predict, compare, draw, explain) starts
// here, and none of them needs weights.
//
//   const auto bp = ashlar::Blueprint::load("qwen3-0.6b");
//   ashlar::count(bp).parameters.total;   // 596,049,920
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ashlar/difference.h"
#include "ashlar/error.h"
#include "ashlar/version.h"

namespace ASHLAR_V1 {

/// Immutable, cheap to copy; any number of threads may use one at a time.
class Blueprint {
 public:
  /// A released model's name (names()), a blueprint file (.json), a Hugging Face folder or its
  /// config.json, a .gguf file, or org/name of the Hugging Face hub. Weights are not read. Throws
  /// Error.
  static Blueprint load(const std::string& source);
  /// The JSON of docs/blueprints; `where` names it in errors. Throws Error(format, invalid).
  static Blueprint from_json(std::string_view json, std::string_view where = "blueprint");
  /// Released models that load() knows, sorted.
  static std::vector<std::string> names();

  std::string name() const;    // "qwen3-0.6b"; may be empty
  std::string family() const;  // whose checkpoints it reads and writes: "qwen3"; may be empty
  int64_t vocab() const;       // token ids are 0 to vocab - 1
  int64_t width() const;       // of the residual stream (d_model)
  int64_t layers() const;      // without multi-token prediction layers
  int64_t context() const;     // longest sequence it was made for, tokens; 0: unknown
  /// Members at their defaults are left out, equal layers are run-length encoded; from_json reads
  /// it back.
  std::string json() const;
  /// Where the structure of `other` is not as here; empty: nowhere.
  std::vector<Difference> differences(const Blueprint& other) const;
  bool operator==(const Blueprint& other) const;

  struct Data;  // the library's own
  explicit Blueprint(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  const Data& data() const { return *data_; }

 private:
  std::shared_ptr<const Data> data_;
};

}  // namespace ASHLAR_V1
