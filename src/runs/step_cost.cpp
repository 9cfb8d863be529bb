// Steps measured on random ids; planned from the lowered graph and two probed rates.
#include "runs/step_cost.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "base/error.h"
#include "model/memory.h"
#include "ops/attention.h"
#include "ops/attention_grad.h"
#include "train/executor.h"
#include "train/init.h"
#include "train/optimiser.h"
#include "train/step.h"

namespace ashlar {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

StepCostOptions filled_in(StepCostOptions o) {
  if (o.sequences < 1 || o.length < 2 || o.steps < 1) {
    fail(ErrorKind::invalid,
         "expected at least 1 sequence of 2 tokens and 1 step, found {} of {} and {}", o.sequences,
         o.length, o.steps);
  }
  if (!o.precision.empty() && o.precision != "f32" && o.precision != "bf16")
    fail(ErrorKind::invalid, "precision: expected f32 or bf16, found {}", o.precision);
  o.kernels = kernels::table(o.kernels).name;
  if (o.precision.empty())
    o.precision = kernels::training_table(o.kernels).fast_bf16 ? "bf16" : "f32";
  if (o.threads <= 0) o.threads = default_threads();
  return o;
}

void check_length(const Graph& forward, int64_t length) {
  for (const Param& p : forward.params()) {
    if (p.role == Role::position && length > p.rows())
      fail(ErrorKind::invalid, "length: {} tokens, but the model has {} learned positions", length,
           p.rows());
  }
}

Numbers numbers_of(const StepCostOptions& o) {
  return o.precision == "bf16" ? Numbers::bf16 : Numbers::f32;
}

DifferentiateOptions step_of(const StepCostOptions& o, bool recompute) {
  return {.recompute_layers = recompute, .losses = {.mtp = o.mtp ? 1.0 : 0.0}};
}

TokenBatch random_batch(const StepCostOptions& o, int64_t vocab) {
  TokenBatch b;
  uint64_t state = 1;
  for (int64_t s = 0; s < o.sequences; ++s) {
    for (int64_t i = 0; i < o.length; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      b.tokens.push_back(static_cast<int32_t>((state >> 33) % static_cast<uint64_t>(vocab)));
      b.positions.push_back(static_cast<int32_t>(i));
      b.sequences.push_back(static_cast<int32_t>(s));
    }
  }
  return b;
}

Workload workload_of(const StepCostOptions& o) {
  Workload load;
  load.runs.assign(static_cast<size_t>(o.sequences), {0, o.length});
  return load;
}

bool is_product(std::string_view op) {
  return op.starts_with("linear") || op.starts_with("expert_linear");
}

std::map<std::string_view, double> operations_of(const TrainingLowering& lowering,
                                                 const Workload& load) {
  std::map<std::string_view, double> operations;
  for (const LoweredStep& s : lowering.steps()) {
    operations[s.node.op.name()] +=
        static_cast<double>(s.node.op.flops(lowering.graph().input_types(s.node), load));
  }
  return operations;
}

/// Operations per second of a product whose operands stay in the caches.
double product_rate(Products& products, Numbers numbers) {
  constexpr int64_t kM = 768, kN = 768, kK = 512;
  std::vector<float> a(kM * kK, 0.5f), b(kN * kK, 0.25f), c(kM * kN);
  double best = 1e30;
  for (int i = 0; i < 6; ++i) {
    const double begin = now();
    products.multiply({.m = kM,
                       .n = kN,
                       .k = kK,
                       .a = rows_of(a.data(), kK),
                       .b = transposed(b.data(), kK),
                       .c = c.data()},
                      numbers);
    best = std::min(best, now() - begin);
  }
  return 2.0 * kM * kN * kK / best;
}

/// Bytes per second of rows that are read and written, all threads together.
double row_rate(Products& products) {
  constexpr int64_t kNumbers = int64_t{1} << 21, kPiece = int64_t{1} << 14;
  std::vector<float> a(kNumbers, 1), b(kNumbers, 2), c(kNumbers);
  double best = 1e30;
  for (int i = 0; i < 6; ++i) {
    const double begin = now();
    products.each(kNumbers / kPiece, [&](int64_t p, ProductSpace&) {
      products.table().add(a.data() + p * kPiece, b.data() + p * kPiece, c.data() + p * kPiece,
                           kPiece);
    });
    best = std::min(best, now() - begin);
  }
  return 12.0 * kNumbers / best;
}

struct Rates {
  double products = 0, rows = 0;
};

double seconds_of(const TrainingLowering& lowering, const StepCostOptions& o, const Rates& rates,
                  int64_t parameters) {
  // Shares of the probed rates that steps reach: products of a model's shapes, attention's small
  // ones with its softmax between, the optimiser's four streams from memory.
  constexpr double kProducts = 0.8, kAttention = 0.4, kOptimiser = 0.5;
  const Workload load = workload_of(o);
  const double tokens = static_cast<double>(load.tokens());
  double seconds = 32.0 * static_cast<double>(parameters) / (kOptimiser * rates.rows);
  for (const LoweredStep& s : lowering.steps()) {
    const std::vector<Type> in = lowering.graph().input_types(s.node);
    const double operations = static_cast<double>(s.node.op.flops(in, load));
    if (is_product(s.node.op.name())) {
      seconds += operations / (kProducts * rates.products);
    } else if (s.node.op.as<Attention>() != nullptr || s.node.op.as<AttentionGrad>() != nullptr) {
      seconds += operations / (kAttention * rates.products);
    } else {
      double bytes = 0;
      const auto add = [&](const Type& type) {
        bytes += 4 * static_cast<double>(type.feature_count()) * (type.per_token() ? tokens : 1);
      };
      for (const Type& type : in) add(type);
      for (const ValueId id : s.node.outputs) add(lowering.graph().type(id));
      seconds += bytes / rates.rows;
    }
  }
  return seconds;
}

}  // namespace

int64_t packed_bytes(const TrainingLowering& lowering, int64_t tokens, int threads) {
  constexpr int64_t kDepth = 512, kBlock = int64_t{320} << 10;
  int64_t most = 0;
  for (const LoweredStep& s : lowering.steps()) {
    if (!is_product(s.node.op.name())) continue;
    int64_t width = 0;
    for (const Input& in : s.node.inputs) {
      const Type type = lowering.graph().type(in);
      if (type.per_token()) width = std::max(width, type.feature_count());
    }
    most = std::max(most, std::min(width, tokens) * kDepth * 4);
  }
  return most + threads * kBlock;
}

StepMeasurement measure_step(const Graph& forward, const StepCostOptions& options) {
  StepMeasurement m;
  m.options = filled_in(options);
  const StepCostOptions& o = m.options;
  check_length(forward, o.length);
  const int64_t elements = forward.parameter_count();
  need_memory(4 * elements * int64_t{sizeof(float)}, "weights, gradients and moments");
  ParameterArrays parameters(forward.params()), gradients(forward.params());
  initialise(forward.params(), {}, 1, parameters);
  StepExecutor steps(forward, parameters,
                     {.threads = o.threads,
                      .kernels = o.kernels,
                      .numbers = numbers_of(o),
                      .differentiate = step_of(o, o.recompute)});
  Optimiser optimiser(forward.params(), steps.trained(), {}, {});
  const TokenBatch batch = random_batch(o, forward.type(forward.output()).axes[1].size);
  m.memory.planned = steps.executor().bytes(batch.size()).arena;
  double optimiser_seconds = 1e30;
  std::map<std::string_view, StepTime> before;
  m.seconds = 1e30;
  for (int64_t i = 0; i <= o.steps; ++i) {
    before = steps.executor().times();
    const double begin = now();
    steps.run(batch, 1, gradients, false);
    const double middle = now();
    const double norm = gradient_norm(gradients, steps.products());
    optimiser.update(parameters, gradients, clip_factor(norm, 1), 1e-4, 1, steps.products());
    const double seconds = now() - begin;
    if (i == 0 || seconds >= m.seconds) continue;
    m.seconds = seconds;
    optimiser_seconds = begin + seconds - middle;
    m.ops.clear();
    for (const auto& [op, time] : steps.executor().times())
      m.ops.push_back({std::string(op), time.seconds - before[op].seconds, 0});
  }
  m.ops.push_back({"optimiser", optimiser_seconds, 0});
  double product_seconds = 0, product_operations = 0;
  for (const auto& [op, n] : operations_of(steps.executor().lowering(), workload_of(o))) {
    m.operations += n;
    for (OpCost& cost : m.ops) {
      if (cost.op != op) continue;
      cost.operations = n;
      if (!is_product(op)) continue;
      product_seconds += cost.seconds;
      product_operations += n;
    }
  }
  std::sort(m.ops.begin(), m.ops.end(),
            [](const OpCost& a, const OpCost& b) { return a.seconds > b.seconds; });
  m.tokens_per_second = static_cast<double>(batch.size()) / m.seconds;
  if (product_seconds > 0) m.products_per_second = product_operations / product_seconds;
  m.memory.activations = steps.executor().allocated_bytes();
  m.memory.packed = steps.products().space_bytes();
  m.limit_per_second = product_rate(steps.products(), numbers_of(o));
  return m;
}

StepPlan plan_step(const Graph& forward, const StepCostOptions& options) {
  StepPlan p;
  p.options = filled_in(options);
  check_length(forward, p.options.length);
  Products products(kernels::table(p.options.kernels), p.options.threads);
  const Rates rates{product_rate(products, numbers_of(p.options)), row_rate(products)};
  p.available = available_memory();
  const int64_t elements = forward.parameter_count(), arrays = elements * int64_t{sizeof(float)};
  for (const bool recompute : {false, true}) {
    const TrainingLowering lowering(differentiate(forward, step_of(p.options, recompute)),
                                    {.exact = false});
    const auto memory = [&](int64_t sequences) {
      const int64_t tokens = sequences * p.options.length;
      StepMemory m{arrays, arrays, 2 * arrays, lowering.places(tokens).bytes,
                   packed_bytes(lowering, tokens, p.options.threads)};
      m.total = m.weights + m.gradients + m.moments + m.activations + m.packed;
      return m;
    };
    StepPlan::Way& way = recompute ? p.recomputed : p.kept;
    way.memory = memory(p.options.sequences);
    way.seconds = seconds_of(lowering, p.options, rates, elements);
    way.tokens_per_second =
        static_cast<double>(p.options.sequences * p.options.length) / way.seconds;
    constexpr int64_t kMost = int64_t{1} << 16;
    way.largest_batch =
        largest_fitting([&](int64_t n) { return memory(n).total; }, p.available, kMost);
  }
  return p;
}

}  // namespace ashlar
