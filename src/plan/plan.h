// The plan: a graph lowered for one CPU and one set of weights. Data only; src/run executes it.
//
// A plan is a list of steps with a barrier between any two. Everything that treats tokens one by
// one (norms, rotations, activations, residual sums, quantising a matrix product's input, writing
// keys and values) is a row operation, and consecutive row operations are one step: a thread takes
// a token through all of them while it is in the cache.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "kernels/table.h"
#include "ops/attention.h"
#include "ops/delta_rule.h"
#include "ops/experts.h"
#include "ops/rope.h"
#include "plan/product_forms.h"
#include "plan/state_plan.h"
#include "plan/weights.h"

namespace ashlar {

using BufferId = Id<struct BufferTag>;
inline constexpr BufferId kNoBuffer;

/// Which rows of a batch a step works on: what nobody attends to any more is computed for the
/// tokens whose logits are wanted only.
enum class RowSet : uint8_t { all, wanted };

/// Memory of a value: one row per token (or `fixed`: one in all) in the arena, each row 64-byte
/// aligned. The output's rows lie outside, without gaps.
struct Buffer {
  int64_t row_bytes = 0;
  bool fixed = false;
  int64_t rows_together = 1;      // there is room for a multiple of so many rows
  int32_t output = -1;            // which of Plan::outputs it is; -1: none
  int64_t offset = 0;             // in the arena
  int32_t first = -1, last = -1;  // steps between which it is alive
};

// ---- Row operations: what happens to one token's row. Sizes are in floats.

/// out = the token's id, or of the token `ahead` of it.
struct TokenRow {
  BufferId out;
  int64_t ahead;
};
/// out = the numbers given with the token, Plan::given[index].
struct GivenRow {
  BufferId out;
  int32_t index;
  int64_t n;
};
struct EmbedRow {
  BufferId ids, out;
  Matrix table;
};
/// out = row `position` of the table.
struct PositionRow {
  BufferId out;
  Matrix table;
};
struct SinusoidRow {
  BufferId out;
  int64_t n;
};
/// out = cos of each pair's angle, then sin; the frequencies are those of the executor's context.
struct RotationRow {
  BufferId out;
  std::vector<double> frequencies, long_frequencies;
  int64_t original_context;  // the others count where the context is longer
  double factor;
};
/// Group g: out[g * out_step + out_at + i] = in[g * in_step + in_at + i], i < n.
struct CopyRow {
  BufferId in, out;
  int64_t groups, n, in_at, in_step, out_at, out_step;
};
/// Row w of the wanted ones = the row of its token; `bytes` of it.
struct GatherRow {
  BufferId in, out;
  int64_t bytes;
};
struct NormRow {
  BufferId in, out;
  bool centred;  // layer norm
  int64_t groups, n;
  const float *weight, *bias;  // null: none
  float eps;
};
/// In place.
struct RopeRow {
  BufferId x, rotation;
  kernels::RopeLayout layout;
  int64_t heads, head_dim, pairs;
};
struct PositionScaleRow {
  BufferId in, out;
  PositionScale op;
  int64_t n;
};
/// out = a + b or a * b; b is a buffer, or `param` of `period` values that repeats.
struct BinaryRow {
  bool multiply;
  BufferId a, b, out;
  const float* param;
  int64_t n, period;
};
struct AffineRow {
  BufferId in, out;
  float factor, shift;
  int64_t n;
};
struct ClampRow {
  BufferId in, out;
  float low, high;
  int64_t n;
};
struct SoftcapRow {
  BufferId in, out;
  float cap;
  int64_t n;
};
struct UnaryRow {
  BufferId in, out;
  kernels::Unary kind;
  int64_t n;
};
struct GatedRow {
  BufferId gate, up, out;
  kernels::Gate kind;
  float alpha, limit;
  int64_t n;
};
/// How much of each head's state lives on (ops/delta_rule.h); `n` numbers of a head.
struct LogDecayRow {
  BufferId in, out;
  const float *a_log, *dt_bias;
  int64_t heads, n;
};
/// `count` rows of `cols` values, `in_step` apart, in the form that products of so many tokens
/// take.
struct PrepareRow {
  BufferId in, out;
  ProductForms forms;
  int64_t cols, count, in_step;
  bool always;  // also where the form is plain float32, which products can read from the value
};
/// Keys and values of the token into the state.
struct StoreRow {
  int32_t state;
  BufferId key, value;
};
struct RouteRow {
  BufferId logits, weights, experts;
  const float* bias;  // null: none
  int64_t count;      // experts
  Route op;
};
/// Input of each chosen expert: out[k * out_step + i] = weights[k] * in[i].
struct WeighRow {
  BufferId weights, in, out;
  int64_t chosen, n, out_step;
};
/// out = sum over k of weights[k] * row slots[k] of `in`; without weights a plain sum.
struct CombineRow {
  BufferId weights, slots, in, out;
  int64_t chosen, n;
};

using RowOperation =
    std::variant<TokenRow, GivenRow, EmbedRow, PositionRow, SinusoidRow, RotationRow, CopyRow,
                 GatherRow, NormRow, RopeRow, PositionScaleRow, BinaryRow, AffineRow, ClampRow,
                 SoftcapRow, UnaryRow, GatedRow, LogDecayRow, PrepareRow, StoreRow, RouteRow,
                 WeighRow, CombineRow>;

// ---- Steps.

struct RowStep {
  std::vector<RowOperation> operations;
  std::vector<NodeId> nodes;  // of each operation, the node that it is a part of
  /// The operations, by index, in groups that can run at once: none writes what another touches.
  /// Where a step has fewer rows than there are threads, threads share the groups of a row.
  std::vector<std::vector<int32_t>> chains;
};

/// What is done to the outputs of a product while they are in the cache.
struct Epilogue {
  enum class Kind : uint8_t { none, gated, unary } kind = Kind::none;
  kernels::Gate gate = kernels::Gate::silu;  // of products 0 (gate) and 1 (up), into product 0
  kernels::Unary unary = kernels::Unary::silu;
  float alpha = 0, limit = 0;
  NodeId node;  // that it computes, or a part of
  /// The first so many products are computed by one task.
  size_t products() const { return kind == Kind::gated ? 2 : 1; }
};

/// Products with one input.
struct MatMulStep {
  BufferId in, prepared;
  struct Product {
    Matrix w;
    ProductForms forms;
    const std::byte* panels;  // the weight in panels too; null: no form reads them
    const float* bias;        // null: none
    BufferId out;
    NodeId node;  // that it computes, or a part of
  };
  std::vector<Product> products;
  Epilogue epilogue;
};

/// Each head's rows of w with that head's part of the input: in [heads, w.cols], prepared ->
/// out[head * out_step + r], r < w.rows / heads.
struct HeadMatMulStep {
  BufferId prepared, out;
  Matrix w;
  ProductForms forms;
  int64_t heads, out_step;
};

struct AttentionStep {
  int32_t state;
  BufferId q, out;
  int64_t kv_heads, group, k_dim, v_dim;
  Attention op;
  const float* sinks;  // null: none
};

/// An op that takes each sequence token by token, from the state that the last step left: the
/// tokens of a sequence in order, its channels or heads side by side.
struct RecurrentStep {
  struct Convolution {
    BufferId x;
    const float *w, *bias;  // bias null: none
    int64_t channels, width;
  };
  struct DeltaRule {
    BufferId q, k, v, decay, beta;
    int64_t key_heads, group;
    GatedDeltaRule::Head head;
    double scale;
  };
  int32_t state;
  BufferId out;
  std::variant<Convolution, DeltaRule> rule;
};

/// The tokens' chosen experts sorted by expert: slots of the products that follow.
struct GroupStep {
  BufferId experts;
  BufferId slots;   // per token and choice: its slot
  BufferId tokens;  // per slot: row of the experts' input
  int64_t chosen;
  int64_t count;  // experts
  bool weighed;   // the input has a row for each choice, not one per token
};

/// Products of grouped slots with their expert's rows: gate and up with an epilogue, or down.
struct ExpertStep {
  BufferId prepared;                          // input rows, always prepared
  BufferId rows;                              // per slot: its input row; kNoBuffer: the slot itself
  int64_t rows_per_token;                     // of the input
  std::vector<MatMulStep::Product> products;  // rows of all experts; out: a row per slot
  Epilogue epilogue;
  int64_t experts, chosen;
};

/// An op without a lowering: its plain loops, over the whole batch, on one thread.
struct MeaningStep {
  Op op;
  struct Operand {
    BufferId buffer;  // kNoBuffer: a parameter
    std::shared_ptr<const Array<float>> param;
    Type type;
  };
  std::vector<Operand> in, out;
};

struct Step {
  std::string name;  // "layers.3.attn.q+k+v"
  RowSet rows = RowSet::all;
  std::vector<NodeId> nodes;  // of the graph, that it computes (wholly or the last part of)
  std::variant<RowStep, MatMulStep, HeadMatMulStep, AttentionStep, RecurrentStep, GroupStep,
               ExpertStep, MeaningStep>
      what;
};

/// How latent attention runs. Absorbed: queries meet the latents themselves, which are all that a
/// sequence remembers. Expanded: the keys and values of all heads are made of each token's latent
/// once, and remembered.
enum class LatentForm : uint8_t { absorbed, expanded };

/// Choices that a plan records.
struct PlanOptions {
  /// Products take float32 rows whatever the kernels would prefer: only sums are rounded, and
  /// logits are those of the stored weights to float32's precision.
  bool f32_activations = false;
  LatentForm latents = LatentForm::absorbed;
  /// Weights of plain formats are kept in the panels of the kernel table too, where it has some:
  /// steps of a few dozen tokens are faster, for the memory of another copy.
  bool packed_weights = false;
};

/// Rows that come in from outside or go out, one per token, of `width` floats without gaps.
struct RowsOutside {
  std::string name;
  int64_t width = 0;
};

struct Plan {
  const kernels::Table* table = nullptr;
  PlanOptions options;
  bool rounds = false;  // some products round what they take, so attention may round its inputs too
  Graph graph;
  BoundWeights weights;
  IdVector<BufferId, Buffer> buffers;
  std::vector<Step> steps;
  std::vector<StatePlan> states;
  int64_t max_tokens = 0;  // rows that buffers have room for
  int64_t arena_bytes = 0;
  int64_t row_scratch = 0;  // bytes that a thread needs for row operations
  int64_t most_experts = 0;
  int64_t vocab_in = 0;              // token ids that can be embedded; 0: the graph reads none
  int64_t positions = 0;             // length of a table of learned positions; 0: none
  std::vector<RowsOutside> given;    // with the tokens
  std::vector<RowsOutside> outputs;  // of the graph, in its order
};

/// Lowers `graph` for batches of up to `max_tokens` tokens. Throws Error(invalid) for weights that
/// do not fit.
Plan make_plan(const Graph& graph, const Weights& weights, const kernels::Table& table,
               int64_t max_tokens, const PlanOptions& options = {});

/// Gives buffers their place in the arena: two may share memory if no step needs both.
void place_buffers(Plan& plan);
/// Sets RowStep::chains of every row step.
void find_chains(Plan& plan);

/// The first step that works on the wanted rows only; from there on all do.
size_t tail_of(const Plan& plan);

/// Buffers that a step reads or writes.
std::vector<BufferId> buffers_of(const Step& step);

}  // namespace ashlar
