// Checks of names and sizes, float copies of vectors, transposes of latent projections.
#include "plan/weights.h"

#include <cstring>

#include "base/error.h"

namespace ashlar {

Weights weightless(const Graph& graph, const std::function<Format(const Param&)>& formats) {
  Weights weights;
  for (const Param& p : graph.params())
    weights[p.name] = {.format = formats(p), .sizes = {p.rows(), p.cols()}};
  return weights;
}

BoundWeights::BoundWeights(const Graph& graph, const Weights& weights) : params_(graph.params()) {
  std::string wrong;
  size_t count = 0;
  constexpr size_t kMostNamed = 8;
  for (const Param& p : params_) {
    const auto it = weights.find(p.name);
    std::string problem;
    if (it == weights.end()) {
      problem = fmt::format("{} is missing", p.name);
    } else if (it->second.elements() != p.elements() ||
               (p.row_axes > 0 && it->second.cols() != p.cols())) {
      problem = fmt::format("{}: expected {} rows of {}, found {}", p.name, p.rows(), p.cols(),
                            to_string(it->second.sizes));
    } else {
      tensors_.push_back(it->second);
      continue;
    }
    tensors_.emplace_back();
    if (++count <= kMostNamed) wrong += (wrong.empty() ? "" : "; ") + problem;
  }
  if (count > kMostNamed) wrong += fmt::format("; and {} more", count - kMostNamed);
  if (count > 0) fail(ErrorKind::invalid, "weights do not fit the graph: {}", wrong);
}

Matrix BoundWeights::matrix(ParamId id) const {
  const Tensor& t = tensors_[static_cast<size_t>(id)];
  const Param& p = param(id);
  // A vector is one row; everything else has the rows that its parameter declares.
  return {t.format, t.data, p.rows(), p.cols(), t.bytes() / p.rows()};
}

const float* BoundWeights::floats(ParamId id) {
  const Tensor& t = tensors_[static_cast<size_t>(id)];
  if (t.format == Format::f32) return reinterpret_cast<const float*>(t.data);
  auto it = floats_.find(id);
  if (it == floats_.end()) {
    Tensor made = t.data == nullptr ? Tensor{.format = Format::f32, .sizes = t.sizes}
                                    : convert(t, Format::f32);
    it = floats_.emplace(id, std::move(made)).first;
  }
  return reinterpret_cast<const float*>(it->second.data);
}

Matrix BoundWeights::transposed_heads(ParamId id, bool f32) {
  const Param& p = param(id);
  const int64_t heads = p.axes[0].size, n = p.axes[1].size, r = p.axes[2].size;
  auto it = transposed_.find(id);
  if (it == transposed_.end()) {
    const Tensor& t = tensors_[static_cast<size_t>(id)];
    // Blocks run along the other axis, so quantised values become bfloat16 where float32 is not
    // asked for: finer than they are.
    const Format format = f32 ? Format::f32 : info(t.format).exact ? t.format : Format::bf16;
    const bool weightless = t.data == nullptr;
    std::byte* out = nullptr;
    Tensor turned = weightless ? Tensor{.format = format, .sizes = {heads * r, n}}
                               : make_tensor(Format::f32, {heads * r, n}, &out);
    std::vector<float> row(static_cast<size_t>(r));
    for (int64_t h = 0; h < heads && !weightless; ++h) {
      for (int64_t i = 0; i < n; ++i) {
        info(t.format).to_f32(t.data + (h * n + i) * row_bytes(t.format, r), row.data(), r);
        for (int64_t j = 0; j < r; ++j)
          std::memcpy(out + ((h * r + j) * n + i) * 4, &row[static_cast<size_t>(j)], 4);
      }
    }
    it = transposed_.emplace(id, turned.format == format ? turned : convert(turned, format)).first;
  }
  const Tensor& made = it->second;
  return {made.format, made.data, heads * r, n, row_bytes(made.format, n)};
}

std::shared_ptr<const Array<float>> BoundWeights::array(ParamId id) {
  auto& made = arrays_[id];
  if (!made) {
    auto a = std::make_shared<Array<float>>();
    for (const Axis& axis : param(id).axes) a->sizes.push_back(axis.size);
    const Tensor& t = tensors_[static_cast<size_t>(id)];
    if (t.data != nullptr) a->values = to_f32(t);
    made = std::move(a);
  }
  return made;
}

int64_t BoundWeights::made_bytes() const {
  int64_t bytes = 0;
  for (const auto& [id, t] : floats_) bytes += t.bytes();
  for (const auto& [id, t] : transposed_) bytes += t.bytes();
  for (const auto& [id, a] : arrays_) bytes += a->elements() * 4;
  return bytes;
}

}  // namespace ashlar
