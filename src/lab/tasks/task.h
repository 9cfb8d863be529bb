// Synthetic tasks: rows of token ids whose right answers are known, made from a seed. Small models
// differ on them where the loss of prose does not tell them apart.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/json.h"

namespace ashlar::lab {

/// Numbers from a key and a counter: equal on every machine.
class Random {
 public:
  explicit Random(uint64_t key) : key_(mixed(key)) {}
  uint64_t next() { return mixed(key_ + count_++); }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// In [0, n).
  int64_t below(int64_t n) { return static_cast<int64_t>(uniform() * static_cast<double>(n)); }
  template <class T>
  void shuffle(std::vector<T>& x) {
    for (size_t i = x.size(); i > 1; --i)
      std::swap(x[i - 1], x[static_cast<size_t>(below(static_cast<int64_t>(i)))]);
  }
  /// The first n of a permutation of 0 .. count - 1.
  std::vector<int32_t> some(int64_t n, int64_t count);

 private:
  uint64_t key_, count_ = 0;
};

using Ids = std::span<int32_t>;

/// What is known of rows.
struct RowsAbout {
  int64_t vocab = 0, length = 0;              // vocab 0: not known here
  std::pair<int64_t, int64_t> choices{0, 0};  // tokens among which answers are: [first, second)
  std::string difficulty;                     // what the numbers in `answers` count
  std::string says;                           // what a row is, in a sentence
  /// What the best predictor loses, in nats per token of a row but its first; below 0: not known.
  double entropy = -1;
  int64_t facts = 0;         // that a model can know by heart; 0: none
  double bits_per_fact = 0;  // of each
};

/// One kind of rows. What stands in `answers` at a position is 0 where the token there need not
/// follow from what stands before it, else the difficulty of knowing it, from 1.
class Task {
 public:
  virtual ~Task() = default;
  const RowsAbout& about() const { return about_; }
  /// `ids` and `answers` have about().length places. `held_out`: a row that is not trained on.
  virtual void make(Random& random, bool held_out, Ids ids, Ids answers) const = 0;

 protected:
  RowsAbout about_;
};

/// What makes a task of its parameters.
struct TaskKind {
  const char* name;
  std::unique_ptr<Task> (*make)(const Json& parameters, uint64_t seed);
};
/// Of looking back: what stands somewhere before is needed again (sequences.cpp).
std::span<const TaskKind> sequence_tasks();
/// Of rules and facts: what follows is computed, nested or known by heart; and sources whose entropy
/// is known (rules.cpp).
std::span<const TaskKind> rule_tasks();

template <class Made>
std::unique_ptr<Task> make_of(const Json& parameters, uint64_t seed) {
  return std::make_unique<Made>(parameters, seed);
}

/// copy, recall, induction, lookup, arithmetic, nested, knowledge, markov; docs/lab.md has their
/// parameters. Throws Error(invalid) naming what is wrong, with the nearest for unknown names.
std::unique_ptr<Task> make_task(const std::string& name, const Json& parameters, uint64_t seed);
std::vector<std::string> task_names();

struct TaskRows {
  int64_t rows = 0, length = 0;
  std::vector<int32_t> ids, answers;  // [rows, length]
};
/// Rows 0 .. rows - 1 of the training set or of the held-out one: each from (seed, set, row).
TaskRows rows_of(const Task& task, int64_t rows, uint64_t seed, bool held_out);

}  // namespace ashlar::lab
