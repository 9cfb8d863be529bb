// Tokenizers against Hugging Face's `tokenizers`, tiktoken and mistral-common
// (tools/golden_tokenizers.py).
#include "text/tokenizer.h"
#include "support/paths.h"
#include "support/thorough.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;
// The plain kind of JSON: tokenizers have objects with thousands of keys.
using PlainJson = nlohmann::json;

const fs::path kFolder = fs::path(source_dir()) / "tests/text";

PlainJson read_plain(const fs::path& file) { return PlainJson::parse(read_file(file)); }

// A corpus item: a string, or {"bytes": [...]} for what is not UTF-8.
std::vector<std::string> read_corpus(const fs::path& file) {
  std::vector<std::string> out;
  for (const auto& item : read_plain(file)) {
    if (item.is_string()) {
      out.push_back(item.get<std::string>());
      continue;
    }
    std::string bytes;
    for (const auto& b : item.at("bytes")) bytes.push_back(static_cast<char>(b.get<int>()));
    out.push_back(bytes);
  }
  return out;
}

std::string stream(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool skip_special) {
  StreamDecoder decoder(tokenizer, skip_special);
  std::string out;
  for (const TokenId id : ids) {
    const std::string part = decoder.push(id);
    EXPECT_EQ(utf8::valid_prefix(part), part.size()) << "a character was split";
    out += part;
  }
  return out + decoder.finish();
}

// The synthetic tokenizers: every file of the folder is one test.
class Synthetic : public testing::TestWithParam<std::string> {};

TEST_P(Synthetic, EqualsHuggingFace) {
  const PlainJson file = read_plain(kFolder / "tokenizers" / (GetParam() + ".json"));
  const auto corpus = read_corpus(kFolder / "tokenizers/corpus.json");
  const auto tokenizer = Tokenizer::from_json(file.at("tokenizer").dump(), GetParam());
  ASSERT_EQ(file.at("golden").size(), corpus.size());
  for (size_t i = 0; i < corpus.size(); ++i) {
    SCOPED_TRACE(corpus[i]);
    const auto& golden = file.at("golden")[i];
    const auto ids = golden[0].get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer->encode(corpus[i]), ids);
    EXPECT_EQ(tokenizer->encode(corpus[i], {.add_special = false}),
              golden[1].get<std::vector<TokenId>>());
    EXPECT_EQ(tokenizer->decode(ids), golden[2].get<std::string>());
    EXPECT_EQ(tokenizer->decode(ids, true), golden[3].get<std::string>());
    EXPECT_EQ(stream(*tokenizer, ids, false), golden[2].get<std::string>());
    EXPECT_EQ(stream(*tokenizer, ids, true), golden[3].get<std::string>());
  }
}

std::vector<std::string> synthetic_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder / "tokenizers")) {
    if (entry.is_regular_file() && entry.path().stem() != "corpus")
      names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}
INSTANTIATE_TEST_SUITE_P(Tokenizers, Synthetic, testing::ValuesIn(synthetic_names()),
                         [](const auto& test) { return test.param; });

TEST(KimiFiles, EqualTiktoken) {
  const auto corpus = read_corpus(kFolder / "tokenizers/corpus.json");
  const auto tokenizer = Tokenizer::from_folder(kFolder / "tokenizers/kimi_files");
  const PlainJson golden = read_plain(kFolder / "tokenizers/kimi_files/golden.json");
  ASSERT_EQ(golden.size(), corpus.size());
  for (size_t i = 0; i < corpus.size(); ++i) {
    SCOPED_TRACE(corpus[i]);
    const auto ids = golden[i][0].get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer->encode(corpus[i]), ids);
    EXPECT_EQ(tokenizer->decode(ids), golden[i][1].get<std::string>());
  }
  EXPECT_EQ(tokenizer->bos(), tokenizer->id_of("[BOS]"));
  EXPECT_EQ(tokenizer->piece(*tokenizer->eos()), "[EOS]");
}

// Real files, where tools/get_tokenizers.sh has put them.
fs::path real_folder() {
  const char* cache = std::getenv("ASHLAR_CACHE");
  return (cache != nullptr ? fs::path(cache) : fs::path(source_dir()) / "build") / "tokenizers";
}

class Real : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!fs::exists(real_folder() / GetParam())) {
      GTEST_SKIP() << "no " << GetParam() << " in " << real_folder()
                   << ": run tools/get_tokenizers.sh";
    }
  }
};

TEST_P(Real, EqualsItsReference) {
  const auto tokenizer = Tokenizer::from_folder(real_folder() / GetParam());
  const auto corpus = read_corpus(kFolder / "golden_real/corpus.json");
  const PlainJson golden = read_plain(kFolder / "golden_real" / (GetParam() + ".json"));
  ASSERT_EQ(golden.size(), corpus.size());
  // mistral-common recognises no special tokens in text.
  const EncodeOptions options = {.parse_special = GetParam() != "tekken"};
  for (size_t i = 0; i < corpus.size(); ++i) {
    SCOPED_TRACE(corpus[i]);
    const auto ids = golden[i][0].get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer->encode(corpus[i], options), ids);
    EXPECT_EQ(tokenizer->decode(ids, true), golden[i][1].get<std::string>());
    EXPECT_EQ(stream(*tokenizer, ids, true), golden[i][1].get<std::string>());
  }
}
INSTANTIATE_TEST_SUITE_P(Tokenizers, Real,
                         testing::Values("gemma3", "qwen3", "llama3", "llama3_1", "llama2",
                                         "deepseek_v3", "gptoss", "gpt35turbo", "gpt4o", "claude",
                                         "gpt2", "tekken"),
                         [](const auto& test) { return test.param; });

std::unique_ptr<Tokenizer> synthetic(const std::string& name) {
  return Tokenizer::from_json(
      read_plain(kFolder / "tokenizers" / (name + ".json")).at("tokenizer").dump(), name);
}

TEST(Tokenizer, TextNeverBecomesAControlToken) {
  const auto corpus = read_corpus(kFolder / "tokenizers/corpus.json");
  for (const char* name : {"gpt2", "llama2", "gemma", "qwen_nfc", "llama3_whole_words"}) {
    const auto tokenizer = synthetic(name);
    for (const std::string& text : corpus) {
      for (const TokenId id :
           tokenizer->encode(text, {.add_special = false, .parse_special = false})) {
        EXPECT_FALSE(tokenizer->is_special(id))
            << name << ": " << tokenizer->piece(id) << " in " << text;
      }
    }
    EXPECT_NE(tokenizer->encode("<s><b><bos>", {.add_special = false}),
              tokenizer->encode("<s><b><bos>", {.add_special = false, .parse_special = false}))
        << name;
  }
}

// What is said of long texts: they cost what they cost in pieces. A quadratic way would take
// hours, which the suite does not grant.
TEST(Tokenizer, LongRunsAreNotQuadratic) {
  for (const char* name :
       {"gpt2", "llama3", "o200k", "deepseek3", "deepseek2", "gemma", "llama2"}) {
    const auto tokenizer = synthetic(name);
    for (const char* unit : {"a", " ", "0", "\n", "ab", "中", "=", "\xE2\x96\x81"}) {
      std::string text;
      while (text.size() < (test::thorough() ? 1'000'000 : 200'000)) text += unit;
      EXPECT_FALSE(tokenizer->encode(text + "x").empty()) << name << " on a run of \"" << unit;
    }
  }
}

// The heap for long words and the scan for short ones merge alike: a long word of the former
// against the reference's rule, applied literally.
TEST(Tokenizer, LongWordsMergeLikeShortOnes) {
  const PlainJson file = read_plain(kFolder / "tokenizers/fallback_partial.json").at("tokenizer");
  const auto tokenizer = Tokenizer::from_json(file.dump(), "fallback_partial");
  std::map<std::pair<std::string, std::string>, size_t> ranks;
  for (const auto& m : file.at("model").at("merges"))
    ranks.emplace(std::pair(m[0], m[1]), ranks.size());
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    std::string text;
    for (int i = 0; i < 300; ++i) text += static_cast<char>('a' + random() % 20);
    std::vector<std::string> symbols;
    for (const char c : text) symbols.emplace_back(1, c);
    for (;;) {
      size_t best = SIZE_MAX, at = 0;
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        const auto found = ranks.find({symbols[i], symbols[i + 1]});
        if (found != ranks.end() && found->second < best) best = found->second, at = i;
      }
      if (best == SIZE_MAX) break;
      symbols[at] += symbols[at + 1];
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    std::vector<std::string> pieces;
    for (const TokenId id : tokenizer->encode(text, {.add_special = false}))
      pieces.push_back(tokenizer->piece(id));
    EXPECT_EQ(pieces, symbols);
  }
}

TEST(Tokenizer, ThreadsShareOne) {
  const auto tokenizer = synthetic("qwen_nfc");
  const auto corpus = read_corpus(kFolder / "tokenizers/corpus.json");
  std::vector<std::vector<TokenId>> expected;
  for (const auto& text : corpus) expected.push_back(tokenizer->encode(text));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        for (size_t i = 0; i < corpus.size(); ++i)
          wrong += tokenizer->encode(corpus[i]) != expected[i];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

ErrorKind kind_of(const std::string& json) {
  try {
    Tokenizer::from_json(json, "test");
  } catch (const Error& e) {
    EXPECT_TRUE(std::string(e.what()).starts_with("test")) << e.what();
    return e.kind();
  }
  ADD_FAILURE() << "accepted: " << json.substr(0, 200);
  return ErrorKind::io;
}

TEST(BrokenTokenizer, GivesAnError) {
  const PlainJson whole = read_plain(kFolder / "tokenizers/gpt2.json").at("tokenizer");
  const std::string text = whole.dump();
  for (size_t size = 0; size < text.size(); size += 1 + text.size() / 300) {
    EXPECT_EQ(kind_of(text.substr(0, size)), ErrorKind::format);
  }
  const auto with = [&](const char* pointer, const PlainJson& value) {
    PlainJson changed = whole;
    changed[PlainJson::json_pointer(pointer)] = value;
    return changed.dump();
  };
  EXPECT_EQ(kind_of("[]"), ErrorKind::format);
  EXPECT_EQ(kind_of("{}"), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/model", 3)), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/model/type", "Unigram")), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(with("/model/type", 7)), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/model/vocab/zz", 4e9)), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/model/vocab/zz", -1)), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/model/vocab/zz", 2000000000)), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/model/vocab/zz", "1")), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/model/merges/0", "a")), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/model/merges/0", PlainJson::array({"a", "b", "c"}))), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/model/merges/0", PlainJson::array({"no such", "tokens"}))),
            ErrorKind::format);
  EXPECT_EQ(kind_of(with("/model/dropout", 0.1)), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(with("/model/unk_token", "no such")), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/pre_tokenizer", {{"type", "Magic"}})), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(with("/normalizer", {{"type", "Magic"}})), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(with("/decoder", {{"type", "Magic"}})), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(with("/post_processor", {{"type", "Magic"}})), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(with("/added_tokens/0/content", 5)), ErrorKind::format);
  for (const char* pattern :
       {"(", "[a", "a{3,1}", "*", "\\p{Nonsense}", "(?<x", "\\", "[z-a]", "a{2000}"}) {
    kind_of(with("/pre_tokenizer",
                 {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}}));
  }
  PlainJson nested = {{"type", "Sequence"}, {"normalizers", PlainJson::array()}};
  for (int i = 0; i < 40; ++i) nested = {{"type", "Sequence"}, {"normalizers", {nested}}};
  EXPECT_EQ(kind_of(with("/normalizer", nested)), ErrorKind::format);
  EXPECT_EQ(kind_of(std::string(100000, '[')), ErrorKind::format);
  EXPECT_EQ(kind_of(with("/normalizer", {{"type", "Replace"},
                                         {"pattern", {{"Regex", std::string(100000, '(')}}},
                                         {"content", ""}})),
            ErrorKind::format);
}

TEST(GgufTokenizer, ReadsBothKinds) {
  GgufTokenizerData data;
  data.where = "test.gguf";
  data.model = "no_vocab";
  EXPECT_EQ(Tokenizer::from_gguf(data), nullptr);
  data.model = "wordpiece";
  EXPECT_THROW(Tokenizer::from_gguf(data), Error);
  data.model = "llama";
  EXPECT_THROW(Tokenizer::from_gguf(data), Error);  // no tokens
  // Byte level: the same file as tokenizer.json and as metadata.
  const PlainJson gpt = read_plain(kFolder / "tokenizers/llama3.json");
  data.model = "gpt2";
  data.pre = "dbrx";
  const auto& vocab = gpt.at("tokenizer").at("model").at("vocab");
  data.tokens.resize(vocab.size());
  for (const auto& [token, id] : vocab.items()) data.tokens.at(id.get<size_t>()) = token;
  for (const auto& m : gpt.at("tokenizer").at("model").at("merges")) {
    data.merges.push_back(m[0].get<std::string>() + " " + m[1].get<std::string>());
  }
  data.add_bos = false;
  const auto tokenizer = Tokenizer::from_gguf(data);
  const auto corpus = read_corpus(kFolder / "tokenizers/corpus.json");
  for (size_t i = 0; i < corpus.size(); ++i) {
    EXPECT_EQ(tokenizer->encode(corpus[i]), gpt.at("golden")[i][0].get<std::vector<TokenId>>())
        << corpus[i];
  }
  data.bos = 7;
  data.add_bos = true;
  EXPECT_EQ(Tokenizer::from_gguf(data)->encode("").front(), 7);
  data.bos = 1 << 30;
  EXPECT_THROW(Tokenizer::from_gguf(data), Error);
  data.bos.reset();
  data.pre = "no such";
  EXPECT_THROW(Tokenizer::from_gguf(data), Error);
  data.pre = "dbrx";
  data.merges[5] = "nospace";
  EXPECT_THROW(Tokenizer::from_gguf(data), Error);
}

}  // namespace
}  // namespace ashlar
