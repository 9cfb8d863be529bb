// What the files of a model say of themselves beside the architecture.
#pragma once

#include <string>

namespace ashlar::app {

/// The keys of a GGUF file (long lists by their length and first values), or config.json. Error for
/// what is neither.
void print_metadata(const std::string& model, bool json);

/// The licence by a GGUF's key, or the head of a folder's README.md; empty: neither says one.
std::string licence_of(const std::string& model);

}  // namespace ashlar::app
