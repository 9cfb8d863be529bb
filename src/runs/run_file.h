// RUN.json: everything that a training run is, docs/training.md.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/data.h"
#include "train/init.h"
#include "train/settings.h"

namespace ashlar {

struct DataSettings {
  std::string tokens;  // .npy, int32 [sequences, length]
  std::string folder;  // made by `ashlar data build`
  DataOrder order = DataOrder::sequential;
  std::string validation;  // .npy as tokens, never trained on
};

template <class V, SettingsOf<DataSettings> P>
void visit_settings(V& v, P& p) {
  v("tokens", p.tokens);
  v("folder", p.folder);
  v("order", p.order);
  v("validation", p.validation);
}

struct CheckpointSettings {
  int64_t every = 500;     // steps; 0: only at the end and when interrupted
  int64_t keep = 2;        // the newest ones
  int64_t keep_every = 0;  // and those at multiples of so many steps
};

template <class V, SettingsOf<CheckpointSettings> P>
void visit_settings(V& v, P& p) {
  v("every", p.every);
  v("keep", p.keep);
  v("keep_every", p.keep_every);
}

struct EverySettings {
  int64_t every = 0;  // steps; 0: never
};

template <class V, SettingsOf<EverySettings> P>
void visit_settings(V& v, P& p) {
  v("every", p.every);
}

struct RunFile {
  Json model;             // name, file, folder, {"base", "change"} or a blueprint
  std::string init_from;  // folder, GGUF, folder of a run or of a checkpoint; empty: by scheme
  InitSettings init;
  std::string tokenizer;  // folder or file whose tokenizer goes into model/; empty: init_from's
  DataSettings data;
  TrainSettings train;
  std::string precision = "f32";
  bool recompute = false;  // activations of layers: less memory, a third more time
  CheckpointSettings checkpoint;
  EverySettings evaluate, telemetry;
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
