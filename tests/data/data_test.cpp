// Corpora to data folders: documents, duplicates, the split, shards, rows; and what is refused.
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <set>

#include "data/byte_source.h"
#include "support/corpus.h"
#include "support/errors.h"

namespace ashlar::testing {
namespace {

std::string gzipped(const std::string& text) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream s{};
  deflateInit2(&s, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  s.avail_in = static_cast<uInt>(text.size());
  s.next_out = reinterpret_cast<Bytef*>(out.data());
  s.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&s, Z_FINISH), Z_STREAM_END);
  out.resize(s.total_out);
  deflateEnd(&s);
  return out;
}

std::string zstd_packed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::vector<Document> all_of(const std::string& corpus, const DocumentOptions& options = {}) {
  std::vector<Document> all;
  read_documents(corpus, options, [&](Document&& d) { all.push_back(std::move(d)); });
  return all;
}

TEST(Bytes, ComeOutOfGzipAndZstandardAsTheyWere) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 20000; ++i) text += story(i).substr(0, 40) + "\n";
  write(folder.path() / "plain", text);
  // Several members, as `cat a.gz b.gz` makes them; names say nothing.
  const size_t half = text.size() / 2;
  write(folder.path() / "gz", gzipped(text.substr(0, half)) + gzipped(text.substr(half)));
  write(folder.path() / "zst", zstd_packed(text.substr(0, half)) + zstd_packed(text.substr(half)));
  for (const char* name : {"plain", "gz", "zst"}) {
    const auto source = open_bytes(folder.path() / name);
    EXPECT_EQ(read_all(*source, text.size(), name), text) << name;
    LineReader lines(open_bytes(folder.path() / name), 1000, name);
    std::string joined;
    for (std::string line; lines.next(line);) joined += line + "\n";
    EXPECT_EQ(joined, text) << name;
  }
  write(folder.path() / "cut.gz", gzipped(text).substr(0, 5000));
  write(folder.path() / "cut.zst", zstd_packed(text).substr(0, 5000));
  for (const char* name : {"cut.gz", "cut.zst"}) {
    const auto source = open_bytes(folder.path() / name);
    expect_error([&] { read_all(*source, text.size(), name); }, "middle of its text");
  }
  std::string broken = gzipped(text);
  broken[2000] ^= 0x55;
  write(folder.path() / "broken.gz", broken);
  const auto source = open_bytes(folder.path() / "broken.gz");
  expect_error([&] { read_all(*source, text.size(), "x"); }, "no whole gzip");
  const auto long_text = open_bytes(folder.path() / "plain");
  expect_error([&] { read_all(*long_text, 1000, "long"); }, "more than 1000 bytes");
}

TEST(Documents, ComeFromTextsLinesAndFolders) {
  const TemporaryFolder folder;
  const fs::path root = folder.path() / "corpus";
  write(root / "news/b.txt", "second");
  write(root / "news/a.txt.gz", gzipped("first"));
  write(root / "code/deep/x.md", "# Title\n");
  write(root / "code/photo.png", "not text");
  write(root / "code/zero.txt", std::string("a\0b", 3));
  write(root / "empty.txt", " \n\t\n");
  write(root / "lines.jsonl.zst",
        zstd_packed("{\"text\": \"of a line\", \"domain\": \"web\"}\n\n{\"text\": \"another\"}"));
  const std::vector<Document> all = all_of(root.string());
  std::vector<std::pair<std::string, std::string>> found;
  for (const Document& d : all) found.emplace_back(d.text, d.domain);
  EXPECT_EQ(found, (std::vector<std::pair<std::string, std::string>>{{"# Title\n", "code"},
                                                                     {"of a line", "web"},
                                                                     {"another", ""},
                                                                     {"first", "news"},
                                                                     {"second", "news"}}));
  EXPECT_EQ(all_of("prose=" + (root / "news/b.txt").string())[0].domain, "prose");
  expect_error([&] { all_of((root / "none").string()); }, "no such file");
  expect_error([&] { all_of((root / "code/zero.txt").string()); }, "zero bytes");
  write(root / "bad.jsonl", "{\"text\": \"x\"}\n{\"txt\": \"y\"}\n");
  expect_error([&] { all_of((root / "bad.jsonl").string()); }, "line 2");
  write(root / "latin.txt", "caf\xE9");
  EXPECT_EQ(all_of((root / "latin.txt").string())[0].text, "caf\uFFFD");
}

TEST(Documents, AreCutWhereAsked) {
  const TemporaryFolder folder;
  write(folder.path() / "a.txt", "one\ntwo\n----\nthree\r\n----\r\n");
  const auto parts = all_of((folder.path() / "a.txt").string(), {.separator = "----"});
  ASSERT_EQ(parts.size(), 2);
  EXPECT_EQ(parts[0].text, "one\ntwo\n");
  EXPECT_EQ(parts[1].text, "three\r\n");
  std::string book;
  for (int i = 0; i < 50; ++i) book += story(i) + "\n";
  std::string joined;
  const auto pieces = pieces_of(book, 2000);
  for (const auto piece : pieces) {
    joined += piece;
    EXPECT_GE(piece.size(), 2000);
    EXPECT_LE(piece.size(), 4100);
    EXPECT_TRUE(piece.ends_with("\n\n"));
  }
  EXPECT_EQ(joined, book);
  EXPECT_GT(pieces.size(), 8);
  EXPECT_EQ(pieces_of("no line ends here at all", 3).size(), 1);
}

TEST_F(Built, HoldsEveryDocumentOnce) {
  BuildOptions options;
  options.shard_tokens = 1000;  // several shards
  const DataManifest m = build(data_, options);
  EXPECT_EQ(m.duplicates, 30);
  EXPECT_EQ(m[DataSplit::train].all.documents + m[DataSplit::validation].all.documents, 300);
  EXPECT_GT(m[DataSplit::validation].all.documents, 10);
  EXPECT_LT(m[DataSplit::validation].all.documents, 60);
  const auto data = DataFolder::open(data_);
  const TextModel text = load_text(data->tokenizer().string());
  std::set<std::string> expected, found;
  for (int i = 0; i < 300; ++i) expected.insert(story(i));
  int64_t odd = 0;
  for (const DataSplit split : {DataSplit::train, DataSplit::validation}) {
    const TokenStream& stream = data->stream(split);
    stream.check_hashes();
    EXPECT_GT(data->manifest()[split].shards.size(), 1);
    double bytes = 0;
    for (int64_t d = 0; d < stream.documents(); ++d) {
      const auto place = stream.document(d);
      EXPECT_EQ(stream.document_at(place.begin), d);
      EXPECT_EQ(stream.document_at(place.end - 1), d);
      std::vector<int32_t> ids(static_cast<size_t>(place.end - place.begin));
      stream.read(place.begin, ids);
      EXPECT_EQ(ids.back(), *data->manifest().end);
      const std::string document = text.tokenizer->decode(ids, true);
      EXPECT_EQ(is_validation(document, 0.1, 0), split == DataSplit::validation);
      EXPECT_EQ(static_cast<size_t>(place.bytes), document.size());
      odd += data->manifest().domains.at(static_cast<size_t>(place.domain)) == "odd" ? 1 : 0;
      found.insert(document);
      for (const int32_t id : ids) bytes += data->bytes_of(split, id);
    }
    EXPECT_NEAR(bytes, static_cast<double>(m[split].all.bytes), 1e-6);
    EXPECT_EQ(m[split].bytes_in_tokens, m[split].all.bytes);  // bytes are what the tokens spell
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(odd, 100);
}

TEST_F(Built, IsTheSameAtAnyNumberOfThreadsAndSizeOfShards) {
  BuildOptions one, two;
  one.threads = 1;
  two.threads = 2;
  const DataManifest a = build(data_, one), b = build(scratch_.path() / "again", two);
  EXPECT_EQ(a.fingerprint, b.fingerprint);
  BuildOptions other;
  other.seed = 1;
  EXPECT_NE(build(scratch_.path() / "other", other).fingerprint, a.fingerprint);
}

TEST_F(Built, RowsAreTheStreamCut) {
  build(data_);
  const auto data = DataFolder::open(data_);
  const TokenStream& stream = data->stream(DataSplit::train);
  for (const bool mask : {false, true}) {
    const auto rows = folder_rows(data, DataSplit::train, {.length = 100, .mask = mask});
    EXPECT_EQ(rows->rows(), stream.tokens() / 100);
    std::vector<int32_t> row(100), expected(100);
    int64_t borders = 0, bytes = 0;
    for (int64_t r = 0; r < rows->rows(); ++r) {
      rows->read(r, row);
      stream.read(100 * r, expected);
      EXPECT_EQ(row, expected);
      const std::vector<int64_t> inside = rows->borders(r);
      double predicted = 0;
      size_t next = 0;
      for (int64_t i = 1; i < 100; ++i) {
        const bool begins = stream.document_at(100 * r + i) != stream.document_at(100 * r + i - 1);
        const bool border = next < inside.size() && inside[next] == i;
        next += border ? 1 : 0;
        EXPECT_EQ(border, mask && begins);
        if (!border) predicted += data->bytes_of(DataSplit::train, row[static_cast<size_t>(i)]);
      }
      EXPECT_EQ(rows->predicted_bytes(r), static_cast<int64_t>(predicted));
      borders += static_cast<int64_t>(inside.size());
      bytes += *rows->predicted_bytes(r);
    }
    EXPECT_EQ(borders > 0, mask);
    EXPECT_GT(bytes, 0);
  }
  expect_error([&] { folder_rows(data, DataSplit::validation, {.length = 1 << 20}); },
               "less than one");
}

TEST_F(Built, IsRefusedWhenDamaged) {
  build(data_);
  expect_error([&] { build(data_); }, "holds data already");
  const std::string manifest = read_file(data_ / "manifest.json");
  write(data_ / "manifest.json", "{\"format\": 1}");
  expect_error([&] { DataFolder::open(data_); }, "no manifest of a data folder");
  write(data_ / "manifest.json", manifest);
  const fs::path shard = data_ / "train-00000.npy";
  std::string bytes = read_file(shard);
  write(shard, bytes.substr(0, bytes.size() - 2));
  expect_error([&] { DataFolder::open(data_); }, "numbers, found");
  bytes[bytes.size() - 1] = '\x7F';
  write(shard, bytes);
  const auto data = DataFolder::open(data_);
  expect_error([&] { data->stream(DataSplit::train).check_hashes(); }, "is damaged");
  const int64_t tokens = data->stream(DataSplit::train).tokens();
  std::vector<int32_t> last(1);
  expect_error([&] { data->stream(DataSplit::train).read(tokens - 1, last); }, "its tokenizer has");
  expect_error([&] { DataFolder::open(scratch_.path()); }, "ashlar data build");
}

TEST(Injections, TakeTheFirstRowsOfTheirSteps) {
  class Counting : public TokenRows {
   public:
    int64_t rows() const override { return 5; }
    int64_t length() const override { return 4; }
    void read(int64_t row, std::span<int32_t> ids) const override {
      for (int32_t& id : ids) id = static_cast<int32_t>(row);
    }
    std::string fingerprint() const override { return "c"; }
    std::string name() const override { return "c"; }
  };
  const auto rows =
      with_injections(std::make_unique<Counting>(), {{{2, 4}, 1, {7, 8, 9}}, {{4}, 2, {1}}});
  std::vector<int64_t> due{0, 1, 2, 3};
  rows->replace(1, due);
  EXPECT_EQ(due, (std::vector<int64_t>{0, 1, 2, 3}));
  rows->replace(4, due);
  EXPECT_EQ(due, (std::vector<int64_t>{5, 6, 6, 3}));
  std::vector<int32_t> ids(4);
  rows->read(5, ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{7, 8, 9, 7}));
  rows->read(4, ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{4, 4, 4, 4}));
  const auto few = evenly_chosen(std::make_unique<Counting>(), 2);
  EXPECT_EQ(few->rows(), 2);
  few->read(1, ids);
  EXPECT_EQ(ids[0], 2);
  EXPECT_NE(few->fingerprint(), "c");
}

}  // namespace
}  // namespace ashlar::testing
