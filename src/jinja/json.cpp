// The filter tojson: Python's json.dumps.
#include <algorithm>
#include <cmath>

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

class Writer {
 public:
  bool ascii = false, sort_keys = false, indented = false;
  std::string indent, item_separator = ", ", key_separator = ": ";
  Text out;

  void write(const Value& value, int depth) {
    const Deeper deeper;
    Budget::current()->step();
    if (const auto text = scalar(value)) return out.literal(*text);
    if (value.is(Kind::string)) return string(value.as_str());
    if (value.is_sequence()) return list(value.items(), depth);
    if (value.is(Kind::dict)) return dict(value.as_dict(), depth);
    raise("Object of type {} is not JSON serializable", type_name(value));
  }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return repr_float(value);
  }

  static std::optional<std::string> scalar(const Value& value) {
    if (value.is(Kind::none)) return "null";
    if (value.is(Kind::boolean)) return value.as_bool() ? "true" : "false";
    if (value.is_integer()) return int_digits(value);
    if (value.is(Kind::floating)) return number(value.as_double());
    return std::nullopt;
  }

  void line(int depth) {
    if (!indented) return;
    out.literal("\n");
    for (int i = 0; i < depth; ++i) out.literal(indent);
  }

  void list(const std::vector<Value>& items, int depth) {
    out.literal("[");
    for (size_t i = 0; i < items.size(); ++i) {
      if (i) out.literal(item_separator);
      line(depth + 1);
      write(items[i], depth + 1);
    }
    if (!items.empty()) line(depth);
    out.literal("]");
  }

  void key(const Value& value) {
    if (value.is(Kind::string)) return string(value.as_str());
    const auto text = scalar(value);
    if (!text) raise("keys must be str, int, float, bool or None, not {}", type_name(value));
    out.literal("\"" + *text + "\"");
  }

  void dict(const Dict& value, int depth) {
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : value.entries) entries.push_back(&entry);
    if (sort_keys) {
      std::stable_sort(entries.begin(), entries.end(),
                       [](const auto* a, const auto* b) { return less(a->first, b->first); });
    }
    out.literal("{");
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i) out.literal(item_separator);
      line(depth + 1);
      key(entries[i]->first);
      out.literal(key_separator);
      write(entries[i]->second, depth + 1);
    }
    if (!entries.empty()) line(depth);
    out.literal("}");
  }

  void string(const Str& text) {
    const std::string& bytes = text.bytes;
    out.literal("\"");
    size_t done = 0;
    for (size_t at = 0; at < bytes.size();) {
      const uint32_t c = char_at(bytes, at);
      const size_t next = at + char_size(bytes, at);
      const std::string escape = escaped(c);
      if (!escape.empty()) {
        out.append(text, done, at);
        out.append(escape, text.from_value_at(at));
        done = next;
      }
      at = next;
    }
    out.append(text, done, bytes.size());
    out.literal("\"");
  }

  std::string escaped(uint32_t c) const {
    constexpr std::string_view kSpecial = "\"\\\n\r\t\f\b", kLetters = "\"\\nrtfb";
    const size_t special = c < 0x80 ? kSpecial.find(static_cast<char>(c)) : std::string_view::npos;
    if (special != std::string_view::npos) return {'\\', kLetters[special]};
    if (c >= 0x20 && (c < 0x7f || !ascii)) return "";
    if (c < 0x10000) return fmt::format("\\u{:04x}", c);
    return fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
  }
};

}  // namespace

Value to_json(const Value& value, const Args& args) {
  const Bound bound("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  Writer writer;
  writer.ascii = bound.truth(0, false);
  writer.sort_keys = bound.truth(3, false);
  if (!bound.is_none(1)) {
    writer.indented = true;
    writer.item_separator = ",";
    const Value indent = bound.at(1);
    if (indent.is(Kind::string)) {
      writer.indent = indent.bytes();
    } else {
      const int64_t width = to_index(indent);
      if (width > 10'000)
        throw Failure{"tojson: an indent of more than 10000", ErrorKind::resource};
      writer.indent.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
  }
  if (!bound.is_none(2)) {
    const std::vector<Value> pair = to_vector(bound.at(2));
    if (pair.size() != 2) raise("not two separators but {}", pair.size());
    for (const auto& item : pair) {
      if (!item.is(Kind::string)) raise("separators must be str, not {}", type_name(item));
    }
    writer.item_separator = pair[0].bytes();
    writer.key_separator = pair[1].bytes();
  }
  writer.write(value, 0);
  return writer.out.finish();
}

}  // namespace ashlar::jinja
