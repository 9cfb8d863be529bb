// What every step of a plan works on: the batch, the memory, the state.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "plan/plan.h"
#include "run/state.h"

namespace ashlar {

/// Tokens of one evaluation, packed: one part per sequence. Vectors have room for the plan's
/// max_tokens.
struct StepBatch {
  struct Part {
    int32_t sequence = 0;
    int64_t first = 0;                              // position of its first token here
    int64_t begin = 0, count = 0;                   // rows of the batch
    std::span<const std::span<const float>> given;  // of Plan::given, rows as those of `run`
    const int32_t* run = nullptr;  // all tokens that are being evaluated, `run_length` of them
    int64_t run_at = 0, run_length = 0;
  };
  std::vector<Part> parts;
  std::vector<int32_t> tokens, positions, part_of;
  std::vector<int32_t> wanted;  // rows whose output is wanted, ascending
  bool alone = false;           // each token as if it were the only one (Run::alone)
  bool every_row = false;       // further outputs have rows of all tokens (Run::every_row)
  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
  int64_t rows(RowSet set) const {
    return set == RowSet::all ? size() : static_cast<int64_t>(wanted.size());
  }
  /// The form of a product of so many rows.
  const kernels::ProductForm& form_of(const ProductForms& forms, int64_t of_rows) const {
    return alone ? forms.alike() : forms.at(of_rows);
  }
  /// Row of the batch behind row `row` of a set.
  int64_t token(RowSet set, int64_t row) const {
    return set == RowSet::all ? row : wanted[static_cast<size_t>(row)];
  }
};

/// Slots by expert: slots offsets[e] .. offsets[e + 1] belong to expert e.
struct ExpertGroups {
  std::vector<int32_t> offsets;          // most_experts + 1
  std::vector<int32_t> active;           // experts with a slot; `active_count` of them
  std::atomic<int64_t> active_count{0};  // threads that find no task left read it too
};

/// Attention over parts of the keys: their sums, and how many parts of each piece of output are
/// done. Counters are 0 between steps.
struct Partials {
  float* sums = nullptr;
  std::atomic<int32_t>* done = nullptr;
};

struct Frame {
  const Plan& plan;
  const StepBatch& batch;
  StatePool& state;
  std::byte* arena = nullptr;
  float* const* outputs = nullptr;  // of Plan::outputs: wanted rows, without gaps
  ExpertGroups& groups;
  int threads = 1;
  int64_t context = 0;  // the longest sequence there may be
  Partials partials;

  const Buffer& buffer(BufferId id) const { return plan.buffers[id]; }
  std::byte* row(BufferId id, int64_t row) const {
    const Buffer& b = buffer(id);
    std::byte* base =
        b.output < 0 ? arena + b.offset : reinterpret_cast<std::byte*>(outputs[b.output]);
    return b.fixed ? base : base + row * b.row_bytes;
  }
  float* floats(BufferId id, int64_t r) const { return reinterpret_cast<float*>(row(id, r)); }
  int32_t* indices(BufferId id, int64_t r) const { return reinterpret_cast<int32_t*>(row(id, r)); }
};

// One task of a step: tasks of a step are independent, threads take them in any order. `scratch` is
// the thread's own, scratch_bytes(...) of it.

int64_t tasks(const Frame& f, const RowStep& s, RowSet set);
void run_task(const Frame& f, const RowStep& s, RowSet set, int64_t task, std::byte* scratch);

int64_t tasks(const Frame& f, const MatMulStep& s, RowSet set);
void run_task(const Frame& f, const MatMulStep& s, RowSet set, int64_t task, std::byte* scratch);

int64_t tasks(const Frame& f, const HeadMatMulStep& s, RowSet set);
void run_task(const Frame& f, const HeadMatMulStep& s, RowSet set, int64_t task,
              std::byte* scratch);

int64_t tasks(const Frame& f, const AttentionStep& s, RowSet set);
void run_task(const Frame& f, const AttentionStep& s, RowSet set, int64_t task, std::byte* scratch);

int64_t tasks(const Frame& f, const RecurrentStep& s, RowSet set);
void run_task(const Frame& f, const RecurrentStep& s, RowSet set, int64_t task, std::byte* scratch);

int64_t tasks(const Frame& f, const GroupStep& s, RowSet set);
void run_task(const Frame& f, const GroupStep& s, RowSet set, int64_t task, std::byte* scratch);

int64_t tasks(const Frame& f, const ExpertStep& s, RowSet set);
void run_task(const Frame& f, const ExpertStep& s, RowSet set, int64_t task, std::byte* scratch);

int64_t tasks(const Frame& f, const MeaningStep& s, RowSet set);
void run_task(const Frame& f, const MeaningStep& s, RowSet set, int64_t task, std::byte* scratch);

/// Whether all numbers that the step has made are finite.
bool result_is_finite(const Frame& f, const Step& step);

/// Bytes of scratch that a thread needs for steps of each kind.
int64_t row_scratch_bytes(const Plan& plan);
int64_t product_scratch_bytes(const Plan& plan);
int64_t recurrent_scratch_bytes(const Plan& plan);
int64_t attention_scratch_bytes(const Plan& plan, Format state, int64_t context);

}  // namespace ashlar
