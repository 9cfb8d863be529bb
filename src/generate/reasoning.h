// What a model thinks, told apart from what it answers, while the text comes in.
//
// Models mark their reasoning in a few ways: between two tags (<think> ... </think>, [THINK],
// <|START_THINKING|>, <seed:think>), or as a channel of its own (gpt-oss: analysis and final).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace ashlar {

/// A piece of a model's output.
struct Spoken {
  enum class As : unsigned char { answer, reasoning };
  As as = As::answer;
  std::string text;
};

struct ReasoningTag {
  const char *open, *close;
};

class ReasoningMarks {
 public:
  /// The marks that are tokens of this model; none for a model that does not reason.
  explicit ReasoningMarks(const TextModel& model);

  /// Those that are special tokens: GenerateOptions::shown, so that the text has them.
  const std::vector<TokenId>& special() const { return special_; }
  /// Whether a prompt ends within reasoning: templates open it for the model.
  bool open_after(const Tokenizer& tokenizer, std::span<const TokenId> prompt) const;

 private:
  friend class ReasoningSplitter;
  std::vector<ReasoningTag> tags_;
  bool channels_ = false;
  std::vector<TokenId> special_;
};

/// Splits one answer. All pieces together are the text without its marks and without the line feeds
/// that stand beside them.
class ReasoningSplitter {
 public:
  /// `marks` outlives this. `open`: the text begins within reasoning.
  explicit ReasoningSplitter(const ReasoningMarks& marks, bool open = false);

  std::vector<Spoken> push(std::string_view text);
  std::vector<Spoken> finish();  // what was held back, because it might have become a mark

  const std::string& answer() const { return answer_; }        // of everything so far
  const std::string& reasoning() const { return reasoning_; }  // of everything so far

 private:
  void say(std::string_view text, std::vector<Spoken>& out);
  bool take_mark(std::vector<Spoken>& out);
  void begin(Spoken::As as);

  const ReasoningMarks& marks_;
  std::string held_;    // not yet said
  std::string header_;  // of a channel, while it is read
  bool in_header_ = false, at_begin_ = false;
  Spoken::As as_ = Spoken::As::answer;
  std::string answer_, reasoning_;
};

}  // namespace ashlar
