// The pool of states by itself: pages that sequences share, and numbers of fixed size.
#include "run/state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "plan/state_plan.h"

namespace ashlar {
namespace {

StatePlan fixed_state(int64_t numbers) {
  StatePlan s;
  s.spec.kind = StateKind::fixed;
  s.spec.fixed = numbers;
  return s;
}

StatePlan row_state(int64_t window = 0) {
  StatePlan s{.heads = 2, .k_dim = 4, .v_dim = 6};
  s.spec.kind = window > 0 ? StateKind::window : StateKind::full;
  s.spec.key_width = 8;
  s.spec.value_width = 12;
  s.spec.window = window;
  return s;
}

TEST(State, NumbersOfFixedSizeStartAsZerosAndStay) {
  const std::vector<StatePlan> plans{fixed_state(10), row_state(), fixed_state(33)};
  StatePool pool(plans, Format::f32, {.context = 100, .step = 10, .sequences = 2},
                 kernels::table("generic"));
  const int32_t a = *pool.open(), b = *pool.open();
  std::vector<float*> where;
  for (const int32_t s : {a, b}) {
    for (const int32_t state : {0, 2}) {
      float* x = pool.fixed(state, s);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(x) % 64, 0U);
      const auto n = static_cast<size_t>(plans[static_cast<size_t>(state)].spec.fixed);
      for (size_t i = 0; i < n; ++i) EXPECT_EQ(x[i], 0.0f);
      std::fill(x, x + n, static_cast<float>(1 + s));
      where.push_back(x);
    }
    pool.prepare(s, 10);
    pool.extend(s, 70);
  }
  EXPECT_EQ(pool.fixed(0, a), where[0]);
  EXPECT_EQ(pool.fixed(2, b), where[3]);
  for (size_t i = 0; i < 33; ++i) EXPECT_EQ(pool.fixed(2, a)[i], static_cast<float>(1 + a));

  EXPECT_TRUE(pool.can_truncate(a, 70));
  EXPECT_FALSE(pool.can_truncate(a, 69));
  EXPECT_FALSE(pool.can_truncate(a, 1));
  EXPECT_TRUE(pool.can_truncate(a, 0));
  pool.truncate(a, 70);
  EXPECT_NE(pool.fixed(0, a)[9], 0.0f);
  pool.truncate(a, 0);
  pool.close(b);
  const int32_t c = *pool.open();
  for (const int32_t s : {a, c}) {
    for (size_t i = 0; i < 10; ++i) EXPECT_EQ(pool.fixed(0, s)[i], 0.0f);
    for (size_t i = 0; i < 33; ++i) EXPECT_EQ(pool.fixed(2, s)[i], 0.0f);
  }
}

TEST(State, BytesOfEveryKindAreThoseForetold) {
  const std::vector<StatePlan> plans{fixed_state(10), row_state(), row_state(40), fixed_state(64)};
  const kernels::Table& table = kernels::table("generic");
  for (const Format rows : {Format::f32, Format::f16}) {
    for (const int64_t context : {1, 64, 65, 1000}) {
      for (const int64_t tokens : {0, 1, 64, 500}) {
        const StateRoom room{context, 16, 3, tokens};
        int64_t foretold = 0;
        for (const StatePlan& s : plans) foretold += allocated_state_bytes(s.spec, rows, room);
        EXPECT_EQ(StatePool(plans, rows, room, table).bytes(), foretold);
      }
    }
  }
  EXPECT_EQ(live_state_bytes(fixed_state(10).spec, Format::f16, 1), 40);
  EXPECT_EQ(live_state_bytes(fixed_state(10).spec, Format::f16, 1000), 40);
  EXPECT_EQ(live_state_bytes(row_state(40).spec, Format::f16, 1000), 40 * 20 * 2);
}

TEST(State, ForksCopyNumbersOfFixedSize) {
  StatePool pool({fixed_state(5)}, Format::f32, {.context = 100, .step = 10, .sequences = 2},
                 kernels::table("generic"));
  const int32_t a = *pool.open();
  pool.prepare(a, 3);
  pool.fixed(0, a)[4] = 7;
  pool.extend(a, 3);
  const int32_t b = *pool.fork(a);
  EXPECT_EQ(pool.length(b), 3);
  EXPECT_EQ(pool.fixed(0, b)[4], 7.0f);
  pool.fixed(0, b)[4] = 8;
  EXPECT_EQ(pool.fixed(0, a)[4], 7.0f);
  EXPECT_FALSE(pool.fork(a));  // two may be open
  pool.abandon(a);
  EXPECT_EQ(pool.length(a), 0);
  EXPECT_EQ(pool.fixed(0, a)[4], 0.0f);
}

/// Sequences as they ought to be: what was written at each position.
class Books {
 public:
  Books(std::vector<StatePlan> plans, const StateRoom& room)
      : plans_(std::move(plans)),
        room_(room),
        pool_(plans_, Format::f32, room, kernels::table("generic")) {}

  StatePool& pool() { return pool_; }
  bool append(int32_t sequence, int64_t tokens) {
    const StatePool::Growth one{sequence, tokens};
    if (!pool_.reserve({&one, 1})) return false;
    for (int64_t done = 0; done < tokens;) {
      const int64_t n = std::min(room_.step, tokens - done);
      pool_.prepare(sequence, n);
      for (int64_t i = 0; i < n; ++i) {
        const auto position = static_cast<int64_t>(written[sequence].size());
        written[sequence].push_back(++stamp_);
        for (size_t s = 0; s < plans_.size(); ++s) *number(s, sequence, position) = stamp_;
      }
      check(sequence, pool_.length(sequence));  // what the step's first query sees is still there
      pool_.extend(sequence, n);
      done += n;
    }
    return true;
  }
  /// What a query at `position` and later ones see is what was written there.
  void check(int32_t sequence, int64_t position) {
    const std::vector<float>& w = written[sequence];
    for (size_t s = 0; s < plans_.size(); ++s) {
      const int64_t window = plans_[s].spec.window;
      for (int64_t i = window > 0 ? std::max<int64_t>(0, position - window + 1) : 0;
           i < static_cast<int64_t>(w.size()); ++i)
        ASSERT_EQ(*number(s, sequence, i), w[static_cast<size_t>(i)]) << s << " " << i;
    }
  }
  std::map<int32_t, std::vector<float>> written;

 private:
  float* number(size_t state, int32_t sequence, int64_t position) {
    const auto s = static_cast<int32_t>(state);
    constexpr int64_t kPage = StateSpec::kStatePage;
    std::byte* page = pool_.page(s, sequence, position / kPage);
    // The last head's value row: the far end of what the position has.
    const kernels::StatePage& at = pool_.layout(s);
    return reinterpret_cast<float*>(page + at.v_at + at.v_head_bytes +
                                    position % kPage * at.v_row_bytes) +
           5;
  }
  std::vector<StatePlan> plans_;
  StateRoom room_;
  StatePool pool_;
  float stamp_ = 0;
};

TEST(State, SharedPagesAreCopiedWhenWrittenAndComeBack) {
  for (const int64_t tokens : {0, 512}) {  // pages for everything, and for less
    const StateRoom room{.context = 400, .step = 50, .sequences = 4, .tokens = tokens};
    Books books({row_state(), row_state(70), row_state(), row_state(1)}, room);
    StatePool& pool = books.pool();
    std::mt19937_64 random(5);
    int refused = 0, shared = 0;
    for (int i = 0; i < 3000; ++i) {
      std::vector<int32_t> open;
      for (int32_t s = 0; s < 4; ++s)
        if (pool.is_open(s)) open.push_back(s);
      if (open.empty()) books.written[*pool.open()] = {};
      if (open.empty()) continue;
      const int32_t s = open[random() % open.size()];
      const int64_t length = pool.length(s);
      switch (random() % 8) {
        case 0:
          if (const auto made = pool.open()) books.written[*made].clear();
          break;
        case 1:
          if (const auto made = pool.fork(s)) {
            books.written[*made] = books.written[s];
            ++shared;
          }
          break;
        case 2:
          if (random() % 3 == 0) {
            pool.close(s);
            books.written.erase(s);
          }
          break;
        case 3: {
          const auto to = static_cast<int64_t>(random() % static_cast<uint64_t>(length + 1));
          if (!pool.can_truncate(s, to)) break;
          pool.truncate(s, to);
          books.written[s].resize(static_cast<size_t>(to));
          break;
        }
        default: {
          const auto more = static_cast<int64_t>(random() % 120);
          if (length + more > room.context) break;
          if (!books.append(s, more)) ++refused;
        }
      }
      for (auto& [sequence, w] : books.written) {
        ASSERT_EQ(pool.length(sequence), static_cast<int64_t>(w.size()));
        books.check(sequence, pool.length(sequence));
      }
      if (HasFatalFailure()) return;
    }
    EXPECT_GT(shared, 50);
    EXPECT_EQ(refused > 0, tokens > 0);
    for (const auto& [sequence, w] : books.written) pool.close(sequence);
    EXPECT_EQ(pool.pages().held, 0);
  }
}

TEST(State, UnusedPagesAreReturned) {
  Books books({row_state()}, {.context = 1000, .step = 1000, .sequences = 2, .tokens = 256});
  StatePool& pool = books.pool();
  EXPECT_EQ(pool.pages().all, 4);
  const int32_t a = *pool.open(), b = *pool.open();
  EXPECT_TRUE(books.append(a, 193));
  EXPECT_EQ(pool.pages().held, 4);
  EXPECT_FALSE(books.append(b, 1));
  EXPECT_TRUE(books.append(a, 63));
  EXPECT_FALSE(books.append(a, 1));
  pool.truncate(a, 64);
  EXPECT_EQ(pool.pages().held, 1);
  EXPECT_TRUE(books.append(b, 192));
  pool.close(a);
  EXPECT_EQ(pool.pages().held, 3);
  const int32_t c = *pool.fork(b);
  EXPECT_EQ(pool.pages().held, 3);
  books.written[c] = books.written[b];
  pool.truncate(c, 100);
  books.written[c].resize(100);
  EXPECT_TRUE(books.append(c, 1));  // a page of its own for the one it writes
  EXPECT_EQ(pool.pages().held, 4);
  books.check(b, 192);
  EXPECT_FALSE(books.append(c, 64));
}

}  // namespace
}  // namespace ashlar
