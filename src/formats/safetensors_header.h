// What a safetensors file says of itself: the tensors of its header, checked against its bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace ashlar {

/// One tensor of a file as it lies there.
struct RawTensor {
  std::string name;
  std::string dtype;  // "BF16", "F8_E4M3", ...
  Sizes sizes;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  std::string file;
};

/// The format of a dtype that is a weight by itself: F32, F16, BF16.
std::optional<Format> format_of_dtype(std::string_view dtype);

struct SafetensorsHeader {
  std::vector<RawTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Maps the file and reads its header. Throws Error(io) or Error(format).
SafetensorsHeader read_safetensors(const std::filesystem::path& file);

/// Tensor name to file name, from a model.safetensors.index.json.
std::map<std::string, std::string> read_safetensors_index(const std::filesystem::path& file);

}  // namespace ashlar
