// Chat templates against Transformers' rendering (tools/golden_templates.py), and what keeps them
// within bounds.
#include "text/chat_template.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/json.h"
#include "jinja/exact_json.h"
#include "support/cpu_time.h"
#include "support/sanitized.h"
#include "support/templates.h"
#include "support/thorough.h"

namespace ashlar {
namespace {

using testing::kTemplates, testing::template_golden, testing::template_names;

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
  const ChatTemplate chat(read_file(kTemplates / (name + ".jinja")), name);
  const Json& file = template_golden();
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

INSTANTIATE_TEST_SUITE_P(ChatTemplates, RealTemplates, ::testing::ValuesIn(template_names()),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST(ChatTemplates, SmallOnesEqualTransformers) {
  const Json& file = template_golden();
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
  const Json& file = template_golden();
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
  // Three seconds each.
  const auto busy = kBusy.begin() + (test::thorough() ? std::ssize(kBusy) : 1);
  if (!ASHLAR_SANITIZED) sources.insert(sources.end(), kBusy.begin(), busy);
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
  const ChatTemplate chat(read_file(kTemplates / "qwen3.jinja"), "qwen3");
  ChatTemplateInput input;
  input.messages = template_golden()["conversations"]["calls_answered"];
  input.tools = template_golden()["tools"]["two"];
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
  const ChatTemplate chat(read_file(kTemplates / "qwen3.jinja"), "qwen3");
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

}  // namespace
}  // namespace ashlar
