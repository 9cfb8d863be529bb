// Counter-based random numbers, rows at a time, straight into the wanted format.
#include "model/random_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <tuple>

#include "base/error.h"
#include "base/hash.h"
#include "base/thread_pool.h"
#include "model/assemble.h"
#include "model/memory.h"
#include "readings/count/count.h"

namespace ashlar {
namespace {

struct Spread {
  float mean = 0, deviation = 0;
};

Spread spread_of(const Param& p) {
  const bool matrix = p.row_axes > 0;
  switch (p.role) {
    case Role::norm:
      // The shift of a layer norm is a bias by another name.
      return p.name.ends_with("bias") ? Spread{0, 0.02f} : Spread{1, 0.1f};
    case Role::embedding:
    case Role::position:
    case Role::bias:
      return {0, 0.02f};
    case Role::sink:
      return {0, 1};
    default:
      return {0, matrix ? 1 / std::sqrt(static_cast<float>(p.cols())) : 0.02f};
  }
}

/// n numbers, nearly normal: the sum of four uniform ones of 16 bits (Irwin-Hall) has the right
/// first three moments, and tails that end at 3.46 deviations.
void fill(float* out, int64_t n, uint64_t key, Spread spread) {
  constexpr float kMean = 4 * 65535.0f / 2;
  constexpr float kDeviation = 37837.2f;  // of the sum: 65536 sqrt(4 / 12)
  const float scale = spread.deviation / kDeviation;
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t bits = mixed(key + static_cast<uint64_t>(i));
    const uint64_t sum =
        (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
    out[i] = spread.mean + (static_cast<float>(sum) - kMean) * scale;
  }
}

/// Searching for good scales makes these formats slow to write.
bool is_slow(const FormatInfo& f) { return f.block_len == 256 || f.name == "iq4_nl"; }

/// Above so many numbers, rows of slow formats are drawn from a pool of blocks that were quantised
/// once.
constexpr int64_t kDrawnFrom = int64_t{1} << 20;
constexpr int64_t kPoolBlocks = 2048;

class BlockPools {
 public:
  const std::vector<std::byte>& of(Format format, Spread spread) {
    auto& pool = pools_[{format, spread.mean, spread.deviation}];
    if (!pool.empty()) return pool;
    const FormatInfo& f = info(format);
    pool.resize(static_cast<size_t>(kPoolBlocks * f.block_bytes));
    parallel_for(kPoolBlocks / 32, [&](int64_t part, int) {
      std::vector<float> values(static_cast<size_t>(32 * f.block_len));
      const auto n = static_cast<int64_t>(values.size());
      fill(values.data(), n, mixed(static_cast<uint64_t>(part)), spread);
      f.from_f32(values.data(), pool.data() + part * 32 * f.block_bytes, n);
    });
    return pool;
  }

 private:
  std::map<std::tuple<Format, float, float>, std::vector<std::byte>> pools_;
};

}  // namespace

Weights random_weights(const Blueprint& bp, const Params& params, uint64_t seed,
                       const std::string& weights,
                       const std::function<void(int64_t, int64_t)>& progress) {
  const WeightFormats format_of = weight_formats(weights.empty() ? "f32" : weights, bp);
  int64_t total = 0, done = 0;
  for (const Param& p : params) {
    const FormatInfo& f = info(format_of(p));
    if (f.from_f32 == nullptr) {
      fail(ErrorKind::invalid, "weights {}: {} is read but not written; choose another format",
           weights, f.name);
    }
    if (p.cols() % f.block_len != 0) {
      fail(ErrorKind::invalid, "weights {}: {} has rows of {} values, expected a multiple of {}",
           weights, p.name, p.cols(), f.block_len);
    }
    total += p.rows() * row_bytes(format_of(p), p.cols());
  }
  need_memory(total, fmt::format("{}: random weights in {}", bp.name.empty() ? "model" : bp.name,
                                 weights.empty() ? "f32" : weights));
  Weights made;
  BlockPools pools;
  for (const Param& p : params) {
    const Format format = format_of(p);
    std::byte* out = nullptr;
    Tensor tensor = make_tensor(format, sizes_of(p), &out);
    const uint64_t key = mixed(hashed(p.name) ^ mixed(seed));
    const Spread spread = spread_of(p);
    const int64_t cols = p.cols(), rows = p.rows(), bytes = row_bytes(format, cols);
    const int64_t band = std::max<int64_t>(1, 65536 / cols);
    const FormatInfo& f = info(format);
    const std::vector<std::byte>* pool =
        is_slow(f) && p.elements() > kDrawnFrom ? &pools.of(format, spread) : nullptr;
    parallel_for((rows + band - 1) / band, [&](int64_t b, int) {
      const int64_t end = std::min(rows, (b + 1) * band);
      if (pool != nullptr) {
        const int64_t first = b * band * cols / f.block_len, last = end * cols / f.block_len;
        for (int64_t i = first; i < last; ++i) {
          const uint64_t drawn = mixed(key + static_cast<uint64_t>(i)) % kPoolBlocks;
          std::memcpy(out + i * f.block_bytes,
                      pool->data() + drawn * static_cast<uint64_t>(f.block_bytes),
                      static_cast<size_t>(f.block_bytes));
        }
        return;
      }
      std::vector<float> values(static_cast<size_t>(cols));
      for (int64_t r = b * band; r < end; ++r) {
        fill(values.data(), cols, key + static_cast<uint64_t>(r * cols), spread);
        f.from_f32(values.data(), out + r * bytes, cols);
      }
    });
    done += tensor.bytes();
    made[p.name] = std::move(tensor);
    if (progress) progress(done, total);
  }
  return made;
}

}  // namespace ashlar
