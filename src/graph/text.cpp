// Writing and reading the text form of a graph.
#include "graph/text.h"

#include <charconv>
#include <map>

#include "base/error.h"
#include "graph/builder.h"

namespace ashlar {

std::string Graph::text() const {
  std::string s;
  for (const Param& p : params_) {
    s += fmt::format("param @{} {} {} rows={}\n", p.name, to_string(p.axes), enum_name(p.role),
                     p.row_axes);
  }
  for (const Node& n : nodes_) {
    for (size_t i = 0; i < n.outputs.size(); ++i)
      s += fmt::format("{}%{}", i ? ", " : "", n.outputs[i].index());
    s += fmt::format(" = {}(", n.op.name());
    for (size_t i = 0; i < n.inputs.size(); ++i) {
      if (i > 0) s += ", ";
      const Input& in = n.inputs[i];
      if (in.is_value())
        s += fmt::format("%{}", in.value.index());
      else
        s += "@" + params_[in.param].name;
    }
    s += ")";
    if (const auto attributes = n.op.attributes(); !attributes.empty()) {
      s += " {";
      for (size_t i = 0; i < attributes.size(); ++i) {
        s += fmt::format("{}{}={}", i ? ", " : "", attributes[i].name, attributes[i].value);
      }
      s += "}";
    }
    if (!n.scope.empty() || !n.label.empty()) s += fmt::format(" {}:{}", n.scope, n.label);
    s += " :";
    for (size_t i = 0; i < n.outputs.size(); ++i)
      s += fmt::format("{} {}", i ? "," : "", to_string(type(n.outputs[i])));
    s += "\n";
  }
  for (const Output& o : outputs_)
    s += fmt::format("output {}{}%{}\n", o.name, o.name.empty() ? "" : " ", o.value.index());
  return s;
}

class GraphReader {
 public:
  GraphReader(std::string_view text, const OpFactory& make_op) : text_(text), make_op_(make_op) {}

  Graph read() {
    while (next_line()) {
      if (line_.empty()) continue;
      if (!outputs_.empty() && !line_.starts_with("output "))
        wrong("nothing but outputs after the first output");
      try {
        if (take("param @")) {
          read_param();
        } else if (take("output ")) {
          std::string name;
          if (!line_.starts_with("%")) {
            name = std::string(until(" "));
            need(" ");
          }
          for (const NamedValue& o : outputs_) {
            if (o.name == name) wrong("outputs of different names");
          }
          outputs_.push_back({std::move(name), value()});
        } else {
          read_node();
        }
      } catch (const Error& e) {
        if (e.kind() == ErrorKind::format) throw;
        fail(ErrorKind::format, "graph text, line {}: {}", number_, e.what());
      }
      if (!line_.empty()) wrong("the end of the line");
    }
    if (outputs_.empty()) wrong("an output line at the end");
    return builder_.finish(outputs_);
  }

 private:
  [[noreturn]] void wrong(std::string_view expected) const {
    fail(ErrorKind::format, "graph text, line {}: expected {}, found \"{}\"", number_, expected,
         line_.substr(0, 60));
  }
  bool next_line() {
    if (text_.empty()) return false;
    const size_t end = text_.find('\n');
    line_ = text_.substr(0, end);
    text_ = end == std::string_view::npos ? std::string_view() : text_.substr(end + 1);
    ++number_;
    return true;
  }
  bool take(std::string_view what) {
    if (!line_.starts_with(what)) return false;
    line_.remove_prefix(what.size());
    return true;
  }
  void need(std::string_view what) {
    if (!take(what)) wrong(what);
  }
  std::string_view until(std::string_view stops) {
    const size_t end = std::min(line_.find_first_of(stops), line_.size());
    const std::string_view word = line_.substr(0, end);
    line_.remove_prefix(end);
    return word;
  }
  int64_t number() {
    int64_t n = 0;
    const auto r = std::from_chars(line_.data(), line_.data() + line_.size(), n);
    if (r.ec != std::errc()) wrong("a number");
    line_.remove_prefix(static_cast<size_t>(r.ptr - line_.data()));
    return n;
  }
  Value value() {
    need("%");
    const int64_t id = number();
    const auto it = values_.find(id);
    if (it == values_.end()) wrong("a value made above, not %" + std::to_string(id));
    return it->second;
  }
  Axes axes() {
    need("[");
    Axes axes;
    while (!take("]")) {
      if (!axes.empty()) need(", ");
      Axis a;
      a.name = std::string(until("=,]"));
      if (a.name.empty()) wrong("the name of an axis");
      a.size = take("=") ? number() : kTokensSize;
      axes.push_back(std::move(a));
    }
    return axes;
  }
  void read_param() {
    const std::string name(until(" "));
    need(" ");
    Axes a = axes();
    need(" ");
    const auto role = enum_named<Role>(until(" "));
    if (!role) wrong("a role of a parameter");
    need(" rows=");
    const int64_t rows = number();
    const auto axis_count = static_cast<int64_t>(a.size());
    if (rows < 0 || rows >= axis_count) wrong("fewer row axes than axes");
    builder_.param(name, std::move(a), *role, rows == 0 ? 0 : axis_count - rows);
  }
  void read_node() {
    std::vector<int64_t> outputs;
    do {
      need("%");
      outputs.push_back(number());
    } while (take(", "));
    need(" = ");
    const std::string op(until("("));
    need("(");
    std::vector<Value> inputs;
    while (!take(")")) {
      if (!inputs.empty()) need(", ");
      if (take("@"))
        inputs.push_back(builder_.param_named(std::string(until(",)"))));
      else
        inputs.push_back(value());
    }
    std::vector<Attribute> attributes;
    if (take(" {")) {
      while (!take("}")) {
        if (!attributes.empty()) need(", ");
        Attribute a;
        a.name = std::string(until("=,}"));
        need("=");
        a.value = std::string(until(",}"));
        attributes.push_back(std::move(a));
      }
    }
    std::string scope, label;
    if (line_.starts_with(" ") && !line_.starts_with(" : ")) {
      need(" ");
      scope = std::string(until(":"));
      need(":");
      label = std::string(until(" "));
    }
    need(" :");
    std::vector<Type> types;
    do {
      need(" ");
      const Kind kind = take("index ") ? Kind::index : Kind::real;
      types.push_back({kind, axes()});
    } while (take(","));
    builder_.set_scope(scope);
    try {
      const std::vector<Value> made = builder_.add(make_op_(op, attributes), inputs, label);
      if (made.size() != outputs.size() || types.size() != made.size())
        wrong("as many results as the op makes");
      for (size_t i = 0; i < made.size(); ++i) {
        if (!(made[i].type() == types[i]))
          wrong("type " + to_string(made[i].type()) + " where the text says " +
                to_string(types[i]));
        if (!values_.emplace(outputs[i], made[i]).second) wrong("each value made once");
      }
    } catch (const ShapeError& e) {
      wrong(e.what());
    }
    builder_.set_scope({});
  }

  std::string_view text_, line_;
  const OpFactory& make_op_;
  Builder builder_;
  std::map<int64_t, Value> values_;
  std::vector<NamedValue> outputs_;
  int number_ = 0;
};

Graph parse_graph(std::string_view text, const OpFactory& make_op) {
  return GraphReader(text, make_op).read();
}

}  // namespace ashlar
