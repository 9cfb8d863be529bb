// Looks for marks in a stream and holds back what may still become one.
#include "generate/reasoning.h"

#include <algorithm>

#include "generate/continuation.h"

namespace ashlar {
namespace {

constexpr ReasoningTag kTags[] = {{"<think>", "</think>"},
                                  {"<seed:think>", "</seed:think>"},
                                  {"[THINK]", "[/THINK]"},
                                  {"<|START_THINKING|>", "<|END_THINKING|>"}};
// gpt-oss: <|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>final<|message|>...
constexpr const char *kStart = "<|start|>", *kChannel = "<|channel|>", *kMessage = "<|message|>",
                     *kEnd = "<|end|>";

std::string_view without_end_space(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

ReasoningMarks::ReasoningMarks(const TextModel& model) {
  if (!model.tokenizer) return;
  const Tokenizer& tokenizer = *model.tokenizer;
  const auto note_special = [&](const char* mark) {
    const auto id = tokenizer.id_of(mark);
    if (id && tokenizer.is_special(*id)) special_.push_back(*id);
  };
  for (const ReasoningTag& tag : kTags) {
    if (!tokenizer.id_of(tag.open) || !tokenizer.id_of(tag.close)) continue;
    tags_.push_back(tag);
    note_special(tag.open);
    note_special(tag.close);
  }
  channels_ = tokenizer.id_of(kChannel).has_value() && tokenizer.id_of(kMessage).has_value();
  if (!channels_) return;
  for (const char* mark : {kStart, kChannel, kMessage, kEnd}) note_special(mark);
}

bool ReasoningMarks::open_after(const Tokenizer& tokenizer, std::span<const TokenId> prompt) const {
  if (tags_.empty()) return false;
  const size_t looked_at = std::min<size_t>(prompt.size(), 16);
  const std::string tail = tokenizer.decode(prompt.subspan(prompt.size() - looked_at));
  return std::any_of(tags_.begin(), tags_.end(), [&](const ReasoningTag& tag) {
    return without_end_space(tail).ends_with(tag.open);
  });
}

ReasoningSplitter::ReasoningSplitter(const ReasoningMarks& marks, bool open) : marks_(marks) {
  if (open) begin(Spoken::As::reasoning);
}

void ReasoningSplitter::begin(Spoken::As as) {
  as_ = as;
  at_begin_ = true;
}

void ReasoningSplitter::say(std::string_view text, std::vector<Spoken>& out) {
  if (in_header_) {
    header_ += text;
    return;
  }
  while (at_begin_ && !text.empty() && text.front() == '\n') text.remove_prefix(1);
  if (text.empty()) return;
  at_begin_ = false;
  (as_ == Spoken::As::answer ? answer_ : reasoning_) += text;
  if (out.empty() || out.back().as != as_) out.push_back({as_, ""});
  out.back().text += text;
}

/// Says what stands before the first whole mark of the held text, and acts on the mark.
bool ReasoningSplitter::take_mark(std::vector<Spoken>& out) {
  size_t at = std::string::npos, length = 0;
  enum class Mark { open, close, header, message, end } mark = Mark::open;
  const auto look = [&](std::string_view text, Mark kind) {
    const size_t found = held_.find(text);
    if (found >= at) return;
    at = found;
    length = text.size();
    mark = kind;
  };
  for (const auto& tag : marks_.tags_) {
    if (as_ == Spoken::As::answer) look(tag.open, Mark::open);
    if (as_ == Spoken::As::reasoning) look(tag.close, Mark::close);
  }
  if (marks_.channels_) {
    look(kStart, Mark::header);
    look(kChannel, Mark::header);
    look(kMessage, Mark::message);
    look(kEnd, Mark::end);
  }
  if (at == std::string::npos) return false;
  std::string_view before = std::string_view(held_).substr(0, at);
  while (as_ == Spoken::As::reasoning && before.ends_with('\n')) before.remove_suffix(1);
  say(before, out);
  held_.erase(0, at + length);
  if (mark == Mark::header) {
    in_header_ = true;
    header_.clear();
    return true;
  }
  if (mark == Mark::message) in_header_ = false;
  const bool analysis = mark == Mark::message && header_.starts_with("analysis");
  begin(mark == Mark::open || analysis ? Spoken::As::reasoning : Spoken::As::answer);
  return true;
}

std::vector<Spoken> ReasoningSplitter::push(std::string_view text) {
  std::vector<Spoken> out;
  held_ += text;
  while (take_mark(out)) {
  }
  size_t keep = 0;
  const auto may_become = [&](std::string_view mark) {
    keep = std::max(keep, overlap(held_, mark));
  };
  for (const auto& tag : marks_.tags_) may_become(as_ == Spoken::As::answer ? tag.open : tag.close);
  if (marks_.channels_) {
    for (const char* mark : {kStart, kChannel, kMessage, kEnd}) may_become(mark);
  }
  // Line feeds before a closing mark belong to the mark.
  if (as_ == Spoken::As::reasoning) {
    while (keep < held_.size() && held_[held_.size() - 1 - keep] == '\n') ++keep;
  }
  say(std::string_view(held_).substr(0, held_.size() - keep), out);
  held_.erase(0, held_.size() - keep);
  return out;
}

std::vector<Spoken> ReasoningSplitter::finish() {
  std::vector<Spoken> out;
  say(std::string(std::move(held_)), out);
  held_.clear();
  return out;
}

}  // namespace ashlar
