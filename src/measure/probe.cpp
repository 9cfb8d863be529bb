// Bandwidth, peaks, caches and the cost of a barrier.
#include "measure/probe.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>

#include "base/thread_pool.h"
#include "base/units.h"
#include "measure/limits.h"
#include "measure/timing.h"

namespace ashlar {
namespace {

int threads_of(int wanted) { return wanted > 0 ? wanted : default_threads(); }

/// 1, 2, 4, ... and the number itself.
std::vector<int> thread_counts(int most) {
  std::vector<int> counts;
  for (int n = 1; n < most; n *= 2) counts.push_back(n);
  counts.push_back(most);
  return counts;
}

/// Calls f(thread) on every thread.
template <class F>
void run_all(ThreadPool& pool, const F& f) {
  pool.run([](void* context, int thread) { (*static_cast<const F*>(context))(thread); },
           const_cast<F*>(&f));
}

/// Bytes per second of all threads reading their share of `bytes` over and over.
double read_rate(ThreadPool& pool, const Memory& memory, int64_t bytes, double least) {
  const int64_t each = std::max<int64_t>(bytes / pool.size() / 256 * 256, 256);
  // One call lasts long enough that starting the threads does not count.
  const auto rounds = static_cast<int>(std::max<int64_t>(1, (4 << 20) / each));
  const auto work = [&](int thread) {
    for (int i = 0; i < rounds; ++i) read_all(memory.data() + thread * each, each);
  };
  const double seconds = seconds_of([&] { run_all(pool, work); }, least, 9, Take::median);
  return static_cast<double>(each) * pool.size() * rounds / seconds;
}

double compute_rate(ThreadPool& pool, const ComputeLoop& loop, double least) {
  constexpr int64_t kRounds = 20000;
  const auto work = [&](int) { loop.run(kRounds); };
  const double seconds = seconds_of([&] { run_all(pool, work); }, least);
  return loop.operations_per_round * static_cast<double>(kRounds) * pool.size() / seconds;
}

double barrier_seconds(ThreadPool& pool) {
  constexpr int kBarriers = 2000;
  const auto work = [&](int) {
    for (int i = 0; i < kBarriers; ++i) pool.barrier();
  };
  return seconds_of([&] { run_all(pool, work); }) / kBarriers;
}

std::vector<Machine::Cache> caches_of() {
  std::vector<Machine::Cache> caches;
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  const int cores = threads_of(0);
  const std::pair<const char*, int> names[] = {{"L1d", _SC_LEVEL1_DCACHE_SIZE},
                                               {"L2", _SC_LEVEL2_CACHE_SIZE},
                                               {"L3", _SC_LEVEL3_CACHE_SIZE}};
  for (const auto& [name, id] : names) {
    const long bytes = sysconf(id);
    if (bytes > 0) caches.push_back({name, static_cast<double>(bytes), name[1] == '3' ? 1 : cores});
  }
#endif
  return caches;
}

Machine described(int threads) {
  Machine m;
  m.name = cpu_name();
  m.source = "measured";
  m.date = today();
  m.threads = threads;
  m.memory_bytes =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  m.caches = caches_of();
  return m;
}

}  // namespace

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "this machine";
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &utc)};
}

Machine quick_probe(int threads) {
  Machine m = described(threads_of(threads));
  ThreadPool pool(m.threads, Pinning::all);
  const auto bytes =
      std::min<int64_t>(int64_t{512} << 20, static_cast<int64_t>(m.memory_bytes / 8));
  const Memory memory(bytes);
  m.read.push_back({m.threads, 0, read_rate(pool, memory, bytes, 0.004)});
  for (const ComputeLoop& loop : compute_loops()) {
    m.matrix.push_back({std::string(loop.arithmetic), std::string(loop.instruction_set), m.threads,
                        compute_rate(pool, loop, 0.001)});
  }
  m.step_seconds = barrier_seconds(pool);
  return m;
}

Machine probe(const ProbeOptions& options) {
  Machine m = described(threads_of(options.threads));
  const auto progress = [&](double done) {
    if (options.progress) options.progress(done);
  };
  const double l3 = m.caches.empty() ? 32e6 : m.caches.back().bytes;
  const int64_t most = std::min<int64_t>(std::max<int64_t>(256 << 20, 8 * static_cast<int64_t>(l3)),
                                         int64_t{1} << 30);
  const Memory memory(most);
  const std::vector<int> counts = thread_counts(m.threads);
  for (const int threads : counts) {
    ThreadPool pool(threads, Pinning::all);
    for (int64_t set = int64_t{16} << 10; set < most; set *= 4)
      m.read.push_back({threads, static_cast<double>(set), read_rate(pool, memory, set, 0.002)});
    m.read.push_back({threads, static_cast<double>(most), read_rate(pool, memory, most, 0.02)});
    for (const ComputeLoop& loop : compute_loops()) {
      m.matrix.push_back({std::string(loop.arithmetic), std::string(loop.instruction_set), threads,
                          compute_rate(pool, loop, 0.002)});
    }
    if (threads == m.threads) m.step_seconds = barrier_seconds(pool);
    progress(0.1);
  }
  ProbeOptions kernels = options;
  kernels.threads = m.threads;
  kernels.progress = [&](double done) { progress(0.1 + 0.9 * done); };
  probe_kernels(m, kernels);
  return m;
}

std::string probe_text(const Machine& m) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{}, {} threads, {} of memory\n", m.name, m.threads,
                 short_bytes(m.memory_bytes));
  for (const Machine::Cache& c : m.caches)
    fmt::format_to(out, "  {:4} {:>9} x {}\n", c.name, short_bytes(c.bytes), c.count);
  fmt::format_to(out, "\nReading, GB/s by working set\n");
  for (const Machine::Bandwidth& b : m.read) {
    fmt::format_to(out, "  {:2} threads {:>9} {:8.1f}\n", b.threads, short_bytes(b.working_set),
                   b.bytes_per_second * 1e-9);
  }
  fmt::format_to(out, "\nArithmetic, operations/s\n");
  for (const Machine::Rate& r : m.matrix) {
    fmt::format_to(out, "  {:2} threads {:5} {:12} {:>8}\n", r.threads, r.arithmetic,
                   r.instruction_set, short_number(r.operations_per_second));
  }
  fmt::format_to(out, "\nBarrier: {}\n", short_seconds(m.step_seconds));
  if (!m.kernels) return text;
  fmt::format_to(out, "A step of the engine: {}\n", short_seconds(m.kernels->step_seconds));
  fmt::format_to(
      out, "\nKernels ({}), {} threads, weights in memory\n  {:16} {:>7} {:>7} {:>10} {:>12}\n",
      m.kernels->table, m.threads, "format", "cols", "tokens", "GB/s", "operations/s");
  for (const auto& p : m.kernels->products) {
    const FormatInfo& f = info(p.format);
    const double bytes = static_cast<double>(f.block_bytes) / f.block_len;
    fmt::format_to(out, "  {:16} {:>7} {:>7} {:>10.1f} {:>12}\n",
                   fmt::format("{}{}", f.name, p.packed ? ", packed" : ""), p.cols, p.tokens,
                   bytes / p.seconds_per_weight * 1e-9,
                   short_number(2 * static_cast<double>(p.tokens) / p.seconds_per_weight));
  }
  fmt::format_to(out, "\n  {:>7} {:>8} {:>6} {:>6} {:>6} {:>12}\n", "queries", "context", "group",
                 "k_dim", "v_dim", "operations/s");
  for (const auto& a : m.kernels->attention) {
    fmt::format_to(out, "  {:>7} {:>8} {:>6} {:>6} {:>6} {:>12}\n", a.tokens, a.context, a.group,
                   a.k_dim, a.v_dim, short_number(a.operations_per_second));
  }
  fmt::format_to(out, "\nRows, ps per number and thread\n");
  for (const auto& [name, seconds] : m.kernels->row_seconds)
    fmt::format_to(out, "  {:9} {:8.0f}\n", name, seconds * 1e12);
  return text;
}

}  // namespace ashlar
