// Expressions of the names table and how they place rows.
#include "families/names.h"

#include <charconv>

#include "base/error.h"

namespace ashlar {

namespace {

template <class T>
Source with(Source s, T Source::*member, T value) {
  s.*member = value;
  return s;
}

}  // namespace

Source transposed(Source s) { return with(std::move(s), &Source::transposed, true); }
Source transposed_unless_packed(Source s) {
  s.transposed = s.unless_packed = true;
  return s;
}
Source rows(Source s, int64_t group, int64_t begin, int64_t count) {
  s.group = group;
  s.begin = begin;
  s.count = count;
  return s;
}
Source minus_one(Source s) { return with(std::move(s), &Source::minus_one, true); }
Source minus_exp(Source s) { return with(std::move(s), &Source::minus_exp, true); }
Source with_unit_axis(Source s) { return with(std::move(s), &Source::unit_axis, true); }
Source interleaved_heads(Source s, int64_t heads) {
  return with(std::move(s), &Source::rope_heads, heads);
}
Source per_matrix(Source s, int64_t matrices) {
  return with(std::move(s), &Source::matrices, matrices);
}
Source tiled_rows(Source s, int64_t tiles, int64_t heads) {
  if (heads == 1 || tiles == 1) return s;  // the same order
  s.tiles = tiles;
  s.tile_heads = heads;
  return s;
}
Source tiled_columns(Source s, int64_t tiles, int64_t heads) {
  s = tiled_rows(std::move(s), tiles, heads);
  s.tiled_columns = s.tiles > 0;
  return s;
}

const Name* Names::find(std::string_view parameter, int64_t layers, int64_t* layer) const {
  const auto number_after = [&](std::string_view prefix, std::string* rest) {
    int64_t n = -1;
    if (!parameter.starts_with(prefix)) return n;
    const char* begin = parameter.data() + prefix.size();
    const auto r = std::from_chars(begin, parameter.data() + parameter.size(), n);
    *rest = std::string(r.ptr, parameter.data() + parameter.size());
    return n;
  };
  std::string key(parameter), rest;
  *layer = 0;
  if (const int64_t n = number_after("layers.", &rest); n >= 0) {
    *layer = n;
    key = "layers.{i}" + rest;
  } else if (const int64_t m = number_after("mtp.", &rest); m >= 0) {
    *layer = layers + m;
    key = "mtp.{i}" + rest;
    if (names_.count(key) == 0) key = "layers.{i}" + rest;
  }
  const auto it = names_.find(key);
  return it == names_.end() ? nullptr : &it->second;
}

std::string filled(std::string_view pattern, int64_t layer, int64_t expert) {
  std::string text(pattern);
  const auto replace = [&](std::string_view what, int64_t by) {
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what))
      text.replace(at, what.size(), std::to_string(by));
  };
  replace("{i}", layer);
  replace("{e}", expert);
  return text;
}

std::vector<int64_t> Layout::file_sizes(bool is_transposed) const {
  std::vector<int64_t> sizes;
  if (led) sizes.push_back(matrices);
  if (vector) {
    sizes.push_back(file_rows);
  } else {
    sizes.push_back(is_transposed ? cols : file_rows);
    if (unit_axis) sizes.push_back(1);
    sizes.push_back(is_transposed ? file_rows : cols);
  }
  return sizes;
}

Layout layout_of(const Param& param, const Source& source) {
  Layout l;
  const bool experts =
      param.axes.size() > 1 && param.axes[0].name == "experts" && param.role != Role::router;
  l.stacked = source.name.find("{e}") != std::string::npos;
  l.matrices = source.matrices > 0 ? source.matrices : experts ? param.axes[0].size : 1;
  l.unit_axis = source.unit_axis;
  l.led = !l.stacked && (source.matrices > 0 || experts);
  l.vector = param.row_axes == 0 || (experts && param.role == Role::bias);
  l.cols = l.vector ? 1 : param.cols();
  l.rows = param.elements() / l.cols / l.matrices;
  if (l.rows % source.count != 0) {
    fail(ErrorKind::unsupported, "{}: {} rows, where files of the family keep pieces of {} as {}",
         param.name, l.rows, source.count, source.name);
  }
  l.file_rows = l.rows / source.count * source.group;
  return l;
}

int64_t file_head(const Source& source, int64_t h) {
  return h % source.tile_heads * source.tiles + h / source.tile_heads;
}

int64_t file_row(const Source& source, const Layout& layout, int64_t r) {
  if (source.tiles > 0 && !source.tiled_columns) {
    const int64_t dim = layout.rows / (source.tiles * source.tile_heads);
    r = file_head(source, r / dim) * dim + r % dim;
  }
  if (source.rope_heads > 0) {
    const int64_t dim = layout.rows / source.rope_heads, head = r / dim, j = r % dim;
    r = head * dim + (j < dim / 2 ? 2 * j : 2 * (j - dim / 2) + 1);
  }
  if (source.group != source.count)
    r = r / source.count * source.group + source.begin + r % source.count;
  return r;
}

}  // namespace ashlar
