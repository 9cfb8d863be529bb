// Sums modulo p, brackets, facts, and a Markov source.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "lab/tasks/parameters.h"
#include "lab/tasks/task.h"

namespace ashlar::lab {
namespace {

/// a OP b = c modulo p. Some pairs (a, b) are never trained on: the held-out rows ask those alone.
class Arithmetic : public Task {
 public:
  Arithmetic(const Json& p, uint64_t seed) : seed_(seed) {
    Parameters read(p, "arithmetic");
    read("modulus", modulus_, 2, 30000);
    read("operations", operations_, 1, 3);
    read("equations", equations_, 1, 4096);
    read("held_out", held_out_, 0.01, 0.9);
    read.finish();
    about_ = {.vocab = modulus_ + operations_ + 1,
              .length = 5 * equations_,
              .choices = {0, modulus_},
              .difficulty = "operation (1 plus, 2 minus, 3 times)",
              .says = fmt::format("sums modulo {}; asked are pairs that were never trained on",
                                  modulus_)};
  }
  void make(Random& random, bool held_out, Ids ids, Ids answers) const override {
    size_t at = 0;
    for (int64_t e = 0; e < equations_; ++e) {
      int64_t a = 0, b = 0, op = 0;
      do {
        a = random.below(modulus_);
        b = random.below(modulus_);
        op = random.below(operations_);
      } while (is_held_out(a, b, op) != held_out);
      const int64_t c = op == 0   ? (a + b) % modulus_
                        : op == 1 ? (a - b + modulus_) % modulus_
                                  : a * b % modulus_;
      for (const int64_t id : {a, modulus_ + op, b, modulus_ + operations_}) {
        ids[at++] = static_cast<int32_t>(id);
      }
      answers[at] = static_cast<int32_t>(op + 1);
      ids[at++] = static_cast<int32_t>(c);
    }
  }

 private:
  bool is_held_out(int64_t a, int64_t b, int64_t op) const {
    return Random(mixed(seed_ ^ 0xA1) ^ static_cast<uint64_t>((op * modulus_ + a) * modulus_ + b))
               .uniform() < held_out_;
  }
  uint64_t seed_;
  int64_t modulus_ = 31, operations_ = 1, equations_ = 8;
  double held_out_ = 0.2;
};

/// Brackets of some kinds, closed in order: a probabilistic context-free grammar S -> (i S )i S |
/// e, as the walk of its depth. At depth 0 one opens, at the greatest depth one closes.
class Nested : public Task {
 public:
  Nested(const Json& p, uint64_t) {
    about_.length = 64;
    Parameters read(p, "nested");
    read("kinds", kinds_, 1, 10000);
    read("depth", depth_, 1, 1024);
    read("open", open_, 0.01, 0.99);
    read("length", about_.length, 4, 65536);
    read.finish();
    about_.vocab = 2 * kinds_;
    about_.choices = {kinds_, 2 * kinds_};  // whether one closes or another opens is chance
    about_.difficulty = "tokens since its bracket opened";
    about_.says = fmt::format(
        "brackets of {} kinds, nested up to {} deep; asked is which one closes", kinds_, depth_);
    about_.entropy = entropy();
  }
  void make(Random& random, bool, Ids ids, Ids answers) const override {
    std::vector<std::pair<int32_t, size_t>> stack;
    for (size_t at = 0; at < ids.size(); ++at) {
      const auto depth = std::ssize(stack);
      if (depth == 0 || (depth < depth_ && random.uniform() < open_)) {
        ids[at] = static_cast<int32_t>(random.below(kinds_));
        stack.emplace_back(ids[at], at);
      } else {
        ids[at] = static_cast<int32_t>(kinds_ + stack.back().first);
        answers[at] = static_cast<int32_t>(at - stack.back().second);
        stack.pop_back();
      }
    }
  }

 private:
  /// The walk's depth is a Markov chain from 0: its distribution at every position is followed.
  double entropy() const {
    const double choose = std::log(static_cast<double>(kinds_));
    const double walk = -open_ * std::log(open_) - (1 - open_) * std::log(1 - open_);
    std::vector<double> at(static_cast<size_t>(depth_) + 1), next;
    at[0] = 1;
    double sum = 0;
    for (int64_t t = 0; t < about_.length; ++t) {
      next.assign(at.size(), 0);
      double here = 0;
      for (size_t d = 0; d < at.size(); ++d) {
        const bool lowest = d == 0, highest = d + 1 == at.size();
        const double opens = lowest ? 1 : highest ? 0 : open_;
        here += at[d] * ((lowest || highest ? 0 : walk) + opens * choose);
        if (!highest) next[d + 1] += at[d] * opens;
        if (!lowest) next[d - 1] += at[d] * (1 - opens);
      }
      if (t > 0) sum += here;  // a row's first token is not predicted
      at.swap(next);
    }
    return sum / static_cast<double>(about_.length - 1);
  }

  int64_t kinds_ = 8, depth_ = 8;
  double open_ = 0.5;
};

/// Facts "key key value", each with a value of its own by chance: what is known of them has to be
/// in the parameters. The held-out rows ask the same facts in another order.
class Knowledge : public Task {
 public:
  Knowledge(const Json& p, uint64_t seed) {
    Parameters read(p, "knowledge");
    read("facts", facts_, 1, 10000000);
    read("symbols", symbols_, 2, 30000);
    read("values", values_, 2, 30000);
    read("in_a_row", in_a_row_, 1, 4096);
    read.finish();
    if (facts_ > symbols_ * symbols_)
      fail(ErrorKind::invalid, "knowledge: {} facts need as many keys, {} symbols make {}", facts_,
           symbols_, symbols_ * symbols_);
    Random random(mixed(seed) ^ 0xFAC7);
    const std::vector<int32_t> keys = random.some(facts_, symbols_ * symbols_);
    for (const int32_t key : keys)
      all_.emplace_back(key, static_cast<int32_t>(symbols_ + random.below(values_)));
    about_ = {.vocab = symbols_ + values_,
              .length = 3 * in_a_row_,
              .choices = {symbols_, symbols_ + values_},
              .difficulty = "facts",
              .says = fmt::format("{} facts of two keys and one of {} values, to be known by heart",
                                  facts_, values_),
              .facts = facts_,
              .bits_per_fact = std::log2(static_cast<double>(values_))};
  }
  void make(Random& random, bool, Ids ids, Ids answers) const override {
    size_t at = 0;
    for (int64_t i = 0; i < in_a_row_; ++i) {
      const auto& [key, value] = all_[static_cast<size_t>(random.below(facts_))];
      ids[at++] = static_cast<int32_t>(key / symbols_);
      ids[at++] = static_cast<int32_t>(key % symbols_);
      answers[at] = 1;
      ids[at++] = value;
    }
  }

 private:
  int64_t facts_ = 1000, symbols_ = 64, values_ = 32, in_a_row_ = 16;
  std::vector<std::pair<int32_t, int32_t>> all_;
};

/// What follows depends on the last two symbols: each pair has some successors of its own with
/// falling shares 1, 1/2, 1/3, ... A stand-in for prose whose entropy is known.
class Markov : public Task {
 public:
  Markov(const Json& p, uint64_t seed) {
    about_.length = 64;
    Parameters read(p, "markov");
    read("symbols", symbols_, 2, 1024);
    read("successors", successors_, 1, 1024);
    read("order", order_, 1, 2);
    read("length", about_.length, 4, 65536);
    read.finish();
    successors_ = std::min(successors_, symbols_);
    states_ = order_ == 2 ? symbols_ * symbols_ : symbols_;
    double sum = 0;
    for (int64_t i = 1; i <= successors_; ++i) sum += 1 / static_cast<double>(i);
    double below = 0, entropy = 0;
    for (int64_t i = 1; i <= successors_; ++i) {
      const double share = 1 / (static_cast<double>(i) * sum);
      entropy -= share * std::log(share);
      up_to_.push_back(below += share);
    }
    for (int64_t s = 0; s < states_; ++s) {
      Random random(mixed(seed ^ 0x3A3) ^ static_cast<uint64_t>(s));
      const std::vector<int32_t> next = random.some(successors_, symbols_);
      next_.insert(next_.end(), next.begin(), next.end());
    }
    about_.vocab = symbols_;
    about_.choices = {0, symbols_};
    about_.difficulty = "nothing is asked";
    about_.says = fmt::format("symbols of which each depends on the last {}", order_);
    about_.entropy = entropy;  // the same in every state, once rows are under way
  }
  void make(Random& random, bool, Ids ids, Ids) const override {
    int64_t state = random.below(states_);
    constexpr int kBefore = 32;  // what state a row begins in is forgotten by then
    for (int64_t t = -kBefore; t < std::ssize(ids); ++t) {
      const double u = random.uniform();
      const auto i = std::min<int64_t>(
          std::lower_bound(up_to_.begin(), up_to_.end(), u) - up_to_.begin(), successors_ - 1);
      const int32_t id = next_[static_cast<size_t>(state * successors_ + i)];
      state = order_ == 2 ? state % symbols_ * symbols_ + id : id;
      if (t >= 0) ids[static_cast<size_t>(t)] = id;
    }
  }

 private:
  int64_t symbols_ = 64, successors_ = 8, order_ = 2, states_ = 0;
  std::vector<double> up_to_;
  std::vector<int32_t> next_;
};

}  // namespace

std::span<const TaskKind> rule_tasks() {
  static constexpr TaskKind kTasks[] = {{"arithmetic", make_of<Arithmetic>},
                                        {"nested", make_of<Nested>},
                                        {"knowledge", make_of<Knowledge>},
                                        {"markov", make_of<Markov>}};
  return kTasks;
}

}  // namespace ashlar::lab
