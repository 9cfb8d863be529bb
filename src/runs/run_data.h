// The data of a run: rows to train on and to evaluate with, checked against its tokenizer.
#pragma once

#include <memory>
#include <string>

#include "model/model.h"
#include "runs/run_file.h"
#include "train/data.h"

namespace ashlar {

struct RunData {
  std::unique_ptr<TokenRows> train, validation;  // validation: may be null
  std::string text_source;  // MODEL whose tokenizer the trained model gets; may have none
};

/// The text parts of MODEL; of a blueprint and of nothing none.
TextModel text_of(const std::string& source);

/// `text_source` is what settings and weights name as MODEL of the tokenizer, `decided` whether
/// data of another one would be wrong. `context`: tokens that the model is made for, 0: not said.
/// Fills in batch.length. Throws Error.
RunData read_data(RunFile& file, const std::string& text_source, bool decided, int64_t context);

}  // namespace ashlar
