// Tasks of rules and facts: what follows is computed, nested or known by heart; and sources whose
// entropy is known.
#pragma once

#include "lab/tasks/task.h"

namespace ashlar::lab {

std::unique_ptr<Task> arithmetic_task(const Json& parameters, uint64_t seed);
std::unique_ptr<Task> nested_task(const Json& parameters);
std::unique_ptr<Task> knowledge_task(const Json& parameters, uint64_t seed);
std::unique_ptr<Task> markov_task(const Json& parameters, uint64_t seed);

}  // namespace ashlar::lab
