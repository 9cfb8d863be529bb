// A small corpus with labels and duplicates, and a data folder of it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "data/build.h"
#include "data/folder.h"
#include "data/train_tokenizer.h"

namespace ashlar::testing {

namespace fs = std::filesystem;

inline void write(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

/// Texts that differ from each other.
inline std::string story(int n) {
  std::string text;
  for (int i = 0; i < 12; ++i)
    text += "Story " + std::to_string(n) + " goes on: the " + std::to_string(n * 7 + i) +
            "th stone is cut, naïvely. ";
  return text + "\n";
}

/// A tokenizer learned from the corpus in `folder`/tokenizer.
inline TextModel tokenizer(const fs::path& folder, const fs::path& corpus, int64_t vocab) {
  BuildOptions options;
  options.corpora = {corpus.string()};
  write_tokenizer(train_bpe(count_words(options), {.vocab = vocab}), folder / "tokenizer");
  return load_text((folder / "tokenizer").string());
}

class Built : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string lines;
    for (int i = 0; i < 300; ++i) {
      const Json line = {{"text", story(i)}, {"domain", i % 3 == 0 ? "odd" : "even"}};
      lines += line.dump() + "\n";
      if (i % 10 == 0) lines += line.dump() + "\n";  // 30 duplicates
    }
    write(corpus_, lines);
  }
  DataManifest build(const fs::path& out, BuildOptions options = {}) {
    options.corpora = {corpus_.string()};
    if (options.validation == 0.01) options.validation = 0.1;
    return build_data(tokenizer(scratch_.path(), corpus_, 400), out, options);
  }
  TemporaryFolder scratch_;
  const fs::path corpus_ = scratch_.path() / "corpus.jsonl", data_ = scratch_.path() / "data";
};

}  // namespace ashlar::testing
