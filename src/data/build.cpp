// Documents are encoded on all threads, some megabytes at a time, and written in their order.
#include "data/build.h"

#include <algorithm>
#include <unordered_set>

#include "base/cpus.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/output_file.h"
#include "base/thread_pool.h"
#include "data/identity.h"
#include "data/npy_list.h"
#include "model/text_export.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

uint64_t hash_of(std::string_view text) { return xxh64(std::as_bytes(std::span(text))); }

std::span<const std::byte> bytes_of(const std::vector<int32_t>& values) {
  return std::as_bytes(std::span(values));
}

class SplitWriter {
 public:
  SplitWriter(const char* name, OutputFolder& folder, const std::vector<int32_t>& token_bytes,
              int width, int64_t most, SplitManifest& manifest)
      : name_(name),
        folder_(folder),
        token_bytes_(token_bytes),
        width_(width),
        most_(most),
        manifest_(manifest) {}

  void add(const std::vector<TokenId>& ids, const Document& document, int32_t domain) {
    const DataAmount amount{1, std::ssize(ids), std::ssize(document.text)};
    manifest_.all += amount;
    if (domain >= 0) manifest_.domains[document.domain] += amount;
    documents_.insert(documents_.end(), {static_cast<int32_t>(amount.tokens),
                                         static_cast<int32_t>(amount.bytes), domain});
    for (const TokenId id : ids) {
      manifest_.bytes_in_tokens += token_bytes_[static_cast<size_t>(id)];
      const auto* bytes = reinterpret_cast<const std::byte*>(&id);  // little-endian
      ids_.insert(ids_.end(), bytes, bytes + width_);
      if (tokens() == most_) flush();
    }
  }
  void finish() {
    flush();
    manifest_.documents_file = fmt::format("{}-documents.npy", name_);
    write_npy(folder_.add(manifest_.documents_file), "<i4",
              fmt::format("({}, 3)", documents_.size() / 3), bytes_of(documents_));
  }
  std::string hash() const {
    std::string all = hex(xxh64(bytes_of(documents_)));
    for (const DataShard& s : manifest_.shards) all += s.hash;
    return all;
  }

 private:
  void flush() {
    if (ids_.empty()) return;
    const std::string file = fmt::format("{}-{:05}.npy", name_, manifest_.shards.size());
    write_npy(folder_.add(file), width_ == 4 ? "<i4" : "<u2", fmt::format("({},)", tokens()), ids_);
    manifest_.shards.push_back({file, tokens(), hex(xxh64(ids_))});
    ids_.clear();
  }
  int64_t tokens() const { return std::ssize(ids_) / width_; }

  const char* name_;
  OutputFolder& folder_;
  const std::vector<int32_t>& token_bytes_;
  const int width_;  // bytes of an id
  const int64_t most_;
  SplitManifest& manifest_;
  std::vector<std::byte> ids_;
  std::vector<int32_t> documents_;
};

std::optional<int64_t> end_token(const TextModel& text, const std::string& asked) {
  if (!asked.empty()) {
    const auto id = text.tokenizer->id_of(asked);
    if (!id)
      fail(ErrorKind::invalid, "--end {}: the tokenizer of {} has no such token", asked,
           text.source);
    return *id;
  }
  return text.tokenizer->eos();
}

void copy_tokenizer(TextModel text, const fs::path& to) {
  std::error_code code;
  if (fs::equivalent(text.source, to, code)) return;
  OutputFolder folder(to);
  Model model;
  static_cast<TextModel&>(model) = std::move(text);
  write_text_files(model, folder);
  folder.commit();
}

class FolderBuilder {
 public:
  FolderBuilder(const Tokenizer& tokenizer, OutputFolder& folder, const BuildOptions& options,
                DataManifest& manifest)
      : tokenizer_(tokenizer),
        options_(options),
        manifest_(manifest),
        token_bytes_(bytes_of_tokens(tokenizer)),
        pool_(options.threads > 0 ? options.threads : default_threads()) {
    constexpr int64_t kShortIds = 65536;
    const int width = manifest.vocabulary > kShortIds ? 4 : 2;
    for (size_t s = 0; s < manifest.splits.size(); ++s) {
      writers_.emplace_back(kSplitNames[s], folder, token_bytes_, width, options.shard_tokens,
                            manifest.splits[s]);
    }
    write_npy(folder.add("token_bytes.npy"), "<i4", fmt::format("({},)", token_bytes_.size()),
              bytes_of(token_bytes_));
  }

  void take(Document&& document) {
    constexpr size_t kMost = size_t{1} << 30;  // so that a document's numbers fit int32
    if (document.text.size() > kMost) {
      fail(ErrorKind::resource,
           "a document has {} bytes, at most {} are read: --piece-bytes cuts it",
           document.text.size(), kMost);
    }
    const uint64_t hash = hash_of(document.text);
    if (!seen_.insert(mixed(hash) ^ document.text.size()).second) {
      ++manifest_.duplicates;
      manifest_.duplicate_bytes += static_cast<int64_t>(document.text.size());
      return;
    }
    pending_bytes_ += static_cast<int64_t>(document.text.size());
    pending_.push_back(std::move(document));
    constexpr int64_t kAtOnce = int64_t{1} << 23;
    if (pending_bytes_ >= kAtOnce) flush();
  }

  std::string finish() {
    flush();
    std::string all = manifest_.tokenizer_fingerprint;
    for (SplitWriter& w : writers_) {
      w.finish();
      all += "|" + w.hash();
    }
    return hex(hash_of(all));
  }

 private:
  void flush() {
    std::vector<std::vector<TokenId>> ids(pending_.size());
    pool_.each(static_cast<int64_t>(pending_.size()), [&](int64_t i, int) {
      const auto at = static_cast<size_t>(i);
      ids[at] = tokenizer_.encode(pending_[at].text, {.add_special = true, .parse_special = false});
      if (manifest_.end && (ids[at].empty() || ids[at].back() != *manifest_.end))
        ids[at].push_back(static_cast<TokenId>(*manifest_.end));
    });
    for (size_t i = 0; i < pending_.size(); ++i) {
      const Document& d = pending_[i];
      const bool held_out = is_validation(d.text, options_.validation, options_.seed);
      writers_[held_out ? 1 : 0].add(ids[i], d, number_of(d.domain));
    }
    read_bytes_ += pending_bytes_;
    pending_.clear();
    pending_bytes_ = 0;
    if (options_.progress) options_.progress(read_bytes_);
  }
  int32_t number_of(const std::string& domain) {
    if (domain.empty()) return -1;
    const auto it = std::find(manifest_.domains.begin(), manifest_.domains.end(), domain);
    if (it != manifest_.domains.end()) return static_cast<int32_t>(it - manifest_.domains.begin());
    constexpr size_t kMost = 4096;
    if (manifest_.domains.size() == kMost)
      fail(ErrorKind::invalid, "more than {} domains: is {} a label?", kMost, domain);
    manifest_.domains.push_back(domain);
    return static_cast<int32_t>(manifest_.domains.size() - 1);
  }

  const Tokenizer& tokenizer_;
  const BuildOptions& options_;
  DataManifest& manifest_;
  const std::vector<int32_t> token_bytes_;
  ThreadPool pool_;
  std::vector<SplitWriter> writers_;
  std::unordered_set<uint64_t> seen_;
  std::vector<Document> pending_;
  int64_t pending_bytes_ = 0, read_bytes_ = 0;
};

}  // namespace

bool is_validation(std::string_view text, double share, uint64_t seed) {
  constexpr double kAll = 0x1p53;
  return static_cast<double>(mixed(hash_of(text) ^ mixed(seed)) >> 11) < share * kAll;
}

DataManifest build_data(TextModel text, const fs::path& out, const BuildOptions& options) {
  std::error_code code;
  if (fs::exists(out / "manifest.json", code)) {
    fail(ErrorKind::invalid, "{}: holds data already: -o another folder, or remove this one",
         out.string());
  }
  if (!(options.validation >= 0 && options.validation < 1))
    fail(ErrorKind::invalid, "--validation: expected a share from 0 and below 1, found {}",
         options.validation);
  ASHLAR_ASSERT(text.tokenizer != nullptr, "checked by the caller");
  DataManifest manifest;
  manifest.tokenizer = text.source;
  manifest.tokenizer_fingerprint = fingerprint_of(*text.tokenizer);
  manifest.vocabulary = text.tokenizer->size();
  manifest.end = end_token(text, options.end);
  manifest.validation = options.validation;
  manifest.seed = options.seed;
  manifest.corpora = options.corpora;
  OutputFolder folder(out);
  {
    FolderBuilder builder(*text.tokenizer, folder, options, manifest);
    for (const std::string& corpus : options.corpora)
      read_documents(corpus, options.documents, [&](Document&& d) { builder.take(std::move(d)); });
    manifest.fingerprint = builder.finish();
  }
  if (manifest[DataSplit::train].all.tokens == 0)
    fail(ErrorKind::invalid, "the corpus holds no documents to train on");
  copy_tokenizer(std::move(text), out / "tokenizer");
  folder.add_text("manifest.json", to_json(manifest).dump(2) + "\n");
  folder.commit();
  return manifest;
}

}  // namespace ashlar
