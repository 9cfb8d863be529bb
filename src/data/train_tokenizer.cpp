// Documents are counted some megabytes at a time.
#include "data/train_tokenizer.h"

#include <unordered_set>

#include "base/hash.h"
#include "base/output_file.h"

namespace ashlar {

WordCounts count_words(const BuildOptions& options) {
  WordCounts words;
  std::unordered_set<uint64_t> seen;
  std::vector<std::string> pending;
  size_t bytes = 0;
  const auto flush = [&] {
    words.add(pending, options.threads);
    pending.clear();
    bytes = 0;
    if (options.progress) options.progress(words.bytes());
  };
  for (const std::string& corpus : options.corpora) {
    read_documents(corpus, options.documents, [&](Document&& d) {
      if (is_validation(d.text, options.validation, options.seed)) return;
      if (!seen.insert(xxh64(std::as_bytes(std::span(d.text)))).second) return;
      bytes += d.text.size();
      pending.push_back(std::move(d.text));
      constexpr size_t kAtOnce = size_t{1} << 24;
      if (bytes >= kAtOnce) flush();
    });
  }
  flush();
  return words;
}

void write_tokenizer(const TrainedBpe& bpe, const std::filesystem::path& folder) {
  OutputFolder out(folder);
  out.add_text("tokenizer_config.json", tokenizer_config_json_of(bpe));
  out.add_text("tokenizer.json", tokenizer_json_of(bpe));
  out.commit();
}

}  // namespace ashlar
