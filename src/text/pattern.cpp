// Choice of the matcher for a pattern, and the search from left to right.
#include "text/pattern.h"

#include "base/utf8.h"
#include "text/pattern_ast.h"

namespace ashlar {

Pattern Pattern::regex(std::string_view source, std::string_view where) {
  const PatternNode root = parse_pattern(source, where);
  Pattern pattern;
  pattern.dfa_ = Dfa::build(root);
  if (!pattern.dfa_) {
    pattern.pcre_ = std::make_shared<PcreMatcher>(root, where);
    return pattern;
  }
  const PatternNode& first = root.kind == PatternNode::concat ? root.children[0] : root;
  if (first.kind == PatternNode::repeat && first.max < 0 && first.min <= 1 &&
      first.children[0].kind == PatternNode::set) {
    PatternNode run{.kind = PatternNode::repeat, .children = first.children, .min = 1, .max = -1};
    pattern.leading_run_ = Dfa::build(run);
  }
  return pattern;
}

Pattern Pattern::literal(std::string_view text) {
  Pattern pattern;
  pattern.literal_ = text;
  return pattern;
}

size_t Pattern::after(std::string_view text, size_t at) {
  return at < text.size() ? at + utf8::length(static_cast<unsigned char>(text[at])) : at + 1;
}

bool Pattern::find(std::string_view text, size_t from, size_t& start, size_t& end) const {
  if (dfa_) {
    while (from < text.size()) {
      if (!dfa_->may_begin(static_cast<unsigned char>(text[from]))) {
        from = after(text, from);
        continue;
      }
      end = dfa_->match(text, from);
      if (end != Dfa::kNone) {
        start = from;
        return true;
      }
      const size_t run = leading_run_ ? leading_run_->match(text, from) : Dfa::kNone;
      from = run != Dfa::kNone ? run : after(text, from);
    }
    // An empty match may stand at the end.
    end = from == text.size() ? dfa_->match(text, from) : Dfa::kNone;
    start = from;
    return end != Dfa::kNone;
  }
  if (pcre_) return pcre_->find(text, from, start, end);
  if (literal_.empty()) return false;
  start = text.find(literal_, from);
  end = start + literal_.size();
  return start != std::string_view::npos;
}

}  // namespace ashlar
