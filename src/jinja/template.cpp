// Bounds and errors of parsing and rendering; JSON as values.
#include "jinja/template.h"

#include "base/utf8.h"
#include "jinja/exact_json.h"

namespace ashlar::jinja {
namespace {

// More than any template in use comes near; a hostile one stops after some seconds.
constexpr uint64_t kMaxSteps = 100'000'000;
constexpr uint64_t kMaxBytes = uint64_t{256} << 20;
constexpr int kMaxDepth = 1000;
constexpr size_t kMaxSource = size_t{4} << 20;

}  // namespace

Value from_json(const Json& json, bool trusted) {
  const Deeper deeper;
  Budget::current()->step();
  const auto string = [trusted](std::string_view text) {
    const std::string repaired = utf8::repaired(text);
    return trusted ? Value::string(repaired) : value_string(repaired);
  };
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case Json::value_t::number_integer:
      return Value::integer(json.get<int64_t>());
    case Json::value_t::number_unsigned: {
      const auto number = json.get<uint64_t>();
      if (number <= INT64_MAX) return Value::integer(static_cast<int64_t>(number));
      return Value::big(std::to_string(number));
    }
    case Json::value_t::number_float:
      return Value::floating(json.get<double>());
    case Json::value_t::string:
      return string(json.get_ref<const std::string&>());
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const auto& item : json) items.push_back(from_json(item, trusted));
      return Value::list(std::move(items));
    }
    case Json::value_t::object: {
      auto dict = std::make_shared<Dict>();
      for (const auto& [key, item] : json.items()) dict->set(string(key), from_json(item, trusted));
      return Value::dict(std::move(dict));
    }
    case Json::value_t::binary: {
      const auto digits = whole_digits(json);
      return digits ? Value::big(*digits) : Value();
    }
    default:
      return Value();
  }
}

Template::Template(std::string_view source, std::string where) : where_(std::move(where)) {
  if (source.size() > kMaxSource) {
    fail(ErrorKind::format, "{}: a template of {} bytes; at most {} are read", where_,
         source.size(), kMaxSource);
  }
  int line = 1;
  try {
    const Budget budget(kMaxSteps, kMaxBytes, kMaxDepth, true);
    program_ = parse(utf8::repaired(source), line);
  } catch (const Failure& failure) {
    const ErrorKind kind = failure.kind == ErrorKind::invalid ? ErrorKind::format : failure.kind;
    fail(kind, "{}: line {}: {}", where_, line, failure.message);
  }
}

void Template::render(const std::function<void(Interpreter&)>& define, std::function<std::tm()> now,
                      std::string& text, std::vector<Span>& from_values) const {
  const Budget budget(kMaxSteps, kMaxBytes, kMaxDepth);
  Text out;
  Interpreter interpreter(*program_, std::move(now));
  try {
    define(interpreter);
    interpreter.run(out);
  } catch (const Failure& failure) {
    fail(failure.kind, "{}: line {}: {}{}", where_, interpreter.line(),
         failure.raised_by_template ? "the template refuses: " : "", failure.message);
  }
  text = out.bytes();
  from_values = out.from_values();
}

}  // namespace ashlar::jinja
