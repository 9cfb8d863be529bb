// The functions that every template has.
#include <chrono>

#include "jinja/builtin.h"

namespace ashlar::jinja {
namespace {

constexpr int64_t kMaxRange = 100'000;

Value make_range(Interpreter& interpreter, Args& args) {
  const Bound bound("range", args, {"", "", ""}, 1);
  const bool single = !bound.has(1);
  const int64_t start = single ? 0 : bound.integer(0, 0), stop = bound.integer(single ? 0 : 1, 0);
  const int64_t step = bound.integer(2, 1);
  if (step == 0) raise("range() arg 3 must not be zero");
  const __int128 span = step > 0 ? __int128{stop} - start : __int128{start} - stop;
  const __int128 width = step > 0 ? __int128{step} : -__int128{step};
  const __int128 count = span <= 0 ? 0 : (span - 1) / width + 1;
  if (count > kMaxRange) {
    raise("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kMaxRange);
  }
  auto* out = interpreter.make<Range>();
  out->start = start;
  out->stop = stop;
  out->step = step;
  out->length = static_cast<int64_t>(count);
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
    if (key.is(Kind::string)) out->set(key, value);
  }
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
  if (name == "raise_exception") return function(raise_exception);
  if (name == "strftime_now") return function(strftime_now);
  if (one_of(name, {"cycler", "joiner", "lipsum", "self"})) refuse(fmt::format("{} is", name));
  return std::nullopt;
}

}  // namespace ashlar::jinja
