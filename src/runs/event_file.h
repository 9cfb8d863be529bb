// Event files of TensorBoard: scalars over steps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "ashlar/train.h"
#include "runs/log.h"

namespace ashlar {

/// CRC-32C (Castagnoli).
uint32_t crc32c(std::string_view bytes);

/// One record of an event file (TFRecord): length, masked checksums and data.
std::string event_record(std::string_view event);

using Scalars = std::vector<std::pair<std::string, double>>;

/// The Event of protocol buffers: `wall_time` in seconds since 1970. Without scalars: the first one
/// of a file, with its version.
std::string scalar_event(double wall_time, int64_t step, const Scalars& scalars);

/// A new file events.out.tfevents.* in a run's folder; records are appended whole. TensorBoard
/// joins the files of a folder, and where steps come again after a resume it takes the later ones.
class EventFile {
 public:
  explicit EventFile(const std::filesystem::path& folder);  // throws Error(io)
  /// Throws Error(resource) when the disk is full.
  void add(const StepRecord& record);

 private:
  AppendedFile file_;
};

}  // namespace ashlar
