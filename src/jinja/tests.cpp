// The tests: value is ...

#include "jinja/builtin.h"

namespace ashlar::jinja {
namespace {

bool modulo_is(const Value& value, const Value& by, int64_t rest) {
  return equal(arithmetic(Op::modulo, value, by), Value::integer(rest));
}

bool callable(const Value& value) {
  if (value.is(Kind::undefined)) return true;
  return value.as<Function>() || value.as<Macro>() || value.as<Loop>();
}

bool is_sequence(const Value& value) { return size_of(value) && !value.as<DictView>(); }

// Is it the name of a filter or test? Jinja looks it up in a dict.
template <auto find>
bool names(const Value& value) {
  static_cast<void>(hash(value));  // raises where it cannot be a key
  return value.is(Kind::string) && find(value.bytes()) != nullptr;
}

// A test without an argument.
template <bool (*holds)(const Value&)>
bool simple(Interpreter&, const Value& value, Args& args) {
  no_arguments("test", args);
  return holds(value);
}

template <Comparison how>
bool compares(Interpreter&, const Value& value, Args& args) {
  return compare(how, value, Bound("test", args, {""}, 1).at(0));
}

constexpr Entry<TestFunction> kTests[] = {
    {"odd", simple<[](const Value& v) { return modulo_is(v, Value::integer(2), 1); }>},
    {"even", simple<[](const Value& v) { return modulo_is(v, Value::integer(2), 0); }>},
    {"divisibleby",
     [](Interpreter&, const Value& v, Args& a) {
       return modulo_is(v, Bound("divisibleby", a, {"num"}, 1).at(0), 0);
     }},
    {"defined", simple<[](const Value& v) { return !v.is(Kind::undefined); }>},
    {"undefined", simple<[](const Value& v) { return v.is(Kind::undefined); }>},
    {"filter", simple<names<find_filter>>},
    {"test", simple<names<find_test>>},
    {"none", simple<[](const Value& v) { return v.is(Kind::none); }>},
    {"boolean", simple<[](const Value& v) { return v.is(Kind::boolean); }>},
    {"false", simple<[](const Value& v) { return v.is(Kind::boolean) && !v.as_bool(); }>},
    {"true", simple<[](const Value& v) { return v.is(Kind::boolean) && v.as_bool(); }>},
    {"integer", simple<[](const Value& v) { return v.is_integer(); }>},
    {"float", simple<[](const Value& v) { return v.is(Kind::floating); }>},
    {"lower", simple<[](const Value& v) { return is_case(to_str(v).as_str(), false); }>},
    {"upper", simple<[](const Value& v) { return is_case(to_str(v).as_str(), true); }>},
    {"string", simple<[](const Value& v) { return v.is(Kind::string); }>},
    {"mapping", simple<[](const Value& v) { return v.is(Kind::dict); }>},
    {"number", simple<[](const Value& v) { return v.is_number(); }>},
    {"sequence", simple<is_sequence>},
    {"iterable", simple<[](const Value& v) { return Cursor::possible(v) || v.as<Loop>(); }>},
    {"callable", simple<callable>},
    {"sameas", [](Interpreter&, const Value& v,
                  Args& a) { return identical(v, Bound("sameas", a, {"other"}, 1).at(0)); }},
    {"escaped", simple<[](const Value& v) { return v.is(Kind::string) && v.as_str().markup; }>},
    {"in", [](Interpreter&, const Value& v,
              Args& a) { return contains(Bound("in", a, {"seq"}, 1).at(0), v); }},
    {"==", compares<Comparison::eq>},
    {"eq", compares<Comparison::eq>},
    {"equalto", compares<Comparison::eq>},
    {"!=", compares<Comparison::ne>},
    {"ne", compares<Comparison::ne>},
    {">", compares<Comparison::gt>},
    {"gt", compares<Comparison::gt>},
    {"greaterthan", compares<Comparison::gt>},
    {">=", compares<Comparison::ge>},
    {"ge", compares<Comparison::ge>},
    {"<", compares<Comparison::lt>},
    {"lt", compares<Comparison::lt>},
    {"lessthan", compares<Comparison::lt>},
    {"<=", compares<Comparison::le>},
    {"le", compares<Comparison::le>},
};

}  // namespace

TestFunction find_test(std::string_view name) { return look_up(kTests, name); }

FilterFunction find_filter(std::string_view name) {
  const FilterFunction found = find_text_filter(name);
  return found ? found : find_list_filter(name);
}

}  // namespace ashlar::jinja
