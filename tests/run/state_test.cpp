// The pool of states by itself: numbers of fixed size.
#include "run/state.h"

#include <gtest/gtest.h>

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
  StatePool pool(plans, Format::f32, 100, 10, 2);
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
  for (const Format rows : {Format::f32, Format::f16}) {
    for (const int64_t context : {1, 64, 65, 1000}) {
      const std::vector<StatePlan> plans{fixed_state(10), row_state(), row_state(40),
                                         fixed_state(64)};
      int64_t foretold = 0;
      for (const StatePlan& s : plans)
        foretold += allocated_state_bytes(s.spec, rows, {context, 16, 3});
      EXPECT_EQ(StatePool(plans, rows, context, 16, 3).bytes(), foretold);
    }
  }
  EXPECT_EQ(live_state_bytes(fixed_state(10).spec, Format::f16, 1), 40);
  EXPECT_EQ(live_state_bytes(fixed_state(10).spec, Format::f16, 1000), 40);
  EXPECT_EQ(live_state_bytes(row_state(40).spec, Format::f16, 1000), 40 * 20 * 2);
}

}  // namespace
}  // namespace ashlar
