// The cache of the Hugging Face hub on this disk, as huggingface_hub lays it out:
//   models--org--name/refs/main               the commit that a name means
//   models--org--name/snapshots/<commit>/...  links into blobs
//   models--org--name/blobs/<hash>            the files' bytes
#pragma once

#include <filesystem>
#include <string>

namespace ashlar {

/// Files, and a folder of files, that say how text becomes tokens and messages become text.
inline constexpr const char* kTextFiles[] = {"tokenizer.json",
                                             "tokenizer_config.json",
                                             "special_tokens_map.json",
                                             "added_tokens.json",
                                             "vocab.json",
                                             "merges.txt",
                                             "tekken.json",
                                             "tiktoken.model",
                                             "tokenizer.model",
                                             "chat_template.jinja",
                                             "chat_template.json",
                                             "generation_config.json",
                                             "additional_chat_templates",
                                             "tokenization_kimi.py"};

/// "org/name" as the hub spells repositories.
bool is_repository_name(const std::string& name);

/// An environment variable; empty where it is not set.
std::string environment(const char* name);

/// HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub.
std::filesystem::path hub_cache();
std::filesystem::path repository_folder(const std::string& name);

/// Of a folder of the cache (it has snapshots and no config.json) the snapshot that refs/<revision>
/// names, for "main" else the newest; the folder itself otherwise.
std::filesystem::path snapshot_of(const std::filesystem::path& folder,
                                  const std::string& revision = "main");

/// Whether a snapshot holds what a model needs: its config, and with `weights` all files of these.
bool is_whole(const std::filesystem::path& snapshot, bool weights);

}  // namespace ashlar
