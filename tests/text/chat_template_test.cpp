// Chat templates against Transformers' rendering (tools/golden_templates.py), and what keeps them
// within bounds.
#include "text/chat_template.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <random>
#include <thread>

#include "base/error.h"
#include "base/json.h"
#include "jinja/exact_json.h"
#include "support/cpu_time.h"
#include "support/paths.h"
#include "support/sanitized.h"

namespace ashlar {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(source_dir()) / "tests/text/templates";

const Json& golden() {
  static const Json file = read_json(kFolder / "golden.json");
  return file;
}

std::string fnv(std::string_view text) {
  uint64_t out = 0xcbf29ce484222325;
  for (const char c : text) out = (out ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", out);
}

// What the golden file says of one rendering: the text, its hash, or that it fails.
void expect_rendering(const ChatTemplate* chat, const std::string& refused,
                      const ChatTemplateInput& input, const Json& expected,
                      const std::string& what) {
  std::string text, error = refused;
  if (chat) {
    try {
      text = chat->render(input);
      std::string joined;
      for (const Piece& piece : chat->render_pieces(input)) {
        EXPECT_FALSE(piece.text.empty()) << what;
        joined += piece.text;
      }
      EXPECT_EQ(joined, text) << what;
    } catch (const Error& e) {
      error = e.what();
    }
  }
  if (expected.is_string()) {
    EXPECT_EQ(error, "") << what;
    EXPECT_EQ(text, expected.get<std::string>()) << what;
  } else if (expected.contains("fnv")) {
    EXPECT_EQ(error, "") << what;
    EXPECT_EQ(fnv(text), expected["fnv"].get<std::string>()) << what << "\n" << text;
  } else {
    EXPECT_NE(error, "") << what << "\nexpected: " << expected.dump() << "\nfound: " << text;
    EXPECT_NE(error.find(": line "), std::string::npos) << what << "\n" << error;
    if (expected.contains("raised")) {
      EXPECT_NE(error.find(expected["raised"].get<std::string>()), std::string::npos)
          << what << "\n"
          << error;
    }
  }
}

class RealTemplates : public ::testing::TestWithParam<std::string> {};

TEST_P(RealTemplates, EqualsTransformers) {
  const std::string name = GetParam();
  const ChatTemplate chat(read_file(kFolder / (name + ".jinja")), name);
  const Json& file = golden();
  for (const Json& item : file["real"][name]) {
    ChatTemplateInput input;
    input.messages = file["conversations"][item[0].get<std::string>()];
    input.tools = file["tools"][item[1].get<std::string>()];
    input.variables = file["variables"][item[2].get<std::string>()];
    if (input.variables.contains("documents")) {
      input.documents = input.variables["documents"];
      input.variables.erase("documents");
    }
    const Json& tokens = file["tokens"][name];
    if (!tokens[0].is_null()) input.variables["bos_token"] = tokens[0];
    input.variables["eos_token"] = tokens[1];
    input.add_generation_prompt = item[3].get<bool>();
    input.now = file["now"].get<int64_t>();
    expect_rendering(&chat, "", input, item[4],
                     fmt::format("{} {} {} {} {}", name, item[0].dump(), item[1].dump(),
                                 item[2].dump(), item[3].dump()));
  }
}

std::vector<std::string> real_names() {
  std::vector<std::string> out;
  for (const auto& [name, cases] : golden()["real"].items()) out.push_back(name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(ChatTemplates, RealTemplates, ::testing::ValuesIn(real_names()),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST(ChatTemplates, SmallOnesEqualTransformers) {
  const Json& file = golden();
  ChatTemplateInput input;
  input.messages = file["small_messages"];
  input.tools = file["small_tools"];
  input.variables = file["small_variables"];
  input.now = file["now"].get<int64_t>();
  EXPECT_GE(file["small"].size(), 400u);
  for (const Json& item : file["small"]) {
    const std::string source = item[0].get<std::string>();
    std::optional<ChatTemplate> chat;
    std::string refused;
    try {
      chat.emplace(source, "template");
    } catch (const Error& e) {
      refused = e.what();
      EXPECT_EQ(e.kind(), ErrorKind::format) << source;
    }
    expect_rendering(chat ? &*chat : nullptr, refused, input, item[1], source);
  }
}

std::string error_of(const std::string& source, ErrorKind kind, const Json& variables = {}) {
  ChatTemplateInput input;
  input.messages = Json::array({{{"role", "user"}, {"content", "x"}}});
  input.variables = variables;
  try {
    const std::string text = ChatTemplate(source, "t.jinja").render(input);
    ADD_FAILURE() << source << " renders " << text.substr(0, 100);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    return e.what();
  }
  return "";
}

// What this engine leaves out of Jinja is named, with its line.
TEST(ChatTemplates, WhatIsLeftOutIsRefusedByName) {
  const Json& file = golden();
  EXPECT_GE(file["refused"].size(), 60u);
  Json variables = file["small_variables"];
  variables["huge"] = parse_exact_json("1208925819614629174706176", "huge");
  for (const Json& item : file["refused"]) {
    const std::string message =
        error_of("\n" + item[0].get<std::string>(), ErrorKind::unsupported, variables);
    EXPECT_TRUE(message.starts_with("t.jinja: line 2: ")) << message;
    EXPECT_NE(message.find(item[1].get<std::string>()), std::string::npos) << item.dump() << "\n"
                                                                           << message;
  }
  // Only where it is reached, as in Jinja2.
  ChatTemplateInput input;
  input.messages = Json::array({{{"role", "user"}, {"content", "x"}}});
  EXPECT_EQ(ChatTemplate("a{% if false %}{{ 'b' | urlize }}{% endif %}", "t").render(input), "a");
}

TEST(ChatTemplates, ErrorsSayWhere) {
  EXPECT_EQ(error_of("a\nb {{ raise_exception('no system') }}", ErrorKind::invalid),
            "t.jinja: line 2: the template refuses: no system");
  EXPECT_EQ(error_of("\n\n{{ missing.x }}", ErrorKind::invalid),
            "t.jinja: line 3: 'missing' is undefined");
  EXPECT_EQ(error_of("{% if x %}\n", ErrorKind::format).substr(0, 15), "t.jinja: line 1");
  EXPECT_EQ(error_of("{{ 1\n+ }}", ErrorKind::format).substr(0, 15), "t.jinja: line 2");
  EXPECT_EQ(error_of("{{ [].append(1) }}", ErrorKind::invalid),
            "t.jinja: line 1: access to attribute 'append' of 'list' object is unsafe.");
}

TEST(ChatTemplates, InputOfTheWrongKind) {
  const ChatTemplate chat("{{ messages }}", "t");
  for (const Json& messages : {Json(), Json("x"), Json::object(), Json::array(), Json::array({1}),
                               Json::array({Json()})}) {
    ChatTemplateInput input;
    input.messages = messages;
    EXPECT_THROW(chat.render(input), Error);
  }
  for (const Json& list : {Json("x"), Json::object(), Json::array({1}), Json::array({"f"})}) {
    ChatTemplateInput input;
    input.messages = Json::array({{{"role", "user"}, {"content", "x"}}});
    input.tools = list;
    EXPECT_THROW(chat.render(input), Error);
    std::swap(input.tools, input.documents);
    EXPECT_THROW(chat.render(input), Error);
  }
}

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

// Templates that would run away, each of which one bound or another ends at once.
const std::vector<const char*> kEndless = {
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ 'x' * 10000000000 }}",
    "{{ ['x'] * 10000000000 }}",
    "{{ '%2000000000d' % 1 }}",
    "{{ '%.2147483000f' % 1.0 }}",
    "{{ '{:2000000000}'.format('') }}",
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor "
    "%}",
    "{% set ns = namespace(s=[]) %}{% for i in range(9999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ "
    "ns.s }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(9999) %}{% set ns.s = ns.s | map('string') "
    "%}{% endfor %}{{ ns.s | list }}",
    "{{ [1] | batch(1000000000000, 0) | list }}",
    "{{ 'x' | center(10000000000) }}",
    "{{ 'x'.center(10000000000) }}{{ 'x'.zfill(10000000000) }}",
    "{{ 'x'.ljust(10000000000, 'y') }}",
    "{{ messages[0].content.rjust(10000000000, messages[0].content) }}",
    "{{ messages[0].content * 10000000000 }}",
    "{{ 'x' | indent(10000000000) }}",
    "{{ (['x' * 1000000] * 1000000) | join }}",
    "{{ ('x' * 1000000).join(range(100000) | map('string')) }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor "
    "%}",
    "{{ ('a' * 1000000) | replace('', 'b' * 1000000) }}",
    "{{ [1, [2]] | tojson(indent=100000000000) }}",
    "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
};

// The same, ended by what a template may do in all: seconds of work, minutes with a sanitizer.
const std::vector<const char*> kBusy = {
    "{% for a in range(100000) %}{% for b in range(100000) %}{{ a * b }}{% endfor %}{% endfor %}",
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% endfor "
    "%}{{ ns.s }}",
    "{% set ns = namespace(s='é' * 1000000) %}{% for i in range(100000) %}{% set x = "
    "ns.s[-500000:] %}{% endfor %}",
    "{% set ns = namespace(s='é' * 1000000) %}{% for i in range(100000) %}{% set x = ns.s[-1] %}{% "
    "endfor %}",
    "{% set s = [1] * 1000000 %}{% for i in range(100000) %}{% set x = s[::-1] %}{% endfor %}",
};

// Everything that could run away ends with a clear error, soon.
TEST(ChatTemplates, Bounded) {
  const std::string deep = std::string(5000, '(') + "1" + std::string(5000, ')');
  const std::string nested = [] {
    std::string out;
    for (int i = 0; i < 3000; ++i) out += "{% if 1 %}";
    return out;
  }();
  const long peak_before = peak_kib();
  std::vector<const char*> sources = kEndless;
  if (!ASHLAR_SANITIZED) sources.insert(sources.end(), kBusy.begin(), kBusy.end());
  for (const char* source : sources) {
    const std::string message = error_of(source, ErrorKind::resource);
    EXPECT_NE(message.find("t.jinja: line 1: "), std::string::npos) << message;
  }
  error_of("{{ " + deep + " }}", ErrorKind::resource);
  error_of("{{ " + std::string(5000, '-') + "1 }}", ErrorKind::resource);
  error_of("{{ " + std::string(5000, '[') + std::string(5000, ']') + " }}", ErrorKind::resource);
  error_of(nested, ErrorKind::format);
  if (!ASHLAR_SANITIZED) {
    EXPECT_LT(peak_kib() - peak_before, 600 << 10);
  }
}

TEST(ChatTemplates, ManyThreads) {
  const ChatTemplate chat(read_file(kFolder / "qwen3.jinja"), "qwen3");
  ChatTemplateInput input;
  input.messages = golden()["conversations"]["calls_answered"];
  input.tools = golden()["tools"]["two"];
  const std::string expected = chat.render(input);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) EXPECT_EQ(chat.render(input), expected);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(ChatTemplates, LongChatsAreLinear) {
  const ChatTemplate chat(read_file(kFolder / "qwen3.jinja"), "qwen3");
  // Processor time, the best of three: other work on the machine only adds.
  const auto once = [&](int count) {
    ChatTemplateInput input;
    input.messages = Json::array();
    for (int i = 0; i < count; ++i) {
      input.messages.push_back(
          {{"role", i % 2 ? "assistant" : "user"}, {"content", std::string(1000, 'x')}});
    }
    return testing::cpu_seconds_of(
        [&] { EXPECT_GT(chat.render(input).size(), static_cast<size_t>(count) * 1000); });
  };
  const auto seconds = [&](int count) { return std::min({once(count), once(count), once(count)}); };
  seconds(100);
  EXPECT_LT(seconds(2000), 40 * std::max(seconds(200), 0.002));
}

// Pieces and ids.

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
    added.push_back({{"id", vocab.size() + added.size()},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", special}});
  }
  const Json file = {{"version", "1.0"},
                     {"added_tokens", added},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", nullptr},
                     {"post_processor", nullptr},
                     {"decoder", {{"type", "Fuse"}}},
                     {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array()}}}};
  const auto t = Tokenizer::from_json(file.dump(), "added");
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
    added.push_back({{"id", vocab.size() + added.size()},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", strips},
                     {"rstrip", strips},
                     {"normalized", false},
                     {"special", special}});
  }
  Json merges = Json::array();
  for (const auto& [a, b] : {std::pair{"x", "<"}, {">", "y"}, {"x", " "}, {" ", "y"}})
    merges.push_back(Json::array({a, b}));
  const Json file = {{"version", "1.0"},
                     {"added_tokens", added},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", nullptr},
                     {"post_processor", nullptr},
                     {"decoder", {{"type", "Fuse"}}},
                     {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
  const auto t = Tokenizer::from_json(file.dump(), "cut");
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

/// Python's integers have no end, and its json keeps them.
TEST(ExactJson, IntegersBeyond64BitsStayWhole) {
  ChatTemplateInput input;
  input.messages = parse_exact_json(
      R"([{"role": "user", "content": "x", "n": 123456789012345678901234567890,
           "m": [-98765432109876543210, 18446744073709551615, -9223372036854775808, 1e3, 0.5]}])",
      "messages");
  const auto render = [&](const char* source) { return ChatTemplate(source, "t").render(input); };
  EXPECT_EQ(render("{{ messages[0].n }}"), "123456789012345678901234567890");
  EXPECT_EQ(render("{{ messages[0].m }}"),
            "[-98765432109876543210, 18446744073709551615, -9223372036854775808, 1000.0, 0.5]");
  EXPECT_THROW(render("{{ messages[0].n + 1 }}"), Error);
  EXPECT_EQ(render("{{ messages[0] | tojson }}"),
            R"({"role": "user", "content": "x", "n": 123456789012345678901234567890, "m": )"
            R"([-98765432109876543210, 18446744073709551615, -9223372036854775808, 1000.0, 0.5]})");
  EXPECT_EQ(render("{{ messages[0].n is integer }} {{ messages[0].n == messages[0].n }} {{ "
                   "messages[0].m[0] < messages[0].m[2] }} {{ messages[0].n > 1e30 }}"),
            "True True True False");
  try {
    parse_exact_json(std::string(4301, '1'), "n");
    FAIL() << "4301 digits";
  } catch (const Error& e) {
    EXPECT_LT(std::string(e.what()).size(), 300u);
  }
}

TEST(ExactJson, ReadsWhatJsonIs) {
  for (const char* text : {"[]", "{}", "null", R"({"a": [1, {"b": "c"}], "d": {}})", "[[], [[]]]",
                           "-5", "1.5", "true", R"("\u00fc")", R"({"a": 1, "a": 2})"})
    EXPECT_EQ(parse_exact_json(text, "x"), parse_json(text, "x")) << text;
  for (const char* text : {"", "[", "{", "[1,]", "{\"a\"}", "1 2", "nan", "\xff", "1e999", "--1"})
    EXPECT_THROW(parse_exact_json(text, "x"), Error) << text;
  EXPECT_THROW(parse_exact_json(std::string(100'000, '['), "x"), Error);
}

TEST(EncodeChat, RenderedTemplates) {
  // With nothing in the messages that looks like a token, the ids are those of the whole text.
  const auto all = tokenizers();
  size_t compared = 0;
  for (const std::string& name : real_names()) {
    const ChatTemplate chat(read_file(kFolder / (name + ".jinja")), name);
    for (const char* conversation :
         {"system_turns", "calls_answered", "reasoning_turns", "unicode"}) {
      ChatTemplateInput input;
      input.messages = golden()["conversations"][conversation];
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
