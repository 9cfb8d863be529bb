// Answers of synthetic tasks found again by other means, and entropies against counted ones.
#include "lab/tasks/task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "support/errors.h"

namespace ashlar::lab {
namespace {

using ashlar::testing::expect_error;

struct Row {
  std::vector<int32_t> ids, answers;
};

std::vector<Row> split(const TaskRows& rows) {
  std::vector<Row> all;
  const auto n = static_cast<size_t>(rows.length);
  for (size_t r = 0; r < static_cast<size_t>(rows.rows); ++r) {
    const auto begin = static_cast<std::ptrdiff_t>(r * n),
               end = begin + static_cast<std::ptrdiff_t>(n);
    all.push_back({{rows.ids.begin() + begin, rows.ids.begin() + end},
                   {rows.answers.begin() + begin, rows.answers.begin() + end}});
  }
  return all;
}

TEST(Tasks, AreMadeFromTheSeedAndTheRow) {
  for (const std::string& name : task_names()) {
    const auto task = make_task(name, Json::object(), 5);
    const TaskRows many = rows_of(*task, 20, 5, false), few = rows_of(*task, 4, 5, false);
    EXPECT_TRUE(std::equal(few.ids.begin(), few.ids.end(), many.ids.begin())) << name;
    EXPECT_NE(many.ids, rows_of(*task, 20, 5, true).ids) << name;
    EXPECT_NE(many.ids, rows_of(*task, 20, 6, false).ids) << name;
    const auto [least, most] = std::minmax_element(many.ids.begin(), many.ids.end());
    EXPECT_GE(*least, 0) << name;
    EXPECT_LT(*most, task->about().vocab) << name;
    const auto [first, last] = task->about().choices;
    for (size_t i = 0; i < many.ids.size(); ++i) {
      if (many.answers[i] == 0) continue;
      EXPECT_TRUE(many.ids[i] >= first && many.ids[i] < last) << name;
    }
  }
}

TEST(Tasks, CopyRepeatsWhatStandsItsDistanceBefore) {
  const auto task = make_task("copy", {{"symbols", 9}, {"string", 5}, {"gaps", {0, 7}}}, 1);
  std::set<int32_t> distances;
  for (const Row& row : split(rows_of(*task, 50, 1, false))) {
    EXPECT_EQ(
        std::count_if(row.answers.begin(), row.answers.end(), [](int32_t a) { return a > 0; }), 5);
    for (size_t i = 0; i < row.ids.size(); ++i) {
      if (row.answers[i] == 0) continue;
      EXPECT_EQ(row.ids[i], row.ids[i - static_cast<size_t>(row.answers[i])]);
      distances.insert(row.answers[i]);
    }
  }
  EXPECT_EQ(distances, (std::set<int32_t>{6, 13}));
}

TEST(Tasks, RecallAndInductionAskWhatWasShown) {
  for (const char* name : {"recall", "induction"}) {
    const auto task = make_task(name, Json::object(), 2);
    for (const Row& row : split(rows_of(*task, 30, 2, true))) {
      for (size_t i = 1; i < row.ids.size(); ++i) {
        if (row.answers[i] == 0) continue;
        // The first place where the token before it stood already: what followed there.
        const auto before = std::find(row.ids.begin(), row.ids.end(), row.ids[i - 1]);
        ASSERT_LT(before - row.ids.begin(), static_cast<std::ptrdiff_t>(i - 1));
        EXPECT_EQ(row.ids[i], *(before + 1)) << name;
      }
    }
  }
}

TEST(Tasks, LookupFollowsAsManyPairsAsItAsks) {
  const int64_t symbols = 20, chains = 3, most = 3;
  const auto task = make_task(
      "lookup", {{"symbols", symbols}, {"chains", chains}, {"hops", {1, 2, 3}}, {"queries", 6}}, 4);
  std::set<int32_t> asked;
  for (const Row& row : split(rows_of(*task, 40, 4, false))) {
    std::map<int32_t, int32_t> next;
    const size_t facts = static_cast<size_t>(chains * most);
    for (size_t f = 0; f < facts; ++f) next[row.ids[2 * f]] = row.ids[2 * f + 1];
    for (size_t i = 2 * facts; i < row.ids.size(); i += 3) {
      const int32_t hops = row.ids[i] - static_cast<int32_t>(symbols) + 1;
      int32_t at = row.ids[i + 1];
      for (int32_t h = 0; h < hops; ++h) at = next.at(at);
      EXPECT_EQ(row.ids[i + 2], at);
      EXPECT_EQ(row.answers[i + 2], hops);
      asked.insert(hops);
    }
  }
  EXPECT_EQ(asked, (std::set<int32_t>{1, 2, 3}));
}

TEST(Tasks, ArithmeticHoldsPairsBack) {
  const int p = 13;
  const auto task = make_task("arithmetic", {{"modulus", p}, {"operations", 3}}, 3);
  std::set<std::array<int32_t, 3>> seen[2];
  for (const bool held_out : {false, true}) {
    for (const Row& row : split(rows_of(*task, 200, 3, held_out))) {
      for (size_t i = 0; i < row.ids.size(); i += 5) {
        const int32_t a = row.ids[i], op = row.ids[i + 1] - p, b = row.ids[i + 2],
                      c = row.ids[i + 4];
        EXPECT_EQ(c, ((op == 0 ? a + b : op == 1 ? a - b : a * b) % p + p) % p);
        seen[held_out ? 1 : 0].insert({a, op, b});
      }
    }
  }
  for (const auto& triple : seen[1]) EXPECT_FALSE(seen[0].contains(triple));
  EXPECT_GT(seen[1].size(), 40);  // a fifth of 507
}

TEST(Tasks, NestedBracketsCloseInOrderAndHaveTheirEntropy) {
  const Json parameters = {{"kinds", 3}, {"depth", 4}, {"open", 0.6}, {"length", 40}};
  const auto task = make_task("nested", parameters, 1);
  const TaskRows rows = rows_of(*task, 20000, 1, false);
  // What each token is worth given the depth, counted: shares of depth and turn at each position.
  double nats = 0;
  int64_t predicted = 0;
  for (const Row& row : split(rows)) {
    std::vector<int32_t> stack;
    for (size_t i = 0; i < row.ids.size(); ++i) {
      const size_t depth = stack.size();
      const bool opens = row.ids[i] < 3;
      double p = depth == 0 || depth == 4 ? 1 : opens ? 0.6 : 0.4;
      if (opens) p /= 3;
      if (i > 0) {
        nats -= std::log(p);
        ++predicted;
      }
      if (opens) {
        ASSERT_LT(depth, 4);
        stack.push_back(row.ids[i]);
      } else {
        ASSERT_FALSE(stack.empty());
        EXPECT_EQ(row.ids[i], stack.back() + 3);
        EXPECT_GT(row.answers[i], 0);
        stack.pop_back();
      }
    }
  }
  EXPECT_NEAR(task->about().entropy, nats / static_cast<double>(predicted), 0.003);
}

TEST(Tasks, MarkovHasTheEntropyOfItsCountedPairs) {
  const auto task =
      make_task("markov", {{"symbols", 6}, {"successors", 3}, {"order", 1}, {"length", 100}}, 9);
  std::map<int32_t, std::map<int32_t, double>> counts;
  for (const Row& row : split(rows_of(*task, 3000, 9, false))) {
    for (size_t i = 1; i < row.ids.size(); ++i) counts[row.ids[i - 1]][row.ids[i]] += 1;
  }
  double nats = 0, all = 0;
  for (const auto& [from, to] : counts) {
    double sum = 0;
    for (const auto& [id, n] : to) sum += n;
    for (const auto& [id, n] : to) nats -= n * std::log(n / sum);
    all += sum;
    EXPECT_EQ(to.size(), 3);
  }
  EXPECT_NEAR(task->about().entropy, nats / all, 0.003);
}

TEST(Tasks, KnowledgeAsksFactsThatAreTrainedOn) {
  const auto task = make_task("knowledge", {{"facts", 50}, {"symbols", 10}, {"values", 7}}, 8);
  std::map<std::pair<int32_t, int32_t>, int32_t> known;
  for (const bool held_out : {false, true}) {
    for (const Row& row : split(rows_of(*task, 100, 8, held_out))) {
      for (size_t i = 0; i < row.ids.size(); i += 3) {
        const auto [it, fresh] = known.try_emplace({row.ids[i], row.ids[i + 1]}, row.ids[i + 2]);
        EXPECT_EQ(it->second, row.ids[i + 2]);
        EXPECT_FALSE(held_out && fresh);
      }
    }
  }
  EXPECT_EQ(known.size(), 50);
  EXPECT_NEAR(task->about().bits_per_fact, std::log2(7), 1e-12);
}

TEST(Tasks, SayWhatIsWrong) {
  expect_error([] { make_task("copi", {}, 1); }, "did you mean copy?");
  expect_error([] { make_task("copy", {{"gap", 3}}, 1); }, "did you mean gaps?");
  expect_error([] { make_task("copy", {{"string", 0}}, 1); }, "string: expected 1 to");
  expect_error([] { make_task("lookup", {{"symbols", 5}}, 1); }, "need 12 symbols");
}

}  // namespace
}  // namespace ashlar::lab
