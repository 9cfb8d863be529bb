// The loop of generation of one sequence.
#include "generate/generator.h"

#include <chrono>

#include "base/error.h"
#include "generate/continuation.h"
#include "run/finite.h"

namespace ashlar {

Generator::Generator(Engine& engine, const Tokenizer* tokenizer, std::vector<TokenId> end_tokens)
    : engine_(engine), tokenizer_(tokenizer), end_tokens_(std::move(end_tokens)), held_(engine) {}

std::span<const float> Generator::evaluate(std::span<const TokenId> prompt,
                                           const GenerateOptions& options,
                                           const GenerateHooks& hooks, Draft& draft,
                                           Generation& result) {
  check_prompt(prompt);
  const size_t same = held_.go_back_to(prompt);
  const auto begin = std::chrono::steady_clock::now();
  const auto interrupted = [&] {
    if (hooks.progress) {
      hooks.progress(engine_.length(held_.id()) - static_cast<int64_t>(same),
                     static_cast<int64_t>(prompt.size() - same));
    }
    return options.interrupted && options.interrupted();
  };
  // At once, or in its chunks where a drafter reads what each leaves.
  const size_t most = draft.reads_hidden() ? static_cast<size_t>(engine_.chunk()) : prompt.size();
  std::span<const float> logits;
  for (size_t at = same; at < prompt.size(); at += most) {
    const Run run{.sequence = held_.id(),
                  .tokens = prompt.subspan(at, std::min(most, prompt.size() - at)),
                  .logits = at + most < prompt.size() ? Run::Logits::none : Run::Logits::last,
                  .every_row = draft.reads_hidden()};
    logits = engine_.step({&run, 1}, interrupted);
    const auto end = static_cast<int64_t>(at + run.tokens.size());
    if (draft.reads_hidden())
      draft.evaluated(held_.id(), prompt, static_cast<int64_t>(at), engine_.output("hidden"));
    if (engine_.length(held_.id()) < end) break;
  }
  const int64_t length = engine_.length(held_.id());
  result.prefill_seconds = seconds_since(begin);
  result.prompt_tokens = static_cast<int64_t>(prompt.size());
  result.evaluated_tokens = length - static_cast<int64_t>(same);
  held_.tokens.assign(prompt.begin(), prompt.begin() + length);
  return logits;
}

void Generator::check_logits(std::span<const float> logits) {
  if (all_finite(logits)) return;
  const std::vector<TokenId> tokens = std::move(held_.tokens);
  held_.close();
  fail_not_finite(engine_, tokens);
}

std::span<const float> Generator::with_less(const GenerateOptions& options,
                                            const GenerateHooks& hooks, Draft& draft,
                                            const Generation& result, StopReason& reason) {
  reason = StopReason::context_full;
  std::vector<TokenId> shorter;
  if (hooks.shorten) shorter = hooks.shorten(static_cast<int64_t>(result.ids.size()));
  if (shorter.empty()) return {};
  shorter.insert(shorter.end(), result.ids.begin(), result.ids.end());
  if (static_cast<int64_t>(shorter.size()) >= engine_.context()) return {};
  reason = StopReason::interrupted;
  Generation again;  // its speed is not that of the first prompt
  return evaluate(shorter, options, hooks, draft, again);
}

Generation Generator::generate(std::span<const TokenId> prompt, const GenerateOptions& options,
                               const OnText& on_text, const GenerateHooks& hooks) {
  Continuation continuation(tokenizer_, end_tokens_, prompt, options, hooks.shown, hooks.after);
  Generation& result = continuation.result();
  Draft draft(engine_, options);
  bool wanted = true;
  const auto give = [&](const std::string& text) {
    if (on_text && !on_text(text)) wanted = false;
  };

  std::span<const float> logits = evaluate(prompt, options, hooks, draft, result);
  if (logits.empty()) {
    result.stop = StopReason::interrupted;
    return result;
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto vocab = static_cast<size_t>(engine_.vocab());
  std::span<const float> guessed;  // rows of logits after guesses, from the next one on
  while (!continuation.ended()) {
    check_logits(logits);
    const std::string text = continuation.accept(logits);
    if (continuation.ended() && result.stop == StopReason::end_token) break;
    if (tokenizer_ != nullptr) give(text);
    if (options.interrupted && options.interrupted()) wanted = false;
    if (!wanted) continuation.end(StopReason::interrupted);
    if (continuation.ended()) break;
    const TokenId last = result.ids.back();
    if (draft.follows(last, result)) {
      held_.tokens.push_back(last);
      logits = guessed.first(vocab);
      guessed = guessed.subspan(vocab);
      result.decode_seconds = seconds_since(begin);
      continue;
    }
    const auto held = static_cast<int64_t>(held_.tokens.size());
    if (engine_.length(held_.id()) > held) engine_.truncate(held_.id(), held);
    if (held == engine_.context()) {
      StopReason reason = StopReason::context_full;
      logits = with_less(options, hooks, draft, result, reason);
      if (logits.empty()) {
        continuation.end(reason);
        break;
      }
    } else {
      held_.tokens.push_back(last);
      draft.guess(held_.tokens, result);
      std::vector<TokenId> next{last};
      next.insert(next.end(), draft.tokens().begin(), draft.tokens().end());
      const Run run{.sequence = held_.id(),
                    .tokens = next,
                    .logits = Run::Logits::all,
                    .alone = next.size() > 1,
                    .every_row = draft.reads_hidden()};
      const auto rows = engine_.step({&run, 1});
      if (draft.reads_hidden())
        draft.evaluated(held_.id(), held_.tokens, held, engine_.output("hidden"));
      logits = rows.first(vocab);
      guessed = rows.subspan(vocab);
    }
    result.decode_seconds = seconds_since(begin);
  }
  if (const auto rest = continuation.finish()) give(*rest);
  return result;
}

}  // namespace ashlar
