// Checkpoints: a folder per step with the arrays of a run as safetensors and, written last,
// state.json with their checksums. Without state.json a folder is no checkpoint.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/trainer.h"

namespace ashlar {

/// Writes `folder`/step-N. `about` is kept in state.json and handed back when it is read. Throws
/// Error(io) or Error(resource); what was there before is whole then.
std::filesystem::path write_checkpoint(const std::filesystem::path& folder, Trainer& trainer,
                                       const Params& params, const Json& about);

/// Puts the trainer where it was when the checkpoint was written, and gives `about`. Throws
/// Error(format) for one that is damaged: arrays may have changed then, and must be read from
/// another.
Json read_checkpoint(const std::filesystem::path& checkpoint, Trainer& trainer,
                     const Params& params);

/// Complete ones, the newest first.
std::vector<std::filesystem::path> checkpoints_in(const std::filesystem::path& folder);
int64_t step_of(const std::filesystem::path& checkpoint);

/// Removes all but the newest `keep` and those whose step is a multiple of `keep_every` (0: none
/// more), and what writing has left behind.
void remove_old_checkpoints(const std::filesystem::path& folder, int64_t keep, int64_t keep_every);

}  // namespace ashlar
