// The tasks by name, and rows by their numbers.
#include "lab/tasks/task.h"

#include "base/edit_distance.h"
#include "base/error.h"

namespace ashlar::lab {

std::vector<int32_t> Random::some(int64_t n, int64_t count) {
  std::vector<int32_t> all(static_cast<size_t>(count));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
  for (int64_t i = 0; i < n; ++i)
    std::swap(all[static_cast<size_t>(i)], all[static_cast<size_t>(i + below(count - i))]);
  all.resize(static_cast<size_t>(n));
  return all;
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const auto& kinds : {sequence_tasks(), rule_tasks()}) {
    for (const TaskKind& kind : kinds) names.emplace_back(kind.name);
  }
  return names;
}

std::unique_ptr<Task> make_task(const std::string& name, const Json& parameters, uint64_t seed) {
  for (const auto& kinds : {sequence_tasks(), rule_tasks()}) {
    for (const TaskKind& kind : kinds) {
      if (name == kind.name) return kind.make(parameters, seed);
    }
  }
  fail(ErrorKind::invalid, "data.task: there is no task {}; did you mean {}?", name,
       nearest(name, task_names(), 1).at(0));
}

TaskRows rows_of(const Task& task, int64_t rows, uint64_t seed, bool held_out) {
  TaskRows r{.rows = rows, .length = task.about().length};
  const auto length = static_cast<size_t>(r.length);
  r.ids.resize(static_cast<size_t>(rows) * length);
  r.answers.resize(r.ids.size());
  const uint64_t set = mixed(mixed(seed) + (held_out ? 1 : 0));
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
    Random random(set ^ mixed(row));
    task.make(random, held_out, std::span(r.ids).subspan(row * length, length),
              std::span(r.answers).subspan(row * length, length));
  }
  return r;
}

}  // namespace ashlar::lab
