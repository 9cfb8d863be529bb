// The rows that an experiment's runs read: made once per store, named by what they are made from.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "lab/experiment.h"
#include "lab/tasks/task.h"

namespace ashlar::lab {

/// `difficulty` counts what stands in `answers`.
struct Data : RowsAbout {
  std::string tokens, validation;  // .npy files; empty: `folder` holds both
  std::string folder;              // made by `ashlar data build`
  std::string answers;  // .npy beside `validation`: difficulties of known answers; or empty
  std::string domains;  // .npy beside `validation`: labels of its tokens, as numbers; or empty
  std::vector<std::string> domain_names;
  std::string beyond;       // .npy of held-out rows that are longer than the trained ones; or empty
  std::string order;        // as data.order of RUN.json
  std::string fingerprint;  // equal for equal rows
  bool bytes = false;       // tokens are bytes of text
  Events events;
};

/// Keys of `data`, exactly one of the first four:
///   task        name, with `parameters`, `seed`, `rows` (0: as many as the runs read) and
///               `validation_rows`
///   text        a file, or a folder of .txt files; each a document of bytes as tokens, cut into
///               rows of `length`; one in `held_out` documents is held out; the first folder below
///               is the label of its documents
///   tokens      a .npy file, and `validation` another
///   folder      made by `ashlar data build`
///   order       "shuffled" (by each run's seed) or "sequential"
/// Checks the keys, without making anything.
Data describe_data(const Experiment& experiment);

/// Makes what is not there yet under `store`/data. `tokens` and `sequences` are those of a run.
/// Throws Error(resource) when the disk is full: nothing half made stays.
Data make_data(const Experiment& experiment, const std::filesystem::path& store, int64_t tokens,
               int64_t sequences);

/// The step, counted from 0, whose first row is the i-th event of a run of `steps`.
int64_t event_step(const Events& events, int64_t i, int64_t steps);

/// A matrix of int32 as .npy.
void write_npy(const std::filesystem::path& file, int64_t rows, int64_t length,
               std::span<const int32_t> values);

}  // namespace ashlar::lab
