// Checks of names and sizes, float copies of vectors, transposes of latent projections.
#include "plan/weights.h"

#include <algorithm>

#include "base/error.h"
#include "base/round_up.h"
#include "base/thread_pool.h"

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

namespace {

/// n rows of r numbers become r rows of n, in another format without blocks.
void transpose_head(Format from, const std::byte* in, int64_t n, int64_t r, Format to,
                    std::byte* out) {
  constexpr int64_t kBand = 16;  // a cache line of each row at a time
  std::vector<float> values(static_cast<size_t>(n * r)), transposed(static_cast<size_t>(kBand * n));
  info(from).to_f32(in, values.data(), n * r);
  for (int64_t j = 0; j < r; j += kBand) {
    const int64_t count = std::min(kBand, r - j);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = 0; k < count; ++k)
        transposed[static_cast<size_t>(k * n + i)] = values[static_cast<size_t>(i * r + j + k)];
    info(to).from_f32(transposed.data(), out + j * row_bytes(to, n), count * n);
  }
}

}  // namespace

Matrix BoundWeights::transposed_heads(ParamId id, bool f32) {
  const Param& p = param(id);
  const int64_t heads = p.axes[0].size, n = p.axes[1].size, r = p.axes[2].size;
  const auto [it, made] = made_.try_emplace({WeightForm::transposed_heads, id});
  if (made) {
    const Tensor& t = tensor(id);
    // Blocks run along the other axis, so quantised values become bfloat16 where float32 is not
    // asked for: finer than they are.
    const Format format = f32 ? Format::f32 : info(t.format).exact ? t.format : Format::bf16;
    const Sizes sizes{heads * r, n};
    if (weightless(id)) {
      it->second = {.format = format, .sizes = sizes};
    } else {
      std::byte* out = nullptr;
      it->second = make_tensor(format, sizes, &out);
      parallel_for(heads, [&](int64_t h, int) {
        transpose_head(t.format, t.data + h * n * row_bytes(t.format, r), n, r, format,
                       out + h * r * row_bytes(format, n));
      });
    }
  }
  const Tensor& transposed = it->second;
  return {transposed.format, transposed.data, heads * r, n, row_bytes(transposed.format, n)};
}

int64_t panels_bytes(const kernels::Table& table, const Matrix& rows) {
  return blocks_of(rows.rows, table.panel_rows) * table.panel_bytes(rows.format, rows.cols);
}

const std::byte* BoundWeights::panels(ParamId id, const Matrix& w, const kernels::Table& table) {
  const auto [it, made] = made_.try_emplace({WeightForm::panels, id});
  if (made) {
    const int64_t count = blocks_of(w.rows, table.panel_rows);
    const int64_t bytes = table.panel_bytes(w.format, w.cols);
    const Sizes sizes{count, bytes / 4};  // as room for floats, whatever the kernels keep there
    std::byte* out = nullptr;
    it->second = weightless(id) ? Tensor{.format = Format::f32, .sizes = sizes}
                                : make_tensor(Format::f32, sizes, &out);
    if (out != nullptr) {
      parallel_for(count, [&](int64_t i, int) {
        const int64_t row = i * table.panel_rows;
        table.pack_panels(w.format, w.data + row * w.row_bytes, w.row_bytes,
                          std::min(table.panel_rows, w.rows - row), w.cols, out + i * bytes);
      });
    }
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
