// Matrices of ids or data folders.
#include "runs/run_data.h"

#include "base/error.h"
#include "data/folder.h"
#include "data/identity.h"
#include "model/source.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kDefaultLength = 256;  // of rows of a data folder

std::unique_ptr<TokenRows> matrix(const std::string& file, const char* key) {
  std::error_code code;
  if (!fs::exists(file, code)) fail(ErrorKind::io, "{}: {}: there is no such file", key, file);
  return npy_rows(file);
}

void check_tokenizer(const DataFolder& folder, const std::string& source) {
  const auto tokenizer = text_of(source).tokenizer;
  if (!tokenizer) return;
  const DataManifest& m = folder.manifest();
  if (fingerprint_of(*tokenizer) == m.tokenizer_fingerprint) return;
  fail(
      ErrorKind::invalid,
      "{}: is data of another tokenizer ({}, {} tokens) than that of {} ({} tokens): build it with "
      "ashlar data build --tokenizer {}",
      folder.path().string(), m.tokenizer, m.vocabulary, source, tokenizer->size(), source);
}

std::vector<Injection> injections_of(const DataSettings& data, const std::string& text_source) {
  std::vector<Injection> all;
  std::unique_ptr<Tokenizer> tokenizer;
  for (const InjectSettings& s : data.inject) {
    Injection injection{s.steps, s.rows, {s.ids.begin(), s.ids.end()}};
    if (!s.text.empty() && !s.ids.empty())
      fail(ErrorKind::invalid, "data.inject: expected a text or ids, found both");
    if (!s.text.empty()) {
      if (!tokenizer) tokenizer = text_of(text_source).tokenizer;
      if (!tokenizer) {
        fail(ErrorKind::invalid,
             "data.inject: a text needs a tokenizer, and this run has none: write ids, or "
             "\"tokenizer\": MODEL");
      }
      injection.ids = tokenizer->encode(s.text, {.add_special = false, .parse_special = false});
    }
    all.push_back(std::move(injection));
  }
  return all;
}

void open_folder(RunFile& file, RunData& data, bool decided, int64_t context) {
  const auto folder = DataFolder::open(file.data.folder);
  if (decided) check_tokenizer(*folder, data.text_source);
  if (!decided || !text_of(data.text_source).tokenizer)
    data.text_source = folder->tokenizer().string();
  int64_t& length = file.train.batch.length;
  if (length == 0) length = context > 0 ? std::min(context, kDefaultLength) : kDefaultLength;
  const RowOptions rows{length, file.data.mask};
  data.train = folder_rows(folder, DataSplit::train, rows);
  if (file.data.validation.empty() && folder->stream(DataSplit::validation).tokens() >= length)
    data.validation = folder_rows(folder, DataSplit::validation, rows);
}

}  // namespace

TextModel text_of(const std::string& source) {
  TextModel none;
  none.source = source;
  if (source.empty() ||
      find_source(source, {.weights = false}).kind == ModelSource::Kind::blueprint)
    return none;
  return load_text(source);
}

RunData read_data(RunFile& file, const std::string& text_source, bool decided, int64_t context) {
  const DataSettings& s = file.data;
  if (s.tokens.empty() == s.folder.empty()) {
    fail(ErrorKind::invalid,
         "data: expected {{\"folder\": DATA}} of ashlar data build, or {{\"tokens\": "
         "\"ids.npy\"}}, int32 [sequences, length]");
  }
  RunData data{.text_source = text_source};
  if (s.folder.empty()) {
    if (s.mask)
      fail(ErrorKind::invalid, "data.mask: a matrix of ids does not say where documents begin");
    data.train = matrix(s.tokens, "data.tokens");
  } else {
    open_folder(file, data, decided, context);
  }
  if (!s.validation.empty()) data.validation = matrix(s.validation, "data.validation");
  if (file.evaluate.every > 0 && !data.validation) {
    fail(ErrorKind::invalid, "evaluate.every: there is no validation set: {}",
         s.folder.empty() ? "write data.validation"
                          : "that of data.folder has less than one row of batch.length tokens");
  }
  if (data.validation && file.evaluate.tokens > 0) {
    const int64_t rows = file.evaluate.tokens / data.validation->length();
    data.validation = evenly_chosen(std::move(data.validation), rows);
  }
  if (!s.inject.empty())
    data.train = with_injections(std::move(data.train), injections_of(s, data.text_source));
  return data;
}

}  // namespace ashlar
