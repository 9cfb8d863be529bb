// Runs of characters of one class in UTF-8.
#pragma once

#include <string_view>

#include "base/utf8.h"

namespace ashlar::utf8 {

/// Where the run of characters for which `belongs` holds, from `at` on, ends.
template <class Belongs>
size_t end_of_run(std::string_view text, size_t at, const Belongs& belongs) {
  for (size_t after = at; at < text.size() && belongs(next(text, after));) at = after;
  return at;
}

/// Where the run of such characters that ends at `end` begins; not before `from`.
template <class Belongs>
size_t begin_of_run(std::string_view text, size_t from, size_t end, const Belongs& belongs) {
  while (from < end) {
    const size_t before = previous(text, end);
    size_t at = before;
    if (before < from || !belongs(next(text, at))) break;
    end = before;
  }
  return end;
}

}  // namespace ashlar::utf8
