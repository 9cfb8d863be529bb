// Tokenizers, chat templates, variables and end tokens, from folders and GGUF files, and written
// out again.
#include <nlohmann/json.hpp>

#include "formats/gguf.h"
#include "model/text_export.h"
#include "support/models.h"
#include "support/paths.h"

namespace ashlar {
namespace {

using namespace testing;

const fs::path kTokenizers = fs::path(source_dir()) / "tests/text/tokenizers";

std::vector<std::string> corpus() {
  std::vector<std::string> texts;
  for (const Json& item : read_json(kTokenizers / "corpus.json")) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

/// A synthetic tokenizer, without added tokens of kinds that GGUF has no words for: those that take
/// white space along, stand alone only, or are found in normalised text.
std::string tokenizer_json(const std::string& name) {
  auto json = nlohmann::json::parse(read_file(kTokenizers / (name + ".json"))).at("tokenizer");
  auto kept = nlohmann::json::array();
  for (const auto& token : json.at("added_tokens")) {
    const auto is = [&](const char* flag) { return token.at(flag).get<bool>(); };
    const bool plain = !is("lstrip") && !is("rstrip") && !is("single_word") && !is("normalized");
    if (plain && token.at("content") != "  ") kept.push_back(token);
  }
  json["added_tokens"] = kept;
  return json.dump();
}

TEST(LoadText, AFolderOfTokenizerFilesWillDo) {
  const TemporaryFolder folder;
  write_file(folder.path() / "tokenizer.json", tokenizer_json("llama3"));
  const auto tokenizer = Tokenizer::from_folder(folder.path());
  const std::string first = tokenizer->piece(0), second = tokenizer->piece(1);
  const Json config = {
      {"bos_token", {{"content", first}, {"special", true}}},
      {"eos_token", second},
      {"unk_token", nullptr},
      {"chat_template", Json::array({{{"name", "default"}, {"template", "plain"}},
                                     {{"name", "tool_use"}, {"template", "tools"}}})}};
  write_file(folder.path() / "tokenizer_config.json", config.dump());
  write_file(folder.path() / "special_tokens_map.json",
             Json({{"bos_token", "other"}, {"pad_token", "<pad>"}}).dump());
  TextModel text = load_text(folder.path().string());
  ASSERT_NE(text.tokenizer, nullptr);
  EXPECT_EQ(text.chat_template, "plain");
  EXPECT_EQ(text.tool_chat_template, "tools");
  EXPECT_EQ(text.chat_variables,
            Json({{"bos_token", first}, {"eos_token", second}, {"pad_token", "<pad>"}}));
  ASSERT_FALSE(text.end_tokens.empty());
  EXPECT_EQ(text.end_tokens[0], *text.tokenizer->eos());

  // The template's own file wins; generation_config.json says what ends a text.
  write_file(folder.path() / "chat_template.jinja", "of the file\n");
  write_file(folder.path() / "generation_config.json", R"({"eos_token_id": [7, 9]})");
  write_file(folder.path() / "config.json", R"({"eos_token_id": 5})");
  text = load_text(folder.path().string());
  EXPECT_EQ(text.chat_template, "of the file\n");
  EXPECT_EQ(text.end_tokens,
            (std::vector<TokenId>{7, 9, static_cast<TokenId>(*text.tokenizer->eos())}));
  fs::remove(folder.path() / "generation_config.json");
  text = load_text(folder.path().string());
  EXPECT_EQ(text.end_tokens[0], 5);
}

TEST(LoadText, SeveralTemplates) {
  const TemporaryFolder folder;
  const auto load = [&](const Json& list) {
    write_file(folder.path() / "tokenizer_config.json", Json({{"chat_template", list}}).dump());
    return load_text(folder.path().string());
  };
  const Json tools = {{"name", "tool_use"}, {"template", "t"}};
  const Json rag = {{"name", "rag"}, {"template", "r"}};
  TextModel text = load(Json::array({rag, tools}));
  EXPECT_EQ(text.chat_template, "");
  EXPECT_EQ(text.tool_chat_template, "t");
  EXPECT_EQ(text.chat_template_names, (std::vector<std::string>{"rag", "tool_use"}));
  // Files beside it win.
  fs::create_directory(folder.path() / "additional_chat_templates");
  write_file(folder.path() / "additional_chat_templates" / "tool_use.jinja", "file");
  text = load("plain");
  EXPECT_EQ(text.chat_template, "plain");
  EXPECT_EQ(text.tool_chat_template, "file");
  EXPECT_EQ(text.source, folder.path().string());
}

TEST(LoadText, NamedTokensOfTheModelsOwn) {
  const TemporaryFolder folder;
  write_file(folder.path() / "tokenizer_config.json",
             R"({"bos_token": "<s>", "image_token": {"content": "<image>"}, "add_bos_token": true,
                 "extra_special_tokens": {"boi_token": "<boi>", "bos_token": "no"}})");
  EXPECT_EQ(load_text(folder.path().string()).chat_variables,
            Json({{"bos_token", "<s>"}, {"image_token", "<image>"}, {"boi_token", "<boi>"}}));
}

TEST(LoadText, ABrokenTokenizerIsToldNotThrown) {
  const TemporaryFolder folder;
  write_file(folder.path() / "tokenizer.json", "{\"model\": 3}");
  const TextModel text = load_text(folder.path().string());
  EXPECT_EQ(text.tokenizer, nullptr);
  expect_contains(text.tokenizer_error, "tokenizer.json");
  write_file(folder.path() / "tokenizer_config.json", R"({"chat_template": 3})");
  EXPECT_EQ(error_of([&] { load_text(folder.path().string()); }).kind(), ErrorKind::format);
  expect_contains(error_of([&] { load_text("gpt2"); }).what(), "no tokenizer");
}

/// A model of two tiny layers whose vocabulary is the tokenizer's.
void write_model(const std::string& tokenizer, const fs::path& folder) {
  fs::create_directories(folder);
  write_file(folder / "tokenizer.json", tokenizer_json(tokenizer));
  const auto t = Tokenizer::from_folder(folder);
  Json config = read_json(golden("qwen3_tied") / "config.json");
  config["vocab_size"] = t->size() + 3;
  config.erase("bos_token_id");  // of another tokenizer
  config.erase("eos_token_id");
  write_file(folder / "config.json", config.dump());
  write_file(folder / "chat_template.jinja", "{{ bos_token }}{{ messages[0].content }}");
  fs::create_directory(folder / "additional_chat_templates");
  write_file(folder / "additional_chat_templates" / "tool_use.jinja", "{{ tools | length }}");
}

// The publisher's sampling is read, goes into GGUF and comes back.
TEST(Text, RecommendedSamplingSurvivesConversion) {
  const TemporaryFolder folder;
  write_model("gpt2", folder.path() / "model");
  write_file(folder.path() / "model/generation_config.json",
             R"({"do_sample": true, "temperature": 0.5, "top_k": 20, "top_p": 2})");
  const Model model = load_model((folder.path() / "model").string(), {.random = 1});
  const std::map<std::string, double> expected{
      {"do_sample", 1}, {"temperature", 0.5}, {"top_k", 20}};  // no probability is 2
  EXPECT_EQ(model.sampling, expected);
  convert_model(model, folder.path() / "model.gguf");
  const Model written = load_model((folder.path() / "model.gguf").string());
  EXPECT_EQ(written.sampling, expected);
  convert_model(written, folder.path() / "back");
  EXPECT_EQ(load_model((folder.path() / "back").string()).sampling, expected);
}

class TokenizerExport : public ::testing::TestWithParam<std::string> {};

TEST_P(TokenizerExport, ReadsTextAlikeInGgufAndBack) {
  const TemporaryFolder folder;
  write_model(GetParam(), folder.path() / "model");
  const Model model = load_model((folder.path() / "model").string(), {.random = 1});
  ASSERT_NE(model.tokenizer, nullptr) << model.tokenizer_error;
  std::string notice;
  const fs::path gguf = folder.path() / "model.gguf";
  convert_model(model, gguf, {.notice = [&](const std::string& n) { notice = n; }});
  EXPECT_EQ(notice, "");
  const Model written = load_model(gguf.string());
  ASSERT_NE(written.tokenizer, nullptr) << written.tokenizer_error;
  EXPECT_EQ(written.chat_template, model.chat_template);
  EXPECT_EQ(written.tool_chat_template, "{{ tools | length }}");
  if (model.tokenizer->bos()) {
    EXPECT_EQ(written.tokenizer->bos(), model.tokenizer->bos());
  }
  convert_model(written, folder.path() / "back");
  const Model back = load_model((folder.path() / "back").string());
  ASSERT_NE(back.tokenizer, nullptr) << back.tokenizer_error;
  EXPECT_EQ(back.chat_template, model.chat_template);
  EXPECT_EQ(back.tool_chat_template, "{{ tools | length }}");
  const bool sentencepiece = GetParam() == "gemma" || GetParam() == "llama2";
  for (const std::string& text : corpus()) {
    SCOPED_TRACE(text);
    // GGUF spells tokens of spaces as spaces; Hugging Face's files find them behind their marks, so
    // that a mark in the text is one of them.
    if (sentencepiece && text.find("\u2581") != std::string::npos) continue;
    const std::vector<TokenId> ids = model.tokenizer->encode(text);
    EXPECT_EQ(written.tokenizer->encode(text), ids);
    EXPECT_EQ(back.tokenizer->encode(text), ids);
    EXPECT_EQ(written.tokenizer->decode(ids), model.tokenizer->decode(ids));
    EXPECT_EQ(back.tokenizer->decode(ids), model.tokenizer->decode(ids));
  }
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, TokenizerExport,
                         ::testing::Values("llama3", "gpt2", "qwen2", "o200k", "deepseek3", "gemma",
                                           "llama2"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ashlar
