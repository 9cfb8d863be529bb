// Every parameter begins at a cache line.
#include "train/parameters.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/error.h"

namespace ashlar {
namespace {

constexpr int64_t kGrain = 16;  // floats of a cache line

}  // namespace

ParameterArrays::ParameterArrays(const Params& params) {
  for (const Param& p : params) {
    begins_.push_back(total_);
    counts_.push_back(p.elements());
    total_ += (p.elements() + kGrain - 1) / kGrain * kGrain;
  }
  constexpr std::align_val_t kAlignment{64};
  const auto size = static_cast<size_t>(std::max<int64_t>(bytes(), 1));
  void* memory = ::operator new(size, kAlignment, std::nothrow);
  if (memory == nullptr)
    fail(ErrorKind::resource, "training: no memory for {} bytes of parameters", bytes());
  std::memset(memory, 0, size);
  memory_ = {static_cast<std::byte*>(memory),
             [](std::byte* b) { ::operator delete (b, std::align_val_t{64}); }};
  values_ = static_cast<float*>(memory);
}

void ParameterArrays::clear() { std::memset(memory_.get(), 0, static_cast<size_t>(bytes())); }

Weights ParameterArrays::tensors(const Params& params) const {
  Weights weights;
  for (const ParamId i : params.ids()) {
    const Param& p = params[i];
    Sizes sizes;
    for (int64_t r = 0; r < p.row_axes; ++r) sizes.push_back(p.axes[static_cast<size_t>(r)].size);
    sizes.push_back(p.cols());
    weights[p.name] = {Format::f32, sizes, reinterpret_cast<const std::byte*>(values_ + begins_[i]),
                       memory_};
  }
  return weights;
}

void ParameterArrays::take(const Params& params, const Weights& weights) {
  for (const ParamId i : params.ids()) {
    const Param& p = params[i];
    const auto it = weights.find(p.name);
    if (it == weights.end()) fail(ErrorKind::invalid, "initial weights: {} is missing", p.name);
    if (it->second.elements() != p.elements() ||
        (p.row_axes > 0 && it->second.cols() != p.cols())) {
      fail(ErrorKind::invalid, "initial weights: {}: expected {} rows of {}, found {}", p.name,
           p.rows(), p.cols(), to_string(it->second.sizes));
    }
    const Tensor& t = it->second;
    for (int64_t r = 0; r < t.rows(); ++r)
      info(t.format).to_f32(t.row(r), values_ + begins_[i] + r * t.cols(), t.cols());
  }
}

}  // namespace ashlar
