// Which variables a scope begins with unset: Jinja2 decides while it compiles that a name is local
// where it is assigned before it is read (idtracking.py); until then it does not fall through to
// the variables given from outside.
#include <unordered_map>
#include <unordered_set>

#include "jinja/parser.h"

namespace ashlar::jinja {
namespace {

// The names of one scope. A name that is only read there is not unset.
struct Symbols {
  const Symbols* parent = nullptr;
  std::unordered_map<int, bool> unset;  // every name seen: whether it begins unset
  std::unordered_set<int> stores;

  bool knows(int name) const {
    for (const Symbols* s = this; s; s = s->parent) {
      if (s->unset.count(name)) return true;
    }
    return false;
  }
  void load(int name) {
    if (!knows(name)) unset.emplace(name, false);
  }
  void store(int name) {
    stores.insert(name);
    if (!unset.count(name)) unset.emplace(name, !(parent && parent->knows(name)));
  }
  void parameter(int name) { unset.insert_or_assign(name, false); }
  std::vector<int> list() const {
    std::vector<int> out;
    for (const auto& [name, is_unset] : unset) {
      if (is_unset) out.push_back(name);
    }
    return out;
  }
};

void read(const Expr* expr, Symbols& symbols) {
  if (!expr) return;
  if (expr->op == Op::name || expr->op == Op::namespace_ref) symbols.load(expr->name);
  for (const auto& child : expr->children) read(child.get(), symbols);
  if (!expr->args) return;
  for (const auto& arg : expr->args->positional) read(arg.get(), symbols);
  for (const auto& [name, arg] : expr->args->named) read(arg.get(), symbols);
  read(expr->args->dynamic_positional.get(), symbols);
  read(expr->args->dynamic_named.get(), symbols);
}

void write(const Expr& target, Symbols& symbols, bool parameter = false) {
  if (target.op == Op::namespace_ref) symbols.load(target.name);
  if (target.op == Op::name)
    parameter ? symbols.parameter(target.name) : symbols.store(target.name);
  if (target.op == Op::tuple) {
    for (const auto& child : target.children) write(*child, symbols, parameter);
  }
}

void visit(const Node& node, Symbols& symbols);

void visit_all(const Body& body, Symbols& symbols) {
  for (const auto& node : body) visit(*node, symbols);
}

// The way Jinja2 nests elifs: the first branch, the others, the else of the outermost if.
void visit_if(const Node& node, Symbols& symbols) {
  read(node.exprs[0].get(), symbols);
  Symbols branches[3] = {symbols, symbols, symbols};
  visit_all(node.branches[0], branches[0]);
  for (size_t i = 1; i < node.exprs.size(); ++i) {
    read(node.exprs[i].get(), branches[1]);
    Symbols inner = branches[1];
    visit_all(node.branches[i], inner);
    for (const int name : inner.stores) {
      if (!branches[1].stores.count(name)) inner.unset[name] = false;
    }
    branches[1].unset = inner.unset;
    branches[1].stores = inner.stores;
  }
  if (node.branches.size() > node.exprs.size()) visit_all(node.branches.back(), branches[2]);
  std::unordered_map<int, int> stored;
  for (const auto& branch : branches) {
    for (const int name : branch.stores) {
      if (!symbols.stores.count(name)) ++stored[name];
    }
  }
  for (const auto& branch : branches) {
    for (const auto& [name, is_unset] : branch.unset)
      symbols.unset.insert_or_assign(name, is_unset);
    symbols.stores.insert(branch.stores.begin(), branch.stores.end());
  }
  for (const auto& [name, count] : stored) {
    if (count < 3) symbols.unset[name] = false;
  }
}

void visit(const Node& node, Symbols& symbols) {
  switch (node.kind) {
    case Statement::output:
      for (const auto& expr : node.exprs) read(expr.get(), symbols);
      return;
    case Statement::loop:
      read(node.exprs[1].get(), symbols);
      return;
    case Statement::condition:
      visit_if(node, symbols);
      return;
    case Statement::macro:
      symbols.store(node.signature->name_id);
      return;
    case Statement::call_block:
    case Statement::filter_block:
      read(node.exprs[0].get(), symbols);
      return;
    case Statement::set:
      read(node.exprs[1].get(), symbols);
      write(*node.exprs[0], symbols);
      return;
    case Statement::set_block:
      write(*node.exprs[0], symbols);
      return;
    case Statement::scope:
      for (size_t i = 1; i < node.exprs.size(); i += 2) read(node.exprs[i].get(), symbols);
      return;
    default:
      return;
  }
}

void mark_body(Body& body, const Symbols& symbols);

// The scopes that a statement opens.
void mark(Node& node, const Symbols& outer) {
  Symbols inner;
  inner.parent = &outer;
  switch (node.kind) {
    case Statement::condition:
      for (auto& branch : node.branches) mark_body(branch, outer);
      return;
    case Statement::loop: {
      write(*node.exprs[0], inner, true);
      visit_all(node.branches[0], inner);
      inner.unset.insert_or_assign(kLoop, false);
      node.unset = inner.list();
      mark_body(node.branches[0], inner);
      if (node.branches.size() > 1) {
        Symbols otherwise;
        otherwise.parent = &outer;
        visit_all(node.branches[1], otherwise);
        node.unset_else = otherwise.list();
        mark_body(node.branches[1], otherwise);
      }
      return;
    }
    case Statement::macro:
    case Statement::call_block:
      for (const auto& [name, id] : node.signature->parameters) inner.parameter(id);
      for (const auto& expr : node.signature->defaults) read(expr.get(), inner);
      break;
    case Statement::scope:
      for (size_t i = 0; i < node.exprs.size(); i += 2) write(*node.exprs[i], inner, true);
      break;
    case Statement::filter_block:
      read(node.exprs[0].get(), inner);
      break;
    case Statement::set_block:
      break;
    default:
      return;
  }
  visit_all(node.branches[0], inner);
  if (node.kind == Statement::macro || node.kind == Statement::call_block) {
    for (const int name : {kCaller, kKwargs, kVarargs}) {
      if (const auto found = inner.unset.find(name); found != inner.unset.end())
        found->second = false;
    }
  }
  node.unset = inner.list();
  mark_body(node.branches[0], inner);
}

void mark_body(Body& body, const Symbols& symbols) {
  for (auto& node : body) mark(*node, symbols);
}

}  // namespace

void find_unset(Program& program) {
  Symbols root;
  visit_all(program.body, root);
  program.unset = root.list();
  mark_body(program.body, root);
}

}  // namespace ashlar::jinja
