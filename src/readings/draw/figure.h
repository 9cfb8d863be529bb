// One figure: header with the numbers, column, insets; and several side by side.
#pragma once

#include <string>
#include <vector>

#include "readings/draw/anatomy.h"

namespace ashlar {

std::string draw_svg(const std::vector<Anatomy>& models, bool tall, bool standalone);
/// One of several, for a narrow page, with what the others do not say marked.
std::string draw_svg_of(const std::vector<Anatomy>& models, size_t index);
std::string draw_mermaid(const std::vector<Anatomy>& models);
/// Lines as a label of Mermaid, which reads quotes and angle brackets there; entities stand for
/// them.
std::string mermaid_label(const std::vector<std::string>& lines);
/// A title, and below it what the facts say.
std::vector<std::string> titled(std::string title, const std::vector<Fact>& facts);
std::string draw_text(const std::vector<Anatomy>& models, int columns);

}  // namespace ashlar
