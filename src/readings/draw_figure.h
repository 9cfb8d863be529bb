// One figure: header with the numbers, column, insets; and several side by side.
#pragma once

#include <string>
#include <vector>

#include "readings/draw_anatomy.h"

namespace ashlar {

std::string draw_svg(const std::vector<Anatomy>& models, bool tall, bool standalone);
std::string draw_mermaid(const std::vector<Anatomy>& models);
std::string draw_text(const std::vector<Anatomy>& models, int columns);

}  // namespace ashlar
