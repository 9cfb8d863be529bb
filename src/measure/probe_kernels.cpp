// Rates of the engine's kernels, called as the engine calls them: rows dealt out in tasks to all
// threads, weights and state too large for the caches.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/thread_pool.h"
#include "blueprint/blueprint.h"
#include "kernels/table.h"
#include "measure/probe.h"
#include "measure/timing.h"
#include "plan/tasks.h"
#include "run/engine.h"

namespace ashlar {
namespace {

using kernels::Activation;
using kernels::Table;

constexpr int64_t kWidths[] = {512, 2048};  // of small models and of large ones
constexpr int64_t kHeight = 2048;
constexpr int64_t kTokenCounts[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};

/// Rows of plausible numbers in the format, over and over.
void fill(Format format, std::byte* data, int64_t rows, int64_t cols) {
  const int64_t bytes = row_bytes(format, cols);
  constexpr int64_t kDistinct = 16;
  std::vector<float> values(static_cast<size_t>(cols));
  for (int64_t r = 0; r < std::min(rows, kDistinct); ++r) {
    std::byte* row = data + r * bytes;
    if (info(format).from_f32 == nullptr) {
      // Small bytes: no format reads a NaN or an infinity from them.
      for (int64_t i = 0; i < bytes; ++i) row[i] = static_cast<std::byte>((i * 7 + r) % 60);
      continue;
    }
    for (int64_t c = 0; c < cols; ++c) {
      const auto at = static_cast<double>(r * cols + c);
      values[static_cast<size_t>(c)] =
          static_cast<float>(0.04 * std::sin(at * 1.3 + at * at * 1e-4));
    }
    info(format).from_f32(values.data(), row, cols);
  }
  for (int64_t r = kDistinct; r < rows; ++r)
    std::memcpy(data + r * bytes, data + (r % kDistinct) * bytes, static_cast<size_t>(bytes));
}

/// Measures products with weights of a format: as rows, or `packed`, as panels made beforehand, for
/// the numbers of tokens at which the engine reads those.
void probe_format(ThreadPool& pool, const Table& table, Format format, int64_t cols, bool f32,
                  bool packed, const Memory& weights, Machine::Kernels& out) {
  MatMulStep::Product product{
      .w = {.format = format, .rows = kHeight, .cols = cols, .row_bytes = row_bytes(format, cols)},
      .forms = ProductForms(table, format, f32, packed)};
  if (packed && !product.forms.has(kernels::Packing::panels)) return;
  const int64_t bytes = packed ? panels_bytes(table, product.w) : product.w.bytes();
  const int64_t matrices = weights.bytes() / bytes;
  fill(format, weights.data(), kHeight, cols);
  if (packed) {
    const std::vector<std::byte> rows(weights.data(), weights.data() + product.w.bytes());
    const int64_t panel = table.panel_bytes(format, cols);
    for (int64_t r = 0; r < kHeight; r += table.panel_rows)
      table.pack_panels(format, rows.data() + r * product.w.row_bytes, product.w.row_bytes,
                        std::min(table.panel_rows, kHeight - r), cols,
                        weights.data() + r / table.panel_rows * panel);
  }
  for (int64_t m = 1; m < matrices; ++m)
    std::memcpy(weights.data() + m * bytes, weights.data(), static_cast<size_t>(bytes));
  const MatMulStep engine_step{.products = {product}};
  for (const int64_t tokens : kTokenCounts) {
    const bool panels = product.forms.at(tokens).packing == kernels::Packing::panels;
    if (packed && !panels) continue;
    const Activation form = product.forms.activation(tokens);
    const int64_t x_row = round_up(table.activation_bytes(form, cols), 64);
    const Memory x(x_row * round_up(tokens, kernels::kTokenGroup)),
        scratch(pool.size() * round_up(table.matmul_scratch(format, cols), 64) + 64);
    std::vector<float> values(static_cast<size_t>(tokens * cols));
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t token = i / static_cast<size_t>(cols), column = i % static_cast<size_t>(cols);
      values[i] = static_cast<float>(
          std::sin(static_cast<double>(column) * 0.37 + static_cast<double>(token)));
    }
    kernels::prepare_rows(table, form, values.data(), cols, tokens, x.data(), x_row, cols);
    // A call has as many weights whatever the width, in products of a common height; the next call
    // takes the next ones in memory.
    const int64_t products = kWidths[1] / cols;
    const Memory y(products * kHeight * tokens * 4);
    const ProductTasks cut = tasks_of(engine_step, tokens, pool.size());
    const int64_t step = cut.rows, tasks = cut.row_blocks(kHeight);
    const int64_t per_thread = scratch.bytes() / pool.size() / 64 * 64;
    int64_t first = 0;
    const auto task = [&](int64_t t, int thread) {
      const int64_t index = t / tasks, begin = t % tasks * step;
      const std::byte* w = weights.data() + (first + index) * bytes;
      table.matmul(format, form,
                   {.w = w,
                    .w_row_bytes = product.w.row_bytes,
                    .panels = panels ? w : nullptr,
                    .cols = cols,
                    .row_begin = begin,
                    .row_end = std::min(begin + step, kHeight),
                    .x = x.data(),
                    .x_row_bytes = x_row,
                    .tokens = tokens,
                    .y = y.floats() + index * kHeight * tokens,
                    .y_stride = kHeight},
                   scratch.data() + thread * per_thread);
    };
    const double seconds = seconds_of(
        [&] {
          pool.each(products * tasks, task);
          first = first + 2 * products <= matrices ? first + products : 0;
        },
        0.002, 9, tokens <= 4 ? Take::median : Take::best);
    const auto all = static_cast<double>(products * kHeight * cols);
    out.products.push_back({format, tokens, seconds / all, cols, packed});
  }
}

struct Shape {
  int64_t tokens, context, heads, group, k_dim, v_dim;  // heads: key heads of a layer
};

constexpr Shape kShapes[] = {
    {1, 128, 8, 2, 128, 128},    {1, 1024, 8, 2, 128, 128},   {1, 8192, 8, 2, 128, 128},
    {1, 1024, 8, 4, 64, 64},     {1, 1024, 1, 4, 256, 256},   {1, 1024, 8, 8, 128, 128},
    {1, 1024, 8, 1, 128, 128},   {1, 1024, 12, 1, 64, 64},    {1, 128, 1, 16, 576, 512},
    {1, 1024, 1, 16, 576, 512},  {1, 8192, 1, 16, 576, 512},  {1, 1024, 1, 128, 576, 512},
    {512, 256, 8, 2, 128, 128},  {512, 2048, 8, 2, 128, 128}, {512, 256, 8, 4, 64, 64},
    {512, 256, 1, 4, 256, 256},  {512, 256, 8, 8, 128, 128},  {512, 256, 8, 1, 128, 128},
    {512, 256, 12, 1, 64, 64},   {512, 256, 1, 16, 576, 512}, {512, 2048, 1, 16, 576, 512},
    {512, 256, 1, 128, 576, 512}};

/// A run of `tokens` queries whose middle one sees `context` keys, in the engine's tasks.
void probe_attention(ThreadPool& pool, const Table& table, const Shape& s, bool rounded,
                     Machine::Kernels& out) {
  constexpr int64_t kPage = 64;
  const Format format = Format::f16;
  const int64_t first = std::max<int64_t>(s.context - (s.tokens + 1) / 2, 0);
  const int64_t pages = (first + s.tokens + kPage - 1) / kPage;
  const int64_t k_row = row_bytes(format, s.k_dim);
  const bool latent = s.v_dim < s.k_dim;  // the value is the key's front
  const int64_t v_row = latent ? k_row : row_bytes(format, s.v_dim);
  const int64_t head_bytes = pages * kPage * (k_row + (latent ? 0 : v_row));
  // So many layers that each step finds its state in memory, as it does within a model.
  const int64_t layers =
      s.tokens > 1 ? 2 : std::clamp<int64_t>((48 << 20) / (head_bytes * s.heads), 1, 64);
  const Memory state(head_bytes * s.heads * layers, /*huge=*/false);
  fill(format, state.data(), state.bytes() / k_row, s.k_dim);
  AttentionStep step{};
  step.kv_heads = s.heads;
  step.group = s.group;
  step.k_dim = s.k_dim;
  step.v_dim = s.v_dim;
  const AttentionTasks cut = attention_tasks(step, first, s.tokens);
  const int64_t q_step = s.heads * s.group * s.k_dim, o_step = s.heads * s.group * s.v_dim;
  const Memory q(s.tokens * q_step * 4), o(s.tokens * o_step * 4);
  const Memory sums(std::max<int64_t>(cut.groups() * cut.group_floats(s.v_dim) * 4, 64));
  for (int64_t i = 0; i < s.tokens * q_step; ++i)
    q.floats()[i] = static_cast<float>(std::sin(static_cast<double>(i)));
  std::vector<const std::byte*> k_pages, v_pages;  // [layer, head, page]
  for (int64_t l = 0; l < layers * s.heads; ++l) {
    const std::byte* base = state.data() + l * head_bytes;
    for (int64_t p = 0; p < pages; ++p) {
      k_pages.push_back(base + p * kPage * k_row);
      v_pages.push_back(latent ? k_pages.back() : base + pages * kPage * k_row + p * kPage * v_row);
    }
  }
  const auto call = [&](int64_t task) {
    const int64_t layer = task / cut.count();
    const AttentionTasks::Task t = cut.at(task % cut.count());
    const auto at = static_cast<size_t>((layer * s.heads + t.kv_head) * pages);
    kernels::Attention a;
    a.q = q.floats() + t.begin * q_step + (t.kv_head * s.group + t.head) * s.k_dim;
    a.q_token_stride = q_step;
    a.q_head_stride = s.k_dim;
    a.heads = t.heads;
    a.tokens = t.tokens;
    a.first = first + t.begin;
    a.k_dim = s.k_dim;
    a.v_dim = s.v_dim;
    a.state = format;
    a.k_pages = k_pages.data() + at;
    a.v_pages = v_pages.data() + at;
    a.page_tokens = kPage;
    a.k_row_bytes = k_row;
    a.v_row_bytes = v_row;
    a.scale = 0.1f;
    a.out = o.floats() + t.begin * o_step + (t.kv_head * s.group + t.head) * s.v_dim;
    a.out_token_stride = o_step;
    a.out_head_stride = s.v_dim;
    a.rounded = rounded;
    if (cut.parts == 1) return a;
    a.partials = sums.floats() + t.group * cut.group_floats(s.v_dim) +
                 t.part * t.tokens * t.heads * kernels::partial_floats(s.v_dim);
    a.key_begin = t.key_begin;
    a.key_end = t.key_end;
    return a;
  };
  const int64_t scratch_bytes = round_up(table.attention_scratch(call(0)), 64) + 64;
  const Memory scratch(scratch_bytes * pool.size());
  const auto task = [&](int64_t t, int thread) {
    table.attention(call(t), scratch.data() + thread * scratch_bytes);
  };
  const double seconds =
      seconds_of([&] { pool.each(layers * cut.count(), task); }) / static_cast<double>(layers);
  double pairs = 0;
  for (int64_t t = 0; t < s.tokens; ++t) pairs += static_cast<double>(first + t + 1);
  const double operations =
      pairs * static_cast<double>(s.heads * s.group * (2 * s.k_dim + 4 + 2 * s.v_dim));
  out.attention.push_back({s.tokens, s.context, s.group, s.k_dim, s.v_dim, operations / seconds});
}

void probe_rows(const Table& table, Machine::Kernels& out) {
  const int64_t n = 2048;
  std::vector<float> x(n, 0.5f), y(n), w(n, 1.0f);
  const Memory prepared(table.activation_bytes(Activation::f32, n) * 2);
  const auto rate = [&](const char* name, auto f) {
    out.row_seconds[name] = seconds_of(f, 0.001) / static_cast<double>(n);
  };
  rate("norm", [&] { table.rms_norm(x.data(), w.data(), y.data(), n, 1e-6f); });
  rate("gated", [&] { table.gated(kernels::Gate::silu, x.data(), w.data(), y.data(), n, 0, 0); });
  rate("softcap", [&] { table.softcap(x.data(), 30, y.data(), n); });
  rate("add", [&] { table.add(x.data(), w.data(), y.data(), n); });
  rate("prepare", [&] { table.prepare(Activation::q8, x.data(), prepared.data(), n); });
  std::vector<float> cos(64, 0.8f), sin(64, 0.6f);
  rate("rope", [&] {
    for (int64_t at = 0; at < n; at += 128)
      table.rope(kernels::RopeLayout::half, x.data() + at, cos.data(), sin.data(), 64);
  });
}

/// Of a model so small that its steps are all beginning and end: what the engine's own dealing out
/// of tasks and waiting for them costs.
double engine_step_seconds(int threads, const std::string& kernels) {
  Blueprint bp;
  bp.embedding = {.vocab = 32, .width = 32};
  bp.blocks = repeat(
      24, Block{PreNorm{{NormKind::rms, 1e-6}},
                AttentionPart{.heads = 1, .kv_heads = 1, .head_dim = 32}, DenseFfn{.width = 32}});
  bp.final_norm = Norm{};
  bp.head.tied = true;
  const Graph graph = graph_of(bp);
  Weights weights;
  for (const Param& p : graph.params()) {
    std::byte* data = nullptr;
    weights[p.name] = make_tensor(Format::f32, {p.rows(), p.cols()}, &data);
  }
  Engine engine(graph, weights, {.threads = threads, .kernels = kernels, .context = 64});
  const SequenceId sequence = *engine.open();
  const TokenId id = 1;
  const Run run{sequence, {&id, 1}};
  const auto step = [&] {
    if (engine.length(sequence) == engine.context()) engine.truncate(sequence, 0);
    engine.step({&run, 1});
  };
  // The caller's thread is not pinned, and may share a core for half a second.
  seconds_of(step, 0.1, 6);
  return seconds_of(step, 0.005, 9, Take::median) / static_cast<double>(engine.plan().steps.size());
}

}  // namespace

void probe_kernels(Machine& machine, const ProbeOptions& options) {
  const Table& table = kernels::table(options.kernels);
  const int threads = options.threads > 0 ? options.threads : std::max(machine.threads, 1);
  std::optional<ThreadPool> pool(std::in_place, threads, Pinning::all);
  Machine::Kernels& out = machine.kernels.emplace();
  out.table = std::string(table.name);
  std::vector<Format> formats = options.formats;
  if (formats.empty()) {
    for (int i = 0; i < kFormats; ++i) formats.push_back(static_cast<Format>(i));
  }
  // Attention rounds where products do.
  const bool rounded = std::any_of(formats.begin(), formats.end(), [&](Format f) {
    return ProductForms(table, f, options.f32_activations).rounds();
  });
  const double steps = static_cast<double>(formats.size()) + 4;
  double done = 0;
  const auto advance = [&](double by) {
    done += by;
    if (options.progress) options.progress(std::min(done / steps, 1.0));
  };
  {
    // Larger than the caches of the largest CPUs, whose guests see only a part of them.
    const Memory weights(
        std::min<int64_t>(int64_t{768} << 20, static_cast<int64_t>(machine.memory_bytes / 8)),
        /*huge=*/false);
    for (const Format f : formats) {
      for (const int64_t cols : kWidths) {
        probe_format(*pool, table, f, cols, options.f32_activations, false, weights, out);
        advance(0.5);
      }
      if (options.packed_weights)
        probe_format(*pool, table, f, kWidths[1], options.f32_activations, true, weights, out);
    }
  }
  for (const Shape& s : kShapes) {
    probe_attention(*pool, table, s, rounded, out);
    advance(4.0 / static_cast<double>(std::size(kShapes)));
  }
  probe_rows(table, out);
  pool.reset();  // the engine's threads would inherit the caller's one CPU
  out.step_seconds = engine_step_seconds(threads, options.kernels);
}

}  // namespace ashlar
