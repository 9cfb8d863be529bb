// From a request to text and ids: which template, which variables, which message goes on.
#include "generate/prompt.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/paths.h"

namespace ashlar {
namespace {

Json user(const std::string& text) { return Json::array({{{"role", "user"}, {"content", text}}}); }

TextModel model() {
  TextModel out;
  out.source = "m";
  out.chat_template =
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}|{{ x }}{{ bos_token }}";
  out.tool_chat_template = "tools {{ tools | length }}";
  out.chat_variables = {{"bos_token", "<s>"}};
  return out;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Prompt, TemplateAndVariables) {
  const TextModel m = model();
  const ChatPrompt prompt(m);
  ChatRequest request;
  request.messages = user("hi");
  EXPECT_EQ(prompt.text(request), "<user>hi|<s>");
  request.system = "Be brief.";
  request.variables = {{"x", 5}, {"bos_token", "<b>"}};
  EXPECT_EQ(prompt.text(request), "<system>Be brief.<user>hi|5<b>");
  // An empty list of tools is one.
  request.tools = Json::array();
  EXPECT_EQ(prompt.text(request), "tools 0");
  request.tools = Json::array({Json::object()});
  EXPECT_EQ(prompt.text(request), "tools 1");
  EXPECT_EQ(ChatPrompt(m, "own {{ tools | length }}", "own.jinja").text(request), "own 1");
}

TEST(Prompt, WithoutADefaultTemplate) {
  TextModel m = model();
  m.chat_template.clear();
  m.chat_template_names = {"rag", "tool_use"};
  ChatRequest request;
  request.messages = user("hi");
  EXPECT_EQ(error_of([&] { ChatPrompt(m).text(request); }),
            "m: has several chat templates (rag, tool_use) and none of them is the default");
  request.tools = Json::array();
  EXPECT_EQ(ChatPrompt(m).text(request), "tools 0");
  m.chat_template_names.clear();
  m.tool_chat_template.clear();
  EXPECT_NE(error_of([&] { ChatPrompt prompt(m); }).find("no chat template"), std::string::npos);
  EXPECT_NE(error_of([&] { tokenizer_of(m); }).find("no tokenizer"), std::string::npos);
}

TEST(Prompt, GoesOnWithTheLastMessage) {
  TextModel m = model();
  m.chat_template =
      "{% for m in messages %}<{{ m.role }}>{% if m.thinking %}[{{ m.thinking }}]{% endif %}"
      "{{ m.content | trim }}<end>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
  const ChatPrompt prompt(m);
  ChatRequest request;
  request.messages = user("hi");
  request.messages.push_back({{"role", "assistant"}, {"content", "Well, "}, {"reasoning", "hm"}});
  request.continued_field = "content";
  EXPECT_EQ(prompt.text(request), "<user>hi<end><assistant>[hm]Well,");
  request.continued_field = "reasoning";
  EXPECT_EQ(prompt.text(request), "<user>hi<end><assistant>[hm");
  request.continued_field = "tool_calls";
  EXPECT_NE(error_of([&] { prompt.text(request); }).find("tool_calls"), std::string::npos);
  m.chat_template = "{{ messages[0].content }}";
  request.continued_field = "content";
  EXPECT_NE(error_of([&] { ChatPrompt(m).text(request); }).find("does not appear"),
            std::string::npos);
}

TEST(Prompt, OneGrammarOfVariables) {
  ChatRequest request;
  for (const char* item : {"a=1", "b=[1, {\"c\": null}]", "name=Ada", "flag", "e=", "s=\"1\"",
                           "eq=a=b", "big=123456789012345678901234567890",
                           "documents=[{\"title\": \"t\"}]", "add_generation_prompt=false"})
    request.set_variable(item);
  EXPECT_EQ(request.variables["a"], 1);
  EXPECT_EQ(request.variables["b"], Json::parse("[1, {\"c\": null}]"));
  EXPECT_EQ(request.variables["name"], "Ada");
  EXPECT_EQ(request.variables["flag"], true);
  EXPECT_EQ(request.variables["e"], "");
  EXPECT_EQ(request.variables["s"], "1");
  EXPECT_EQ(request.variables["eq"], "a=b");
  EXPECT_EQ(request.documents, Json::array({{{"title", "t"}}}));
  EXPECT_FALSE(request.add_generation_prompt);
  request.messages = user("x");
  EXPECT_EQ(ChatPrompt(model(), "{{ big }}", "t").text(request), "123456789012345678901234567890");
  for (const char* item : {"=1", "", "messages=[]", "add_generation_prompt=1"})
    EXPECT_NE(error_of([&] { request.set_variable(item); }), "") << item;
}

TEST(Prompt, IdsKeepControlWordsOfMessagesText) {
  TextModel m = model();
  const Json file =
      read_json(std::filesystem::path(source_dir()) / "tests/text/tokenizers/roberta_frame.json");
  m.tokenizer = Tokenizer::from_json(file.at("tokenizer").dump(), "roberta");
  std::string special;
  for (TokenId id = 0; id < m.tokenizer->size() && special.empty(); ++id) {
    if (m.tokenizer->is_special(id)) special = m.tokenizer->piece(id);
  }
  ASSERT_NE(special, "");
  m.chat_template = special + "{{ messages[0].content }}";
  ChatRequest request;
  request.messages = user("a" + special + "b");
  const std::vector<TokenId> ids = ChatPrompt(m).ids(request);
  EXPECT_EQ(ids[0], *m.tokenizer->id_of(special));
  EXPECT_EQ(std::count(ids.begin(), ids.end(), ids[0]), 1);
  EXPECT_EQ(m.tokenizer->decode(ids), special + "a" + special + "b");
}

}  // namespace
}  // namespace ashlar
