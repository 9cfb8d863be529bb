// What lies where a file should be: a pointer of Git LFS, or a page that a server gave instead.
#pragma once

#include <string_view>

namespace ashlar {

/// Throws Error(format) if `bytes`, the beginning of a file, are those of a Git LFS pointer, a web
/// page or a server's message; `where` names the file.
void refuse_placeholder(std::string_view bytes, std::string_view where);

}  // namespace ashlar
