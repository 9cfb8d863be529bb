// From MODEL to blueprint, graph, weights and text.
#include <fmt/format.h>

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "model/bind.h"
#include "model/gguf_keys.h"
#include "model/model.h"
#include "model/random_weights.h"
#include "model/source.h"
#include "model/text_files.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

void set_text(Model* model, TextModel text) {
  model->tokenizer = std::move(text.tokenizer);
  model->tokenizer_error = std::move(text.tokenizer_error);
  model->chat_template = std::move(text.chat_template);
  model->tool_chat_template = std::move(text.tool_chat_template);
  model->chat_variables = std::move(text.chat_variables);
  model->end_tokens = std::move(text.end_tokens);
}

void set_bound(Model* model, Bound bound) {
  model->weights = std::move(bound.weights);
  model->sources = std::move(bound.sources);
  model->placements = std::move(bound.placements);
  model->notices = std::move(bound.notices);
}

void make_up(Model* model, const LoadOptions& options) {
  model->weights = random_weights(model->blueprint, parameters_of(model->blueprint, model->graph),
                                  *options.random, options.weights, options.progress);
}

/// A folder's own name, also of "." and "model/".
std::string folder_name(const fs::path& folder) {
  std::error_code code;
  const fs::path full = fs::weakly_canonical(folder, code);
  return (code ? folder : full).filename().string();
}

void load_folder(const fs::path& folder, const LoadOptions& options, Model* model) {
  const fs::path file = folder / "config.json";
  std::error_code code;
  if (!fs::exists(file, code)) {
    fail(ErrorKind::io, "{}: expected config.json and safetensors files, or a GGUF file",
         folder.string());
  }
  const Read read = read_config(read_json(file), file.string());
  model->blueprint = read.blueprint;
  model->blueprint.name = folder_name(folder);
  model->graph = graph_of(model->blueprint);
  if (options.random) {
    make_up(model, options);
  } else if (options.need_weights) {
    if (fs::exists(folder / "pytorch_model.bin", code) &&
        !fs::exists(folder / "model.safetensors", code)) {
      fail(ErrorKind::unsupported,
           "{}: weights are pickled PyTorch (.bin), which is not read; save them as safetensors",
           folder.string());
    }
    const auto files = SafetensorsFolder::open(folder);
    set_bound(model, bind_weights(model->blueprint, model->graph, *read.family, *files, false,
                                  folder.string(), options.progress));
  }
  set_text(model, text_of_folder(folder));
}

void load_gguf(const fs::path& path, const LoadOptions& options, Model* model) {
  const auto file = GgufFile::open(path);
  const Read read = read_gguf(*file, path.string());
  model->blueprint = read.blueprint;
  const GgufValue* name = file->find("general.name");
  model->blueprint.name =
      name != nullptr && !name->as_string().empty() ? name->as_string() : path.stem().string();
  model->graph = graph_of(model->blueprint);
  if (options.random) {
    make_up(model, options);
  } else if (options.need_weights) {
    set_bound(model, bind_weights(model->blueprint, model->graph, *read.family, *file, true,
                                  path.string(), options.progress));
  }
  set_text(model, text_of_gguf(*file, path.string()));
}

void load_named(const std::string& name, const LoadOptions& options, Model* model) {
  model->blueprint = load_blueprint(name);
  model->chat_variables = Json::object();
  if (!options.random && options.need_weights) {
    fail(
        ErrorKind::invalid,
        "{}: is a blueprint and has no weights; --random SEED makes some up, or name a folder or a "
        ".gguf file",
        name);
  }
  model->graph = graph_of(model->blueprint);
  if (options.random) make_up(model, options);
}

}  // namespace

Model load_model(const std::string& name, const LoadOptions& options) {
  const ModelSource source = find_source(name);
  if (!options.weights.empty() && !options.random) {
    fail(ErrorKind::invalid,
         "--weights {}: goes with --random; weights of files stay in their format (ashlar convert "
         "changes it)",
         options.weights);
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
      load_named(name, options, &model);
      break;
  }
  return model;
}

TextModel load_text(const std::string& name) {
  const ModelSource source = find_source(name);
  TextModel text;
  if (source.kind == ModelSource::Kind::folder) {
    text = text_of_folder(source.path);
  } else if (source.kind == ModelSource::Kind::gguf) {
    text = text_of_gguf(*GgufFile::open(source.path), source.path.string());
  } else {
    load_blueprint(name);  // throws for what is nothing at all
    fail(ErrorKind::invalid, "{}: is a blueprint and has no tokenizer", name);
  }
  return text;
}

}  // namespace ashlar
