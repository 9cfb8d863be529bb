// Rows that repeat, pair and chain symbols.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "lab/tasks/parameters.h"
#include "lab/tasks/task.h"

namespace ashlar::lab {
namespace {

/// filler... string filler(gap) MARK string. The second string is the first one.
class Copy : public Task {
 public:
  Copy(const Json& p, uint64_t) {
    Parameters read(p, "copy");
    read("symbols", symbols_, 2, 60000);
    read("string", string_, 1, 4096);
    read("gaps", gaps_, 0, 65536);
    read.finish();
    most_ = *std::max_element(gaps_.begin(), gaps_.end());
    about_ = {.vocab = 2 * symbols_ + 1,
              .length = 2 * string_ + 1 + most_,
              .choices = {0, symbols_},
              .difficulty = "distance in tokens",
              .says = fmt::format(
                  "a string of {} tokens, and further on, after a mark, the same again", string_)};
  }
  void make(Random& random, bool, Ids ids, Ids answers) const override {
    const int64_t gap = gaps_[static_cast<size_t>(random.below(std::ssize(gaps_)))];
    const auto filler = [&] { return static_cast<int32_t>(symbols_ + random.below(symbols_)); };
    size_t at = 0;
    for (int64_t i = gap; i < most_; ++i) ids[at++] = filler();
    const size_t first = at;
    for (int64_t i = 0; i < string_; ++i) ids[at++] = static_cast<int32_t>(random.below(symbols_));
    for (int64_t i = 0; i < gap; ++i) ids[at++] = filler();
    ids[at++] = static_cast<int32_t>(2 * symbols_);
    for (size_t i = 0; i < static_cast<size_t>(string_); ++i, ++at) {
      ids[at] = ids[first + i];
      answers[at] = static_cast<int32_t>(string_ + gap + 1);
    }
  }

 private:
  int64_t symbols_ = 32, string_ = 8, most_ = 0;
  std::vector<int64_t> gaps_{0, 8, 16, 32};
};

/// Pairs k v in any order, then queries k v: the value that the key had.
class Recall : public Task {
 public:
  Recall(const Json& p, uint64_t) {
    Parameters read(p, "recall");
    read("keys", keys_, 2, 30000);
    read("values", values_, 2, 30000);
    read("pairs", pairs_, 1, 4096);
    read("queries", queries_, 1, 4096);
    read.finish();
    most_ = *std::max_element(pairs_.begin(), pairs_.end());
    if (most_ > keys_)
      fail(ErrorKind::invalid, "recall: {} pairs need as many keys, there are {}", most_, keys_);
    about_ = {
        .vocab = keys_ + values_ + 1,
        .length = 2 * (most_ + queries_) + 1,
        .choices = {keys_, keys_ + values_},
        .difficulty = "pairs to remember",
        .says = fmt::format(
            "pairs of key and value, then {} keys again, each followed by its value", queries_)};
  }
  void make(Random& random, bool, Ids ids, Ids answers) const override {
    const int64_t pairs = pairs_[static_cast<size_t>(random.below(std::ssize(pairs_)))];
    const std::vector<int32_t> keys = random.some(pairs, keys_);
    std::vector<int32_t> of(keys.size());
    for (int32_t& v : of) v = static_cast<int32_t>(keys_ + random.below(values_));
    const auto pad = static_cast<int32_t>(keys_ + values_);
    size_t at = 0;
    for (int64_t i = 0; i < 2 * (most_ - pairs) + 1; ++i) ids[at++] = pad;
    for (size_t i = 0; i < keys.size(); ++i) {
      ids[at++] = keys[i];
      ids[at++] = of[i];
    }
    for (int64_t q = 0; q < queries_; ++q) {
      const auto i = static_cast<size_t>(random.below(pairs));
      ids[at++] = keys[i];
      answers[at] = static_cast<int32_t>(pairs);
      ids[at++] = of[i];
    }
  }

 private:
  int64_t keys_ = 32, values_ = 32, queries_ = 8, most_ = 0;
  std::vector<int64_t> pairs_{4, 8};
};

/// Different symbols in a row, then some of them again, each with the symbol that followed it: what
/// a head finds that looks for this token and takes the next (Olsson et al. 2022).
class Induction : public Task {
 public:
  Induction(const Json& p, uint64_t) {
    Parameters read(p, "induction");
    read("symbols", symbols_, 3, 60000);
    read("shown", shown_, 3, 4096);
    read("queries", queries_, 1, 4096);
    read.finish();
    if (shown_ > symbols_)
      fail(ErrorKind::invalid, "induction: {} symbols are shown, there are {}", shown_, symbols_);
    about_ = {.vocab = symbols_ + 1,
              .length = shown_ + 1 + 2 * queries_,
              .choices = {0, symbols_},
              .difficulty = "symbols shown",
              .says = fmt::format("{} different symbols, then {} of them again, each followed by "
                                  "what followed it before",
                                  shown_, queries_)};
  }
  void make(Random& random, bool, Ids ids, Ids answers) const override {
    const std::vector<int32_t> shown = random.some(shown_, symbols_);
    std::copy(shown.begin(), shown.end(), ids.begin());
    size_t at = shown.size();
    ids[at++] = static_cast<int32_t>(symbols_);
    for (int64_t q = 0; q < queries_; ++q) {
      const auto i = static_cast<size_t>(random.below(shown_ - 1));
      ids[at++] = shown[i];
      answers[at] = static_cast<int32_t>(shown_);
      ids[at++] = shown[i + 1];
    }
  }

 private:
  int64_t symbols_ = 32, shown_ = 16, queries_ = 8;
};

/// Chains a1 > a2 > a3, written as pairs in any order, then queries: HOPS a -> what lies so many
/// pairs further.
class Lookup : public Task {
 public:
  Lookup(const Json& p, uint64_t) {
    Parameters read(p, "lookup");
    read("symbols", symbols_, 4, 30000);
    read("chains", chains_, 1, 1024);
    read("hops", hops_, 1, 16);
    read("queries", queries_, 1, 4096);
    read.finish();
    most_ = *std::max_element(hops_.begin(), hops_.end());
    if (chains_ * (most_ + 1) > symbols_) {
      fail(ErrorKind::invalid, "lookup: {} chains of {} hops need {} symbols, there are {}",
           chains_, most_, chains_ * (most_ + 1), symbols_);
    }
    about_ = {.vocab = symbols_ + most_,
              .length = 2 * chains_ * most_ + 3 * queries_,
              .choices = {0, symbols_},
              .difficulty = "hops",
              .says = fmt::format("{} chains written as pairs in any order, then {} questions of "
                                  "what lies so many pairs further",
                                  chains_, queries_)};
  }
  void make(Random& random, bool, Ids ids, Ids answers) const override {
    const std::vector<int32_t> all = random.some(chains_ * (most_ + 1), symbols_);
    const auto symbol = [&](int64_t chain, int64_t hop) {
      return all[static_cast<size_t>(chain * (most_ + 1) + hop)];
    };
    std::vector<std::pair<int32_t, int32_t>> pairs;
    for (int64_t c = 0; c < chains_; ++c) {
      for (int64_t h = 0; h < most_; ++h) pairs.emplace_back(symbol(c, h), symbol(c, h + 1));
    }
    random.shuffle(pairs);
    size_t at = 0;
    for (const auto& [a, b] : pairs) {
      ids[at++] = a;
      ids[at++] = b;
    }
    for (int64_t q = 0; q < queries_; ++q) {
      const int64_t hops = hops_[static_cast<size_t>(random.below(std::ssize(hops_)))];
      const int64_t c = random.below(chains_);
      ids[at++] = static_cast<int32_t>(symbols_ + hops - 1);
      ids[at++] = symbol(c, 0);
      answers[at] = static_cast<int32_t>(hops);
      ids[at++] = symbol(c, hops);
    }
  }

 private:
  int64_t symbols_ = 32, chains_ = 4, queries_ = 8, most_ = 0;
  std::vector<int64_t> hops_{1, 2};
};

}  // namespace

std::span<const TaskKind> sequence_tasks() {
  static constexpr TaskKind kTasks[] = {{"copy", make_of<Copy>},
                                        {"recall", make_of<Recall>},
                                        {"induction", make_of<Induction>},
                                        {"lookup", make_of<Lookup>}};
  return kTasks;
}

}  // namespace ashlar::lab
