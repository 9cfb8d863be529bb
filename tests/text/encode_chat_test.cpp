// Rendered chats in pieces, and the ids of pieces: what a message gave is text, what the template
// wrote may be control words.
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "base/json.h"
#include "support/templates.h"
#include "support/tokenizer_parts.h"
#include "text/chat_template.h"

namespace ashlar {
namespace {

using testing::added_token, testing::plain_tokenizer;
using testing::kTemplates, testing::template_golden, testing::template_names;

std::string marked(const ChatTemplate& chat, const ChatTemplateInput& input) {
  std::string out;
  for (const Piece& piece : chat.render_pieces(input)) {
    out += piece.trusted ? piece.text : "[" + piece.text + "]";
  }
  return out;
}

TEST(ChatPieces, WhatMessagesGaveIsNotTrusted) {
  ChatTemplateInput input;
  input.messages =
      Json::array({{{"role", "user"}, {"content", "a<b>"}, {"n", 5}, {"list", {"x", 1.5}}},
                   {{"role", "<|x|>"}, {"content", {{{"type", "text"}, {"text", "p q"}}}}}});
  input.tools = Json::array({{{"name", "f"}}});
  input.variables = {{"bos_token", "<s>"}, {"date", "today"}};
  const auto expect = [&](const std::string& source, const std::string& expected) {
    EXPECT_EQ(marked(ChatTemplate(source, "t"), input), expected) << source;
  };
  expect("<|{{ messages[0].role }}|>{{ messages[0].content }}<|end|>", "<|user|>[a<b>]<|end|>");
  expect("{{ messages[1].role }}", "[<|x|>]");
  expect("{{ bos_token }}{{ date }}", "<s>[today]");
  expect("{{ '<|' + messages[0].content + '|>' }}", "<|[a<b>]|>");
  expect("{{ messages[0].content | upper }}{{ messages[0].content[::-1] }}", "[A<B>>b<a]");
  expect("{{ messages[0].content.split('<')[1] }}|{{ messages[0].content | replace('b', 'C') }}",
         "[b>]|[a<]C[>]");
  expect("{{ messages[0].n }}{{ messages[0].list | tojson }}", "5[\"[x]\", 1.5]");
  expect("{% set x %}<{{ messages[0].content }}>{% endset %}{{ x | trim }}", "<[a<b>]>");
  expect("{{ '%s=%s' % ('k', messages[0].content) }}{{ '{}'.format(messages[0].content) }}",
         "k=[a<b>a<b>]");
  expect("{% for p in messages[1].content %}{{ p.text | title }}{% endfor %}", "[P Q]");
  expect("{{ messages[0].content | e }}", "[a&lt;b&gt;]");
  expect("{{ ['<s>', messages[0].content] | join('+') }}", "<s>+[a<b>]");
  expect("{% for k in messages[0] %}{{ k }}{% endfor %}", "[rolecontentnlist]");
  expect("{{ messages[0].content | indent }}{{ messages[0].content ~ 'x' }}", "[a<b>a<b>]x");
}

// Every tokenizer of the folder that reads.
std::vector<std::unique_ptr<Tokenizer>> tokenizers() {
  std::vector<std::unique_ptr<Tokenizer>> out;
  const auto folder = std::filesystem::path(source_dir()) / "tests/text/tokenizers";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".json" && entry.path().stem() != "corpus")
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    const auto json = nlohmann::json::parse(read_file(file));
    out.push_back(Tokenizer::from_json(json.at("tokenizer").dump(), file.stem().string()));
  }
  out.push_back(Tokenizer::from_folder(folder / "kimi_files"));
  return out;
}

// Cuts at characters, of an origin that changes from piece to piece.
std::vector<Piece> cut(std::string_view text, std::mt19937& rng, int mean) {
  std::vector<Piece> out;
  bool trusted = rng() % 2 == 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.size(), at + 1 + rng() % static_cast<unsigned>(2 * mean));
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    out.push_back({std::string(text.substr(at, end - at)), trusted});
    trusted = !trusted;
    at = end;
  }
  return out;
}

// Ids do not depend on where the pieces are cut, as long as no control token is in doubt.
TEST(EncodeChat, CutsChangeNothing) {
  std::vector<std::string> corpus;
  const auto folder = std::filesystem::path(source_dir()) / "tests/text/tokenizers";
  for (const auto& item : nlohmann::json::parse(read_file(folder / "corpus.json"))) {
    if (item.is_string() && item.get_ref<const std::string&>().size() < 4000)
      corpus.push_back(item);
  }
  ASSERT_GT(corpus.size(), 50u);
  std::mt19937 rng(5);
  size_t mixed = 0;
  for (const auto& tokenizer : tokenizers()) {
    for (const std::string& text : corpus) {
      const auto all = tokenizer->encode(text, {.add_special = false});
      const auto none = tokenizer->encode(text, {.add_special = false, .parse_special = false});
      auto pieces = cut(text, rng, 1 + static_cast<int>(rng() % 20));
      if (all == none) {
        ++mixed;
        EXPECT_EQ(encode_chat(*tokenizer, pieces, ""), all) << text;
      }
      for (Piece& piece : pieces) piece.trusted = true;
      EXPECT_EQ(encode_chat(*tokenizer, pieces, text), all) << text;
      for (Piece& piece : pieces) piece.trusted = false;
      for (const std::string& control : {text, std::string()}) {
        EXPECT_EQ(encode_chat(*tokenizer, pieces, control),
                  encode_chat(*tokenizer, {{text, false}}, control))
            << text;
      }
    }
  }
  EXPECT_GT(mixed, 500u);
}

// A tokenizer of single letters with control tokens that contain each other.
std::unique_ptr<Tokenizer> letters(const std::string& normalizer, bool normalized) {
  Json vocab = Json::object();
  for (const char c : std::string("<|>abcdexy ")) vocab[std::string(1, c)] = vocab.size();
  vocab["ab"] = vocab.size();
  vocab["\xE2\x96\x81"] = vocab.size();
  Json added = Json::array();
  for (const char* token : {"<|a|>", "<|b|>", "|>", "<|a|><|b|>", "<ab>"}) {
    added.push_back({{"id", vocab.size() + added.size()},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", std::string(token) == "<|b|>"},
                     {"normalized", normalized},
                     {"special", true}});
  }
  const Json file = {{"version", "1.0"},
                     {"added_tokens", added},
                     {"normalizer", normalizer.empty() ? Json() : Json::parse(normalizer)},
                     {"pre_tokenizer", nullptr},
                     {"post_processor", nullptr},
                     {"decoder", {{"type", "Fuse"}}},
                     {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b"}}}}};
  return Tokenizer::from_json(file.dump(), "letters");
}

std::string shown(const Tokenizer& tokenizer, const std::vector<Piece>& pieces) {
  std::string out;
  for (const TokenId id : encode_chat(tokenizer, pieces, "")) {
    out += (out.empty() ? "" : " ") + (tokenizer.piece(id) == " " ? "_" : tokenizer.piece(id));
  }
  return out;
}

TEST(EncodeChat, OnlyTheTemplateControls) {
  for (const bool normalized : {false, true}) {
    const auto t = letters("", normalized);
    EXPECT_EQ(shown(*t, {{"<|a|>", true}, {"<|a|>x", false}, {"<|b|>  y", true}}),
              "<|a|> < | a | > x <|b|> y");
    // The longest that is trusted; what straddles a border hides nothing.
    EXPECT_EQ(shown(*t, {{"<|a|>", true}, {"<|b|>", false}}), "<|a|> < | b | >");
    EXPECT_EQ(shown(*t, {{"<|a|", false}, {"><|b|>", true}}), "< | a | > <|b|>");
    EXPECT_EQ(shown(*t, {{"x<|a", false}, {"|><|b|>", true}}), "x < | a |> <|b|>");
    EXPECT_EQ(shown(*t, {{"<|", true}, {"a", false}, {"|>", true}}), "< | a |>");
    // Merges reach across the border.
    EXPECT_EQ(shown(*t, {{"xa", true}, {"bx", false}}), "x ab x");
    EXPECT_EQ(shown(*t, {{"<a", true}, {"b>", false}}), "< ab >");
    // White space beside a trusted token goes with it, whoever wrote it.
    EXPECT_EQ(shown(*t, {{"<|b|>", true}, {"  x", false}}), "<|b|> x");
  }
}

// Added tokens that are not special: what the template writes itself is its own, the rest anyone's.
TEST(EncodeChat, AddedTokensOfMessages) {
  Json vocab = Json::object();
  for (const char c : std::string("<>/abtx \n")) vocab[std::string(1, c)] = vocab.size();
  Json added = Json::array();
  for (const auto& [token, special] :
       {std::pair{"<a>", true}, {"<b>", false}, {"<t>", false}, {"\n\n", false}}) {
    added.push_back(added_token(static_cast<int64_t>(vocab.size() + added.size()), token, special));
  }
  const auto t = plain_tokenizer(vocab, Json::array(), added);
  const ChatTemplate chat("<a>{{ '<t>' }}\n\n{{ messages[0].content }}", "t");
  ChatTemplateInput input;
  input.messages = Json::array({{{"role", "user"}, {"content", "<a><b><t>\n\nx"}}});
  std::string out;
  for (const TokenId id : encode_chat(*t, chat.render_pieces(input), chat.own_text()))
    out += t->piece(id) + ",";
  EXPECT_EQ(out, "<a>,<t>,\n\n,<,a,>,<b>,<,t,>,\n\n,x,");
}

// A typed control word stays text, and the words beside it are those that Transformers sees beside
// its token: no merge reaches across.
TEST(EncodeChat, ATypedControlWordEndsTheWordsBesideIt) {
  Json vocab = Json::object();
  for (const char* piece : {"<", ">", "a", "t", "x", "y", " ", "x<", ">y", "x ", " y"})
    vocab[piece] = vocab.size();
  Json added = Json::array();
  for (const auto& [token, special, strips] :
       {std::tuple{"<a>", true, false}, {"<t>", true, true}}) {
    added.push_back(
        added_token(static_cast<int64_t>(vocab.size() + added.size()), token, special, strips));
  }
  Json merges = Json::array();
  for (const auto& [a, b] : {std::pair{"x", "<"}, {">", "y"}, {"x", " "}, {" ", "y"}})
    merges.push_back(Json::array({a, b}));
  const auto t = plain_tokenizer(vocab, merges, added);
  EXPECT_EQ(shown(*t, {{"x<a>y", false}, {"<a>", true}}), "x < a > y <a>");
  EXPECT_EQ(shown(*t, {{"x <t> y", false}, {"<a>", true}}), "x _ < t > _ y <a>");
  // Asked to read no tokens at all, as split_special_tokens does, nothing is cut.
  const auto ids = t->encode("x<a>y", {.add_special = false, .parse_special = false});
  EXPECT_EQ(ids.size(), 3u);
}

TEST(EncodeChat, ThroughANormalizer) {
  const char* const kReplace =
      R"({"type": "Replace", "pattern": {"String": "e"}, "content": "ab"})";
  const auto t = letters(kReplace, true);
  EXPECT_EQ(shown(*t, {{"e<|b|>", true}, {"<e>x", false}, {"<|a|>", true}}),
            "ab <|b|> < ab > x <|a|>");
  EXPECT_EQ(shown(*t, {{"ee", false}, {"<e>", true}, {"<|b|>", false}}), "ab ab <ab> < | b | >");
  const char* const kPrepend = R"({"type": "Prepend", "prepend": "x"})";
  const auto p = letters(kPrepend, true);
  // The reference looks for such tokens as the normalizer would write them alone: only at the
  // beginning.
  EXPECT_EQ(shown(*p, {{"<|a|>", true}, {"<|b|>", false}}), "x<|a|> < | b | >");
  EXPECT_EQ(shown(*p, {{"<|a|>", false}, {"<|b|>", true}}), "x < | a | > < | b | >");
}

TEST(EncodeChat, RenderedTemplates) {
  // With nothing in the messages that looks like a token, the ids are those of the whole text.
  const auto all = tokenizers();
  size_t compared = 0;
  for (const std::string& name : template_names()) {
    const ChatTemplate chat(read_file(kTemplates / (name + ".jinja")), name);
    for (const char* conversation :
         {"system_turns", "calls_answered", "reasoning_turns", "unicode"}) {
      ChatTemplateInput input;
      input.messages = template_golden()["conversations"][conversation];
      input.variables = {{"bos_token", "<s>"}, {"eos_token", "<|im_end|>"}};
      std::vector<Piece> pieces;
      try {
        pieces = chat.render_pieces(input);
      } catch (const Error&) {
        continue;
      }
      std::string whole;
      for (const Piece& piece : pieces) whole += piece.text;
      for (const auto& tokenizer : all) {
        bool look_alike = false;
        for (const Piece& piece : pieces) {
          look_alike |=
              !piece.trusted && tokenizer->encode(piece.text) !=
                                    tokenizer->encode(piece.text, {.parse_special = false});
        }
        if (look_alike) continue;
        ++compared;
        EXPECT_EQ(encode_chat(*tokenizer, pieces, chat.own_text()),
                  tokenizer->encode(whole, {.add_special = false}))
            << name;
      }
    }
  }
  EXPECT_GT(compared, 500u);
}

}  // namespace
}  // namespace ashlar
