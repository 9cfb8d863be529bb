// Names are the graph's, and the blueprint is its own JSON, so there is nothing to keep in step.
#include "families/own.h"

#include "base/error.h"

namespace ashlar {
namespace {

/// Mixes of formats know the table, the head and routers by llama.cpp's names, and leave alone what
/// is no ".weight".
std::string gguf_name(const std::string& canonical) {
  if (canonical == "embedding") return "token_embd.weight";
  if (canonical == "head") return "output.weight";
  if (canonical == "positions") return "position_embd.weight";
  // Biases of experts have two axes; convolutions are small.
  for (const char* kept : {"bias", "conv"}) {
    if (canonical.find(kept) != std::string::npos) return canonical;
  }
  if (canonical.ends_with(".router"))
    return canonical.substr(0, canonical.rfind('.')) + ".ffn_gate_inp.weight";
  return canonical + ".weight";
}

}  // namespace

const Family& own_family() {
  static const Family kOwn{
      .name = "ashlar", .architectures = {"AshlarForCausalLM"}, .pre = "gpt-2", .root = ""};
  return kOwn;
}

Json own_config(const Blueprint& bp) {
  return {{"architectures", {own_family().architectures[0]}},
          {"model_type", own_family().model_types[0]},
          {"vocab_size", bp.embedding.vocab},
          {"hidden_size", bp.embedding.width},
          {"num_hidden_layers", bp.blocks.size()},
          {"max_position_embeddings", bp.context},
          {"blueprint", parse_json(to_json(bp), "blueprint")}};
}

GgufKeys own_gguf_keys(const Blueprint& bp) {
  GgufKeys keys;
  keys.keys = {{"context_length", bp.context},
               {"embedding_length", bp.embedding.width},
               {"block_count", bp.blocks.size()},
               {"vocab_size", bp.embedding.vocab},
               {"blueprint", to_json(bp)}};
  return keys;
}

Read read_own(const Json& keys, const std::string& where) {
  const Json& said = value_at(keys, "blueprint");
  if (!said.is_object() && !said.is_string()) {
    fail(ErrorKind::format,
         "{}: a model of the architecture ashlar says its blueprint: it is missing", where);
  }
  const std::string text = said.is_string() ? said.get<std::string>() : said.dump();
  Read read{.family = &own_family()};
  read.blueprint = blueprint_from_json(text, where + ": blueprint");
  return read;
}

Names own_names(const Blueprint& bp) {
  Names names;
  const auto add = [&](const Graph& graph) {
    for (const Param& p : graph.params()) {
      std::string pattern = p.name;
      for (const std::string_view prefix : {"layers.", "mtp."}) {
        if (!pattern.starts_with(prefix)) continue;
        const size_t end = pattern.find('.', prefix.size());
        pattern.replace(prefix.size(), end - prefix.size(), "{i}");
        break;
      }
      names.add(pattern, {Source(pattern)}, {Source(gguf_name(pattern))});
    }
  };
  add(graph_of(bp));
  if (!bp.mtp.empty()) add(mtp_graph_of(bp));
  return names;
}

}  // namespace ashlar
