// How attention is cut: every query head of every token meets every key that it sees once, and the
// room for parts is enough.
#include "plan/tasks.h"

#include <gtest/gtest.h>

#include "support/random_model.h"
#include "support/samples.h"

namespace ashlar {
namespace {

AttentionStep step_of(int64_t kv_heads, int64_t group, int64_t window, int64_t chunk) {
  AttentionStep step{};
  step.kv_heads = kv_heads;
  step.group = group;
  step.k_dim = step.v_dim = 64;
  step.op.window = window;
  step.op.chunk = chunk;
  return step;
}

TEST(AttentionTasks, CoverEveryPairOnce) {
  for (const auto& [kv_heads, group] :
       {std::pair<int64_t, int64_t>{1, 1}, {1, 4}, {8, 2}, {2, 7}, {1, 16}, {1, 300}})
    for (const int64_t window : {0, 100, 1000})
      for (const int64_t chunk : {0, 256})
        for (const auto& [first, tokens] : {std::pair<int64_t, int64_t>{0, 1},
                                            {63, 1},
                                            {5000, 1},
                                            {700, 5},
                                            {0, 200},
                                            {3000, 130}}) {
          const AttentionStep step = step_of(kv_heads, group, window, chunk);
          const AttentionTasks cut = attention_tasks(step, first, tokens);
          // Of the first and the last token and the last query head: how often each key is met.
          for (const int64_t token : {int64_t{0}, tokens - 1}) {
            const int64_t position = first + token;
            std::vector<int> met(static_cast<size_t>(first + tokens), 0);
            for (int64_t i = 0; i < cut.count(); ++i) {
              const AttentionTasks::Task t = cut.at(i);
              EXPECT_EQ(t.group, i / cut.parts);
              EXPECT_LE(t.tokens * t.heads, std::max(kAttentionRows, t.heads));
              if (t.kv_head != kv_heads - 1 || t.head + t.heads != group) continue;
              if (token < t.begin || token >= t.begin + t.tokens) continue;
              for (int64_t key = t.key_begin; key < t.key_end; ++key)
                ++met[static_cast<size_t>(key)];
            }
            for (int64_t key = 0; key <= position; ++key) {
              const bool seen = (window == 0 || key > position - window) &&
                                (chunk == 0 || key / chunk == position / chunk);
              if (seen) {
                ASSERT_EQ(met[static_cast<size_t>(key)], 1) << key;
              } else {
                ASSERT_LE(met[static_cast<size_t>(key)], 1) << key;
              }
            }
          }
        }
}

TEST(AttentionTasks, DependOnNeitherThreadsNorOtherRuns) {
  // A decode step of one key head has parts enough for many threads, a prompt has blocks.
  EXPECT_EQ(attention_tasks(step_of(1, 16, 0, 0), 8191, 1).parts, 16);
  EXPECT_EQ(attention_tasks(step_of(8, 2, 0, 0), 8191, 1).parts, 4);
  EXPECT_EQ(attention_tasks(step_of(8, 2, 0, 0), 100, 1).parts, 1);
  EXPECT_EQ(attention_tasks(step_of(8, 2, 0, 0), 8192, 512).parts, 1);
}

/// Sees nothing but a window of fewer keys than make two parts; a prompt of it sees more.
Blueprint narrow() {
  Blueprint bp = testing::qwen_like();
  bp.name = "narrow";
  for (Block& b : bp.blocks) {
    AttentionPart part{.heads = 4, .kv_heads = 4, .head_dim = 6};
    part.window = 64;
    b.mixer = part;
  }
  return bp;
}

TEST(AttentionTasks, RoomForPartsIsEnough) {
  std::vector<Blueprint> blueprints = testing::sample_blueprints();
  blueprints.push_back(narrow());
  for (const Blueprint& bp : blueprints) {
    const Graph graph = graph_of(bp);
    const Plan plan = make_plan(graph, testing::random_weights(graph, 1, Format::f32),
                                kernels::table("generic"), 512);
    constexpr int64_t kContext = 6000;
    for (const int64_t sequences : {1, 3, 64}) {
      const PartialRoom room = partial_room(plan, kContext, sequences);
      for (const Step& step : plan.steps) {
        const auto* s = std::get_if<AttentionStep>(&step.what);
        if (s == nullptr) continue;
        for (const int64_t tokens : {1, 2, 7, 20, 60, 100, 150, 256, 400, 512}) {
          const int64_t runs = std::min(sequences, plan.max_tokens / tokens);
          const AttentionTasks t = attention_tasks(*s, kContext - tokens, tokens);
          EXPECT_LE(runs * t.groups() * t.group_floats(s->v_dim), room.floats) << bp.name;
          const int64_t groups = t.parts > 1 ? runs * t.groups() : 0;
          EXPECT_LE(groups, room.groups) << bp.name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ashlar
