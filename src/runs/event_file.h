// Event files of TensorBoard: scalars over steps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "ashlar/train.h"

namespace ashlar {

/// CRC-32C (Castagnoli).
uint32_t crc32c(std::string_view bytes);

/// One record of an event file (TFRecord): length, masked checksums and data.
std::string event_record(std::string_view event);

using Scalars = std::vector<std::pair<std::string, double>>;

/// The Event of protocol buffers: `wall_time` in seconds since 1970. Without scalars: the first one
/// of a file, with its version.
std::string scalar_event(double wall_time, int64_t step, const Scalars& scalars);

/// What a step has to say, under the tags that TensorBoard groups by: train/loss, ...
Scalars scalars_of(const StepRecord& record);

/// A new file events.out.tfevents.* in a run's folder; records are appended whole. TensorBoard
/// joins the files of a folder, and where steps come again after a resume it takes the later ones.
class EventFile {
 public:
  explicit EventFile(const std::filesystem::path& folder);  // throws Error(io)
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  /// Throws Error(resource) when the disk is full.
  void add(const StepRecord& record);

 private:
  void write(const std::string& bytes);
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace ashlar
