// Patterns that are not regular (look-around of any length, possessive repeats): by PCRE2.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>

#include "base/error.h"
#include "text/pattern.h"
#include "text/pattern_ast.h"

namespace ashlar {
namespace {

std::string class_of(const unicode::CodePoints& points) {
  std::string out;
  for (const auto& [first, last] : points.ranges()) {
    // PCRE2 rejects surrogates, which valid UTF-8 never holds.
    for (auto [a, b] :
         {std::pair{first, std::min(last, 0xD7FFu)}, std::pair{std::max(first, 0xE000u), last}}) {
      if (a <= b) out += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", a, b);
    }
  }
  return out.empty() ? "(?!)" : "[" + out + "]";
}

}  // namespace

std::string pcre_source(const PatternNode& node) {
  std::vector<std::string> parts;
  for (const PatternNode& child : node.children) parts.push_back(pcre_source(child));
  switch (node.kind) {
    case PatternNode::empty:
      return "(?:)";
    case PatternNode::set:
      return class_of(node.points);
    case PatternNode::concat:
      return fmt::format("{}", fmt::join(parts, ""));
    case PatternNode::alternate:
      return fmt::format("(?:{})", fmt::join(parts, "|"));
    case PatternNode::repeat:
      return fmt::format("(?:{}){{{},{}}}{}", parts[0], node.min,
                         node.max < 0 ? "" : std::to_string(node.max),
                         node.greed == PatternNode::lazy         ? "?"
                         : node.greed == PatternNode::possessive ? "+"
                                                                 : "");
    case PatternNode::look:
      return fmt::format("(?{}{}{})", node.behind ? "<" : "", node.negative ? "!" : "=", parts[0]);
    case PatternNode::atomic:
      return fmt::format("(?>{})", parts[0]);
    case PatternNode::text_begin:
      return "\\A";
    case PatternNode::text_end:
      return "\\z";
    case PatternNode::text_last:
      return "(?=\\n?\\z)";
    case PatternNode::line_begin:
      return "(?:(?<=\\n)(?!\\z)|\\A)";
    case PatternNode::line_end:
      return "(?=\\n|\\z)";
    case PatternNode::word_edge:
    case PatternNode::no_word_edge: {
      const bool edge = node.kind == PatternNode::word_edge;
      return fmt::format("(?:(?<={0})(?{1}{0})|(?<!{0})(?{2}{0}))", class_of(unicode::words()),
                         edge ? "!" : "=", edge ? "=" : "!");
    }
  }
  return {};
}

struct PcreMatcher::State {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
  ~State() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

PcreMatcher::PcreMatcher(const PatternNode& root, std::string_view where)
    : state_(std::make_shared<State>()), where_(where) {
  const std::string source = pcre_source(root);
  int error = 0;
  PCRE2_SIZE offset = 0;
  state_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(),
                               PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY, &error,
                               &offset, nullptr);
  if (state_->code == nullptr) {
    PCRE2_UCHAR message[160] = {};
    pcre2_get_error_message(error, message, sizeof message);
    fail(ErrorKind::unsupported, "{}: regular expression: {}", where,
         reinterpret_cast<const char*>(message));
  }
  // Without the JIT the interpreter matches the same.
  pcre2_jit_compile(state_->code, PCRE2_JIT_COMPLETE);
  state_->context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(state_->context, 10'000'000);
  pcre2_set_heap_limit(state_->context, 64 * 1024);
}

bool PcreMatcher::find(std::string_view text, size_t from, size_t& start, size_t& end) const {
  const auto free_data = [](pcre2_match_data* d) { pcre2_match_data_free(d); };
  std::unique_ptr<pcre2_match_data, decltype(free_data)> data(pcre2_match_data_create(1, nullptr),
                                                              free_data);
  const int found = pcre2_match(state_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                text.size(), from, PCRE2_NO_UTF_CHECK, data.get(), state_->context);
  if (found == PCRE2_ERROR_NOMATCH) return false;
  if (found < 0) {
    fail(ErrorKind::resource,
         "{}: a regular expression of the tokenizer gave up on this text (PCRE2 error {})", where_,
         found);
  }
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
  start = ends[0];
  end = ends[1];
  return start <= end;
}

}  // namespace ashlar
