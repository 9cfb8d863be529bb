// The filter pprint: Python's pprint.pformat with its defaults.
#include <algorithm>

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

constexpr int64_t kWidth = 80;

// Keys in order; those that do not compare, by the names of their types.
bool key_less(const Value& a, const Value& b) {
  try {
    return less(a, b);
  } catch (const Failure& failure) {
    if (failure.kind == ErrorKind::resource) throw;
    return std::string_view(type_name(a)) < type_name(b);
  }
}

Value with_sorted_keys(const Value& value) {
  if (value.is_sequence()) {
    std::vector<Value> items;
    for (const auto& item : value.items()) items.push_back(with_sorted_keys(item));
    return value.is(Kind::list) ? Value::list(std::move(items)) : Value::tuple(std::move(items));
  }
  if (!value.is(Kind::dict)) return value;
  auto entries = value.as_dict().entries;
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return key_less(a.first, b.first); });
  auto out = std::make_shared<Dict>();
  for (const auto& [key, item] : entries) out->set(with_sorted_keys(key), with_sorted_keys(item));
  return Value::dict(std::move(out));
}

int64_t width_of(const std::string& text) { return static_cast<int64_t>(count_chars(text)); }

class Printer {
 public:
  std::string out;

  void write(const Value& value, int64_t indent, int64_t allowance, int level) {
    const Deeper deeper;
    Budget::current()->step();
    const std::string flat = repr(value);
    Budget::current()->step(flat.size() / 16);
    if (width_of(flat) <= kWidth - indent - allowance) {
      out += flat;
    } else if (value.is(Kind::dict)) {
      dict(value.as_dict(), indent + 1, allowance + 1, level + 1);
    } else if (value.is(Kind::list)) {
      out += '[';
      items(value.items(), indent + 1, allowance + 1, level + 1);
      out += ']';
    } else if (value.is(Kind::tuple)) {
      const std::string end = value.items().size() == 1 ? ",)" : ")";
      out += '(';
      items(value.items(), indent + 1, allowance + static_cast<int64_t>(end.size()), level + 1);
      out += end;
    } else if (value.is(Kind::string) && !value.as_str().markup) {
      string(value, indent, allowance, level + 1);
    } else {
      out += flat;
    }
  }

 private:
  void next_line(int64_t indent) {
    Budget::current()->step(static_cast<uint64_t>(indent) / 16);
    out += ",\n" + std::string(static_cast<size_t>(indent), ' ');
  }

  void items(const std::vector<Value>& values, int64_t indent, int64_t allowance, int level) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) next_line(indent);
      write(values[i], indent, i + 1 == values.size() ? allowance : 1, level);
    }
  }

  void dict(const Dict& value, int64_t indent, int64_t allowance, int level) {
    out += '{';
    for (size_t i = 0; i < value.entries.size(); ++i) {
      if (i > 0) next_line(indent);
      const std::string key = repr(value.entries[i].first);
      out += key + ": ";
      write(value.entries[i].second, indent + width_of(key) + 2,
            i + 1 == value.entries.size() ? allowance : 1, level);
    }
    out += '}';
  }

  // Words with the white space after each.
  static std::vector<std::string> words(const std::string& line) {
    std::vector<std::string> out;
    for (size_t at = 0; at < line.size();) {
      const size_t begin = at;
      while (at < line.size() && !is_space(char_at(line, at))) at += char_size(line, at);
      while (at < line.size() && is_space(char_at(line, at))) at += char_size(line, at);
      out.push_back(line.substr(begin, at - begin));
    }
    return out;
  }

  void string(const Value& value, int64_t indent, int64_t allowance, int level) {
    if (level == 1) {
      ++indent;
      ++allowance;
    }
    const Value lines = split_lines(value, true);
    const int64_t width = kWidth - indent;
    std::vector<std::string> chunks;
    for (size_t i = 0; i < lines.items().size(); ++i) {
      const std::string& line = lines.items()[i].bytes();
      const bool last = i + 1 == lines.items().size();
      if (width_of(repr_string(line)) <= width - (last ? allowance : 0)) {
        chunks.push_back(repr_string(line));
        continue;
      }
      std::string current;
      const auto parts = words(line);
      for (size_t j = 0; j < parts.size(); ++j) {
        const std::string candidate = current + parts[j];
        Budget::current()->step(candidate.size() / 16 + 1);
        if (width_of(repr_string(candidate)) >
            width - (last && j + 1 == parts.size() ? allowance : 0)) {
          if (!current.empty()) chunks.push_back(repr_string(current));
          current = parts[j];
        } else {
          current = candidate;
        }
      }
      if (!current.empty()) chunks.push_back(repr_string(current));
    }
    const bool several = chunks.size() > 1;
    if (several && level == 1) out += '(';
    for (size_t i = 0; i < chunks.size(); ++i) {
      if (i > 0) out += "\n" + std::string(static_cast<size_t>(indent), ' ');
      out += chunks[i];
    }
    if (several && level == 1) out += ')';
  }
};

}  // namespace

Value pretty(const Value& value) {
  Printer printer;
  printer.write(with_sorted_keys(value), 0, 0, 0);
  Text out;
  out.append(printer.out, holds_text_of_values(value));
  return out.finish();
}

}  // namespace ashlar::jinja
