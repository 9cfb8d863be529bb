// Families: how published checkpoints of one kind map to a blueprint and back. One file per family;
// this is all that the rest of Ashlar sees of them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "blueprint/blueprint.h"
#include "families/names.h"
#include "families/visitor.h"

namespace ashlar {

/// The usual layer: x + attention(norm(x)), then x + ffn(norm(x)), dense or of experts.
Block pre_norm_block(const Fields& f, int64_t layer);
/// decoder_names (families/decoder.h), nothing else.
void default_names(Names& n, const Fields& f);

struct Family {
  std::string_view name;  // "qwen3"
  /// model_type of config.json; the first is written.
  std::vector<std::string_view> model_types = {name};
  std::vector<std::string_view> architectures;  // of config.json; the first is written
  std::string_view gguf = name;                 // general.architecture
  /// Where several families share `gguf`: whether these keys are this one's. Null: what remains.
  bool (*claims)(const GgufKeys&) = nullptr;
  /// Another general.architecture that llama.cpp's converter writes for this family.
  std::string_view gguf_also = {};
  std::string_view written_type = {};  // model_type to write, if it is not the first
  std::string_view pre = "default";    // tokenizer.ggml.pre of its usual tokenizer
  /// Of all names in safetensors but the head's; what stands there instead in wrapped or bare
  /// checkpoints is found by looking (src/model/bind.h).
  std::string_view root = "model.";
  void (*visit)(FieldVisitor&, Fields&) = nullptr;
  Block (*block)(const Fields&, int64_t layer) = pre_norm_block;
  void (*names)(Names&, const Fields&) = default_names;
};

const std::vector<const Family*>& families();
const Family* family_named(std::string_view name);  // null if there is none

/// The family and fields of a config.json. Throws Error(unsupported) that lists the known
/// architectures and the nearest one, or Error(format) for keys that are missing or of the wrong
/// kind.
struct Read {
  const Family* family = nullptr;
  Fields fields;
  Blueprint blueprint;
};
Read read_config(const Json& config, const std::string& where);
Read read_gguf_keys(const GgufKeys& keys, const std::string& architecture,
                    const std::string& where);

/// The architecture's part of a config.json that Transformers loads, or of GGUF metadata;
/// Error(unsupported), listing the differences, if the family's checkpoints cannot say what the
/// blueprint says.
Json write_config(const Blueprint& blueprint, const Family& family);
GgufKeys write_gguf_keys(const Blueprint& blueprint, const Family& family);

/// The family with which `write` succeeds: the blueprint's own, or the first of all.
/// Error(unsupported) with the first reason if there is none; `what` names the kind of file.
const Family& family_that_writes(const Blueprint& blueprint, std::string_view what,
                                 const std::function<void(const Family&)>& write);
/// The family that writes this blueprint's config.json.
const Family& family_for(const Blueprint& blueprint);

Names names_of(const Family& family, const Blueprint& blueprint);

/// Everything that the parts of a blueprint say, as fields.
Fields fields_of(const Blueprint& blueprint);

}  // namespace ashlar
