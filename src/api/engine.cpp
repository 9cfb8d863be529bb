// The public engine: the library's with the model that it runs.
#include "ashlar/engine.h"

#include <algorithm>

#include "api/data.h"
#include "base/error.h"
#include "generate/mtp_drafter.h"

namespace ashlar::v1 {

ashlar::EngineOptions options_of(const EngineOptions& o) {
  return {.threads = o.threads,
          .kernels = o.kernels,
          .context = o.context,
          .sequences = o.sequences,
          .chunk = o.chunk,
          .held_tokens = o.held_tokens,
          .f32_activations = o.f32_activations,
          .deterministic = o.deterministic,
          .packed_weights = o.packed_weights,
          .pinned = o.pinned,
          .state = o.state};
}

namespace {

ashlar::Run run_of(const Run& run) {
  const auto rows = run.logits == Run::Logits::none   ? ashlar::Run::Logits::none
                    : run.logits == Run::Logits::last ? ashlar::Run::Logits::last
                                                      : ashlar::Run::Logits::all;
  return {run.sequence, run.tokens, rows};
}

}  // namespace

const Model& with_weights(const Model& model) {
  if (!model.has_weights())
    fail(ErrorKind::invalid,
         "{}: was loaded without weights; those of a blueprint are drawn from a seed, `random`",
         model.source());
  return model;
}

Engine::Engine(const Model& model, const EngineOptions& options)
    : impl_(new Impl{
          model, engine_of(with_weights(model).data()->model, options_of(options), options.mtp)}) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;

std::optional<SequenceId> Engine::open() { return impl_->engine.open(); }
void Engine::close(SequenceId sequence) { impl_->engine.close(sequence); }
std::optional<SequenceId> Engine::fork(SequenceId sequence) { return impl_->engine.fork(sequence); }
int64_t Engine::length(SequenceId sequence) const { return impl_->engine.length(sequence); }
bool Engine::can_truncate(SequenceId sequence, int64_t length) const {
  return impl_->engine.can_truncate(sequence, length);
}
void Engine::truncate(SequenceId sequence, int64_t length) {
  impl_->engine.truncate(sequence, length);
}

std::span<const float> Engine::step(std::span<const Run> runs,
                                    const std::function<bool()>& interrupted) {
  std::vector<ashlar::Run> all(runs.size());
  std::transform(runs.begin(), runs.end(), all.begin(), run_of);
  return impl_->engine.step(all, interrupted);
}

FloatArray Engine::logits(std::span<const TokenId> tokens, Run::Logits rows) {
  ashlar::Engine& engine = impl_->engine;
  const auto sequence = engine.open();
  if (!sequence)
    fail(ErrorKind::resource, "the engine has no free sequence: choose more `sequences`");
  struct Close {
    ashlar::Engine& engine;
    SequenceId sequence;
    ~Close() { engine.close(sequence); }
  } const close{engine, *sequence};
  const ashlar::Run run = run_of({*sequence, tokens, rows});
  engine.step({&run, 1});
  auto values = std::make_shared<const std::vector<float>>(engine.take_rows());
  return {{static_cast<int64_t>(values->size()) / engine.vocab(), engine.vocab()}, *values, values};
}

int64_t Engine::vocab() const { return impl_->engine.vocab(); }
int64_t Engine::context() const { return impl_->engine.context(); }
int Engine::threads() const { return impl_->engine.threads(); }
std::string_view Engine::kernels() const { return impl_->engine.kernels(); }
int64_t Engine::state_bytes() const { return impl_->engine.state_bytes(); }
int64_t Engine::activation_bytes() const { return impl_->engine.activation_bytes(); }
Format Engine::state_format() const { return impl_->engine.state_format(); }
const Model& Engine::model() const { return impl_->model; }

}  // namespace ashlar::v1
