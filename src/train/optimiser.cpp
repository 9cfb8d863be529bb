// AdamW and SGD element by element in pieces of equal size, whatever the threads.
#include "train/optimiser.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "train/newton_schulz.h"

namespace ashlar {
namespace {

constexpr int64_t kPiece = 1 << 15;                  // elements of a task
constexpr size_t kUpdate = ProductSpace::kFree + 3;  // beyond those of Newton-Schulz

struct Piece {
  ParamId id;
  size_t begin, end;
};

template <class Wanted>
std::vector<Piece> pieces_of(const ParameterArrays& arrays, const Wanted& wanted) {
  std::vector<Piece> pieces;
  for (const ParamId i : arrays.ids()) {
    if (!wanted(i)) continue;
    const size_t n = arrays[i].size();
    for (size_t begin = 0; begin < n; begin += kPiece)
      pieces.push_back({i, begin, std::min<size_t>(n, begin + kPiece)});
  }
  return pieces;
}

}  // namespace

double gradient_norm(const ParameterArrays& gradients, Products& threads) {
  const std::vector<Piece> pieces = pieces_of(gradients, [](ParamId) { return true; });
  std::vector<double> sums(pieces.size());
  const FloatRows& rows = float_rows(threads.table_name());
  threads.each(static_cast<int64_t>(pieces.size()), [&](int64_t i, ProductSpace&) {
    const Piece& p = pieces[static_cast<size_t>(i)];
    sums[static_cast<size_t>(i)] =
        rows.squares(gradients[p.id].data() + p.begin, static_cast<int64_t>(p.end - p.begin));
  });
  double sum = 0;
  for (const double s : sums) sum += s;
  return std::sqrt(sum);
}

double clip_factor(double norm, double clip) {
  constexpr double kEps = 1e-6;
  return clip > 0 ? std::min(1.0, clip / (norm + kEps)) : 1;
}

Optimiser::Optimiser(const Params& params, const IdVector<ParamId, bool>& trained,
                     const OptimiserSettings& settings, IdVector<ParamId, float> decay_towards)
    : params_(params), settings_(settings), first_(std::make_unique<ParameterArrays>(params)) {
  const bool muon = settings.kind == OptimiserKind::muon;
  bool adamw = settings.kind == OptimiserKind::adamw;
  for (const ParamId i : params.ids()) {
    const Param& p = params[i];
    Group g{trained[i], false, settings.decay > 0 && settings.decay_on.covers(p),
            i.index() < decay_towards.size() ? decay_towards[i] : 0};
    // Hidden matrices: the table and the head, which reads as many rows as there are words, are
    // AdamW's.
    g.orthogonal = muon && is_hidden_matrix(p);
    adamw = adamw || (muon && !g.orthogonal);
    groups_.push_back(g);
  }
  if (adamw) second_ = std::make_unique<ParameterArrays>(params);
}

std::vector<NamedArrays> Optimiser::state() {
  std::vector<NamedArrays> state{{"first_moment", first_.get()}};
  if (second_) state.push_back({"second_moment", second_.get()});
  return state;
}

IdVector<ParamId, std::optional<int64_t>> Optimiser::below_eps() const {
  if (!second_) return {};
  const double corrected = settings_.eps * settings_.eps *
                           (1 - std::pow(settings_.betas[1], static_cast<double>(updates_)));
  const auto limit = static_cast<float>(corrected);
  IdVector<ParamId, std::optional<int64_t>> counts(params_.size());
  for (const ParamId i : params_.ids()) {
    if (!groups_[i].trained || groups_[i].orthogonal) continue;
    int64_t below = 0;
    for (const float v : (*second_)[i]) below += v < limit ? 1 : 0;
    counts[i] = below;
  }
  return counts;
}

void Optimiser::update(ParameterArrays& parameters, const ParameterArrays& gradients,
                       double gradient_factor, double rate, double schedule_factor,
                       Products& threads) {
  ++updates_;
  const OptimiserSettings& s = settings_;
  const double decay = s.decay_by == DecayBy::rate ? rate * s.decay : schedule_factor * s.decay;
  const auto updates = static_cast<double>(updates_);
  AdamwFactors f{};
  f.gradient = static_cast<float>(gradient_factor);
  f.keep = static_cast<float>(1 - decay);
  f.beta2 = static_cast<float>(s.betas[1]);
  f.rest1 = static_cast<float>(1 - s.betas[0]);
  f.rest2 = static_cast<float>(1 - s.betas[1]);
  f.step = static_cast<float>(rate / (1 - std::pow(s.betas[0], updates)));
  f.correction2 = static_cast<float>(std::sqrt(1 - std::pow(s.betas[1], updates)));
  f.eps = static_cast<float>(s.eps);
  const bool sgd = s.kind == OptimiserKind::sgd;
  const FloatRows& rows = float_rows(threads.table_name());
  const std::vector<Piece> pieces =
      pieces_of(*first_, [&](ParamId i) { return groups_[i].trained && !groups_[i].orthogonal; });
  threads.each(static_cast<int64_t>(pieces.size()), [&](int64_t i, ProductSpace&) {
    const Piece& p = pieces[static_cast<size_t>(i)];
    float* w = parameters[p.id].data();
    const float* g = gradients[p.id].data();
    const Group& group = groups_[p.id];
    float* m = (*first_)[p.id].data();
    if (!sgd) {
      AdamwFactors of_group = f;
      of_group.towards = group.towards;
      if (!group.decays) of_group.keep = 1;
      rows.adamw(of_group, w + p.begin, m + p.begin, (*second_)[p.id].data() + p.begin, g + p.begin,
                 static_cast<int64_t>(p.end - p.begin));
      return;
    }
    // torch.optim.SGD, decay decoupled.
    const auto momentum = static_cast<float>(s.momentum), step = static_cast<float>(rate);
    for (size_t k = p.begin; k < p.end; ++k) {
      const float gk = g[k] * f.gradient;
      m[k] = momentum * m[k] + gk;
      const float direction = s.nesterov ? gk + momentum * m[k] : m[k];
      const float keep = group.decays ? f.keep : 1;
      w[k] = group.towards + (w[k] - group.towards) * keep - step * direction;
    }
  });
  for (const ParamId i : params_.ids()) {
    if (groups_[i].trained && groups_[i].orthogonal)
      muon(i, parameters, gradients, gradient_factor, rate, decay, threads);
  }
}

void Optimiser::muon(ParamId id, ParameterArrays& parameters, const ParameterArrays& gradients,
                     double gradient_factor, double rate, double decay, Products& threads) {
  const Param& param = params_[id];
  const Group& group = groups_[id];
  const MatrixShape shape = matrix_shape(param);
  const int64_t elements = shape.rows * shape.cols;
  float* w = parameters[id].data();
  float* m = (*first_)[id].data();
  const float* g = gradients[id].data();
  const auto momentum = static_cast<float>(settings_.momentum),
             factor = static_cast<float>(gradient_factor);
  const double size = settings_.scale == MuonScale::moonlight
                          ? 0.2 * std::sqrt(static_cast<double>(std::max(shape.rows, shape.cols)))
                          : std::sqrt(std::max(1.0, static_cast<double>(shape.rows) /
                                                        static_cast<double>(shape.cols)));
  const auto step = static_cast<float>(rate * size);
  const auto keep = group.decays ? static_cast<float>(1 - decay) : 1.0f;
  // Experts, heads of latent projections: each matrix by itself, one per task.
  threads.each(shape.matrices, [&](int64_t e, ProductSpace& space) {
    float* update = space.floats(kUpdate, elements);
    float *me = m + e * elements, *we = w + e * elements;
    const float* ge = g + e * elements;
    for (int64_t k = 0; k < elements; ++k) {
      const float gk = ge[k] * factor;
      me[k] = momentum * me[k] + (1 - momentum) * gk;
      update[k] = settings_.nesterov ? momentum * me[k] + (1 - momentum) * gk : me[k];
    }
    orthogonalise(update, shape.rows, shape.cols, settings_.iterations, threads, space);
    for (int64_t k = 0; k < elements; ++k) we[k] = we[k] * keep - step * update[k];
  });
}

}  // namespace ashlar
