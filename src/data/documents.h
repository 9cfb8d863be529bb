// Documents out of files: texts, lines of JSON, folders of both, packed or not.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ashlar {

struct Document {
  std::string text;    // valid UTF-8, not empty
  std::string domain;  // label; empty: none
};

struct DocumentOptions {
  std::string text_field = "text", domain_field = "domain";  // of lines of JSON
  std::string separator;  // a line that stands between the documents of a text; empty: one document
  /// Texts longer than this are cut into documents of at least so many bytes, at the next empty
  /// line, or at the next end of a line where none comes for as long again; 0: left whole.
  int64_t piece_bytes = 0;
};

/// Calls `take` for every document of `corpus` that is more than white space, in the order of names;
/// what is no valid UTF-8 is repaired. A file is lines of JSON when
/// its name ends with .jsonl or .ndjson (before .gz or .zst), otherwise a text. Of a folder all
/// files below it are read that end with .txt .text .md .rst .jsonl .ndjson (with .gz or .zst or
/// without) and hold no zero bytes; the label is the first folder below the corpus. `NAME=PATH` labels all of PATH.
/// Throws Error(io), Error(format).
void read_documents(const std::string& corpus, const DocumentOptions& options,
                    const std::function<void(Document&&)>& take);

/// The pieces of a text as `piece_bytes` asks for; together they are the text.
std::vector<std::string_view> pieces_of(std::string_view text, int64_t piece_bytes);

}  // namespace ashlar
