// RUN.json: everything that a training run is, docs/training.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/data.h"
#include "train/init.h"
#include "train/settings.h"

namespace ashlar {

/// A text put in the way of a run at given steps.
struct InjectSettings {
  std::vector<int64_t> steps;  // from 1
  int64_t rows = 1;            // of each of these steps
  std::string text;            // repeated until a row is full; needs a tokenizer
  std::vector<int64_t> ids;    // in place of the text
  ASHLAR_SETTINGS(steps, rows, text, ids);
};

struct DataSettings {
  std::string tokens;  // .npy, int32 [sequences, length]
  std::string folder;  // made by `ashlar data build`
  DataOrder order = DataOrder::sequential;
  bool mask = false;       // of a folder: documents of a row do not see each other
  std::string validation;  // .npy as tokens, never trained on; a folder has its own
  std::vector<InjectSettings> inject;
  ASHLAR_SETTINGS(tokens, folder, order, mask, validation, inject);
};

struct CheckpointSettings {
  int64_t every = 500;     // steps; 0: only at the end and when interrupted
  int64_t keep = 2;        // the newest ones
  int64_t keep_every = 0;  // and those at multiples of so many steps
  ASHLAR_SETTINGS(every, keep, keep_every);
};

struct EvaluateSettings {
  int64_t every = 0;   // steps; 0: never
  int64_t tokens = 0;  // at most, evenly spaced over the validation set; 0: all
  ASHLAR_SETTINGS(every, tokens);
};

/// Low-rank adapters in place of training all weights.
struct LoraSettings {
  int64_t rank = 0;  // 0: all weights are trained
  double alpha = 0;  // the adapters' part is scaled by alpha / rank; 0: 2 rank
  ASHLAR_SETTINGS(rank, alpha);
};

struct RunFile {
  Json model;             // name, file, folder, {"base", "change"} or a blueprint
  std::string init_from;  // folder, GGUF, folder of a run or of a checkpoint; empty: by scheme
  InitSettings init;
  std::string tokenizer;  // folder or file whose tokenizer goes into model/; empty: init_from's
  DataSettings data;
  TrainSettings train;
  std::string precision = "f32";  // of products: f32, bf16
  std::string branch;  // a run's folder or checkpoint: the run goes on from there, in `out`
  /// Activations of layers are computed again: less memory, a third more time. Nothing: where
  /// memory asks for it; said in what a run writes back.
  std::optional<bool> recompute;
  LoraSettings lora;
  CheckpointSettings checkpoint;
  EvaluateSettings evaluate;
  /// Whether out/model is written at the end. Without it the last checkpoint is what remains, and
  /// any blueprint can be trained, also one that no family's files can say.
  bool write_model = true;
  std::string out;
};

/// Throws Error(invalid) that names the key, and for unknown ones the nearest.
RunFile run_file_from_json(const Json& json);
/// Every default filled in.
Json to_json(const RunFile& run);

/// Sets the value at a path of keys, "optimiser.rate=1e-3"; a value that is no JSON is text.
void set_key(Json& json, const std::string& assignment);
void set_key(Json& json, const std::string& path, Json value);

}  // namespace ashlar
