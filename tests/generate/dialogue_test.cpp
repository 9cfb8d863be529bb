// Conversations on a small random model, and reasoning told apart in streams cut anywhere.
#include "generate/dialogue.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "support/paths.h"
#include "support/random_model.h"
#include "support/samples.h"
#include "support/tokenizer_parts.h"

namespace ashlar {
namespace {

/// GPT-2's tokenizer with more tokens, which are special if `special`.
TextModel text_model(const std::vector<std::string>& more = {}, bool special = true) {
  Json file = read_json(std::filesystem::path(source_dir()) / "tests/text/tokenizers/gpt2.json");
  Json& json = file.at("tokenizer");
  int64_t id = 0;
  for (const auto& [token, number] : json.at("model").at("vocab").items())
    id = std::max(id, number.get<int64_t>());
  for (const Json& token : json.at("added_tokens"))
    id = std::max(id, token.at("id").get<int64_t>());
  for (const std::string& token : more)
    json["added_tokens"].push_back(testing::added_token(++id, token, special));
  TextModel model;
  model.source = "test";
  model.tokenizer = Tokenizer::from_json(json.dump(), "gpt2");
  model.chat_template =
      "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
      "{% if add_generation_prompt %}[assistant]{% endif %}";
  return model;
}

class Talking : public ::testing::Test {
 protected:
  Talking() : model_(text_model()) {
    Blueprint bp = ashlar::testing::sample_blueprints().at(0);
    bp.embedding.vocab = model_.tokenizer->size();
    graph_ = graph_of(bp);
    weights_ = ashlar::testing::random_weights(graph_, 7);
  }
  Engine engine(int64_t context) const {
    return Engine(graph_, weights_, {.threads = 1, .context = context});
  }
  /// What the model says to exactly this text.
  std::string answer_to(const std::string& text, int64_t tokens, int64_t context) const {
    Engine e = engine(context);
    Generator g(e, model_.tokenizer.get(), {});
    return g.generate(model_.tokenizer->encode(text), {.max_tokens = tokens}).text;
  }

  TextModel model_;
  Graph graph_;
  Weights weights_;
};

TEST_F(Talking, EachTurnIsAnsweredFromAll) {
  Engine e = engine(256);
  Dialogue d(e, model_, {.system = "S"});
  const std::string first = d.ask("Hi", {.max_tokens = 5}).answer;
  EXPECT_EQ(first, answer_to("[system]S[user]Hi[assistant]", 5, 256));
  const DialogueAnswer second = d.ask("More", {.max_tokens = 5});
  const std::string prompt = "[system]S[user]Hi[assistant]" + first + "[user]More[assistant]";
  EXPECT_EQ(second.answer, answer_to(prompt, 5, 256));
  EXPECT_LT(second.generation.evaluated_tokens, second.generation.prompt_tokens);
  EXPECT_EQ(second.unseen, 0);
  EXPECT_EQ(d.messages().size(), 5U);
  EXPECT_TRUE(d.undo());
  EXPECT_EQ(d.messages().size(), 3U);
  EXPECT_EQ(d.ask("More", {.max_tokens = 5}).answer, second.answer);
  d.clear();
  EXPECT_EQ(d.messages().size(), 1U);
  EXPECT_FALSE(d.undo());
}

TEST_F(Talking, GoesOnWhereALimitCut) {
  Engine e = engine(256);
  Dialogue d(e, model_, {});
  const std::string whole = d.ask("Count", {.max_tokens = 12}).answer;
  EXPECT_TRUE(d.take_back_answer());
  EXPECT_EQ(d.answer({.max_tokens = 5}).generation.stop, StopReason::max_tokens);
  EXPECT_EQ(d.go_on({.max_tokens = 7}).answer, whole);
  EXPECT_EQ(d.messages().back().at("content"), whole);
  EXPECT_EQ(d.messages().size(), 2U);
}

TEST_F(Talking, OldTurnsGiveWay) {
  constexpr int64_t kContext = 64;
  Engine e = engine(kContext);
  Dialogue d(e, model_, {.system = "S"});
  DialogueAnswer last;
  int64_t gave_way = 0;
  for (int turn = 0; turn < 8; ++turn) {
    last = d.ask("Question " + std::to_string(turn), {.max_tokens = 10});
    EXPECT_EQ(last.generation.ids.size(), 10U) << turn;
    gave_way += last.gave_way ? 1 : 0;
  }
  EXPECT_GT(gave_way, 0);
  EXPECT_LT(gave_way, 8);  // half of the context is freed at once
  EXPECT_EQ(d.messages().size(), 17U);
  // The answer is that to the turns that are seen, behind the system message.
  std::string prompt = "[system]S";
  for (size_t i = 1 + static_cast<size_t>(last.unseen); i + 1 < d.messages().size(); ++i) {
    const Json& m = d.messages()[i];
    prompt += "[" + m.at("role").get<std::string>() + "]" + m.at("content").get<std::string>();
  }
  EXPECT_EQ(last.answer, answer_to(prompt + "[assistant]", 10, kContext));
}

TEST_F(Talking, AnAnswerOutlivesAFullContext) {
  Engine e = engine(64);
  Dialogue d(e, model_, {});
  d.ask("One two three", {.max_tokens = 20});
  // More than remains: the first turn gives way in the middle.
  const DialogueAnswer a = d.ask("And", {.max_tokens = 45});
  EXPECT_EQ(a.generation.ids.size(), 45U);
  EXPECT_EQ(a.generation.stop, StopReason::max_tokens);
  EXPECT_EQ(a.unseen, 2);
  EXPECT_TRUE(a.gave_way);
  // Nothing is left to give way.
  const DialogueAnswer b = d.ask("And", {.max_tokens = 100});
  EXPECT_EQ(b.generation.stop, StopReason::context_full);
  EXPECT_LT(b.generation.ids.size(), 100U);
  const size_t before = d.messages().size();
  EXPECT_THROW(d.ask(std::string(400, 'x') + " and so on, " + std::string(400, 'y'), {}), Error);
  EXPECT_EQ(d.messages().size(), before);  // the question is taken back
}

TEST_F(Talking, AStopBeforeTheAnswerTakesTheQuestionBack) {
  Engine e = engine(64);
  Dialogue d(e, model_, {});
  const DialogueAnswer a = d.ask("Hi", {.interrupted = [] { return true; }});
  EXPECT_TRUE(a.taken_back);
  EXPECT_TRUE(d.messages().empty());
  EXPECT_THROW(d.go_on({}), Error);
  EXPECT_THROW(d.set_messages(Json{{"role", "user"}}), Error);
}

/// Everything of one kind, the text handed over in pieces of `step` bytes.
std::pair<std::string, std::string> split(const TextModel& model, const std::string& text,
                                          size_t step, bool open = false) {
  const ReasoningMarks marks(model);
  ReasoningSplitter splitter(marks, open);
  std::string answer, reasoning;
  const auto take = [&](const std::vector<Spoken>& pieces) {
    for (const Spoken& p : pieces) (p.as == Spoken::As::answer ? answer : reasoning) += p.text;
  };
  for (size_t at = 0; at < text.size(); at += step) take(splitter.push(text.substr(at, step)));
  take(splitter.finish());
  EXPECT_EQ(answer, splitter.answer());
  EXPECT_EQ(reasoning, splitter.reasoning());
  return {answer, reasoning};
}

TEST(Reasoning, StandsBetweenTags) {
  const TextModel model = text_model({"<think>", "</think>"}, false);
  for (const size_t step : {1, 2, 3, 7, 100}) {
    using Pair = std::pair<std::string, std::string>;
    EXPECT_EQ(split(model, "<think>\nHm, 1 < 2.\n</think>\n\nYes <b>.", step),
              Pair("Yes <b>.", "Hm, 1 < 2."));
    EXPECT_EQ(split(model, "so\n</think>\nYes", step, true), Pair("Yes", "so"));
    EXPECT_EQ(split(model, "<think>\n\n</think>\n\nYes", step), Pair("Yes", ""));
    EXPECT_EQ(split(model, "\nplain </think> text", step), Pair("\nplain </think> text", ""));
    EXPECT_EQ(split(model, "<think>cut", step), Pair("", "cut"));
  }
  // To a model that knows no such tags they are text.
  EXPECT_EQ(split(text_model(), "<think>a</think>b", 4).first, "<think>a</think>b");
}

TEST(Reasoning, IsAChannel) {
  const TextModel model = text_model({"<|start|>", "<|channel|>", "<|message|>", "<|end|>"});
  EXPECT_EQ(ReasoningMarks(model).special().size(), 4U);
  const std::string text =
      "<|channel|>analysis<|message|>Let me see.<|end|><|start|>assistant<|channel|>final"
      "<|message|>It is 4.";
  for (const size_t step : {1, 5, 1000}) {
    const auto [answer, reasoning] = split(model, text, step);
    EXPECT_EQ(answer, "It is 4.");
    EXPECT_EQ(reasoning, "Let me see.");
  }
}

TEST(Reasoning, BeginsInThePromptOfSomeTemplates) {
  const TextModel model = text_model({"<think>", "</think>"}, false);
  const ReasoningMarks marks(model);
  const auto ids = [&](const std::string& text) { return model.tokenizer->encode(text); };
  EXPECT_TRUE(marks.open_after(*model.tokenizer, ids("[assistant]<think>\n")));
  EXPECT_FALSE(marks.open_after(*model.tokenizer, ids("[assistant]<think>\n\n</think>\n\n")));
  EXPECT_FALSE(marks.open_after(*model.tokenizer, ids("<think> is a tag")));
}

}  // namespace
}  // namespace ashlar
