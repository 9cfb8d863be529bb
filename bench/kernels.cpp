// Speed of every kernel table against what this CPU can do: matrix products per format, attention,
// rows.
//
//   bench_kernels [TABLE] [FORMAT]     one thread; GB/s and GOP/s with their share of the measured
//   limits
//   bench_kernels --check RATIOS.json  shares of the limits against those stored for this kind of CPU:
//   1 if one fell by 15 % or more
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/json.h"
#include "kernels/activations.h"
#include "kernels/table.h"
#include "measure/limits.h"
#include "measure/timing.h"
#include "tensor/scalar.h"

namespace ashlar::kernels {
namespace {

struct Limits {
  double memory = 0, f32 = 0, bf16 = 0, int8 = 0;  // GB/s, G operations/s (a multiply-add is two)
  double tiles_from_l2 = 0;                        // of bfloat16; 0: no tiles
};

/// Seconds of the fastest of several runs, each of which lasts at least 10 ms.
double seconds(const std::function<void()>& f) { return seconds_of(f, 0.01, 5); }

struct Buffer {
  explicit Buffer(int64_t bytes)
      : data(static_cast<std::byte*>(
            ::operator new (static_cast<size_t>(bytes + 64), std::align_val_t{64}))) {
    std::memset(data, 0, static_cast<size_t>(bytes + 64));
  }
  Buffer(const Buffer&) = delete;
  ~Buffer() { ::operator delete (data, std::align_val_t{64}); }
  std::byte* data;
};

/// The best rates so far, of one more round.
void measure_compute(Limits* l) {
  for (const ComputeLoop& loop : compute_loops()) {
    const double rate = loop.operations_per_round * 1e5 / seconds([&] { loop.run(100000); }) * 1e-9;
    double& best = loop.arithmetic == "f32"    ? l->f32
                   : loop.arithmetic == "bf16" ? l->bf16
                                               : l->int8;
    best = std::max(best, rate);
    if (loop.instruction_set == "amx_l2") l->tiles_from_l2 = std::max(l->tiles_from_l2, rate);
  }
}

Limits measure_limits() {
  Limits l;
  measure_compute(&l);
  const Memory memory(256 << 20);
  l.memory = static_cast<double>(memory.bytes()) /
             seconds([&] { read_all(memory.data(), memory.bytes()); }) * 1e-9;
  return l;
}

double share(double value, double limit) { return limit > 0 ? 100 * value / limit : 0; }

const char* name_of(Activation a) {
  switch (a) {
    case Activation::f32:
      return "f32";
    case Activation::q8:
      return "q8";
    default:
      return "bf16";
  }
}

/// Seconds of one product of rows x cols weights with `tokens` tokens.
double product(const Table& table, Format format, int64_t rows, int64_t cols, int64_t tokens) {
  const Activation form = form_for(table.product_forms(format), tokens).activation;
  Buffer w(rows * row_bytes(format, cols));
  std::mt19937 random(1);
  if (format == Format::f32) {
    auto* v = reinterpret_cast<float*>(w.data);
    for (int64_t i = 0; i < rows * cols; ++i) v[i] = static_cast<float>(i % 7) - 3;
  } else {  // bytes that no format reads as a NaN, an infinity or a number too small to be normal
    const int least = format == Format::mxfp4 ? 64 : 0;
    for (int64_t i = 0; i < rows * row_bytes(format, cols); ++i)
      w.data[i] = static_cast<std::byte>(least + i * 7 % 60);
  }
  const int64_t x_row = round_up(table.activation_bytes(form, cols), 64);
  const Buffer x(x_row * round_up(tokens, kTokenGroup)),
      scratch(table.matmul_scratch(format, cols));
  Buffer y(rows * tokens * 4);
  std::vector<float> values(static_cast<size_t>(tokens * cols));
  for (float& v : values) v = static_cast<float>(random() % 1000) * 0.001f - 0.5f;
  prepare_rows(table, form, values.data(), cols, tokens, x.data, x_row, cols);
  MatMul m;
  m.w = w.data;
  m.w_row_bytes = row_bytes(format, cols);
  m.cols = cols;
  m.row_end = rows;
  m.x = x.data;
  m.x_row_bytes = x_row;
  m.tokens = tokens;
  m.y = reinterpret_cast<float*>(y.data);
  m.y_stride = rows;
  return seconds([&] { table.matmul(format, form, m, scratch.data); });
}

void bench_products(const Table& table, const Limits& limits, std::string_view only) {
  fmt::print("\n{}: matrix products, one thread\n", table.name);
  fmt::print("{:9} {:>26} {:>18} {:>26} {:>32}\n", "", "T=1 from memory", "T=1 from L2",
             "T=4, 8 (GOP/s)", "T=512 1024x2048");
  for (int i = 0; i < kFormats; ++i) {
    const auto format = static_cast<Format>(i);
    const FormatInfo& f = info(format);
    if (!only.empty() && f.name != only) continue;
    const int64_t cols = 2048, row = row_bytes(format, cols);
    const int64_t big = (96 << 20) / row, small = (400 << 10) / row;
    const double memory =
        static_cast<double>(big * row) / product(table, format, big, cols, 1) * 1e-9;
    const double cache =
        static_cast<double>(small * row) / product(table, format, small, cols, 1) * 1e-9;
    const auto rate = [&](int64_t tokens) {
      return 2.0 * 1024.0 * static_cast<double>(cols * tokens) /
             product(table, format, 1024, cols, tokens) * 1e-9;
    };
    const double four = rate(4), eight = rate(8), many = rate(512);
    const Activation form = form_for(table.product_forms(format), 512).activation;
    const double limit = form == Activation::f32  ? limits.f32
                         : form == Activation::q8 ? limits.int8
                                                  : limits.bf16;
    fmt::print(
        "{:9} {:8.1f} GB/s {:4.0f} % {:11.1f} GB/s {:14.1f} {:10.1f} {:12.1f} GOP/s {:4.0f} % of "
        "{}\n",
        f.name, memory, share(memory, limits.memory), cache, four, eight, many, share(many, limit),
        name_of(form));
  }
}

struct Shape {
  const char* name;
  int64_t heads, tokens, first, k_dim, v_dim, window;
};

struct AttentionSpeed {
  double seconds = 0, gflops = 0, gbytes = 0;  // of one call; per second
};

/// Attention of one shape on keys and values in bfloat16.
AttentionSpeed attend(const Table& table, const Shape& s) {
  const int64_t context = s.first + s.tokens, page = 64, pages = (context + page - 1) / page;
  const Buffer state(pages * page * (s.k_dim + s.v_dim) * 2);
  Buffer q(s.heads * s.tokens * s.k_dim * 4), out(s.heads * s.tokens * s.v_dim * 4);
  std::vector<const std::byte*> k_pages, v_pages;
  for (int64_t p = 0; p < pages; ++p) {
    k_pages.push_back(state.data + p * page * s.k_dim * 2);
    v_pages.push_back(state.data + (pages * s.k_dim + p * s.v_dim) * page * 2);
  }
  Attention a;
  a.q = reinterpret_cast<const float*>(q.data);
  a.q_head_stride = s.k_dim;
  a.q_token_stride = s.k_dim * s.heads;
  a.heads = s.heads;
  a.tokens = s.tokens;
  a.first = s.first;
  a.k_dim = s.k_dim;
  a.v_dim = s.v_dim;
  a.state = Format::bf16;
  a.k_pages = k_pages.data();
  a.v_pages = v_pages.data();
  a.page_tokens = page;
  a.k_row_bytes = s.k_dim * 2;
  a.v_row_bytes = s.v_dim * 2;
  a.window = s.window;
  a.scale = 0.1f;
  a.out = reinterpret_cast<float*>(out.data);
  a.out_head_stride = s.v_dim;
  a.out_token_stride = s.v_dim * s.heads;
  const Buffer scratch(table.attention_scratch(a));
  const double time = seconds([&] { table.attention(a, scratch.data); });
  double pairs = 0;
  for (int64_t t = 0; t < s.tokens; ++t)
    pairs += static_cast<double>(s.first + t + 1 - first_visible(a, s.first + t));
  const double flops = pairs * 2 * static_cast<double>(s.heads * (s.k_dim + s.v_dim));
  const auto bytes = static_cast<double>(context * (s.k_dim + s.v_dim) * 2);
  return {time, flops / time * 1e-9, bytes / time * 1e-9};
}

void bench_attention(const Table& table, const Limits& limits) {
  fmt::print("\n{}: attention, one thread, bf16 keys and values\n", table.name);
  for (const Shape& s : {Shape{"Gemma 3 270M prefill, window 512", 4, 512, 0, 256, 256, 512},
                         Shape{"Gemma 3 270M decode at 512", 4, 1, 511, 256, 256, 0},
                         Shape{"Qwen3 prefill 512", 2, 512, 0, 128, 128, 0},
                         Shape{"Qwen3 decode at 4096", 2, 1, 4095, 128, 128, 0},
                         Shape{"DeepSeek latent decode at 1024", 16, 1, 1023, 576, 512, 0}}) {
    const AttentionSpeed speed = attend(table, s);
    fmt::print("{:34} {:9.1f} us {:8.1f} GFLOP/s {:4.0f} % of f32 {:8.1f} GB/s of state\n", s.name,
               speed.seconds * 1e6, speed.gflops, share(speed.gflops, limits.f32), speed.gbytes);
  }
}

void bench_rows(const Table& table) {
  fmt::print("\n{}: rows of 2048 floats, ns\n", table.name);
  const int64_t n = 2048;
  std::vector<float> x(n, 0.5f), y(n), w(n, 1.0f);
  const Buffer prepared(table.activation_bytes(Activation::f32, n));
  const auto line = [&](const char* name, const std::function<void()>& f) {
    fmt::print("  {:12} {:8.0f}\n", name, seconds(f) * 1e9);
  };
  line("rms_norm", [&] { table.rms_norm(x.data(), w.data(), y.data(), n, 1e-6f); });
  line("silu gate", [&] { table.gated(Gate::silu, x.data(), w.data(), y.data(), n, 0, 0); });
  line("gelu gate", [&] { table.gated(Gate::gelu_tanh, x.data(), w.data(), y.data(), n, 0, 0); });
  line("softcap", [&] { table.softcap(x.data(), 30, y.data(), n); });
  line("softmax", [&] { table.softmax(x.data(), y.data(), n); });
  line("add", [&] { table.add(x.data(), w.data(), y.data(), n); });
  line("to q8", [&] { table.prepare(Activation::q8, x.data(), prepared.data, n); });
  line("to bf16", [&] { table.prepare(Activation::bf16, x.data(), prepared.data, n); });
}

/// What speeds are compared for: the same kind of CPU with the same kernels.
std::string cpu_class(const Table& table) {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d)) {
    const unsigned family = (a >> 8 & 15) + ((a >> 8 & 15) == 15 ? a >> 20 & 255 : 0);
    const unsigned model = (a >> 4 & 15) | (a >> 12 & 0xf0);
    return fmt::format("x86 family {} model {} {}", family, model, table.name);
  }
#endif
  return fmt::format("unknown {}", table.name);
}

/// Shares of the limits, all of them of kernels that work from the cache: memory differs from hour
/// to hour. The best of several rounds, limits too, for others may use the machine.
Json measure_shares(const Table& table) {
  Json best = Json::object();
  Limits top;
  const auto keep = [&](const std::string& name, double rate) {
    best[name] = std::max(best.value(name, 0.0), rate);
  };
  for (int round = 0; round < 3; ++round) {
    for (const Format format :
         {Format::q8_0, Format::q4_k, Format::q6_k, Format::q4_0, Format::bf16}) {
      measure_compute(&top);
      for (const int64_t tokens : {1, 4, 8, 512}) {
        const int64_t rows = 192, cols = 1024;
        keep(fmt::format("{} {} tokens", info(format).name, tokens),
             static_cast<double>(2 * rows * cols * tokens) /
                 product(table, format, rows, cols, tokens) * 1e-9);
      }
    }
    keep("attention 512 tokens", attend(table, {"", 2, 512, 0, 128, 128, 0}).gflops);
    keep("attention 1 token", attend(table, {"", 2, 1, 511, 128, 128, 0}).gflops);
  }
  for (auto& [name, value] : best.items()) {
    const bool floats = name.starts_with("bf16") || name.starts_with("attention");
    value = std::round(1000 * value.get<double>() / (floats ? top.f32 : top.int8)) / 1000;
  }
  return best;
}

int check_shares(const std::string& file) {
  constexpr double kLeast = 0.85;
  const Table& best = table();
  const std::string cpu = cpu_class(best);
  const Json stored = read_json(file);
  Json found = measure_shares(best);
  if (!stored.contains(cpu)) {
    fmt::print("skipped: {} has no shares of {}; these were found:\n{}\n", file, cpu,
               Json{{cpu, found}}.dump(2));
    return 0;
  }
  const auto fell = [&](const std::string& name, const Json& before) {
    return found.value(name, 0.0) < kLeast * before.get<double>();
  };
  // What seems to have fallen is measured again: a busy machine slows one kernel and not the next.
  for (int again = 0; again < 2; ++again) {
    const auto& all = stored[cpu].items();
    if (std::none_of(all.begin(), all.end(), [&](auto& i) { return fell(i.key(), i.value()); }))
      break;
    const Json more = measure_shares(best);
    for (auto& [name, value] : found.items())
      value = std::max(value.get<double>(), more.value(name, 0.0));
  }
  int result = 0;
  for (const auto& [name, before] : stored[cpu].items()) {
    const bool bad = fell(name, before);
    if (bad) result = 1;
    fmt::print("{:24} {:6.3f} of the limit, stored {:6.3f}{}\n", name, found.value(name, 0.0),
               before.get<double>(), bad ? "   FELL" : "");
  }
  return result;
}

int run(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--check") return check_shares(argv[2]);
  const std::string wanted = argc > 1 ? argv[1] : "", format = argc > 2 ? argv[2] : "";
  const Limits limits = measure_limits();
  fmt::print(
      "limits, one thread: memory {:.1f} GB/s, f32 {:.0f} GFLOP/s, bf16 {:.0f} GFLOP/s, int8 "
      "{:.0f} GOP/s\n",
      limits.memory, limits.f32, limits.bf16, limits.int8);
  if (limits.tiles_from_l2 > 0)
    fmt::print("bf16 tiles whose operands come from L2: {:.0f} GFLOP/s\n", limits.tiles_from_l2);
  for (const Table* table : tables()) {
    if (!table->supported() || (!wanted.empty() && table->name != wanted)) continue;
    if (wanted.empty() && table->name == "generic") continue;  // slow; by name only
    bench_products(*table, limits, format);
    if (!format.empty()) continue;
    bench_attention(*table, limits);
    bench_rows(*table);
  }
  return 0;
}

}  // namespace
}  // namespace ashlar::kernels

int main(int argc, char** argv) { return ashlar::kernels::run(argc, argv); }
