// Strings: building, cutting, Python's str() and repr().
#include "jinja/string.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "jinja/interpreter.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

// What a repr in the making keeps account of.
struct Repr {
  std::vector<const Object*> open;  // namespaces being written
  Charge charge;
  size_t charged = 0;
};

void append_repr(const Value& value, std::string& out, Repr& state);

void append_items(const std::vector<Value>& items, std::string& out, Repr& state) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i) out += ", ";
    append_repr(items[i], out, state);
  }
}

void append_dict(const Dict& dict, std::string& out, Repr& state) {
  out += '{';
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i) out += ", ";
    append_repr(dict.entries[i].first, out, state);
    out += ": ";
    append_repr(dict.entries[i].second, out, state);
  }
  out += '}';
}

void append_object(const Value& value, std::string& out, Repr& state) {
  if (auto* ns = value.as<Namespace>()) {
    if (std::find(state.open.begin(), state.open.end(), ns) != state.open.end()) {
      out += "<Namespace {...}>";
      return;
    }
    state.open.push_back(ns);
    out += "<Namespace ";
    append_dict(ns->attributes, out, state);
    out += '>';
    state.open.pop_back();
  } else if (const auto* range = value.as<Range>()) {
    out += range->step == 1
               ? fmt::format("range({}, {})", range->start, range->stop)
               : fmt::format("range({}, {}, {})", range->start, range->stop, range->step);
  } else if (const auto* view = value.as<DictView>()) {
    out += view->type_name();
    out += "([";
    append_items(to_vector(value), out, state);
    out += "])";
  } else if (value.as<Generator>()) {
    out += "<generator object>";
  } else {
    refuse(fmt::format("printing a {} is", type_name(value)));
  }
}

void append_repr(const Value& value, std::string& out, Repr& state) {
  const Deeper deeper;
  Budget::current()->step();
  switch (value.kind()) {
    case Kind::undefined:
      out += "Undefined";
      break;
    case Kind::none:
      out += "None";
      break;
    case Kind::boolean:
      out += value.as_bool() ? "True" : "False";
      break;
    case Kind::integer:
    case Kind::big:
      out += int_digits(value);
      break;
    case Kind::floating:
      out += repr_float(value.as_double());
      break;
    case Kind::string:
      if (value.as_str().markup)
        out += fmt::format("Markup({})", repr_string(value.bytes()));
      else
        out += repr_string(value.bytes());
      break;
    case Kind::list:
      out += '[';
      append_items(value.items(), out, state);
      out += ']';
      break;
    case Kind::tuple:
      out += '(';
      append_items(value.items(), out, state);
      out += value.items().size() == 1 ? ",)" : ")";
      break;
    case Kind::dict:
      append_dict(value.as_dict(), out, state);
      break;
    case Kind::object:
      append_object(value, out, state);
      break;
  }
  if (out.size() > state.charged) state.charge.take(out.size() - state.charged);
  state.charged = std::max(state.charged, out.size());
}

}  // namespace

size_t Str::offset(size_t index) const {
  if (ascii()) return index;
  if (Budget* budget = Budget::current()) budget->step(index / 16);
  size_t at = 0;
  for (size_t i = 0; i < index && at < bytes.size(); ++i) at += char_size(bytes, at);
  return at;
}

bool Str::from_value_at(size_t at) const {
  const auto span = std::lower_bound(from_values.begin(), from_values.end(), at,
                                     [](const Span& s, size_t place) { return s.end <= place; });
  return span != from_values.end() && span->begin <= at;
}

size_t count_chars(std::string_view bytes) {
  size_t count = 0;
  for (const char c : bytes) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return count;
}

void Text::mark(size_t begin, size_t end) {
  if (!from_values_.empty() && from_values_.back().end == begin) {
    from_values_.back().end = end;
  } else {
    grow(sizeof(Span));
    from_values_.push_back({begin, end});
  }
}

void Text::append(std::string_view bytes, bool from_value) {
  if (bytes.empty()) return;
  grow(bytes.size());
  bytes_ += bytes;
  if (from_value) mark(bytes_.size() - bytes.size(), bytes_.size());
}

void Text::append(const Str& text, size_t begin, size_t end) {
  if (begin >= end) return;
  grow(end - begin);
  const size_t base = bytes_.size();
  bytes_.append(text.bytes, begin, end - begin);
  auto span = std::lower_bound(text.from_values.begin(), text.from_values.end(), begin,
                               [](const Span& s, size_t at) { return s.end <= at; });
  for (; span != text.from_values.end() && span->begin < end; ++span)
    mark(base + std::max(span->begin, begin) - begin, base + std::min(span->end, end) - begin);
}

void Text::append(const Value& value) {
  if (!value.is(Kind::undefined)) append(to_str(value).as_str());
}

void Text::repeat(const Str& text, size_t count) {
  if (text.bytes.empty()) return;
  {
    Charge all;
    all.take_many(text.bytes.size() + text.from_values.size() * sizeof(Span), count);
  }
  if (!text.from_values.empty()) {
    for (size_t i = 0; i < count; ++i) append(text);
    return;
  }
  grow(text.bytes.size() * count);
  for (size_t i = 0; i < count; ++i) bytes_ += text.bytes;
}

Value Text::finish(bool markup) {
  auto out = std::make_shared<Str>();
  out->charge.take(sizeof(Str) + bytes_.size() + from_values_.size() * sizeof(Span));
  out->bytes = std::move(bytes_);
  out->from_values = std::move(from_values_);
  out->length = count_chars(out->bytes);
  out->markup = markup;
  bytes_.clear();
  from_values_.clear();
  return Value::string(std::move(out));
}

Value slice_bytes(const Str& text, size_t begin, size_t end) {
  Text out;
  out.append(text, begin, end);
  return out.finish(text.markup);
}

Value slice_bytes(const Value& text, size_t begin, size_t end) {
  if (begin == 0 && end == text.bytes().size()) return text;
  return slice_bytes(text.as_str(), begin, end);
}

Value value_string(std::string_view bytes) {
  Text out;
  out.append(bytes, true);
  return out.finish();
}

Value with_markup(const Value& text, bool markup) {
  if (text.as_str().markup == markup) return text;
  Text out;
  out.append(text.as_str());
  return out.finish(markup);
}

std::string int_digits(const Value& value) {
  return value.is(Kind::big) ? value.as_digits() : std::to_string(value.as_int64());
}

std::string repr_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, static_cast<size_t>(end - buffer));
  const size_t e = text.find('e');
  int exponent = 0;
  const char* digits = text.data() + e + 1;
  std::from_chars(digits + (*digits == '+'), end, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(text);
  const auto fixed =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  std::string out(buffer, fixed);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::string repr_string(std::string_view bytes) {
  const bool has_single = bytes.find('\'') != std::string_view::npos;
  const char quote = has_single && bytes.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (size_t at = 0; at < bytes.size(); at += char_size(bytes, at)) {
    const uint32_t c = char_at(bytes, at);
    if (c == static_cast<unsigned char>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c >= 0x20 && c < 0x7f) {
      out += static_cast<char>(c);
    } else if (is_printable(c)) {
      out += bytes.substr(at, char_size(bytes, at));
    } else {
      out += escaped(c);
    }
  }
  return out += quote;
}

std::string repr(const Value& value) {
  std::string out;
  Repr state;
  append_repr(value, out, state);
  return out;
}

Value to_str(const Value& value) {
  if (value.is(Kind::string)) return value;
  if (value.is(Kind::undefined)) return Value::string("");
  Text out;
  out.append(repr(value), holds_text_of_values(value));
  return out.finish();
}

Value escape_html(const Value& text) {
  const Str& in = text.as_str();
  if (in.markup) return text;
  Text out;
  size_t done = 0;
  for (size_t i = 0; i < in.bytes.size(); ++i) {
    static constexpr std::pair<char, const char*> kEntities[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}};
    const auto* entity =
        std::find_if(std::begin(kEntities), std::end(kEntities),
                     [&](const auto& known) { return known.first == in.bytes[i]; });
    if (entity == std::end(kEntities)) continue;
    out.append(in, done, i);
    out.append(entity->second, !in.from_values.empty());
    done = i + 1;
  }
  out.append(in, done, in.bytes.size());
  return out.finish(true);
}

Value concatenate(const Value& a, const Value& b) {
  const bool markup = a.as_str().markup || b.as_str().markup;
  Text out;
  out.append((markup ? escape_html(a) : a).as_str());
  out.append((markup ? escape_html(b) : b).as_str());
  return out.finish(markup);
}

Value repeat_string(const Value& text, int64_t count) {
  Text out;
  out.repeat(text.as_str(), static_cast<size_t>(std::max<int64_t>(count, 0)));
  return out.finish(text.as_str().markup);
}

}  // namespace ashlar::jinja
