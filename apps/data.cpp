// ashlar data: corpora to token shards, and what is in them.

#include <cstdio>

#include "apps/commands.h"
#include "base/error.h"
#include "base/units.h"
#include "data/build.h"
#include "data/folder.h"
#include "data/train_tokenizer.h"
#include "generate/prompt.h"

namespace ashlar::app {
namespace {

namespace fs = std::filesystem;

struct DataOptions {
  BuildOptions build;
  std::string out, tokenizer, folder;
  int64_t vocab = 0, samples = 3;
  bool json = false, check = false;
};

Json amount(const DataAmount& a) {
  return {{"documents", a.documents},
          {"tokens", a.tokens},
          {"bytes", a.bytes},
          {"bytes_per_token",
           a.tokens > 0 ? static_cast<double>(a.bytes) / static_cast<double>(a.tokens) : 0}};
}

Json summary(const std::string& folder, const DataManifest& m) {
  Json json = {{"folder", folder},
               {"fingerprint", m.fingerprint},
               {"tokenizer",
                {{"name", m.tokenizer},
                 {"fingerprint", m.tokenizer_fingerprint},
                 {"vocabulary", m.vocabulary},
                 {"end", m.end ? Json(*m.end) : Json()}}},
               {"duplicates", {{"documents", m.duplicates}, {"bytes", m.duplicate_bytes}}}};
  for (const DataSplit s : {DataSplit::train, DataSplit::validation}) {
    Json split = amount(m[s].all);
    split["domains"] = Json::object();
    for (const auto& [name, a] : m[s].domains) split["domains"][name] = amount(a);
    json["splits"][kSplitNames[static_cast<size_t>(s)]] = std::move(split);
  }
  return json;
}

void print_amount(const char* indent, const std::string& name, const DataAmount& a) {
  std::printf("%s%-12s %10s documents  %14s tokens  %10s  %.2f bytes per token\n", indent,
              name.c_str(), grouped(a.documents).c_str(), grouped(a.tokens).c_str(),
              short_bytes(static_cast<double>(a.bytes)).c_str(),
              a.tokens > 0 ? static_cast<double>(a.bytes) / static_cast<double>(a.tokens) : 0);
}

void print(const std::string& folder, const DataManifest& m) {
  std::printf("%s: tokens of %s (%s ids)\n", folder.c_str(), m.tokenizer.c_str(),
              grouped(m.vocabulary).c_str());
  for (const DataSplit s : {DataSplit::train, DataSplit::validation}) {
    print_amount("", kSplitNames[static_cast<size_t>(s)], m[s].all);
    for (const auto& [name, a] : m[s].domains) print_amount("  ", name, a);
  }
  if (m.duplicates > 0) {
    std::printf("%s documents (%s) occurred before and were left out\n",
                grouped(m.duplicates).c_str(),
                short_bytes(static_cast<double>(m.duplicate_bytes)).c_str());
  }
}

void run_build(DataOptions& o) {
  const fs::path out = o.out;
  std::error_code code;
  if (fs::exists(out / "manifest.json", code)) {
    fail(ErrorKind::invalid, "{}: holds data already: -o another folder, or remove this one",
         out.string());
  }
  if (!o.tokenizer.empty() && o.vocab > 0)
    fail(ErrorKind::invalid,
         "--vocab: trains a tokenizer, and --tokenizer names one: give one of them");
  {
    Progress progress("counting words");
    BuildOptions counting = o.build;
    counting.progress = [&](int64_t bytes) { progress(bytes, 0); };
    if (o.tokenizer.empty()) {
      const TrainedBpe bpe =
          o.vocab > 0 ? train_bpe(count_words(counting), {.vocab = o.vocab}) : byte_vocabulary();
      write_tokenizer(bpe, out / "tokenizer");
      o.tokenizer = (out / "tokenizer").string();
    }
  }
  TextModel text = load_text(o.tokenizer);
  tokenizer_of(text);
  Progress progress("encoding");
  o.build.progress = [&](int64_t bytes) { progress(bytes, 0); };
  const DataManifest m = build_data(std::move(text), out, o.build);
  if (m[DataSplit::validation].all.documents == 0 && o.build.validation > 0) {
    say_note(
        "no document was held out for validation; --piece-bytes cuts long texts into several "
        "documents");
  }
  if (o.json) return print_line(summary(o.out, m).dump());
  print(o.out, m);
}

/// The beginning of evenly spaced documents, as text.
Json samples_of(const DataFolder& data, const Tokenizer& tokenizer, int64_t count) {
  Json samples = Json::array();
  const TokenStream& stream = data.stream(DataSplit::train);
  constexpr int64_t kTokens = 60;
  count = std::min(count, stream.documents());
  for (int64_t i = 0; i < count; ++i) {
    const auto place = stream.document((2 * i + 1) * stream.documents() / (2 * count));
    std::vector<int32_t> ids(static_cast<size_t>(std::min(kTokens, place.end - place.begin)));
    stream.read(place.begin, ids);
    samples.push_back(
        {{"domain", place.domain < 0
                        ? Json()
                        : Json(data.manifest().domains[static_cast<size_t>(place.domain)])},
         {"tokens", place.end - place.begin},
         {"bytes", place.bytes},
         {"text", tokenizer.decode(ids)}});
  }
  return samples;
}

void run_show(const DataOptions& o) {
  const auto data = DataFolder::open(o.folder);
  if (o.check) {
    for (const DataSplit s : {DataSplit::train, DataSplit::validation})
      data->stream(s).check_hashes();
  }
  const TextModel text = load_text(data->tokenizer().string());
  tokenizer_of(text);
  const Json samples = samples_of(*data, *text.tokenizer, o.samples);
  if (o.json) {
    Json json = summary(o.folder, data->manifest());
    json["samples"] = samples;
    return print_json(json);
  }
  print(o.folder, data->manifest());
  for (const Json& s : samples) {
    std::printf("\n--- %s%s tokens, %s bytes\n",
                s["domain"].is_null() ? "" : (s["domain"].get<std::string>() + ", ").c_str(),
                grouped(s["tokens"].get<int64_t>()).c_str(),
                grouped(s["bytes"].get<int64_t>()).c_str());
    std::printf("%s ...\n", s["text"].get<std::string>().c_str());
  }
}

}  // namespace

void add_corpus_options(CLI::App& command, BuildOptions& o) {
  add_value(command, "corpus", o.corpora, "CORPUS",
            "texts, lines of JSON (.jsonl) or folders of them, also as .gz or .zst; "
            "NAME=PATH labels the documents of PATH with NAME")
      ->required();
  add_value(command, "--text-field", o.documents.text_field, "KEY", "of lines of JSON")
      ->capture_default_str();
  add_value(command, "--domain-field", o.documents.domain_field, "KEY", "label of lines of JSON")
      ->capture_default_str();
  add_value(command, "--separator", o.documents.separator, "LINE",
            "a line that stands between the documents of a text");
  add_value(command, "--piece-bytes", o.documents.piece_bytes, "N",
            "cut longer texts into documents of about so many bytes")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 30));
  add_value(command, "--validation", o.validation, "SHARE",
            "share of documents, chosen by their hash, that are never trained on")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.99));
  add_value(command, "--seed", o.seed, "N", "of that choice")->capture_default_str();
  add_threads_option(command, o.threads);
}

void add_data(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data",
                                      "corpora for training: build encodes documents into a folder "
                                      "of token shards, show says what is in one");
  data->require_subcommand(1);
  auto [build, made] = add_command(
      *data, "build", run_build,
      "documents to token shards: exact duplicates dropped, train and validation split by each "
      "document's hash, a manifest with the tokenizer's fingerprint");
  add_corpus_options(build, made.build);
  add_value(build, "-o,--out", made.out, "DATA", "folder that is made")->required();
  add_value(build, "--tokenizer", made.tokenizer, "MODEL",
            "MODEL whose tokenizer is taken (default: bytes are tokens)");
  add_value(build, "--vocab", made.vocab, "N",
            "train a byte-level BPE of so many tokens on the training documents")
      ->check(CLI::Range(int64_t{257}, int64_t{1} << 22));
  add_value(build, "--end", made.build.end, "TOKEN",
            "token after each document (default: the tokenizer's end of text)");
  build.add_flag("--json", made.json, "print JSON (fields: docs/json.md)");
  auto [show, o] = add_command(*data, "show", run_show,
                               "documents, tokens, bytes per token and samples of a data folder");
  add_value(show, "data", o.folder, "DATA", "folder of ashlar data build")->required();
  add_value(show, "--samples", o.samples, "N", "documents whose beginnings are shown")
      ->capture_default_str()
      ->check(CLI::Range(0, 10000));
  show.add_flag("--check", o.check, "read all shards and compare their hashes");
  show.add_flag("--json", o.json, "print JSON (fields: docs/json.md)");
}

}  // namespace ashlar::app
