// What ops share about types and the numbers in them: more of what types() expects (graph/op.h),
// counts and checked indices.
#pragma once

#include <algorithm>
#include <string>

#include "base/error.h"
#include "graph/op.h"

namespace ashlar {

/// Numbers with a row per token.
inline void expect_tokens(const Type& type, std::string_view what) {
  expect_kind(type, Kind::real, what);
  expect_per_token(type, what);
}

/// As many axes as `form` names, "[tokens, chosen, d]", the first of them the tokens' if it says so.
inline void expect_form(const Type& type, std::string_view form, std::string_view what) {
  const auto axes = static_cast<size_t>(std::count(form.begin(), form.end(), ',')) + 1;
  if (type.axes.size() != axes || (form.find("[tokens") != form.npos && !type.per_token())) {
    shape_error(std::string(what) + ": expected " + std::string(form) + ", found " +
                to_string(type));
  }
}

/// [tokens, features...]
inline Type tokens_of(Axes features, Kind kind = Kind::real) {
  features.insert(features.begin(), tokens_axis());
  return {kind, std::move(features)};
}

/// How many numbers a value of that type has.
inline int64_t numbers_in(const Type& type, const Workload& load) {
  return (type.per_token() ? load.tokens() : 1) * type.feature_count();
}

/// One of `count` rows of what `what` names.
inline int64_t checked_row(int64_t row, int64_t count, std::string_view what) {
  if (row < 0 || row >= count)
    fail(ErrorKind::invalid, "{} {}: expected 0 to {}", what, row, count - 1);
  return row;
}

}  // namespace ashlar
