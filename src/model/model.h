// A model: blueprint, graph, weights and text, from a Hugging Face folder, a GGUF file or a
// blueprint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ashlar/model.h"
#include "base/json.h"
#include "blueprint/blueprint.h"
#include "families/names.h"
#include "run/engine.h"
#include "text/tokenizer.h"

namespace ashlar {

/// Where and how a parameter lies in the files, so that what belongs to it can be written under the
/// same names (gradients). In words: WeightSource.
struct Placement {
  std::string parameter;
  Source source;                     // `transposed` as found
  std::vector<std::string> tensors;  // names in the file; one per matrix where they are apart
};

/// What text needs of a model.
struct TextModel {
  std::string source;                    // the path or name it was loaded from
  std::unique_ptr<Tokenizer> tokenizer;  // null when the source has none
  std::string tokenizer_error;           // why not, when files were there but could not be read
  std::string chat_template;             // Jinja source; empty: none
  std::string tool_chat_template;        // instead of it where tools are given; empty: the same
  std::vector<std::string> chat_template_names;  // of all, where the source has several
  std::string control_words;  // added tokens that only a template writes, apart by zero bytes;
                              // empty: those that the template's text holds
  Json chat_variables = Json::object();  // bos_token, eos_token, ... for the template
  std::vector<TokenId> end_tokens;       // that stop a generation
  /// What the publisher recommends, by the names of generation_config.json: temperature, top_k,
  /// top_p, min_p, repetition_penalty, and do_sample (1 or 0). Only what a file says.
  std::map<std::string, double> sampling;
};

/// The weights of a model's parameters, and where they are from.
struct Bound {
  Weights weights;
  std::vector<WeightSource> sources;
  std::vector<Placement> placements;  // empty when the weights are random
  std::vector<std::string> notices;   // vision tensors left aside, extra tensors, ...
};

struct Model : TextModel, Bound {
  Blueprint blueprint;
  Graph graph;
};

/// MODEL of the command line. Throws Error.
Model load_model(const std::string& model, const LoadOptions& options = {});

/// Only what text needs: a folder with tokenizer files alone will do, or a GGUF file.
TextModel load_text(const std::string& model);

}  // namespace ashlar
