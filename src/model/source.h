// What MODEL of the command line is, by looking at the path.
#pragma once

#include <filesystem>
#include <string>

namespace ashlar {

struct ModelSource {
  enum class Kind {
    folder,     // config.json, safetensors, tokenizer files
    gguf,       // one file, or the first part of a split one
    blueprint,  // a file of ours, or the name of a released model
  };
  Kind kind = Kind::blueprint;
  std::filesystem::path path;  // the folder or file; for blueprints what was asked for
};

/// Throws Error(io) that says what was looked for.
ModelSource find_source(const std::string& model);

}  // namespace ashlar
