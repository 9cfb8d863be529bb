// Keys and names of Mistral's format, by those of the formats that families know.
#include "model/consolidated.h"

#include <vector>

#include "base/error.h"
#include "base/regular_file.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

/// The one file, or the shards, of a folder that may hold Hugging Face's files as well.
std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files = listed(folder, ".safetensors");
  std::erase_if(files, [](const fs::path& file) {
    return !file.filename().string().starts_with("consolidated");
  });
  return files;
}

struct Renamed {
  std::string_view own, gguf;
};
constexpr Renamed kNames[] = {{"tok_embeddings.weight", "token_embd.weight"},
                              {"norm.weight", "output_norm.weight"},
                              {"output.weight", "output.weight"}};
constexpr Renamed kLayerNames[] = {{"attention.wq", "attn_q"},      {"attention.wk", "attn_k"},
                                   {"attention.wv", "attn_v"},      {"attention.wo", "attn_output"},
                                   {"attention_norm", "attn_norm"}, {"ffn_norm", "ffn_norm"},
                                   {"feed_forward.w1", "ffn_gate"}, {"feed_forward.w3", "ffn_up"},
                                   {"feed_forward.w2", "ffn_down"}};

std::string gguf_name(const std::string& own) {
  for (const Renamed& n : kNames) {
    if (own == n.own) return std::string(n.gguf);
  }
  if (!own.starts_with("layers.")) return own;
  const size_t dot = own.find('.', 7);
  if (dot == std::string::npos) return own;
  const std::string rest = own.substr(dot + 1);
  for (const Renamed& n : kLayerNames) {
    if (rest == std::string(n.own) + ".weight")
      return fmt::format("blk.{}.{}.weight", own.substr(7, dot - 7), n.gguf);
  }
  return own;
}

}  // namespace

bool is_consolidated(const fs::path& folder) {
  return is_there(folder / "params.json") && !files_of(folder).empty();
}

Json config_of_params(const Json& params, const std::string& where) {
  if (!params.is_object()) fail(ErrorKind::format, "{}: expected an object", where);
  for (const char* part : {"moe", "vision_encoder", "quantization", "yarn", "llama_4_scaling",
                           "q_lora_rank", "whisper_model_args", "encoder", "lora"}) {
    if (!value_at(params, part).is_null()) {
      fail(ErrorKind::unsupported,
           "{}: {}: is not read in Mistral's own format; use the checkpoint in Hugging Face's "
           "format (config.json)",
           where, part);
    }
  }
  Json config = {{"model_type", "mistral"}, {"sliding_window", nullptr}};
  for (const auto& [own, key] :
       {std::pair{"dim", "hidden_size"}, std::pair{"n_layers", "num_hidden_layers"},
        std::pair{"head_dim", "head_dim"}, std::pair{"hidden_dim", "intermediate_size"},
        std::pair{"n_heads", "num_attention_heads"}, std::pair{"n_kv_heads", "num_key_value_heads"},
        std::pair{"norm_eps", "rms_norm_eps"}, std::pair{"vocab_size", "vocab_size"}}) {
    const auto it = params.find(own);
    if (it == params.end()) fail(ErrorKind::format, "{}: {} is missing", where, own);
    config[key] = *it;
  }
  for (const auto& [own, key] :
       {std::pair{"rope_theta", "rope_theta"}, std::pair{"tied_embeddings", "tie_word_embeddings"},
        std::pair{"sliding_window", "sliding_window"},
        std::pair{"max_position_embeddings", "max_position_embeddings"},
        std::pair{"max_seq_len", "max_position_embeddings"}}) {
    if (const auto it = params.find(own); it != params.end()) config[key] = *it;
  }
  return config;
}

ConsolidatedNames::ConsolidatedNames(const fs::path& folder) {
  const std::vector<fs::path> files = files_of(folder);
  const fs::path index = folder / "consolidated.safetensors.index.json";
  files_ = SafetensorsFolder::open(files.size() == 1 ? files[0] : index);
  for (const auto& [name, entry] : files_->entries()) {
    const std::string gguf = gguf_name(name);
    entries_.emplace(gguf, entry);
    own_[gguf] = name;
  }
}

Tensor ConsolidatedNames::tensor(const std::string& name) const {
  const auto it = own_.find(name);
  if (it == own_.end()) fail(ErrorKind::invalid, "no tensor \"{}\" in the safetensors files", name);
  return files_->tensor(it->second);
}

}  // namespace ashlar
