// What stands behind the public classes. Names of ashlar::v1 are the public ones, those of ashlar
// the library's own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ashlar/blueprint.h"
#include "ashlar/engine.h"
#include "ashlar/model.h"
#include "blueprint/blueprint.h"
#include "generate/prompt.h"
#include "model/model.h"
#include "run/engine.h"

namespace ashlar::v1 {

struct Blueprint::Data {
  ashlar::Blueprint blueprint;
};

/// The public handle of a blueprint.
Blueprint handle_of(ashlar::Blueprint blueprint);

struct Model::Data {
  ashlar::Model model;
  std::optional<Blueprint> blueprint;  // none: loaded for text alone
  std::optional<ChatPrompt> prompt;    // of `model`; none: no chat template
};

ashlar::EngineOptions options_of(const EngineOptions& options);
/// The model. Throws Error(invalid) where it has no weights.
const Model& with_weights(const Model& model);

struct Engine::Impl {
  Model model;  // keeps the weights
  ashlar::Engine engine;
};

}  // namespace ashlar::v1
