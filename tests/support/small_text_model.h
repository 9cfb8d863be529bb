// A small random model with GPT-2's tokenizer.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "base/json.h"
#include "support/paths.h"
#include "support/random_model.h"
#include "support/samples.h"
#include "text/tokenizer.h"

namespace ashlar::testing {

class SmallTextModel : public ::testing::Test {
 protected:
  SmallTextModel() {
    const Json file =
        read_json(std::filesystem::path(source_dir()) / "tests/text/tokenizers/gpt2.json");
    tokenizer_ = Tokenizer::from_json(file.at("tokenizer").dump(), "gpt2");
    Blueprint bp = sample_blueprints().at(0);
    bp.embedding.vocab = tokenizer_->size();
    graph_ = graph_of(bp);
    weights_ = random_weights(graph_, 7);
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  Graph graph_;
  Weights weights_;
};

}  // namespace ashlar::testing
