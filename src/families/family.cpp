// The registry of families, and the way from config.json and GGUF metadata to a blueprint and back.
#include "families/family.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "families/all.h"
#include "families/config_defaults.h"
#include "families/decoder.h"
#include "families/fields_check.h"
#include "families/own.h"

namespace ashlar {

const std::vector<const Family*>& families() {
  // Of those that share an architecture of GGUF the more particular stand first.
  static const std::vector<const Family*> kFamilies{
      &kGpt2,     &kLlama,    &kMixtral,    &kMistral,    &kOlmo2,      &kGemma3,
      &kQwen3,    &kQwen3Moe, &kSmolLm3,    &kDeepSeekV2, &kDeepSeekV3, &kKimiK2,
      &kLlama4,   &kGptOss,   &kGlm4Moe,    &kGrok2,      &kCohere2,    &kStarCoder2,
      &kSeedOss,  &kErnie45,  &kErnie45Moe, &kMiniMaxM2,  &kMinistral3, &kGlm4MoeLite,
      &kQwen2,    &kQwen2Moe, &kGemma2,     &kPhi3,       &kOlmo3,      &kGranite,
      &kGranite4, &kGlm4,     &kQwen3Next,  &kQwen35,     &kQwen35Moe,  &kPhimoe};
  return kFamilies;
}

const Family* family_named(std::string_view name) {
  for (const Family* f : families()) {
    if (f->name == name) return f;
  }
  return nullptr;
}

namespace {

bool contains(const std::vector<std::string_view>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

[[noreturn]] void unknown(const std::string& where, const std::string& found,
                          const std::vector<std::string>& known) {
  fail(ErrorKind::unsupported, "{}: the architecture {} is not known; known are {}", where,
       found.substr(0, 100), fmt::join(known, ", "));
}

/// The text tower's own model_type counts, then the wrapper's; `architectures` only where there is
/// none, or one that a family writes and others have too.
const Family& family_of_config(const Json& text, const Json& config, const std::string& where) {
  std::vector<std::string> known;
  const std::string inner = text_at(text, "model_type");
  const std::string type = inner.empty() ? text_at(config, "model_type") : inner;
  for (const Family* f : families()) {
    if (!type.empty() && contains(f->model_types, type)) return *f;
  }
  const Json& list = value_at(config, "architectures");
  const bool named = list.is_array() && !list.empty() && list[0].is_string();
  const std::string architecture = named ? list[0].get<std::string>() : "";
  for (const Family* f : families()) {
    if (contains(f->architectures, architecture) && (type.empty() || type == f->written_type))
      return *f;
    for (const std::string_view own : f->model_types) known.emplace_back(own);
  }
  if (type.empty() && architecture.empty())
    fail(ErrorKind::format, "{}: model_type is missing", where);
  unknown(where, type.empty() ? architecture : type, known);
}

Read finish(FieldVisitor& v, const Family& family, const std::string& where) {
  Read read{.family = &family};
  family.visit(v, read.fields);
  check_fields(read.fields, v);
  const auto told_where = [&](const auto& step) {
    try {
      step();
    } catch (const Error& e) {
      throw Error(e.kind(), where + ": " + e.what());
    }
  };
  told_where([&] { read.blueprint = decoder(read.fields, family); });
  check_parts(read.blueprint, read.fields, v);
  told_where([&] { check(read.blueprint); });
  return read;
}

/// Keys that say nothing about the computation, or what the tensors' shapes say as well; and those
/// of towers that are left aside.
bool of_no_consequence(std::string_view key, const Json& value) {
  static const std::set<std::string_view> kKnown{"vocab_size",
                                                 "context_length",
                                                 "tensor_data_layout",
                                                 "rope.scaling.finetuned",
                                                 "feed_forward_length",
                                                 "expert_feed_forward_length",
                                                 "name",
                                                 "expert_shared_feed_forward_length",
                                                 "pooling_type",
                                                 "rope.dimension_sections",  // texts: all alike
                                                 "rope.scaling.original_context_length"};
  if (kKnown.contains(key)) return true;
  for (const std::string_view tower : {"vision.", "mm.", "audio.", "clip."}) {
    if (key.starts_with(tower)) return true;
  }
  if (key == "attention.causal") return value == true;
  if (value.is_boolean()) return value == false;
  if (value.is_string()) return value == "" || value == "none";
  return value == 0 || (value == 1 && key.ends_with("scale"));
}

void refuse_unread(const FieldVisitor& v, const Json& keys, const Family& family,
                   const std::string& architecture) {
  constexpr const char *kEps = "attention.layer_norm_epsilon",
                       *kRmsEps = "attention.layer_norm_rms_epsilon";
  for (const std::string& key : v.unread()) {
    if (of_no_consequence(key, keys[key])) continue;
    // Some converters write both where one kind of norm is all there is.
    if ((key == kEps && keys.contains(kRmsEps)) || (key == kRmsEps && keys.contains(kEps)))
      continue;
    fail(ErrorKind::unsupported,
         "{}: the key {}.{} belongs to the computation, and the architecture {} does not know it: "
         "the file is of another architecture, or newer than this program",
         v.where(), architecture, key, family.name);
  }
}

bool same_number(const std::string& a, const std::string& b) {
  try {
    return near(std::stod(a), std::stod(b));
  } catch (const std::exception&) {
    return false;
  }
}

/// Differences that matter between a blueprint and what was read back of it.
void refuse_differences(const Blueprint& meant, Blueprint read, const Family& family,
                        std::string_view form) {
  read.family = meant.family;
  read.name = meant.name;
  if (form == "GGUF") read.mtp = meant.mtp;
  if (meant.context == 0) read.context = 0;  // not said: readers have a length of their own
  std::string list;
  for (const Difference& d : diff(meant, read)) {
    if (!same_number(d.a, d.b))
      list +=
          fmt::format("{}{}: {} would be read as {}", list.empty() ? "" : "; ", d.path, d.a, d.b);
  }
  if (!list.empty()) {
    fail(ErrorKind::unsupported, "{}: {} of the family {} cannot say what this blueprint says: {}",
         meant.name.empty() ? "blueprint" : meant.name, form, family.name, list);
  }
}

}  // namespace

Read read_config(const Json& config, const std::string& where) {
  if (!config.is_object())
    fail(ErrorKind::format, "{}: expected an object, found {}", where, config.type_name());
  const Json& inner = value_at(config, "text_config");
  const Json& text = inner.is_object() ? inner : config;
  if (text_at(config, "model_type") == own_family().name) return read_own(config, where);
  const Family& family = family_of_config(text, config, where);
  const std::string type = text_at(text, "model_type");
  FieldVisitor v = FieldVisitor::reads_config(text, config, where, config_defaults(family, type));
  return finish(v, family, where);
}

Read read_gguf_keys(const GgufKeys& keys, const std::string& architecture,
                    const std::string& where) {
  if (architecture == own_family().gguf) return read_own(keys.keys, where);
  const Family* family = nullptr;
  std::vector<std::string> known;
  for (const Family* f : families()) {
    for (const std::string_view name : {f->gguf, f->gguf_also}) {
      if (!name.empty() && std::find(known.begin(), known.end(), name) == known.end())
        known.emplace_back(name);
    }
    if (f->gguf != architecture && f->gguf_also != architecture) continue;
    // Several families share an architecture: the one that recognises its keys, else the first.
    if (f->gguf == architecture && f->claims != nullptr && f->claims(keys)) {
      family = f;
      break;
    }
    if (family == nullptr && (f->claims == nullptr || f->gguf != architecture)) family = f;
  }
  if (family == nullptr) unknown(where, architecture, known);
  FieldVisitor v = FieldVisitor::reads_gguf(keys, where);
  Read read = finish(v, *family, where);
  refuse_unread(v, keys.keys, *family, architecture);
  return read;
}

Json write_config(const Blueprint& bp, const Family& family) {
  if (&family == &own_family()) return own_config(bp);
  Json config = Json::object();
  config["architectures"] = Json::array({family.architectures[0]});
  config["model_type"] = family.written_type.empty() ? family.model_types[0] : family.written_type;
  config["pad_token_id"] = nullptr;  // a class's own default may lie outside the vocabulary
  Fields fields = fields_of(bp);
  FieldVisitor v = FieldVisitor::writes_config(config);
  family.visit(v, fields);
  refuse_differences(bp, read_config(config, "config.json").blueprint, family, "config.json");
  return config;
}

GgufKeys write_gguf_keys(const Blueprint& bp, const Family& family) {
  if (&family == &own_family()) return own_gguf_keys(bp);
  GgufKeys keys;
  Fields fields = fields_of(bp);
  FieldVisitor v = FieldVisitor::writes_gguf(keys);
  family.visit(v, fields);
  const Names names = names_of(family, bp);
  std::set<std::string, std::less<>> tensors;
  const Graph graph = graph_of(bp);
  for (const Param& p : graph.params()) {
    int64_t layer = 0;
    const Name* name = names.find(p.name, fields.layers, &layer);
    if (name != nullptr && !name->gguf.empty()) tensors.insert(filled(name->gguf[0].name, layer));
  }
  keys.has_tensor = [&](std::string_view name) { return tensors.count(name) > 0; };
  const Read read = read_gguf_keys(keys, std::string(family.gguf), "GGUF");
  keys.has_tensor = nullptr;
  refuse_differences(bp, read.blueprint, family, "GGUF");
  return keys;
}

const Family& family_that_writes(const Blueprint& bp, std::string_view what,
                                 const std::function<void(const Family&)>& write) {
  std::string why;
  const auto can = [&](const Family& f) {
    try {
      write(f);
      return true;
    } catch (const Error& e) {
      if (why.empty()) why = e.what();
      return false;
    }
  };
  const Family* own = family_named(bp.family);
  if (own != nullptr && can(*own)) return *own;
  for (const Family* f : families()) {
    if (f != own && can(*f)) return *f;
  }
  if (can(own_family())) return own_family();
  fail(ErrorKind::unsupported, "{}: {}", what, why);
}

const Family& family_for(const Blueprint& bp) {
  return family_that_writes(bp, "config.json", [&](const Family& f) { write_config(bp, f); });
}

Names names_of(const Family& family, const Blueprint& bp) {
  if (&family == &own_family()) return own_names(bp);
  Names names;
  family.names(names, fields_of(bp));
  return names;
}

}  // namespace ashlar
