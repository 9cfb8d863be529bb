// Shards are mapped; the table of documents is in memory.
#include "data/folder.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/hash.h"
#include "formats/npy.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

class FolderRows : public TokenRows {
 public:
  FolderRows(std::shared_ptr<const DataFolder> folder, DataSplit split, const RowOptions& options)
      : folder_(std::move(folder)),
        stream_(folder_->stream(split)),
        split_(split),
        options_(options) {
    if (options.length < 2)
      fail(ErrorKind::invalid, "batch.length: expected at least 2, found {}", options.length);
    if (stream_.tokens() < options.length) {
      fail(ErrorKind::invalid, "{} ({}): its {} tokens are less than one row of {}",
           folder_->path().string(), kSplitNames[static_cast<size_t>(split)], stream_.tokens(),
           options.length);
    }
  }
  int64_t rows() const override { return stream_.tokens() / options_.length; }
  int64_t length() const override { return options_.length; }
  void read(int64_t row, std::span<int32_t> ids) const override {
    stream_.read(row * options_.length, ids);
  }
  std::vector<int64_t> borders(int64_t row) const override {
    std::vector<int64_t> inside;
    if (!options_.mask) return inside;
    const int64_t begin = row * options_.length, end = begin + options_.length;
    for (int64_t d = stream_.document_at(begin); d < stream_.documents(); ++d) {
      const int64_t at = stream_.document(d).end;
      if (at >= end) break;
      if (at > begin) inside.push_back(at - begin);
    }
    return inside;
  }
  std::optional<int64_t> predicted_bytes(int64_t row) const override {
    std::vector<int32_t> ids(static_cast<size_t>(options_.length));
    read(row, ids);
    const std::vector<int64_t> unpredicted = borders(row);
    double bytes = 0;
    for (size_t i = 1; i < ids.size(); ++i) {
      if (!std::binary_search(unpredicted.begin(), unpredicted.end(), static_cast<int64_t>(i)))
        bytes += folder_->bytes_of(split_, ids[i]);
    }
    return std::llround(bytes);
  }
  std::optional<int64_t> vocabulary() const override { return folder_->manifest().vocabulary; }
  std::string fingerprint() const override {
    return fmt::format("folder {} {} {} {}", folder_->manifest().fingerprint,
                       kSplitNames[static_cast<size_t>(split_)], options_.length,
                       options_.mask ? "mask" : "whole");
  }
  std::string name() const override {
    return fmt::format("{} ({})", folder_->path().string(),
                       kSplitNames[static_cast<size_t>(split_)]);
  }

 private:
  const std::shared_ptr<const DataFolder> folder_;
  const TokenStream& stream_;
  const DataSplit split_;
  const RowOptions options_;
};

}  // namespace

TokenStream::TokenStream(const fs::path& folder, const SplitManifest& manifest, int64_t vocabulary)
    : where_(folder.string()), vocabulary_(vocabulary) {
  for (const DataShard& shard : manifest.shards) {
    shards_.push_back({shard, NpyList(folder / shard.file), tokens_});
    if (shards_.back().ids.size() != shard.tokens) {
      fail(ErrorKind::format, "{}: expected {} tokens, found {}", (folder / shard.file).string(),
           shard.tokens, shards_.back().ids.size());
    }
    tokens_ += shard.tokens;
  }
  const fs::path table_file = folder / manifest.documents_file;
  const NpyIntegers table(table_file);
  int64_t end = 0;
  if (table.cols() != 3)
    fail(ErrorKind::format, "{}: expected [documents, 3]", table_file.string());
  for (int64_t d = 0; d < table.rows(); ++d) {
    std::array<int32_t, 3> row{};
    table.read(d, row);
    if (row[0] < 0 || row[1] < 0)
      fail(ErrorKind::format, "{}: row {} holds negative numbers", table_file.string(), d);
    documents_.push_back({end, end + row[0], row[1], row[2]});
    end += row[0];
  }
  if (end != tokens_ || tokens_ != manifest.all.tokens) {
    fail(ErrorKind::format, "{}: documents of {} tokens, shards of {}, a manifest of {}",
         table_file.string(), end, tokens_, manifest.all.tokens);
  }
}

void TokenStream::read(int64_t begin, std::span<int32_t> ids) const {
  auto shard = std::prev(std::ranges::upper_bound(shards_, begin, {}, &Shard::begin));
  for (size_t done = 0; done < ids.size(); ++shard) {
    const int64_t from = begin + static_cast<int64_t>(done) - shard->begin;
    const auto n = std::min(ids.size() - done, static_cast<size_t>(shard->ids.size() - from));
    shard->ids.read(from, ids.subspan(done, n));
    done += n;
  }
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocabulary_)
      fail(ErrorKind::format, "{}: holds the id {}, its tokenizer has 0 to {}: it is damaged",
           where_, id, vocabulary_ - 1);
  }
}

int64_t TokenStream::document_at(int64_t token) const {
  return std::ranges::upper_bound(documents_, token, {}, &Place::end) - documents_.begin();
}

void TokenStream::check_hashes() const {
  for (const Shard& s : shards_) {
    if (hex(xxh64(s.ids.bytes())) != s.manifest.hash)
      fail(ErrorKind::format, "{}/{}: is damaged: its hash is not the manifest's", where_,
           s.manifest.file);
  }
}

DataFolder::DataFolder(const fs::path& folder) : path_(folder) {
  std::error_code code;
  const fs::path file = folder / "manifest.json";
  if (!fs::exists(file, code)) {
    fail(ErrorKind::io, "{}: there is no such file: a data folder is made by ashlar data build",
         file.string());
  }
  manifest_ = manifest_from_json(read_json(file), file.string());
  for (const SplitManifest& split : manifest_.splits)
    streams_.emplace_back(folder, split, manifest_.vocabulary);
  const NpyList bytes(folder / "token_bytes.npy");
  if (bytes.size() != manifest_.vocabulary) {
    fail(ErrorKind::format, "{}: expected {} numbers, found {}",
         (folder / "token_bytes.npy").string(), manifest_.vocabulary, bytes.size());
  }
  token_bytes_.resize(static_cast<size_t>(bytes.size()));
  bytes.read(0, token_bytes_);
}

std::shared_ptr<const DataFolder> DataFolder::open(const fs::path& folder) {
  return std::shared_ptr<const DataFolder>(new DataFolder(folder));
}

double DataFolder::bytes_of(DataSplit split, int32_t id) const {
  const SplitManifest& m = manifest_[split];
  const double factor = m.bytes_in_tokens > 0 ? static_cast<double>(m.all.bytes) /
                                                    static_cast<double>(m.bytes_in_tokens)
                                              : 1;
  return factor * token_bytes_[static_cast<size_t>(id)];
}

std::unique_ptr<TokenRows> folder_rows(std::shared_ptr<const DataFolder> folder, DataSplit split,
                                       const RowOptions& options) {
  return std::make_unique<FolderRows>(std::move(folder), split, options);
}

}  // namespace ashlar
