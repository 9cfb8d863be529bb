// The functions that every template has.
#include <algorithm>
#include <chrono>

#include "jinja/builtin.h"

namespace ashlar::jinja {
namespace {

constexpr int64_t kMaxRange = 100'000;

Value make_range(Interpreter& interpreter, Args& args) {
  const Bound bound("range", args, {"", "", ""}, 1);
  const auto number = [&](size_t i) {
    const int64_t value = bound.integer(i, 0);
    if (bound.at(i).is(Kind::big))
      raise("Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
    return value;
  };
  const bool single = !bound.has(1);
  const int64_t start = single ? 0 : number(0), stop = number(single ? 0 : 1);
  const int64_t step = bound.has(2) ? number(2) : 1;
  if (step == 0) raise("range() arg 3 must not be zero");
  const BigInt span = step > 0 ? BigInt(stop) - BigInt(start) : BigInt(start) - BigInt(stop);
  BigInt count, rest;
  const BigInt width = step > 0 ? BigInt(step) : -BigInt(step);
  BigInt::divide(span + width - BigInt(1), width, count, rest);
  if (count > BigInt(kMaxRange)) {
    raise("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kMaxRange);
  }
  auto* out = interpreter.make<Range>();
  out->start = start;
  out->stop = stop;
  out->step = step;
  out->length = std::max<int64_t>(count.small().value_or(0), 0);
  return Value::object(out);
}

// dict(mapping or pairs, more=...)
std::shared_ptr<Dict> make_dict(const char* name, Args& args) {
  if (args.positional.size() > 1)
    raise("{} expected at most 1 argument, got {}", name, args.positional.size());
  auto out = std::make_shared<Dict>();
  out->charge.take(sizeof(Dict));
  if (!args.positional.empty()) {
    const Value& source = args.positional[0];
    if (source.is(Kind::dict)) {
      for (const auto& [key, value] : source.as_dict().entries) out->set(key, value);
    } else {
      Cursor cursor(source);
      for (Value item; cursor.next(item);) {
        if (!Cursor::possible(item))
          raise("cannot convert dictionary update sequence element to a sequence");
        const std::vector<Value> pair = to_vector(item);
        if (pair.size() != 2) {
          raise("dictionary update sequence element has length {}; 2 is required", pair.size());
        }
        out->set(pair[0], pair[1]);
      }
    }
  }
  for (const auto& [key, value] : args.named) out->set(Value::string(key), value);
  return out;
}

Value make_namespace(Interpreter& interpreter, Args& args) {
  const auto values = make_dict("namespace", args);
  auto* out = interpreter.make<Namespace>();
  for (const auto& [key, value] : values->entries) {
    if (key.is(Kind::string)) out->set(key.bytes(), value);
  }
  return Value::object(out);
}

Value make_cycler(Interpreter& interpreter, Args& args) {
  if (!args.named.empty())
    raise("cycler() got an unexpected keyword argument '{}'", args.named[0].first);
  if (args.positional.empty()) raise("at least one item has to be provided");
  auto* out = interpreter.make<Cycler>();
  out->items = args.positional;
  return Value::object(out);
}

Value make_joiner(Interpreter& interpreter, Args& args) {
  const Bound bound("joiner", args, {"sep"});
  auto* out = interpreter.make<Joiner>();
  out->separator = bound.has(0) ? bound.at(0) : Value::string(", ");
  return Value::object(out);
}

Value raise_exception(Interpreter&, Args& args) {
  const Value message = Bound("raise_exception", args, {"message"}, 1).at(0);
  Failure failure{to_str(message).bytes()};
  failure.raised_by_template = true;
  throw failure;
}

// What C's strftime writes, and what Python makes of %f, %z and %Z for a time without a zone.
Value strftime_now(Interpreter& interpreter, Args& args) {
  const Bound bound("strftime_now", args, {"format"}, 1);
  const std::string& format = bound.text(0).bytes;
  std::string prepared;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '\0') raise("embedded null character");
    if (format[i] != '%' || i + 1 == format.size()) {
      prepared += format[i];
      continue;
    }
    const char code = format[++i];
    if (code == 'f') {
      const auto now = std::chrono::system_clock::now().time_since_epoch();
      prepared += fmt::format(
          "{:06d}", std::chrono::duration_cast<std::chrono::microseconds>(now).count() % 1'000'000);
    } else if (code != 'z' && code != 'Z') {
      prepared += '%';
      prepared += code;
    }
  }
  const std::tm now = interpreter.now();
  prepared += '.';  // an empty result is told from one that does not fit
  std::string out(prepared.size() * 4 + 64, '\0');
  size_t size = 0;
  while ((size = std::strftime(out.data(), out.size(), prepared.c_str(), &now)) == 0) {
    if (out.size() > 1'000'000)
      throw Failure{"strftime_now: the date is too long", ErrorKind::resource};
    out.resize(out.size() * 4);
  }
  return Value::string(std::string_view(out).substr(0, size - 1));
}

}  // namespace

std::optional<Value> global_function(Interpreter& interpreter, std::string_view name) {
  const auto function = [&](Value (*call)(Interpreter&, Args&)) {
    return interpreter.function(std::string(name), call);
  };
  if (name == "range") return function(make_range);
  if (name == "dict") {
    return function([](Interpreter&, Args& args) { return Value::dict(make_dict("dict", args)); });
  }
  if (name == "namespace") return function(make_namespace);
  if (name == "cycler") return function(make_cycler);
  if (name == "joiner") return function(make_joiner);
  if (name == "raise_exception") return function(raise_exception);
  if (name == "strftime_now") return function(strftime_now);
  if (name == "lipsum") {
    return function([](Interpreter&, Args&) -> Value {
      throw Failure{"lipsum() is not supported", ErrorKind::unsupported};
    });
  }
  if (name == "self") return Value::object(interpreter.make<Blocks>());
  return std::nullopt;
}

}  // namespace ashlar::jinja
