// The names table of a family: where each canonical parameter lies in a checkpoint, as data that
// reads both ways.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace ashlar {

/// One place a parameter may lie in, as an invertible expression over a tensor of the file.
/// Patterns: {i} is the layer. With {e} every expert has a tensor of its own; without, they are
/// stacked [E, ...].
struct Source {
  std::string name;
  bool transposed = false;     // matrices lie [columns, rows]
  bool unless_packed = false;  // ... except where the tensor is MXFP4
  int64_t group = 1, begin = 0,
          count = 1;       // of every `group` rows of the file, `count` rows from `begin`
  bool minus_one = false;  // the file holds w - 1
  int64_t rope_heads =
      0;  // rows of each of so many heads lie in interleaved order; canonical is half-split
  bool minus_exp = false;  // the file holds -exp(w)
  /// Heads of rows (or of columns) lie in tiles: of `tiles` tiles of w, each of as many heads, the
  /// file holds the first head of every tile, then the second of every one, and so on.
  int64_t tiles = 0, tile_heads = 0;
  bool tiled_columns = false;
  bool unit_axis = false;  // the file has an axis of size 1 between rows and columns
  int64_t matrices =
      0;  // leading axis of the file's tensor; 0: experts if the parameter has such an axis
  /// Whether its rows are rows of the parameter, wherever they lie.
  bool keeps_rows() const { return !minus_one && !minus_exp && !tiled_columns; }
  Source(const char* pattern) : name(pattern) {}
  Source(std::string pattern) : name(std::move(pattern)) {}
};

Source transposed(Source s);
Source transposed_unless_packed(Source s);
Source rows(Source s, int64_t group, int64_t begin, int64_t count);
Source minus_one(Source s);
Source interleaved_heads(Source s, int64_t heads);
Source per_matrix(Source s, int64_t matrices);
Source minus_exp(Source s);
Source tiled_rows(Source s, int64_t tiles, int64_t heads);
Source tiled_columns(Source s, int64_t tiles, int64_t heads);
Source with_unit_axis(Source s);

struct Name {
  std::vector<Source> config, gguf;  // alternatives; the first is what is written
};

class Names {
 public:
  /// `canonical` is the parameter as graph_of records it, {i} for the layer. A later entry replaces
  /// an earlier one.
  void add(const std::string& canonical, std::vector<Source> config, std::vector<Source> gguf) {
    names_[canonical] = {std::move(config), std::move(gguf)};
  }
  /// The entry of a parameter ("layers.3.attn.q"), with the layer its patterns mean; null if there
  /// is none. Blocks of MTP layers are named like the layers after the last.
  const Name* find(std::string_view parameter, int64_t layers, int64_t* layer) const;
  const std::map<std::string, Name>& all() const { return names_; }

 private:
  std::map<std::string, Name> names_;
};

/// Pattern with {i} and {e} filled in.
std::string filled(std::string_view pattern, int64_t layer, int64_t expert = 0);

/// How a parameter and a source fit together: the tensor(s) of the file are `matrices` times
/// file_rows x cols (rows and columns exchanged if transposed), vectors have cols 1.
struct Layout {
  bool vector = false;     // of axes() in the file: no columns
  bool stacked = false;    // one tensor per matrix ({e})
  bool led = false;        // a leading axis of `matrices` in the file's tensor
  bool unit_axis = false;  // between rows and columns
  int64_t matrices = 1, rows = 0, file_rows = 0, cols = 1;
  std::vector<int64_t> file_sizes(bool is_transposed) const;
};
Layout layout_of(const Param& param, const Source& source);
/// The row of the file's matrix that holds row r of the parameter's.
int64_t file_row(const Source& source, const Layout& layout, int64_t r);
/// Where head h of tiled ones lies in the file.
int64_t file_head(const Source& source, int64_t h);

}  // namespace ashlar
