// What a run begins with: settings, model, initial weights and data, all checked.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "ashlar/train.h"
#include "blueprint/blueprint.h"
#include "plan/weights.h"
#include "runs/run_file.h"
#include "train/data.h"
#include "train/step.h"
#include "train/trainer.h"
#include "transform/lora.h"

namespace ashlar {

struct RunStart {
  RunFile file;  // every default filled in, paths absolute
  Blueprint blueprint;
  Graph graph;  // its forward pass, with adapters where the run trains them
  std::vector<LoraPair> lora;
  std::unique_ptr<TokenRows> data, validation;
  std::string
      text_source;  // MODEL whose tokenizer the trained model gets; a blueprint's name: none
  /// Initial values of all parameters, those of multi-token prediction layers among them.
  Weights initial() const;
  StepOptions options(const TrainingRequest& request) const;
  /// Per parameter what weight decay leads to: gains that the family's files keep as w - 1 decay
  /// towards 1, as they do in Transformers; others towards 0.
  IdVector<ParamId, float> decay_towards() const;
};

/// Throws Error before any weight is read or made.
RunStart read_start(const TrainingRequest& request);

/// A checkpoint itself, or the newest one of a run's folder. Throws Error(invalid).
std::filesystem::path checkpoint_named(const std::string& name);

/// Throws Error(invalid) where a checkpoint is of another model or other data: `about` is what it
/// holds of them.
void check_same(const RunStart& start, const Json& about);

/// Puts the trainer where a run branches off, and tells it what that one's log has of the steps
/// before. Throws Error where model or data are others.
void take_branch(const RunStart& start, Trainer& trainer);

/// Of what is computed: two runs of equal graphs may exchange checkpoints.
std::string hash_of(const Graph& graph);

}  // namespace ashlar
