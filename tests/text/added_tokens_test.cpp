// Tokens that stand beside a tokenizer only, held against Transformers' AutoTokenizer
// (tools/golden_added_tokens.py).
#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "support/paths.h"
#include "text/tokenizer.h"

namespace ashlar {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "ashlar-tokens-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Json tokenizer(const std::string& name) {
  return read_json(fs::path(source_dir()) / "tests/text/tokenizers" / (name + ".json"))
      .at("tokenizer");
}

void write_base(const Folder& folder, const std::string& base, bool slow) {
  const Json json = tokenizer(base);
  if (!slow) return folder.write("tokenizer.json", json.dump());
  folder.write("vocab.json", json["model"]["vocab"].dump());
  std::string merges = "#version: 0.2\n";
  for (const Json& m : json["model"]["merges"])
    merges += (m.is_string() ? m.get<std::string>()
                             : m[0].get<std::string>() + " " + m[1].get<std::string>()) +
              "\n";
  folder.write("merges.txt", merges);
}

TEST(AddedTokens, AsAutoTokenizer) {
  const Json golden = read_json(fs::path(source_dir()) / "tests/text/added_tokens.json");
  ASSERT_GT(golden["cases"].size(), 40u);
  for (const Json& c : golden["cases"]) {
    SCOPED_TRACE(c["base"].get<std::string>() + ": " + c["name"].get<std::string>());
    const Folder folder;
    write_base(folder, c["base"], c["slow"]);
    for (const auto& [name, content] : c["files"].items()) folder.write(name, content.dump());
    const auto t = Tokenizer::from_folder(folder.path());
    for (size_t i = 0; i < golden["texts"].size(); ++i) {
      const auto text = golden["texts"][i].get<std::string>();
      EXPECT_EQ(t->encode(text), c["ids"][i].get<std::vector<TokenId>>()) << text;
    }
    if (!c["eos"].is_null()) {
      EXPECT_EQ(t->eos(), c["eos"].get<TokenId>());
    }
    if (!c["bos"].is_null()) {
      EXPECT_EQ(t->bos(), c["bos"].get<TokenId>());
    }
  }
}

std::string refusal(const std::string& name, const std::string& text) {
  const Folder folder;
  write_base(folder, "gpt2", false);
  folder.write(name, text);
  try {
    Tokenizer::from_folder(folder.path());
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing thrown";
}

TEST(AddedTokens, IdsThatAreNone) {
  for (const char* id : {"-1", "\"316\"", "1.5", "null", "99999999999"}) {
    const std::string message = refusal("added_tokens.json", fmt::format("{{\"<x>\": {}}}", id));
    EXPECT_NE(message.find("added_tokens.json: \"<x>\""), std::string::npos) << message;
    EXPECT_NE(message.find(id), std::string::npos) << message;
  }
  EXPECT_NE(refusal("tokenizer_config.json", R"({"added_tokens_decoder": {"-4": {}}})").find("-4"),
            std::string::npos);
}

TEST(AddedTokens, MergesAndVocabOfAnotherKind) {
  for (const char* key : {"merges", "vocab"}) {
    Json json = tokenizer("gpt2");
    json["model"][key] = "a b";
    try {
      Tokenizer::from_json(json.dump(), "tokenizer.json");
      ADD_FAILURE() << key;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(std::string("model.") + key), std::string::npos)
          << e.what();
    }
  }
}

TEST(TokenizersThatBlowUp, AreStopped) {
  Json json = tokenizer("qwen2");
  Json steps = Json::array();
  for (int i = 0; i < 30; ++i)
    steps.push_back(
        {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aaaaaaaaaa"}});
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
  const auto t = Tokenizer::from_json(json.dump(), "tokenizer.json");
  EXPECT_THROW(t->encode("a"), Error);
  json["normalizer"] = nullptr;
  json["decoder"] = {{"type", "Sequence"}, {"decoders", steps}};
  const auto d = Tokenizer::from_json(json.dump(), "tokenizer.json");
  const auto id = d->id_of("a");
  ASSERT_TRUE(id);
  EXPECT_THROW(d->decode({{*id}}), Error);
}

}  // namespace
}  // namespace ashlar
