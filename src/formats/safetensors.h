// safetensors, the format of Hugging Face checkpoints: one file, or shards with an index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "formats/checkpoint.h"

namespace ashlar {

class OutputFile;
class OutputFolder;

/// A folder of safetensors files. Weights stored in pieces are one entry under the weight's own
/// name:
///   X + X_scale_inv (or X_scale)  e4m3 values with block, row or tensor scales: fp8_b128, else f32
///   X_blocks + X_scales           MXFP4 of gpt-oss: mxfp4, rows as on disk
///   X_packed + X_scale + X_shape  pack-quantised symmetric INT4 in groups of 32: int4_g32
///   X in *-TP-00r.safetensors     tensor-parallel slices: concatenated
class SafetensorsFolder : public Checkpoint {
 public:
  /// A folder, a .safetensors file or an index file. Errors name the file, the tensor and what is
  /// wrong.
  static std::unique_ptr<SafetensorsFolder> open(const std::filesystem::path& path);

  Tensor tensor(const std::string& name) const override;
  /// The `__metadata__` of the files, merged.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::function<Tensor()>> makers_;
};

/// Writes safetensors with f32, f16 and bf16 tensors, no more than one in memory at a time.
class SafetensorsWriter {
 public:
  static constexpr int64_t kShardBytes = 5'000'000'000;
  using Producer = std::function<Tensor()>;

  /// `producer` is called once, during write(), and must return this format and these sizes.
  /// Error(unsupported) for formats safetensors does not have.
  void add_tensor(const std::string& name, Format format, const Sizes& sizes, Producer producer);
  void add_tensor(const std::string& name, const Tensor& tensor);

  void on_progress(std::function<void(int64_t done, int64_t total)> progress) {
    progress_ = std::move(progress);
  }

  /// Adds model.safetensors to the folder, or shards of at most `max_shard_bytes` (a larger tensor
  /// gets its own) and model.safetensors.index.json.
  void write(OutputFolder& folder, int64_t max_shard_bytes = kShardBytes) const;
  /// A folder of these files alone, which appear when all are whole.
  void write(const std::filesystem::path& folder, int64_t max_shard_bytes = kShardBytes) const;
  /// Writes one file of this name.
  void write_single(const std::filesystem::path& file) const;

 private:
  struct Item {
    std::string name;
    Format format;
    Sizes sizes;
    int64_t bytes;
    Producer producer;
  };
  using Shards = std::vector<std::vector<const Item*>>;
  int64_t total_bytes() const;
  Shards shards(int64_t max_bytes) const;
  static std::string header_of(const std::vector<const Item*>& items);
  std::string index_of(const Shards& shards) const;
  void write_items(OutputFile& out, const std::string& header,
                   const std::vector<const Item*>& items, int64_t* done) const;
  std::vector<Item> items_;
  std::function<void(int64_t, int64_t)> progress_;
};

}  // namespace ashlar
