// Shape errors and attribute texts.
#include "graph/op.h"

#include <charconv>

#include "base/error.h"
#include "graph/attributes.h"

namespace ashlar {

std::string to_string(const Axes& axes) {
  std::string s = "[";
  for (size_t i = 0; i < axes.size(); ++i) {
    if (i > 0) s += ", ";
    s += axes[i].name;
    if (axes[i].size != kTokensSize) s += "=" + std::to_string(axes[i].size);
  }
  return s + "]";
}

std::string to_string(const Type& type) {
  return (type.kind == Kind::index ? "index " : "") + to_string(type.axes);
}

void shape_error(const std::string& message) { throw ShapeError(message); }

void no_derivative(std::string_view op) {
  fail(ErrorKind::unsupported, "op {}: its derivative is not known", op);
}

void expect_inputs(std::span<const Type> in, size_t least, size_t most) {
  if (in.size() < least || in.size() > most) {
    shape_error("expected " + std::to_string(least) +
                (most > least ? " to " + std::to_string(most) : "") + " inputs, found " +
                std::to_string(in.size()));
  }
}

void expect_kind(const Type& type, Kind kind, std::string_view what) {
  if (type.kind != kind) {
    shape_error(std::string(what) + ": expected " + (kind == Kind::real ? "numbers" : "indices") +
                ", found " + to_string(type));
  }
}

void expect_per_token(const Type& type, std::string_view what) {
  if (!type.per_token())
    shape_error(std::string(what) + ": expected one row per token, found " + to_string(type));
}

void expect_weight(const Type& type, std::string_view what) {
  expect_kind(type, Kind::real, what);
  if (type.per_token())
    shape_error(std::string(what) + ": expected a parameter, found " + to_string(type));
}

void expect_axes(const Axes& found, const Axes& expected, std::string_view what) {
  if (found != expected) {
    shape_error(std::string(what) + ": expected " + to_string(expected) + ", found " +
                to_string(found));
  }
}

void expect(const Type& type, Kind kind, const Axes& axes, std::string_view what) {
  expect_kind(type, kind, what);
  expect_axes(type.axes, axes, what);
}

void expect_rows(const Type& type, std::string_view n, std::string_view what) {
  expect_kind(type, Kind::real, what);
  if (type.axes.size() != 2 || !type.per_token()) {
    shape_error(std::string(what) + ": expected [tokens, " + std::string(n) + "], found " +
                to_string(type));
  }
}

Axes last_axes(const Type& type, size_t n, std::string_view what) {
  const size_t lead = type.per_token() ? 1 : 0;
  if (type.axes.size() < n + lead) {
    shape_error(std::string(what) + ": expected at least " + std::to_string(n) + " axes, found " +
                to_string(type));
  }
  return {type.axes.end() - static_cast<int64_t>(n), type.axes.end()};
}

std::string attribute_text(double value) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

std::string attribute_text(int64_t value) { return std::to_string(value); }

std::string attribute_text(const std::vector<double>& values) {
  std::string text;
  for (const double v : values) text += (text.empty() ? "" : "/") + attribute_text(v);
  return text;
}

double attribute_double(std::string_view text, std::string_view name) {
  double value = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
  if (r.ec != std::errc() || r.ptr != text.data() + text.size()) {
    shape_error("attribute " + std::string(name) + ": expected a number, found " +
                std::string(text));
  }
  return value;
}

std::vector<double> attribute_doubles(std::string_view text, std::string_view name) {
  std::vector<double> values;
  while (!text.empty()) {
    const size_t end = text.find('/');
    values.push_back(attribute_double(text.substr(0, end), name));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return values;
}

int64_t attribute_int(std::string_view text, std::string_view name) {
  int64_t value = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
  if (r.ec != std::errc() || r.ptr != text.data() + text.size()) {
    shape_error("attribute " + std::string(name) + ": expected a whole number, found " +
                std::string(text));
  }
  return value;
}

}  // namespace ashlar
