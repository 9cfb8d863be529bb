// Checks of names and sizes, float copies of vectors, transposes of latent projections.
#include "plan/weights.h"

#include <cstring>

#include "base/error.h"
#include "base/round_up.h"

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
  const Tensor& t = tensor(id);
  const Param& p = param(id);
  // A vector is one row; everything else has the rows that its parameter declares.
  return {t.format, t.data, p.rows(), p.cols(), t.bytes() / p.rows()};
}

const float* BoundWeights::floats(ParamId id) {
  const Tensor& t = tensor(id);
  if (t.format == Format::f32) return reinterpret_cast<const float*>(t.data);
  const auto [it, made] = made_.try_emplace({WeightForm::floats, id});
  if (made) {
    it->second =
        weightless(id) ? Tensor{.format = Format::f32, .sizes = t.sizes} : convert(t, Format::f32);
  }
  return reinterpret_cast<const float*>(it->second.data);
}

Matrix BoundWeights::transposed_heads(ParamId id, bool f32) {
  const Param& p = param(id);
  const int64_t heads = p.axes[0].size, n = p.axes[1].size, r = p.axes[2].size;
  const auto [it, made] = made_.try_emplace({WeightForm::transposed_heads, id});
  if (made) {
    const Tensor& t = tensor(id);
    // Blocks run along the other axis, so quantised values become bfloat16 where float32 is not
    // asked for: finer than they are.
    const Format format = f32 ? Format::f32 : info(t.format).exact ? t.format : Format::bf16;
    std::byte* out = nullptr;
    Tensor turned = weightless(id) ? Tensor{.format = format, .sizes = {heads * r, n}}
                                   : make_tensor(Format::f32, {heads * r, n}, &out);
    std::vector<float> row(static_cast<size_t>(r));
    for (int64_t h = 0; h < heads && !weightless(id); ++h) {
      for (int64_t i = 0; i < n; ++i) {
        info(t.format).to_f32(t.data + (h * n + i) * row_bytes(t.format, r), row.data(), r);
        for (int64_t j = 0; j < r; ++j)
          std::memcpy(out + ((h * r + j) * n + i) * 4, &row[static_cast<size_t>(j)], 4);
      }
    }
    it->second = turned.format == format ? turned : convert(turned, format);
  }
  const Tensor& turned = it->second;
  return {turned.format, turned.data, heads * r, n, row_bytes(turned.format, n)};
}

const std::byte* BoundWeights::panels(ParamId id, const Matrix& w, const kernels::Table& table) {
  const auto [it, made] = made_.try_emplace({WeightForm::panels, id});
  if (made) {
    const Sizes sizes{round_up(w.rows, table.panel_rows), w.cols};
    std::byte* out = nullptr;
    it->second = weightless(id) ? Tensor{.format = w.format, .sizes = sizes}
                                : make_tensor(w.format, sizes, &out);
    if (out != nullptr) table.pack_panels(w.format, w.data, w.row_bytes, w.rows, w.cols, out);
  }
  return it->second.data;
}

std::shared_ptr<const Array<float>> BoundWeights::array(ParamId id) {
  auto& made = arrays_[id];
  if (!made) {
    auto a = std::make_shared<Array<float>>();
    for (const Axis& axis : param(id).axes) a->sizes.push_back(axis.size);
    const Tensor& t = tensor(id);
    if (t.data != nullptr) a->values = to_f32(t);
    made = std::move(a);
  }
  return made;
}

int64_t BoundWeights::made_bytes(WeightForm form) const {
  int64_t bytes = 0;
  for (const auto& [key, t] : made_) bytes += key.first == form ? t.bytes() : 0;
  if (form == WeightForm::array)
    for (const auto& [id, a] : arrays_) bytes += a->elements() * 4;
  return bytes;
}

int64_t BoundWeights::made_bytes() const {
  int64_t bytes = 0;
  for (const WeightForm form :
       {WeightForm::floats, WeightForm::transposed_heads, WeightForm::panels, WeightForm::array})
    bytes += made_bytes(form);
  return bytes;
}

}  // namespace ashlar
