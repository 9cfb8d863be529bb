// Sampling, decoding and stop texts of one sequence.
#include "generate/continuation.h"

#include <algorithm>

#include "base/enum_names.h"
#include "base/error.h"

namespace ashlar {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

size_t overlap(std::string_view text, std::string_view mark) {
  size_t n = std::min(text.size(), mark.empty() ? 0 : mark.size() - 1);
  while (n > 0 && text.substr(text.size() - n) != mark.substr(0, n)) --n;
  return n;
}

void check_prompt(std::span<const TokenId> prompt) {
  if (prompt.empty()) {
    fail(ErrorKind::invalid,
         "the prompt has no tokens: give some text (this tokenizer adds no beginning-of-text "
         "token)");
  }
}

std::string StopTexts::push(std::string_view text, bool& stopped) {
  held_ += text;
  size_t cut = std::string::npos;
  for (const std::string& stop : texts_) {
    if (!stop.empty()) cut = std::min(cut, held_.find(stop));
  }
  if (cut != std::string::npos) {
    stopped = true;
    std::string out = held_.substr(0, cut);
    held_.clear();
    return out;
  }
  size_t keep = 0;
  for (const std::string& stop : texts_) keep = std::max(keep, overlap(held_, stop));
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, out.size());
  return out;
}

ASHLAR_NAMES(StopReason, end_token, stop_text, max_tokens, context_full, interrupted);
std::string_view to_string(StopReason reason) {
  return enum_names(reason)[static_cast<size_t>(reason)];
}

double Generation::prefill_tokens_per_second() const {
  return prefill_seconds > 0 ? static_cast<double>(evaluated_tokens) / prefill_seconds : 0;
}
double Generation::decode_tokens_per_second() const {
  return decode_seconds > 0 && ids.size() > 1 ? static_cast<double>(ids.size() - 1) / decode_seconds
                                              : 0;
}

Continuation::Continuation(const Tokenizer* tokenizer, std::vector<TokenId> end_tokens,
                           std::span<const TokenId> prompt, const GenerateOptions& options,
                           std::vector<TokenId> shown, std::span<const TokenId> after)
    : tokenizer_(tokenizer),
      end_tokens_(std::move(end_tokens)),
      shown_(std::move(shown)),
      sampler_(options.sampling),
      stops_(options.stop),
      history_(prompt.begin(), prompt.end()),
      max_tokens_(options.max_tokens),
      ignore_end_(options.ignore_end),
      ended_(options.max_tokens <= 0) {
  if (tokenizer_ == nullptr) return;
  decoder_.emplace(*tokenizer_);
  for (const TokenId id : after) decoded(id);
}

/// The text of a token: none for special ones that are not shown, as decoding with skip_special has
/// it.
std::string Continuation::decoded(TokenId id) {
  const bool shown = std::find(shown_.begin(), shown_.end(), id) != shown_.end();
  const bool skipped = tokenizer_->is_special(id) && !shown &&
                       tokenizer_->decode({&id, 1}, true).empty() &&
                       !tokenizer_->decode({&id, 1}).empty();
  return skipped ? "" : decoder_->push(id);
}

std::string Continuation::accept(std::span<const float> logits) {
  const TokenId id = sampler_.next(logits, history_, static_cast<int64_t>(result_.ids.size()));
  result_.ids.push_back(id);
  history_.push_back(id);
  if (!ignore_end_ && std::find(end_tokens_.begin(), end_tokens_.end(), id) != end_tokens_.end()) {
    end(StopReason::end_token);
    return "";
  }
  std::string text;
  if (decoder_) text = stops_.push(decoded(id), stopped_);
  result_.text += text;
  if (stopped_) {
    end(StopReason::stop_text);
  } else if (static_cast<int64_t>(result_.ids.size()) >= max_tokens_) {
    end(StopReason::max_tokens);
  }
  return text;
}

void Continuation::end(StopReason reason) {
  ended_ = true;
  result_.stop = reason;
}

std::optional<std::string> Continuation::finish() {
  if (!decoder_ || stopped_) return std::nullopt;
  std::string rest = stops_.push(decoder_->finish(), stopped_);
  if (!stopped_) rest += stops_.finish();
  if (stopped_ && result_.stop != StopReason::end_token) result_.stop = StopReason::stop_text;
  result_.text += rest;
  return rest;
}

}  // namespace ashlar
