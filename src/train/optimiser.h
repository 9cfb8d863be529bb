// Optimisers: what gradients do to parameters. Each parameter is treated by its role in the graph.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "train/float_rows.h"
#include "train/parameters.h"
#include "train/products.h"
#include "train/settings.h"

namespace ashlar {

/// Euclidean norm of the gradients of the parameters that are trained, summed in double in an order
/// that does not depend on threads.
double gradient_norm(const ParameterArrays& gradients, Products& threads);

/// clip / (norm + 1e-6) where that is below 1, as torch.nn.utils.clip_grad_norm_; 1 without a clip.
double clip_factor(double norm, double clip);

class Optimiser {
 public:
  /// `decay_towards` is per parameter the value that weight decay leads to: 0, but 1 for gains that
  /// the model's files keep as w - 1, so that what decays is what Transformers calls the parameter.
  Optimiser(const Params& params, const IdVector<ParamId, bool>& trained,
            const OptimiserSettings& settings, IdVector<ParamId, float> decay_towards);

  /// One update with `gradient_factor` times the gradients. `rate` and `schedule_factor` (rate over
  /// its peak) are those of this step.
  void update(ParameterArrays& parameters, const ParameterArrays& gradients, double gradient_factor,
              double rate, double schedule_factor, Products& threads);

  /// Per parameter the elements whose second moment, corrected, is below eps squared, so that eps
  /// says how far they move; nothing of those that have no second moment. Empty: none has.
  IdVector<ParamId, std::optional<int64_t>> below_eps() const;

  /// What belongs into a checkpoint besides the parameters: the moments, by name, and the number of
  /// updates so far.
  std::vector<NamedArrays> state();
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }

 private:
  struct Group {  // how a parameter is treated
    bool trained = false, orthogonal = false, decays = false;
    float towards = 0;
  };
  void muon(ParamId id, ParameterArrays& parameters, const ParameterArrays& gradients,
            double gradient_factor, double rate, double decay, Products& threads);

  const Params params_;
  const OptimiserSettings settings_;
  IdVector<ParamId, Group> groups_;
  std::unique_ptr<ParameterArrays> first_, second_;  // moments; sgd and muon: first alone
  int64_t updates_ = 0;
};

}  // namespace ashlar
