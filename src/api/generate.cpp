// Public generation: streams that share the steps of an engine.
#include "ashlar/generate.h"

#include <chrono>

#include "api/data.h"
#include "base/error.h"
#include "generate/continuation.h"
#include "generate/drafting.h"
#include "generate/generator.h"
#include "generate/mtp_drafter.h"
#include "run/finite.h"

namespace ashlar::v1 {

struct Sampler::Impl {
  ashlar::Sampler sampler;
};
Sampler::Sampler(const SamplingOptions& options)
    : impl_(std::make_unique<Impl>(Impl{ashlar::Sampler(options)})) {}
Sampler::~Sampler() = default;
Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;
TokenId Sampler::next(std::span<const float> logits, std::span<const TokenId> history,
                      int64_t generated) {
  return impl_->sampler.next(logits, history, generated);
}

/// What a stream has to evaluate is `tokens` from `begin` on: the rest of its prompt, later the
/// token chosen last, and what is guessed to follow it.
struct Stream::Impl {
  ashlar::Engine& engine;
  Continuation continuation;
  Draft draft;
  std::function<bool()> interrupted;
  std::vector<TokenId> tokens;  // all of the sequence
  size_t begin = 0;             // how many of them it holds
  bool open = false;
  SequenceId sequence = 0;

  Impl(Engine& of, std::span<const TokenId> prompt, const GenerateOptions& options,
       std::optional<SequenceId> taken)
      : engine(of.impl().engine),
        continuation(of.model().data()->model.tokenizer.get(), of.model().end_tokens(), prompt,
                     options),
        draft(engine, options),
        interrupted(options.interrupted),
        tokens(prompt.begin(), prompt.end()) {
    check_prompt(prompt);
    if (taken) {
      const int64_t held = engine.length(*taken);
      if (held >= static_cast<int64_t>(prompt.size()))
        fail(ErrorKind::invalid, "sequence {} holds {} tokens: expected fewer than the prompt's {}",
             *taken, held, prompt.size());
      begin = static_cast<size_t>(held);
      sequence = *taken;
    } else {
      const auto made = engine.open();
      if (!made)
        fail(ErrorKind::resource, "the engine has no free sequence: choose more `sequences`");
      sequence = *made;
    }
    open = true;
    continuation.result().prompt_tokens = static_cast<int64_t>(prompt.size());
    if (continuation.ended()) close();
  }
  ~Impl() { close(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool ended() const { return continuation.ended(); }
  void close() {
    if (open) engine.close(sequence);
    open = false;
  }
  /// Ends it and gives the text that was held back.
  std::string end(StopReason reason) {
    continuation.end(reason);
    close();
    return continuation.finish().value_or("");
  }
  /// With guesses behind the last token where its logits choose a further one.
  std::vector<TokenId> pending(size_t most) {
    std::vector<TokenId> next(tokens.begin() + static_cast<ptrdiff_t>(begin), tokens.end());
    if (next.size() > most) next.resize(most);
    if (continuation.result().ids.empty()) return next;
    draft.guess(tokens, continuation.result());
    next.insert(next.end(), draft.tokens().begin(), draft.tokens().end());
    return next;
  }

  /// Its sequence holds so many tokens now, after a step of so many seconds; `hidden`: as Draft has
  /// it.
  void evaluated(int64_t length, std::span<const float> hidden, double seconds = 0) {
    Generation& result = continuation.result();
    draft.evaluated(sequence, tokens, static_cast<int64_t>(begin), hidden);
    (result.ids.empty() ? result.prefill_seconds : result.decode_seconds) += seconds;
    if (result.ids.empty()) result.evaluated_tokens += length - static_cast<int64_t>(begin);
    begin = static_cast<size_t>(length);
  }

  /// With all tokens evaluated: the text of the one that the logits choose.
  std::string accept(std::span<const float> logits) {
    if (!all_finite(logits)) {
      continuation.end(StopReason::interrupted);
      close();
      fail_not_finite(engine, tokens);
    }
    std::string text = continuation.accept(logits);
    const Generation& result = continuation.result();
    tokens.push_back(result.ids.back());
    if (continuation.ended()) return text + end(result.stop);
    if (static_cast<int64_t>(begin) == engine.context())
      return text + end(StopReason::context_full);
    return text;
  }

  /// The same, and of the guesses after it as many as the model chooses too: `rows` are those after
  /// the last token and after each guess.
  std::string accept_all(std::span<const float> rows) {
    const auto vocab = static_cast<size_t>(engine.vocab());
    begin -= draft.tokens().size();
    std::string text = accept(rows.first(vocab));
    while (!ended() && draft.follows(tokens.back(), continuation.result())) {
      ++begin;
      rows = rows.subspan(vocab);
      text += accept(rows.first(vocab));
    }
    const auto held = static_cast<int64_t>(begin);
    if (open && engine.length(sequence) > held) engine.truncate(sequence, held);
    return text;
  }
};

Stream::Stream(Engine& engine, std::span<const TokenId> prompt, const GenerateOptions& options,
               std::optional<SequenceId> sequence)
    : impl_(std::make_unique<Impl>(engine, prompt, options, sequence)) {}
Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

std::optional<std::string> Stream::next() {
  Stream* const self = this;
  return advance({&self, 1})[0];
}

std::vector<std::optional<std::string>> Stream::advance(std::span<Stream* const> streams) {
  std::vector<std::optional<std::string>> texts(streams.size());
  std::vector<Impl*> going;
  std::vector<size_t> index;  // of them in `streams`
  for (size_t i = 0; i < streams.size(); ++i) {
    Impl* s = streams[i]->impl_.get();
    if (s->ended()) continue;
    if (!going.empty() && &s->engine != &going[0]->engine)
      fail(ErrorKind::invalid, "the streams belong to several engines");
    if (s->interrupted && s->interrupted()) {
      texts[i] = s->end(StopReason::interrupted);
      continue;
    }
    going.push_back(s);
    index.push_back(i);
  }
  if (going.empty()) return texts;
  // One alone may be interrupted between chunks of its prompt. Where there are others, a long
  // prompt takes several steps, so that nobody waits for it.
  ashlar::Engine& engine = going[0]->engine;
  const bool hidden = std::any_of(going.begin(), going.end(),
                                  [](const Impl* s) { return s->draft.reads_hidden(); });
  constexpr size_t kPart = 512;  // tokens of a prompt in a step that others share
  const size_t most = std::min(going.size() > 1 ? kPart : SIZE_MAX,
                               hidden ? static_cast<size_t>(engine.chunk()) : SIZE_MAX);
  std::vector<std::vector<TokenId>> tokens;
  for (Impl* s : going) tokens.push_back(s->pending(most));
  std::vector<ashlar::Run> runs;
  for (size_t i = 0; i < going.size(); ++i) {
    const Impl& s = *going[i];
    const bool part = s.begin + tokens[i].size() < s.tokens.size();
    const bool guesses = !s.draft.tokens().empty();
    runs.push_back({.sequence = s.sequence,
                    .tokens = tokens[i],
                    .logits = part      ? ashlar::Run::Logits::none
                              : guesses ? ashlar::Run::Logits::all
                                        : ashlar::Run::Logits::last,
                    .alone = guesses && going.size() == 1,
                    .every_row = hidden});
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto logits =
      engine.step(runs, going.size() == 1 ? going[0]->interrupted : std::function<bool()>());
  const double seconds = seconds_since(begin);
  const int64_t held = engine.length(going[0]->sequence);
  if (held < static_cast<int64_t>(going[0]->begin + tokens[0].size())) {
    going[0]->evaluated(held, {});
    texts[index[0]] = going[0]->end(StopReason::interrupted);
    return texts;
  }
  // Copied: a stream whose logits are not finite evaluates its tokens again to say where.
  const std::vector<float> rows(logits.begin(), logits.end());
  const auto vocab = static_cast<size_t>(engine.vocab());
  std::optional<Error> failed;
  size_t row = 0;
  std::span<const float> states;  // rows of all tokens, from those of stream i on
  if (hidden) states = engine.output("hidden");
  const size_t width = hidden ? width_of_hidden(engine) : 0;
  for (size_t i = 0; i < going.size(); ++i) {
    const size_t own = tokens[i].size() * width;
    going[i]->evaluated(engine.length(going[i]->sequence), states.first(own), seconds);
    states = states.subspan(own);
    if (runs[i].logits == ashlar::Run::Logits::none) {
      texts[index[i]] = "";
      continue;
    }
    try {
      const size_t first = row * vocab, n = going[i]->draft.tokens().size() + 1;
      row += n;
      texts[index[i]] = going[i]->accept_all(std::span(rows).subspan(first, n * vocab));
    } catch (const Error& e) {
      if (!failed) failed = e;
    }
  }
  if (failed) throw Error(*failed);
  return texts;
}

bool Stream::ended() const { return impl_->ended(); }
void Stream::cancel() {
  if (!impl_->ended()) impl_->end(StopReason::interrupted);
}
const Generation& Stream::result() const { return impl_->continuation.result(); }
SequenceId Stream::sequence() const { return impl_->sequence; }

Generation generate(Engine& engine, std::span<const TokenId> prompt, const GenerateOptions& options,
                    const OnText& on_text) {
  return Generator(engine).generate(prompt, options, on_text);
}

std::vector<Generation> generate(Engine& engine, std::span<const std::vector<TokenId>> prompts,
                                 const GenerateOptions& options) {
  std::vector<Generation> results(prompts.size());
  struct Running {
    size_t index;
    Stream stream;
  };
  std::vector<Running> running;
  size_t next = 0;
  while (next < prompts.size() || !running.empty()) {
    for (; next < prompts.size(); ++next) {
      // With one running, a full engine only means that the others wait.
      if (!running.empty()) {
        const auto free = engine.open();
        if (!free) break;
        engine.close(*free);
      }
      running.push_back({next, Stream(engine, prompts[next], options)});
    }
    std::vector<Stream*> streams;
    for (Running& r : running) streams.push_back(&r.stream);
    Stream::advance(streams);
    std::erase_if(running, [&](Running& r) {
      if (!r.stream.ended()) return false;
      results[r.index] = r.stream.result();
      return true;
    });
  }
  return results;
}

std::shared_ptr<Drafter> model_drafter(const Model& draft, const Model& target,
                                       const EngineOptions& options) {
  const auto& data = with_weights(draft).data();
  return ashlar::model_drafter(std::shared_ptr<const ashlar::Model>(data, &data->model),
                               target.data()->model, options_of(options));
}

std::shared_ptr<Drafter> mtp_drafter(Engine& engine) {
  return ashlar::mtp_drafter(engine.impl().engine);
}

struct Generator::Impl {
  ashlar::Generator generator;
};
Generator::Generator(Engine& engine)
    : impl_(new Impl{ashlar::Generator(engine.impl().engine,
                                       engine.model().data()->model.tokenizer.get(),
                                       engine.model().end_tokens())}) {}
Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;
Generation Generator::generate(std::span<const TokenId> prompt, const GenerateOptions& options,
                               const OnText& on_text) {
  return impl_->generator.generate(prompt, options, on_text);
}

}  // namespace ashlar::v1
