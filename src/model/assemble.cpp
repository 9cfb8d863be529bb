// Moves rows between files and parameters, turns matrices, adds and takes away the one of norms.
#include "model/assemble.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/thread_pool.h"

namespace ashlar {
namespace {

constexpr int64_t kBand = 64;  // rows that one task of a loop takes

bool in_order(const Source& s) { return s.rope_heads == 0 && s.tiles == 0; }
bool same_numbers(const Source& s) { return !s.minus_one && !s.minus_exp; }

/// Columns of one of the heads that change places.
int64_t head_columns(const Source& s, int64_t cols) { return cols / (s.tiles * s.tile_heads); }

/// The format of an assembled parameter.
Format format_after(const Source& s, const Layout& l, bool is_transposed, Format file) {
  if (!same_numbers(s)) return Format::f32;
  const bool cut = s.tiled_columns && head_columns(s, l.cols) % info(file).block_len != 0;
  return (is_transposed && !info(file).exact) || cut ? Format::f32 : file;
}

bool maps(const Source& s, const Layout& l, bool is_transposed) {
  return !is_transposed && s.group == s.count && in_order(s) && same_numbers(s) &&
         !(l.stacked && l.matrices > 1);
}

/// Heads of a row's columns to or from their places in the file; of a format whose blocks heads
/// fill.
void move_heads(const Source& s, const std::byte* in, std::byte* out, Format format, int64_t cols,
                bool to_file) {
  const auto bytes = static_cast<size_t>(row_bytes(format, head_columns(s, cols)));
  for (int64_t h = 0; h < s.tiles * s.tile_heads; ++h) {
    const auto own = static_cast<size_t>(h), file = static_cast<size_t>(file_head(s, h));
    std::memcpy(out + (to_file ? file : own) * bytes, in + (to_file ? own : file) * bytes, bytes);
  }
}

/// Rows that lie together in the file's one matrix, as those of fused projections do: a part of it.
bool is_part(const Source& s, const Layout& l, bool is_transposed, Format file) {
  return !is_transposed && in_order(s) && same_numbers(s) && !l.stacked && l.matrices == 1 &&
         l.file_rows == s.group && (!l.vector || info(file).exact);
}

/// `source` transposed: [cols][rows] elements of `size` bytes become [rows][cols].
void turn(const std::byte* source, std::byte* out, int64_t rows, int64_t cols, int64_t size,
          const std::function<int64_t(int64_t)>& file_row_of, int64_t file_rows) {
  parallel_for((rows + kBand - 1) / kBand, [&](int64_t band, int) {
    const int64_t end = std::min(rows, (band + 1) * kBand);
    int64_t from[kBand];
    for (int64_t r = band * kBand; r < end; ++r) from[r % kBand] = file_row_of(r);
    for (int64_t c = 0; c < cols; ++c) {
      for (int64_t r = band * kBand; r < end; ++r) {
        std::memcpy(out + (r * cols + c) * size, source + (c * file_rows + from[r % kBand]) * size,
                    static_cast<size_t>(size));
      }
    }
  });
}

/// What a file holds to what a parameter is, and back.
void from_file(const Source& s, float* values, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (s.minus_one) values[i] += 1.0f;
    if (s.minus_exp) values[i] = static_cast<float>(std::log(-static_cast<double>(values[i])));
  }
}
void to_file(const Source& s, float* values, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (s.minus_one) values[i] -= 1.0f;
    if (s.minus_exp) values[i] = static_cast<float>(-std::exp(static_cast<double>(values[i])));
  }
}

}  // namespace

Sizes sizes_of(const Param& p) {
  Sizes sizes;
  for (int64_t i = 0; i < p.row_axes; ++i) sizes.push_back(p.axes[static_cast<size_t>(i)].size);
  sizes.push_back(p.cols());
  return sizes;
}

int64_t assembled_bytes(const Param& param, const Source& source, const Layout& layout,
                        bool is_transposed, Format format) {
  if (maps(source, layout, is_transposed) || is_part(source, layout, is_transposed, format))
    return 0;
  return param.rows() *
         row_bytes(format_after(source, layout, is_transposed, format), param.cols());
}

Tensor assembled(const Param& param, const Source& source, const Layout& l, bool is_transposed,
                 const std::vector<Tensor>& files) {
  const Format file_format = files[0].format;
  if (maps(source, l, is_transposed)) {
    Tensor t = files[0];
    t.sizes = sizes_of(param);
    return t;
  }
  if (is_part(source, l, is_transposed, file_format)) {
    Tensor t = files[0];
    t.sizes = sizes_of(param);
    t.data += source.begin * row_bytes(file_format, l.cols);
    return t;
  }
  const Format format = format_after(source, l, is_transposed, file_format);
  std::byte* out = nullptr;
  Tensor result = make_tensor(format, sizes_of(param), &out);
  const auto row_of = [&](int64_t r) { return file_row(source, l, r); };
  // Vectors move number by number: their "rows" have one column. Block formats never hold vectors
  // whose numbers move.
  const int64_t from_bytes = row_bytes(file_format, is_transposed ? l.file_rows : l.cols);
  const int64_t to_bytes = row_bytes(format, l.cols);
  for (int64_t m = 0; m < l.matrices; ++m) {
    const Tensor& file = l.stacked ? files[static_cast<size_t>(m)] : files[0];
    const int64_t file_matrix = (is_transposed ? l.cols : l.file_rows) * from_bytes;
    const std::byte* in = file.data + (l.stacked ? 0 : m * file_matrix);
    std::byte* to = out + m * l.rows * to_bytes;
    if (is_transposed) {
      if (file.format == format) {
        turn(in, to, l.rows, l.cols, info(format).block_bytes, row_of, l.file_rows);
      } else {
        const std::vector<float> values =
            to_f32({file.format, {l.cols, l.file_rows}, in, file.owner});
        turn(reinterpret_cast<const std::byte*>(values.data()), to, l.rows, l.cols, 4, row_of,
             l.file_rows);
      }
    } else {
      parallel_for((l.rows + kBand - 1) / kBand, [&](int64_t band, int) {
        std::vector<float> values(file.format == format ? 0 : static_cast<size_t>(l.cols));
        const int64_t end = std::min(l.rows, (band + 1) * kBand);
        for (int64_t r = band * kBand; r < end; ++r) {
          const std::byte* row = in + row_of(r) * from_bytes;
          if (file.format != format) {
            info(file.format).to_f32(row, values.data(), l.cols);
            row = reinterpret_cast<const std::byte*>(values.data());
          }
          if (source.tiled_columns)
            move_heads(source, row, to + r * to_bytes, format, l.cols, false);
          else
            std::memcpy(to + r * to_bytes, row, static_cast<size_t>(to_bytes));
        }
      });
    }
    if (!same_numbers(source)) from_file(source, reinterpret_cast<float*>(to), l.rows * l.cols);
  }
  return result;
}

namespace {

/// Rows of one matrix of a parameter, to where they belong in a file's matrix of float32.
void place_rows(const TensorPiece& piece, const Tensor& tensor, int64_t matrix, float* out) {
  const Layout& l = piece.layout;
  const int64_t bytes = row_bytes(tensor.format, l.cols);
  const std::byte* in = tensor.data + matrix * l.rows * bytes;
  parallel_for((l.rows + kBand - 1) / kBand, [&](int64_t band, int) {
    std::vector<float> row(static_cast<size_t>(piece.source.tiled_columns ? l.cols : 0));
    const int64_t end = std::min(l.rows, (band + 1) * kBand);
    for (int64_t r = band * kBand; r < end; ++r) {
      float* to = out + file_row(piece.source, l, r) * l.cols;
      float* values = piece.source.tiled_columns ? row.data() : to;
      info(tensor.format).to_f32(in + r * bytes, values, l.cols);
      to_file(piece.source, values, l.cols);
      if (piece.source.tiled_columns) {
        move_heads(piece.source, reinterpret_cast<const std::byte*>(values),
                   reinterpret_cast<std::byte*>(to), Format::f32, l.cols, true);
      }
    }
  });
}

}  // namespace

Tensor disassembled(const std::vector<TensorPiece>& pieces, const Sizes& sizes, Format format) {
  const Layout& first = pieces[0].layout;
  const bool is_transposed = pieces[0].source.transposed;
  const Tensor whole = pieces.size() == 1 ? pieces[0].tensor() : Tensor{};
  if (pieces.size() == 1 && whole.format == format &&
      maps(pieces[0].source, first, is_transposed)) {
    Tensor t = whole;
    t.sizes = sizes;
    return t;
  }
  std::byte* out = nullptr;
  Tensor result = make_tensor(format, sizes, &out);
  std::vector<Tensor> tensors;
  for (const TensorPiece& p : pieces) tensors.push_back(pieces.size() == 1 ? whole : p.tensor());
  const int64_t matrices = first.stacked ? 1 : first.matrices;
  // A vector is one row as far as formats are concerned.
  const int64_t row = is_transposed ? first.file_rows : first.vector ? first.file_rows : first.cols;
  const int64_t rows = first.file_rows * first.cols / row;
  const int64_t bytes = row_bytes(format, row);
  for (int64_t m = 0; m < matrices; ++m) {
    std::byte* to = out + m * rows * bytes;
    const int64_t matrix = first.stacked ? pieces[0].matrix : m;
    // Whole rows of one format move as they are.
    bool plain = !is_transposed && !first.vector;
    for (size_t i = 0; i < pieces.size(); ++i)
      plain = plain && tensors[i].format == format && pieces[i].source.keeps_rows();
    if (plain) {
      for (size_t i = 0; i < pieces.size(); ++i) {
        const Layout& l = pieces[i].layout;
        const std::byte* in = tensors[i].data + matrix * l.rows * bytes;
        for (int64_t r = 0; r < l.rows; ++r) {
          std::memcpy(to + file_row(pieces[i].source, l, r) * bytes, in + r * bytes,
                      static_cast<size_t>(bytes));
        }
      }
      continue;
    }
    std::vector<float> values(static_cast<size_t>(first.file_rows * first.cols));
    for (size_t i = 0; i < pieces.size(); ++i)
      place_rows(pieces[i], tensors[i], matrix, values.data());
    parallel_for((rows + kBand - 1) / kBand, [&](int64_t band, int) {
      std::vector<float> transposed(static_cast<size_t>(is_transposed ? row : 0));
      const int64_t end = std::min(rows, (band + 1) * kBand);
      for (int64_t r = band * kBand; r < end; ++r) {
        const float* in = values.data() + r * row;
        if (is_transposed) {
          for (int64_t c = 0; c < row; ++c)
            transposed[static_cast<size_t>(c)] = values[static_cast<size_t>(c * first.cols + r)];
          in = transposed.data();
        }
        info(format).from_f32(in, to + r * bytes, row);
      }
    });
  }
  return result;
}

}  // namespace ashlar
