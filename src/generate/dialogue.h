// A conversation with a model: messages, answers, and what happens when they outgrow the context.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "generate/generator.h"
#include "generate/prompt.h"
#include "generate/reasoning.h"

namespace ashlar {

struct DialogueAnswer {
  std::string answer, reasoning;  // of the whole message, also where it was gone on with
  Generation generation;          // of the last call: ids, speeds, why it ended
  int64_t unseen = 0;             // oldest messages that the model no longer sees
  bool gave_way = false;          // some of them gave way just now
  bool taken_back = false;  // interrupted before the answer began: there is no answer, and the
                            // question is no longer among the messages
};

/// Called with each piece of an answer as it comes; false ends it.
using OnSpoken = std::function<bool(const Spoken& piece)>;

class Dialogue {
 public:
  /// `engine` and `model` outlive this. Messages of `request` begin the conversation. Throws
  /// Error(unsupported) for a model without tokenizer or chat template.
  Dialogue(Engine& engine, const TextModel& model, ChatRequest request);

  /// Called while a prompt is read, with the tokens that are evaluated and all that have to be.
  void set_progress(std::function<void(int64_t done, int64_t total)> progress) {
    progress_ = std::move(progress);
  }

  const Json& messages() const { return request_.messages; }
  /// Throws Error(invalid) for what is no list of messages with roles; then nothing has changed.
  void set_messages(Json messages);
  /// An empty text: none. The conversation begins anew.
  void set_system(const std::string& text);
  void clear();  // all but the system message
  /// Takes back the last question and what came after it; false where there is none.
  bool undo();
  /// Takes back the last answer; false where the last message is none.
  bool take_back_answer();

  /// The question becomes a message, and so does its answer. After an error the conversation is as
  /// it was. Where the conversation no longer fits the context, its oldest turns give way. Throws
  /// Error(invalid) for a question that alone does not fit.
  DialogueAnswer ask(const std::string& question, const GenerateOptions& options,
                     const OnSpoken& on_spoken = {});
  /// The same for the last message, a question without an answer.
  DialogueAnswer answer(const GenerateOptions& options, const OnSpoken& on_spoken = {});
  /// More of the last answer, which a limit or a person has cut. Throws Error(invalid) where the
  /// last message is none.
  DialogueAnswer go_on(const GenerateOptions& options, const OnSpoken& on_spoken = {});

 private:
  Json seen() const;
  std::vector<TokenId> prompt_ids(size_t after, size_t room, DialogueAnswer& out);
  bool give_way();
  DialogueAnswer generate(const std::vector<TokenId>& prompt, const GenerateOptions& options,
                          const OnSpoken& on_spoken, DialogueAnswer out);
  Json assistant_message() const;
  void forget_answer();

  Engine& engine_;
  const TextModel& model_;
  ChatRequest request_;
  ChatPrompt prompt_;
  Generator generator_;
  ReasoningMarks marks_;
  std::string system_;
  std::function<void(int64_t, int64_t)> progress_;
  size_t unseen_ = 0;  // messages after the system message that have given way

  // The last answer, for go_on; no splitter: there is none.
  std::optional<ReasoningSplitter> splitter_;
  std::vector<TokenId> answer_ids_;
  std::string raw_;  // its text with the marks of reasoning
};

}  // namespace ashlar
