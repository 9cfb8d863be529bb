// Pre-tokenizers of tokenizer.json.
#include "text/pre_tokenizer.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/utf8.h"
#include "text/bpe.h"

namespace ashlar {

const char* const kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

using Span = Pieces::Span;

// Applies a split to every span: find(text, report) reports (begin, end, is_match) in order.
template <class Find>
void split_spans(Pieces& pieces, SplitBehavior behavior, bool invert, const Find& find) {
  std::vector<Span>& out = pieces.spare;
  out.clear();
  for (const Span& span : pieces.spans) {
    const std::string_view text = pieces.text.substr(span.begin, span.end - span.begin);
    const size_t first = out.size(), base = span.begin;
    switch (behavior) {
      case SplitBehavior::isolated:
        find(text, [&](size_t begin, size_t end, bool) {
          if (begin != end) out.push_back({base + begin, base + end});
        });
        break;
      case SplitBehavior::removed:
        find(text, [&](size_t begin, size_t end, bool match) {
          if (match == invert && begin != end) out.push_back({base + begin, base + end});
        });
        break;
      case SplitBehavior::contiguous:
      case SplitBehavior::merged_with_previous: {
        const bool contiguous = behavior == SplitBehavior::contiguous;
        bool previous = false;
        find(text, [&](size_t begin, size_t end, bool match) {
          match = match != invert;
          const bool joins = contiguous ? match == previous : match && !previous;
          if (joins && out.size() > first)
            out.back().end = base + end;
          else
            out.push_back({base + begin, base + end});
          previous = match;
        });
        break;
      }
      case SplitBehavior::merged_with_next: {
        // As the reference, from the back: of several matches in a row the last joins what follows.
        std::vector<std::pair<Span, bool>> found;
        find(text, [&](size_t begin, size_t end, bool match) {
          found.push_back({{base + begin, base + end}, match != invert});
        });
        bool previous = false;
        for (auto i = found.rbegin(); i != found.rend(); ++i) {
          if (i->second && !previous && out.size() > first)
            out.back().begin = i->first.begin;
          else
            out.push_back(i->first);
          previous = i->second;
        }
        std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
        break;
      }
    }
    if (behavior != SplitBehavior::isolated && behavior != SplitBehavior::removed) {
      out.erase(std::remove_if(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
                               [](const Span& s) { return s.begin == s.end; }),
                out.end());
    }
  }
  std::swap(pieces.spans, out);
}

// Rewrites every piece: write(piece, is_first_of_input, out).
template <class Write>
PreTokenizer rewriting(Write write) {
  return [write = std::move(write)](Pieces& pieces) {
    std::string out;
    out.reserve(pieces.text.size() + pieces.text.size() / 4 + 16);
    for (Span& span : pieces.spans) {
      const size_t begin = out.size();
      write(pieces.text.substr(span.begin, span.end - span.begin),
            pieces.at_start && span.begin == 0, out);
      span = {begin, out.size()};
    }
    pieces.storage = std::move(out);
    pieces.text = pieces.storage;
  };
}

}  // namespace

PreTokenizer split_pre_tokenizer(Pattern pattern, SplitBehavior behavior, bool invert) {
  return [pattern = std::move(pattern), behavior, invert](Pieces& pieces) {
    split_spans(pieces, behavior, invert,
                [&](std::string_view text, auto&& report) { pattern.split(text, report); });
  };
}

PreTokenizer char_pre_tokenizer(bool (*is_delimiter)(uint32_t), SplitBehavior behavior) {
  return [is_delimiter, behavior](Pieces& pieces) {
    split_spans(pieces, behavior, false, [&](std::string_view text, auto&& report) {
      size_t done = 0;
      for (size_t i = 0; i < text.size();) {
        const size_t begin = i;
        if (!is_delimiter(utf8::next(text, i))) continue;
        if (done != begin) report(done, begin, false);
        report(begin, i, true);
        done = i;
      }
      if (done != text.size()) report(done, text.size(), false);
    });
  };
}

PreTokenizer space_prefix_pre_tokenizer() {
  return rewriting([](std::string_view piece, bool, std::string& out) {
    if (!piece.starts_with(' ')) out += ' ';
    out += piece;
  });
}

PreTokenizer alphabet_pre_tokenizer() {
  return rewriting([](std::string_view piece, bool, std::string& out) {
    for (char c : piece) utf8::append(byte_to_char(static_cast<unsigned char>(c)), out);
  });
}

PreTokenizer metaspace_pre_tokenizer(const std::string& replacement, Prepend prepend, bool split) {
  PreTokenizer mark =
      rewriting([replacement, prepend](std::string_view piece, bool first, std::string& out) {
        const bool marked = piece.starts_with(' ') || piece.starts_with(replacement);
        if (!marked && (prepend == Prepend::always || (prepend == Prepend::first && first))) {
          out += replacement;
        }
        for (char c : piece) {
          if (c == ' ')
            out += replacement;
          else
            out += c;
        }
      });
  if (!split) return mark;
  return [mark, cut = split_pre_tokenizer(Pattern::literal(replacement),
                                          SplitBehavior::merged_with_next, false)](Pieces& pieces) {
    mark(pieces);
    cut(pieces);
  };
}

PreTokenizer mark_pre_tokenizer(std::string mark, std::vector<uint32_t> joins) {
  return [mark = std::move(mark), joins = std::move(joins)](Pieces& pieces) {
    const auto joined = [&](size_t at) {
      if (joins.empty()) return false;
      size_t before = utf8::previous(pieces.text, at);
      return std::find(joins.begin(), joins.end(), utf8::next(pieces.text, before)) != joins.end();
    };
    std::vector<Span>& out = pieces.spare;
    out.clear();
    const char* data = pieces.text.data();
    const size_t size = mark.size();
    for (const Span& span : pieces.spans) {
      size_t begin = span.begin;
      for (size_t i = span.begin; i + size <= span.end;) {
        const void* found = std::memchr(data + i, mark[0], span.end - i - size + 1);
        if (found == nullptr) break;
        i = static_cast<size_t>(static_cast<const char*>(found) - data);
        if (std::memcmp(data + i, mark.data(), size) != 0) {
          ++i;
          continue;
        }
        const bool in_run =
            i >= span.begin + size && std::memcmp(data + i - size, mark.data(), size) == 0;
        if (i > begin && !in_run && !joined(i)) {
          out.push_back({begin, i});
          begin = i;
        }
        i += size;
      }
      if (begin != span.end) out.push_back({begin, span.end});
    }
    std::swap(pieces.spans, out);
  };
}

}  // namespace ashlar
