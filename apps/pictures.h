// Drawings and pages as PNG and PDF, by the tools that are made for it: rsvg-convert for SVG,
// Chromium for pages.
#pragma once

#include <filesystem>
#include <string_view>

namespace ashlar::app {

/// Whether a file of that name is made by write_picture: its name ends in .png or .pdf.
bool is_picture(const std::filesystem::path& file);

/// Writes a drawing (or a page of HTML) to `file`: an SVG as PNG or PDF where is_picture says so,
/// else as it is. Throws Error(unsupported) where the tool is not installed, saying how it is, and
/// Error(io) where it fails.
void write_drawing(const std::filesystem::path& file, std::string_view svg);
void write_page(const std::filesystem::path& file, std::string_view html);

/// Throws what the two would throw for a missing tool: asked before long work.
void check_drawing_tool();
void check_page_tool();

}  // namespace ashlar::app
