// From MODEL to blueprint, graph, weights and text.
#include <fmt/format.h>

#include "base/error.h"
#include "base/regular_file.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "model/adapter.h"
#include "model/bind.h"
#include "model/consolidated.h"
#include "model/folder_kind.h"
#include "model/gguf_keys.h"
#include "model/model.h"
#include "model/random_weights.h"
#include "model/source.h"
#include "model/text_files.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

void set_text(Model* model, TextModel text) {
  text.source = model->source;
  static_cast<TextModel&>(*model) = std::move(text);
}

void set_bound(Model* model, Bound bound) { static_cast<Bound&>(*model) = std::move(bound); }

void draw_weights(Model* model, const LoadOptions& options) {
  model->weights = random_weights(model->blueprint, parameters_of(model->blueprint, model->graph),
                                  *options.random, options.weights, options.progress);
}

/// A folder's own name, also of "." and "model/".
std::string folder_name(const fs::path& folder) {
  std::error_code code;
  const fs::path full = fs::weakly_canonical(folder, code);
  return (code ? folder : full).filename().string();
}

/// The text parts; where only the architecture is asked for, broken ones are no reason to fail.
template <class F>
TextModel text_for(const LoadOptions& options, F read) {
  try {
    return read();
  } catch (const Error& e) {
    if (options.need_weights) throw;
    TextModel text;
    text.tokenizer_error = e.what();
    return text;
  }
}

/// What generation_config.json asks for and no sampler here does; empty: nothing.
std::string unheeded(const fs::path& folder) {
  const fs::path file = folder / "generation_config.json";
  std::error_code code;
  if (!fs::is_regular_file(file, code)) return {};
  const Json config = read_regular_json(file);
  std::string list;
  for (const auto& [key, nothing] :
       std::initializer_list<std::pair<const char*, Json>>{{"no_repeat_ngram_size", 0},
                                                           {"suppress_tokens", Json::array()},
                                                           {"begin_suppress_tokens", Json::array()},
                                                           {"bad_words_ids", Json::array()},
                                                           {"sequence_bias", nullptr},
                                                           {"forced_bos_token_id", nullptr},
                                                           {"forced_eos_token_id", nullptr},
                                                           {"typical_p", 1},
                                                           {"epsilon_cutoff", 0},
                                                           {"eta_cutoff", 0},
                                                           {"penalty_alpha", 0},
                                                           {"guidance_scale", 1},
                                                           {"min_length", 0},
                                                           {"min_new_tokens", 0},
                                                           {"num_beams", 1}}) {
    const Json& asked = value_at(config, key);
    if (asked.is_null() || asked == nothing) continue;
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", key, asked.dump().substr(0, 40));
  }
  return list.empty() ? list : fmt::format("{} asks for what is not done: {}", file.string(), list);
}

/// Blueprint and graph of what was read. False where its weights are random, or none are needed.
bool takes_weights(const Read& read, std::string name, const LoadOptions& options, Model* model) {
  model->blueprint = read.blueprint;
  model->blueprint.name = std::move(name);
  model->graph = graph_of(model->blueprint);
  if (options.random) draw_weights(model, options);
  return !options.random && options.need_weights;
}

/// Mistral's own format: params.json, consolidated.safetensors, tekken.json.
void load_consolidated(const fs::path& folder, const LoadOptions& options, Model* model) {
  const fs::path file = folder / "params.json";
  const Read read =
      read_config(config_of_params(read_regular_json(file), file.string()), file.string());
  if (takes_weights(read, folder_name(folder), options, model)) {
    set_bound(model,
              bind_weights(model->blueprint, model->graph, *read.family, ConsolidatedNames(folder),
                           true, folder.string(), options.progress));
  }
  set_text(model, text_for(options, [&] { return text_of_folder(folder); }));
}

void load_folder(const fs::path& folder, const LoadOptions& options, Model* model) {
  const fs::path file = folder / "config.json";
  if (!is_there(file)) {
    if (is_consolidated(folder)) return load_consolidated(folder, options, model);
    fail_no_model(folder);
  }
  const Json config = read_regular_json(file);
  const Read read = read_config(config, file.string());
  if (takes_weights(read, folder_name(folder), options, model)) {
    if (is_there(folder / "pytorch_model.bin") && !is_there(folder / "model.safetensors")) {
      fail(ErrorKind::unsupported,
           "{}: weights are pickled PyTorch (.bin), which is not read; save them as safetensors",
           folder.string());
    }
    if (const std::string why = unread_weights(folder, config); !why.empty())
      throw Error(ErrorKind::unsupported, why);
    const auto files = SafetensorsFolder::open(folder);
    if (const std::string why = unread_weights(*files, folder.string()); !why.empty())
      throw Error(ErrorKind::unsupported, why);
    std::optional<AdaptedCheckpoint> adapted;
    if (!options.adapter.empty()) adapted.emplace(*files, options.adapter);
    const Checkpoint& checkpoint = adapted ? static_cast<const Checkpoint&>(*adapted) : *files;
    set_bound(model, bind_weights(model->blueprint, model->graph, *read.family, checkpoint, false,
                                  folder.string(), options.progress));
    if (adapted) {
      model->notices.push_back(fmt::format("{}: an adapter that changes {} tensors is applied",
                                           options.adapter, adapted->changed()));
    } else if (is_there(folder / "adapter_config.json")) {
      model->notices.push_back(
          fmt::format("{0}: an adapter lies beside the model and is not applied; `adapter` {0} "
                      "applies it",
                      folder.string()));
    }
    if (std::string asked = unheeded(folder); !asked.empty())
      model->notices.push_back(std::move(asked));
  }
  set_text(model, text_for(options, [&] { return text_of_folder(folder); }));
}

void load_gguf(const fs::path& path, const LoadOptions& options, Model* model) {
  const auto file = GgufFile::open(path);
  refuse_other_kinds(*file, path.string());
  const Read read = read_gguf(*file, path.string());
  const GgufValue* given = file->find("general.name");
  const std::string name = given != nullptr ? given->as_string() : "";
  if (takes_weights(read, name.empty() ? path.stem().string() : name, options, model)) {
    set_bound(model, bind_weights(model->blueprint, model->graph, *read.family, *file, true,
                                  path.string(), options.progress));
  }
  set_text(model, text_for(options, [&] { return text_of_gguf(*file, path.string()); }));
}

void load_named(const std::string& name, const LoadOptions& options, Model* model) {
  model->blueprint = load_blueprint(name);
  if (!options.random && options.need_weights) {
    fail(ErrorKind::invalid,
         "{}: is a blueprint and has no weights; `random`, a seed, draws some, or name a folder "
         "or a .gguf file",
         name);
  }
  model->graph = graph_of(model->blueprint);
  if (options.random) draw_weights(model, options);
}

}  // namespace

Model load_model(const std::string& name, const LoadOptions& options) {
  const ModelSource source =
      find_source(name, {.weights = options.need_weights && !options.random,
                         .architecture = !options.need_weights || options.random,
                         .progress = options.fetching});
  if (!options.weights.empty() && !options.random) {
    fail(ErrorKind::invalid,
         "`weights` {}: goes with `random`; weights of files stay in their format (ashlar convert "
         "changes it)",
         options.weights);
  }
  if (!options.adapter.empty() && (source.kind != ModelSource::Kind::folder || options.random)) {
    fail(ErrorKind::unsupported,
         "`adapter` {}: is applied to the safetensors of a Hugging Face folder", options.adapter);
  }
  Model model;
  model.source = name;
  switch (source.kind) {
    case ModelSource::Kind::folder:
      load_folder(source.path, options, &model);
      break;
    case ModelSource::Kind::gguf:
      load_gguf(source.path, options, &model);
      break;
    case ModelSource::Kind::blueprint:
      load_named(source.path.string(), options, &model);
      if (!source.note.empty()) model.notices.push_back(source.note);
      break;
  }
  return model;
}

TextModel load_text(const std::string& name) {
  const ModelSource source = find_source(name, {.weights = false});
  TextModel text;
  if (source.kind == ModelSource::Kind::folder) {
    text = text_of_folder(source.path);
  } else if (source.kind == ModelSource::Kind::gguf) {
    text = text_of_gguf(*GgufFile::open(source.path), source.path.string());
  } else {
    load_blueprint(name);  // throws for what is nothing at all
    fail(ErrorKind::invalid, "{}: is a blueprint and has no tokenizer", name);
  }
  text.source = name;
  return text;
}

}  // namespace ashlar
