// ashlar tokenizer: learning one from a corpus.
#include <fmt/format.h>

#include <cstdio>

#include "apps/commands.h"
#include "base/error.h"
#include "base/json.h"
#include "base/units.h"
#include "data/build.h"
#include "data/train_tokenizer.h"

namespace ashlar::app {
namespace {

struct TokenizerOptions {
  BuildOptions corpus{.validation = 0};
  BpeTrainerOptions trainer;
  std::string out;
  bool json = false;
};

void learn_tokenizer(TokenizerOptions& o) {
  WordCounts words;
  {
    Progress progress("counting words");
    o.corpus.progress = [&](int64_t bytes) { progress(bytes, 0); };
    words = count_words(o.corpus);
  }
  Progress progress("merging");
  o.trainer.progress = std::ref(progress);
  const TrainedBpe bpe = train_bpe(words, o.trainer);
  write_tokenizer(bpe, o.out);
  const auto found = static_cast<int64_t>(bpe.tokens.size());
  if (found < o.trainer.vocab) {
    say_note(fmt::format("{} tokens: no more pairs occur {} times", grouped(found),
                         grouped(o.trainer.min_frequency)));
  }
  if (o.json) {
    print_line(Json({{"folder", o.out},
                     {"vocabulary", found},
                     {"merges", bpe.merges.size()},
                     {"words", words.words().size()},
                     {"bytes", words.bytes()}})
                   .dump());
  } else {
    print_line(fmt::format("{}: {} tokens from {} of text ({} different words)", o.out,
                           grouped(found), short_bytes(static_cast<double>(words.bytes())),
                           grouped(static_cast<int64_t>(words.words().size()))));
  }
}

}  // namespace

void add_tokenizer(CLI::App& app) {
  CLI::App* tokenizer =
      app.add_subcommand("tokenizer", "tokenizers of one's own: train learns one from a corpus");
  tokenizer->require_subcommand(1);
  auto [train, o] = add_command(
      *tokenizer, "train", learn_tokenizer,
      "byte-level BPE: writes tokenizer.json, which Hugging Face's tokenizers read with equal ids");
  add_corpus_options(train, o.corpus);
  add_value(train, "-o,--out", o.out, "FOLDER", "folder that is written")->required();
  add_value(train, "--vocab", o.trainer.vocab, "N", "tokens in all")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{257}, int64_t{1} << 22));
  add_value(train, "--special", o.trainer.special, "TOKEN",
            "special tokens, ids from 0; the first ends documents")
      ->capture_default_str();
  add_value(train, "--min-frequency", o.trainer.min_frequency, "N",
            "how often a pair must occur to become a token")
      ->capture_default_str();
  train.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
}

}  // namespace ashlar::app
