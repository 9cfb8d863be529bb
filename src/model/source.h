// What MODEL of the command line is, by looking at the path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace ashlar {

struct ModelSource {
  enum class Kind {
    folder,     // config.json, safetensors, tokenizer files
    gguf,       // one file, or the first part of a split one
    blueprint,  // a file of ours, or the name of a released model
  };
  Kind kind = Kind::blueprint;
  std::filesystem::path path;  // the folder or file; for blueprints their name or file
  std::string note;            // what stands in for what was asked for; empty: nothing does
};

struct SourceOptions {
  bool weights = true;        // false: of a model of the hub the small files will do
  bool architecture = false;  // true: so will a blueprint of the same architecture
  /// Bytes of a file that is being fetched from the hub.
  std::function<void(const std::string& file, int64_t done, int64_t total)> progress;
};

/// Throws Error(io) that says what was looked for. A name like org/name that is no path is a model
/// of the hub: the cache's; else the blueprint, where that will do; else fetched (hub/fetch.h).
/// Names of released models are found in any case; one that comes with the program (ashlar-nano)
/// is its file. The folder of a run of training stands for the model in it.
ModelSource find_source(const std::string& model, const SourceOptions& options = {});

}  // namespace ashlar
