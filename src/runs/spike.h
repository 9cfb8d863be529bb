// What a step was like that went wrong, for people and programs: spike-STEP.json.
#pragma once

#include <string>

#include "base/json.h"
#include "text/tokenizer.h"
#include "train/trainer.h"

namespace ashlar {

/// `tokenizer` may be null: sequences then have ids alone. `data` is where rows come from.
Json to_json(const StepExamined& step, const TokenRows& data, const Tokenizer* tokenizer);

/// Some lines that say what moved and which text carries the loss.
std::string summary_of(const StepExamined& step, const Tokenizer* tokenizer);

}  // namespace ashlar
