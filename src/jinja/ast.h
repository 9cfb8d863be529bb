// A parsed template: expressions and statements, names as numbers, filters and tests already looked
// up.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "jinja/value.h"

namespace ashlar::jinja {

using FilterFunction = Value (*)(Interpreter&, const Value& value, Args& args);
using TestFunction = bool (*)(Interpreter&, const Value& value, Args& args);

/// Filters of Jinja's that are not here: they fail where they are reached, and say so.
bool refused_filter(std::string_view name);
/// Null where Jinja has no such filter or test, or it is refused.
FilterFunction find_filter(std::string_view name);
TestFunction find_test(std::string_view name);

enum class Op : uint8_t {
  literal,
  name,
  namespace_ref,  // target of a set: name.attribute
  tuple,
  list,
  dict,  // children: key, value, key, value ...
  attribute,
  item,
  slice,  // children: start, stop, step, any of them null; only below an item
  call,
  filter,  // children[0] is null in filter blocks and filtered set blocks
  test,
  negate,
  plus,
  logical_not,
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  logical_and,
  logical_or,
  compare,
  concat,
  conditional,  // children: condition, then, else or null
};

enum class Comparison : uint8_t { eq, ne, lt, le, gt, ge, in, not_in };

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct CallArgs {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr dynamic_positional, dynamic_named;
};

struct Expr {
  Op op;
  int line;
  int depth = 1;
  Value value;       // literal; attribute, namespace_ref: the attribute's name
  int name = -1;     // name, namespace_ref: number of the name
  std::string text;  // name, attribute, filter, test: as written
  std::vector<ExprPtr> children;
  std::vector<Comparison> comparisons;  // compare: one less than children
  std::unique_ptr<CallArgs> args;       // call, filter, test
  FilterFunction filter = nullptr;
  TestFunction test = nullptr;
};

struct Node;
using NodePtr = std::unique_ptr<Node>;
using Body = std::vector<NodePtr>;

enum class Statement : uint8_t {
  output,      // exprs
  loop,        // exprs: target, iterable, condition or null
  condition,   // exprs[i] guards branches[i]; the last branch may have none
  macro,       // signature
  call_block,  // exprs[0]: the call; signature: the caller
  filter_block,
  set,        // exprs: target, value
  set_block,  // exprs: target, filter or null
  scope,      // exprs: target, value, ... of its own variables (with; generation has none)
  break_loop,
  continue_loop,
  refused,  // include, import, extends: always an error
};

/// What macros and call blocks take.
struct Signature {
  std::string name;
  int name_id = -1;
  std::vector<std::pair<std::string, int>> parameters;
  std::vector<ExprPtr> defaults;  // of the last parameters
  bool takes_caller = false, takes_kwargs = false, takes_varargs = false;
  bool explicit_caller = false;
};

struct Node {
  Statement kind;
  int line;
  std::vector<ExprPtr> exprs;
  std::vector<Body> branches;  // loop: body, else
  std::unique_ptr<Signature> signature;
  std::string text;                    // refused: tag
  std::vector<int> unset, unset_else;  // names that begin without a value in its scope
  bool recursive = false;
};

struct Program {
  Body body;
  std::vector<std::string> names;     // by number
  std::vector<std::string> literals;  // its text between tags and its string literals
  std::vector<int> unset;  // names that begin without a value, whatever is given from outside
};

/// The number of a name that the interpreter itself uses; every program has them.
enum Name : int { kLoop, kCaller, kVarargs, kKwargs };

/// Fills in what is unset.
void find_unset(Program& program);

/// Throws Failure; `line` is where.
std::unique_ptr<Program> parse(std::string_view source, int& line);

}  // namespace ashlar::jinja
