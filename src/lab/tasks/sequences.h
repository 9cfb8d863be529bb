// Tasks of looking back: what stands somewhere before is needed again.
#pragma once

#include "lab/tasks/task.h"

namespace ashlar::lab {

std::unique_ptr<Task> copy_task(const Json& parameters);
std::unique_ptr<Task> recall_task(const Json& parameters);
std::unique_ptr<Task> induction_task(const Json& parameters);
std::unique_ptr<Task> lookup_task(const Json& parameters);

}  // namespace ashlar::lab
