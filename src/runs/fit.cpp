// The step is lowered as the run will lower it, and asked.
#include "runs/fit.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "runs/step_cost.h"
#include "train/lowering.h"
#include "train/trainer.h"

namespace ashlar {
namespace {

int64_t bytes_of_arrays(const Graph& forward, const TrainSettings& settings) {
  // Weights, gradients, the moments, and telemetry's copy of the weights.
  const int64_t moments = settings.optimiser.kind == OptimiserKind::sgd ? 1 : 2,
                copies = settings.telemetry.every > 0 ? 1 : 0;
  return (2 + moments + copies) * forward.parameter_count() * int64_t{sizeof(float)};
}

/// Of what a step computes, by the number of sequences.
class StepBytes {
 public:
  StepBytes(const Graph& forward, const StepOptions& options, const TrainSettings& settings)
      : lowering_(differentiate(forward, with_losses(options, settings).differentiate),
                  {.exact = false}),
        length_(settings.batch.length),
        threads_(options.threads > 0 ? options.threads : default_threads()) {}
  int64_t of(int64_t sequences) const {
    return lowering_.places(sequences * length_).bytes +
           packed_bytes(lowering_, sequences * length_, threads_);
  }

 private:
  const TrainingLowering lowering_;
  const int64_t length_;
  const int threads_;
};

}  // namespace

int64_t bytes_of_step(const Graph& forward, const StepOptions& options,
                      const TrainSettings& settings, int64_t sequences) {
  return bytes_of_arrays(forward, settings) + StepBytes(forward, options, settings).of(sequences);
}

bool fitting_recomputation(const Graph& forward, StepOptions options, const TrainSettings& settings,
                           std::optional<bool> wanted, int64_t free, const std::string& model) {
  const int64_t arrays = bytes_of_arrays(forward, settings), micro = settings.batch.micro;
  int64_t needed = arrays, fits = 0;
  // Lowering a step of many layers takes a while: not where the arrays alone are too much.
  if (arrays < free) {
    for (const bool recompute : {false, true}) {
      if (wanted && *wanted != recompute) continue;
      options.differentiate.recompute_layers = recompute;
      const StepBytes bytes(forward, options, settings);
      needed = arrays + bytes.of(micro);
      if (needed <= free) return recompute;
      fits = largest_fitting([&](int64_t n) { return arrays + bytes.of(n); }, free, micro);
    }
  }
  fail(ErrorKind::resource, "training {} takes {} with {} sequences at once, {} are free: {}",
       model.empty() ? "the model" : model, short_bytes(static_cast<double>(needed)), micro,
       short_bytes(static_cast<double>(free)),
       fits > 0 ? fmt::format("write \"batch\": {{\"micro\": {}}}", fits)
                : std::string("choose a smaller model, or shorter sequences"));
}

}  // namespace ashlar
