// Models of the Hugging Face hub, or of a mirror that speaks as it does, into the local cache.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace ashlar {

struct FetchOptions {
  std::string revision = "main";   // a branch, a tag or a commit
  bool weights = true;             // false: only the small files
  std::vector<std::string> files;  // these alone; empty: what a model needs
  std::function<void(const std::string& file, int64_t done, int64_t total)> progress;  // bytes
};

/// The snapshot folder of "org/name", fetched from HF_ENDPOINT (https://huggingface.co) with
/// HF_TOKEN: files that are whole stay, broken-off ones go on, each is checked by its hash. Throws
/// Error(io) where the hub cannot be reached (or HF_HUB_OFFLINE is set), the repository is not
/// there or not open, or a file is not what the hub says.
std::filesystem::path fetch_model(const std::string& repository, const FetchOptions& options = {});

/// The snapshot as it is in the cache if it is whole, else fetched.
std::filesystem::path hub_model(const std::string& repository, const FetchOptions& options = {});

}  // namespace ashlar
