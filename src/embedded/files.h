// Files compiled into the program (cmake/embed.cmake): blueprints, machines, claims, cards.
#pragma once

#include <span>
#include <string_view>

namespace ashlar::embedded {

struct File {
  std::string_view path;  // "blueprints/qwen3-0.6b.json"
  std::string_view text;
};

/// All of them, sorted by path.
std::span<const File> files();

}  // namespace ashlar::embedded
