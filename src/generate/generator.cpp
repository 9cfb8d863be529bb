// The loop of generation: logits, sampler, decoder, stop texts.
#include "generate/generator.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "run/finite.h"

namespace ashlar {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Finds stop texts in a stream and holds back what may still become one.
class StopTexts {
 public:
  explicit StopTexts(const std::vector<std::string>& texts) : texts_(texts) {}

  /// Adds text; gives what is certain. `stopped` becomes true when a stop text is complete.
  std::string push(std::string_view text, bool& stopped) {
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
    for (const std::string& stop : texts_) keep = std::max(keep, overlap(stop));
    std::string out = held_.substr(0, held_.size() - keep);
    held_.erase(0, out.size());
    return out;
  }
  std::string finish() { return std::move(held_); }

 private:
  /// Length of the longest end of the held text that begins `stop`.
  size_t overlap(const std::string& stop) const {
    size_t n = std::min(held_.size(), stop.empty() ? 0 : stop.size() - 1);
    while (n > 0 && held_.compare(held_.size() - n, n, stop, 0, n) != 0) --n;
    return n;
  }

  const std::vector<std::string>& texts_;
  std::string held_;
};

}  // namespace

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::end_token:
      return "end_token";
    case StopReason::stop_text:
      return "stop_text";
    case StopReason::max_tokens:
      return "max_tokens";
    case StopReason::context_full:
      return "context_full";
    case StopReason::interrupted:
      return "interrupted";
  }
  return "";
}

double Generation::prefill_tokens_per_second() const {
  return prefill_seconds > 0 ? static_cast<double>(evaluated_tokens) / prefill_seconds : 0;
}
double Generation::decode_tokens_per_second() const {
  return decode_seconds > 0 && ids.size() > 1 ? static_cast<double>(ids.size() - 1) / decode_seconds
                                              : 0;
}

Generator::Generator(Engine& engine, const Tokenizer* tokenizer, std::vector<TokenId> end_tokens)
    : engine_(engine), tokenizer_(tokenizer), end_tokens_(std::move(end_tokens)) {}

Generator::~Generator() {
  if (sequence_) engine_.close(*sequence_);
}

std::span<const float> Generator::evaluate(std::span<const TokenId> prompt,
                                           const GenerateOptions& options, Generation& result) {
  if (prompt.empty()) {
    fail(ErrorKind::invalid,
         "the prompt has no tokens: give some text (this tokenizer adds no beginning-of-text "
         "token)");
  }
  // The last token is evaluated in any case: its logits choose the next one.
  size_t same = 0;
  while (same < held_.size() && same + 1 < prompt.size() && held_[same] == prompt[same]) ++same;
  if (sequence_ && !engine_.can_truncate(*sequence_, static_cast<int64_t>(same))) {
    engine_.close(*sequence_);
    sequence_.reset();
  }
  if (!sequence_) {
    same = 0;
    sequence_ = engine_.open();
    if (!sequence_) fail(ErrorKind::resource, "the engine has no free sequence");
  } else {
    engine_.truncate(*sequence_, static_cast<int64_t>(same));
  }
  held_.resize(same);
  const auto begin = std::chrono::steady_clock::now();
  const Run run{*sequence_, prompt.subspan(same), Run::Logits::last};
  const auto logits = engine_.step({&run, 1}, options.interrupted);
  const int64_t length = engine_.length(*sequence_);
  result.prefill_seconds = seconds_since(begin);
  result.prompt_tokens = static_cast<int64_t>(prompt.size());
  result.evaluated_tokens = length - static_cast<int64_t>(same);
  held_.assign(prompt.begin(), prompt.begin() + length);
  return logits;
}

void Generator::check_logits(std::span<const float> logits) {
  if (all_finite(logits)) return;
  engine_.close(*sequence_);
  sequence_.reset();
  fail_not_finite(engine_, std::exchange(held_, {}));
}

Generation Generator::generate(std::span<const TokenId> prompt, const GenerateOptions& options,
                               const OnText& on_text) {
  Generation result;
  Sampler sampler(options.sampling);
  std::optional<StreamDecoder> decoder;
  if (tokenizer_ != nullptr) decoder.emplace(*tokenizer_, true);
  StopTexts stops(options.stop);
  bool stopped = false, wanted = true;
  const auto give = [&](const std::string& text) {
    result.text += text;
    if (on_text && !on_text(text)) wanted = false;
  };

  std::vector<TokenId> history(prompt.begin(), prompt.end());
  std::span<const float> logits = evaluate(prompt, options, result);
  if (logits.empty()) {
    result.stop = StopReason::interrupted;
    return result;
  }
  const auto begin = std::chrono::steady_clock::now();
  while (static_cast<int64_t>(result.ids.size()) < options.max_tokens) {
    check_logits(logits);
    const TokenId id = sampler.next(logits, history, static_cast<int64_t>(result.ids.size()));
    result.ids.push_back(id);
    history.push_back(id);
    if (!options.ignore_end &&
        std::find(end_tokens_.begin(), end_tokens_.end(), id) != end_tokens_.end()) {
      result.stop = StopReason::end_token;
      break;
    }
    if (decoder) give(stops.push(decoder->push(id), stopped));
    if (stopped) result.stop = StopReason::stop_text;
    if (options.interrupted && options.interrupted()) wanted = false;
    if (!wanted) result.stop = StopReason::interrupted;
    if (stopped || !wanted) break;
    if (static_cast<int64_t>(result.ids.size()) == options.max_tokens) break;
    if (engine_.length(*sequence_) == engine_.context()) {
      result.stop = StopReason::context_full;
      break;
    }
    const Run run{*sequence_, {&id, 1}, Run::Logits::last};
    logits = engine_.step({&run, 1});
    held_.push_back(id);
    result.decode_seconds = seconds_since(begin);
  }
  if (decoder && !stopped) {
    std::string rest = stops.push(decoder->finish(), stopped);
    if (!stopped) rest += stops.finish();
    if (stopped && result.stop != StopReason::end_token) result.stop = StopReason::stop_text;
    give(rest);
  }
  return result;
}

}  // namespace ashlar
