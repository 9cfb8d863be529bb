// Compiles a pattern's tree into a table, by way of a program of prioritised threads.
#include <algorithm>
#include <bitset>
#include <cstring>
#include <map>
#include <optional>

#include "base/utf8.h"
#include "text/pattern.h"
#include "text/pattern_ast.h"

namespace ashlar {

using unicode::CodePoints;

namespace {

constexpr size_t kMaxProgram = 4000;
constexpr size_t kMaxStates = 4000;
constexpr uint32_t kMaxClasses = 250;
using Classes = std::bitset<256>;

struct Instruction {
  enum Op { take, split, jump, ahead, match } op;
  uint32_t set = 0;                       // take, ahead: which set of code points
  uint32_t x = 0, y = 0;                  // split: first x, then y; jump: x
  bool negative = false, at_end = false;  // ahead: whether the end of the text passes
};

// A program whose threads are ordered: the first to match wins, as in a backtracking matcher.
class Compiler {
 public:
  std::vector<Instruction> program;
  std::vector<CodePoints> sets;

  bool compile(const PatternNode& root) { return emit(root) && add({Instruction::match}); }

 private:
  bool add(Instruction instruction) {
    program.push_back(instruction);
    return program.size() <= kMaxProgram;
  }
  uint32_t here() const { return static_cast<uint32_t>(program.size()); }
  uint32_t set_of(const CodePoints& points) {
    for (size_t i = 0; i < sets.size(); ++i) {
      if (sets[i].ranges() == points.ranges()) return static_cast<uint32_t>(i);
    }
    sets.push_back(points);
    return static_cast<uint32_t>(sets.size() - 1);
  }

  static bool can_be_empty(const PatternNode& node) {
    switch (node.kind) {
      case PatternNode::set:
        return false;
      case PatternNode::concat:
        return std::all_of(node.children.begin(), node.children.end(), can_be_empty);
      case PatternNode::alternate:
        return std::any_of(node.children.begin(), node.children.end(), can_be_empty);
      case PatternNode::repeat:
        return node.min == 0 || can_be_empty(node.children[0]);
      default:
        return true;
    }
  }

  bool emit(const PatternNode& node) {
    switch (node.kind) {
      case PatternNode::empty:
        return true;
      case PatternNode::set:
        return add({Instruction::take, set_of(node.points)});
      case PatternNode::concat:
        return std::all_of(node.children.begin(), node.children.end(),
                           [this](const PatternNode& child) { return emit(child); });
      case PatternNode::alternate:
        return emit_alternate(node);
      case PatternNode::repeat:
        return emit_repeat(node);
      case PatternNode::look:
        if (node.behind || node.children[0].kind != PatternNode::set) return false;
        return add({Instruction::ahead, set_of(node.children[0].points), 0, 0, node.negative,
                    node.negative});
      case PatternNode::line_end:
        return add({Instruction::ahead, set_of(CodePoints({{'\n', '\n'}})), 0, 0, false, true});
      case PatternNode::text_end:
        return add({Instruction::ahead, set_of(CodePoints()), 0, 0, false, true});
      default:
        return false;  // atomic groups and assertions about what stands before
    }
  }

  bool emit_alternate(const PatternNode& node) {
    std::vector<uint32_t> jumps;
    for (size_t i = 0; i < node.children.size(); ++i) {
      const bool last = i + 1 == node.children.size();
      const uint32_t fork = here();
      if (!last && !add({Instruction::split})) return false;
      if (!emit(node.children[i])) return false;
      if (last) break;
      jumps.push_back(here());
      if (!add({Instruction::jump})) return false;
      program[fork].x = fork + 1;
      program[fork].y = here();
    }
    for (uint32_t jump : jumps) program[jump].x = here();
    return true;
  }

  bool emit_repeat(const PatternNode& node) {
    const PatternNode& child = node.children[0];
    if (node.greed == PatternNode::possessive || can_be_empty(child)) return false;
    const bool lazy = node.greed == PatternNode::lazy;
    const auto aim = [&](uint32_t fork, uint32_t in, uint32_t out) {
      program[fork].x = lazy ? out : in;
      program[fork].y = lazy ? in : out;
    };
    for (int i = 0; i < node.min; ++i) {
      if (!emit(child)) return false;
    }
    if (node.max < 0) {
      const uint32_t fork = here();
      if (!add({Instruction::split}) || !emit(child) || !add({Instruction::jump, 0, fork})) {
        return false;
      }
      aim(fork, fork + 1, here());
      return true;
    }
    std::vector<uint32_t> forks;
    for (int i = node.min; i < node.max; ++i) {
      forks.push_back(here());
      if (!add({Instruction::split}) || !emit(child)) return false;
    }
    for (uint32_t fork : forks) aim(fork, fork + 1, here());
    return true;
  }
};

}  // namespace

// Threads of the program to states of the table.
class DfaBuilder {
 public:
  explicit DfaBuilder(Compiler compiler) : compiler_(std::move(compiler)) {}

  std::unique_ptr<Dfa> build() {
    auto dfa = std::make_unique<Dfa>();
    if (!number_classes(*dfa)) return nullptr;
    stride_ = dfa->end_class_ + 1;
    state_of({});  // the dead state stands at 0
    dfa->start_ = *state_of({0}) * stride_;
    for (size_t s = 1; s < states_.size(); ++s) {
      for (uint32_t c = 0; c <= dfa->end_class_; ++c) {
        const auto entry = step(std::vector<uint32_t>(states_[s]), c, dfa->end_class_);
        if (!entry) return nullptr;
        table_[s * stride_ + c] = *entry;
      }
    }
    dfa->table_ = std::move(table_);
    note_first_bytes(*dfa);
    return dfa;
  }

 private:
  // Characters that belong to the same sets behave alike: they share a class.
  bool number_classes(Dfa& dfa) {
    std::vector<uint32_t> bounds = {0};
    for (const CodePoints& set : compiler_.sets) {
      for (const auto& [first, last] : set.ranges()) {
        bounds.push_back(first);
        if (last < unicode::kLast) bounds.push_back(last + 1);
      }
    }
    std::sort(bounds.begin(), bounds.end());
    bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
    std::map<std::vector<bool>, uint32_t> numbers;
    std::vector<uint8_t> classes(unicode::kLast + 1);
    const size_t count = compiler_.sets.size();
    std::vector<size_t> at(count, 0);
    members_.assign(count, {});
    for (size_t b = 0; b < bounds.size(); ++b) {
      std::vector<bool> key(count);
      for (size_t i = 0; i < count; ++i) {
        const auto& ranges = compiler_.sets[i].ranges();
        while (at[i] < ranges.size() && ranges[at[i]].second < bounds[b]) ++at[i];
        key[i] = at[i] < ranges.size() && ranges[at[i]].first <= bounds[b];
      }
      const auto number = numbers.emplace(key, static_cast<uint32_t>(numbers.size())).first->second;
      if (number >= kMaxClasses) return false;
      for (size_t i = 0; i < count; ++i) {
        if (key[i]) members_[i].set(number);
      }
      const uint32_t end = b + 1 < bounds.size() ? bounds[b + 1] : unicode::kLast + 1;
      std::fill(classes.begin() + bounds[b], classes.begin() + end, static_cast<uint8_t>(number));
    }
    dfa.end_class_ = static_cast<uint32_t>(numbers.size());
    std::copy_n(classes.begin(), 128, dfa.ascii_);
    std::map<std::string_view, uint16_t> pages;
    for (size_t c = 0; c <= unicode::kLast; c += 256) {
      const std::string_view page(reinterpret_cast<const char*>(classes.data()) + c, 256);
      const auto [found, fresh] = pages.emplace(page, static_cast<uint16_t>(pages.size()));
      if (fresh) dfa.pages_.insert(dfa.pages_.end(), page.begin(), page.end());
      dfa.page_.push_back(found->second);
    }
    return true;
  }

  std::optional<uint32_t> state_of(const std::vector<uint32_t>& threads) {
    const auto [found, fresh] = numbers_.emplace(threads, static_cast<uint32_t>(states_.size()));
    if (fresh) {
      if (states_.size() >= kMaxStates) return std::nullopt;
      states_.push_back(threads);
      table_.resize(states_.size() * stride_, 0);
    }
    return found->second;
  }

  // Runs the threads, in order, up to their next character, which is of class `c`.
  std::optional<uint32_t> step(const std::vector<uint32_t>& threads, uint32_t c, uint32_t end) {
    std::vector<bool> seen(compiler_.program.size(), false);
    std::vector<uint32_t> next, stack;
    std::vector<bool> queued(compiler_.program.size(), false);
    bool matched = false;
    for (size_t t = 0; t < threads.size() && !matched; ++t) {
      stack.push_back(threads[t]);
      while (!stack.empty()) {
        const uint32_t pc = stack.back();
        stack.pop_back();
        if (seen[pc]) continue;
        seen[pc] = true;
        const Instruction& i = compiler_.program[pc];
        switch (i.op) {
          case Instruction::take:
            if (c != end && members_[i.set].test(c) && !queued[pc + 1]) {
              queued[pc + 1] = true;
              next.push_back(pc + 1);
            }
            break;
          case Instruction::split:
            stack.push_back(i.y);
            stack.push_back(i.x);
            break;
          case Instruction::jump:
            stack.push_back(i.x);
            break;
          case Instruction::ahead:
            if (c == end ? i.at_end : members_[i.set].test(c) != i.negative)
              stack.push_back(pc + 1);
            break;
          case Instruction::match:  // later threads do not count any more
            matched = true;
            stack.clear();
            break;
        }
      }
    }
    const auto state = state_of(next);
    if (!state) return std::nullopt;
    return (*state * stride_) << 1 | (matched ? 1u : 0u);
  }

  static void note_first_bytes(Dfa& dfa) {
    const auto begins = [&](uint32_t c) { return dfa.table_[dfa.start_ + c] != 0; };
    std::memset(dfa.may_begin_, 0, sizeof dfa.may_begin_);
    for (uint32_t c = 0; c < 128; ++c) dfa.may_begin_[c] = begins(dfa.ascii_[c]);
    for (uint32_t c = 128; c <= unicode::kLast; ++c) {
      if (!begins(dfa.class_of(c))) continue;
      const uint32_t lead = c < 0x800     ? 0xC0 | c >> 6
                            : c < 0x10000 ? 0xE0 | c >> 12
                                          : 0xF0 | c >> 18;
      dfa.may_begin_[lead] = true;
    }
  }

  Compiler compiler_;
  std::vector<Classes> members_;  // per set, the classes it consists of
  std::map<std::vector<uint32_t>, uint32_t> numbers_;
  std::vector<std::vector<uint32_t>> states_;
  std::vector<uint32_t> table_;
  uint32_t stride_ = 0;
};

std::unique_ptr<Dfa> Dfa::build(const PatternNode& root) {
  Compiler compiler;
  if (!compiler.compile(root)) return nullptr;
  return DfaBuilder(std::move(compiler)).build();
}

size_t Dfa::match(std::string_view text, size_t from) const {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const size_t size = text.size();
  const uint32_t* table = table_.data();
  uint32_t state = start_;
  size_t last = kNone;
  for (size_t i = from; i < size;) {
    uint32_t entry;
    size_t next = i + 1;
    if (p[i] < 0x80) {
      entry = table[state + ascii_[p[i]]];
    } else {
      next = i;
      const uint32_t c = utf8::next(text, next);
      entry = table[state + class_of(c)];
    }
    if (entry & 1) last = i;
    state = entry >> 1;
    if (state == 0) return last;
    i = next;
  }
  if (table[state + end_class_] & 1) last = size;
  return last;
}

}  // namespace ashlar
