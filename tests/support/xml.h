// A small reader of XML for tests: elements in order, with attributes and text; broken text throws.
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ashlar::testing {

struct Element {
  std::string tag, text;  // text: of the element itself, entities resolved
  std::map<std::string, std::string> attributes;
  int parent = -1;  // index; -1: the root
  double number(const std::string& name) const {
    const auto it = attributes.find(name);
    if (it == attributes.end()) throw std::runtime_error("<" + tag + "> has no " + name);
    return std::stod(it->second);
  }
  std::string attribute(const std::string& name) const {
    const auto it = attributes.find(name);
    return it == attributes.end() ? "" : it->second;
  }
};

class XmlReader {
 public:
  /// `void_tags`: elements without an end, as HTML has them.
  explicit XmlReader(std::string_view text, std::set<std::string> void_tags = {})
      : text_(text), void_(std::move(void_tags)) {}

  std::vector<Element> read() {
    if (take("<?xml")) skip_past("?>");
    space();
    if (take("<!doctype html>")) space();
    element(-1);
    space();
    if (at_ != text_.size()) broken("something follows the root element");
    return std::move(elements_);
  }

 private:
  [[noreturn]] void broken(const std::string& why) const {
    throw std::runtime_error(why + " at " + std::to_string(at_) + ": " +
                             std::string(text_.substr(at_, 60)));
  }
  bool take(std::string_view what) {
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }
  void expect(std::string_view what) {
    if (!take(what)) broken("expected " + std::string(what));
  }
  void skip_past(std::string_view what) {
    const size_t end = text_.find(what, at_);
    if (end == std::string_view::npos) broken("no " + std::string(what));
    at_ = end + what.size();
  }
  void space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  std::string name() {
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  text_[at_] == '-' || text_[at_] == ':'))
      ++at_;
    if (at_ == begin) broken("expected a name");
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::string characters(char end) {
    std::string out;
    while (at_ < text_.size() && text_[at_] != end) {
      const char c = text_[at_];
      if (c == '<') broken("a bare <");
      if (static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\t')
        broken("a control character");
      if (c != '&') {
        out += c;
        ++at_;
        continue;
      }
      if (take("&amp;"))
        out += '&';
      else if (take("&lt;"))
        out += '<';
      else if (take("&gt;"))
        out += '>';
      else if (take("&quot;"))
        out += '"';
      else if (take("&#39;"))
        out += '\'';
      else
        broken("an unknown entity");
    }
    return out;
  }
  void element(int parent) {
    expect("<");
    const auto index = static_cast<int>(elements_.size());
    elements_.push_back({name(), "", {}, parent});
    const std::string tag = elements_.back().tag;
    for (space(); at_ < text_.size() && text_[at_] != '>' && text_[at_] != '/'; space()) {
      const std::string key = name();
      expect("=\"");
      if (!elements_[static_cast<size_t>(index)].attributes.emplace(key, characters('"')).second)
        broken("attribute " + key + " twice");
      expect("\"");
    }
    if (take("/>")) return;
    expect(">");
    if (void_.contains(tag)) return;
    if (tag == "style") {  // of HTML and SVG alike: no markup inside
      skip_past("</style");
      expect(">");
      return;
    }
    for (;;) {
      elements_[static_cast<size_t>(index)].text += characters('<');
      if (take("</")) break;
      element(index);
    }
    if (name() != tag) broken("</" + tag + "> expected");
    expect(">");
  }

  std::string_view text_;
  std::set<std::string> void_;
  size_t at_ = 0;
  std::vector<Element> elements_;
};

}  // namespace ashlar::testing
