// Looks at tensors before and after they change their format.
#include "model/checked_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "model/assemble.h"

namespace ashlar {
namespace {

constexpr uint32_t kMagnitude = 0x7fffffffu, kInfinity = 0x7f800000u;

struct Range {
  float largest = 0;  // magnitude of what is finite
  int64_t not_finite = 0;
};

Range range_of(const Tensor& tensor) {
  constexpr int64_t kPiece = 16384;  // a multiple of every block length
  const int64_t count = tensor.elements();
  std::atomic<uint32_t> largest = 0;
  std::atomic<int64_t> bad = 0;
  parallel_for((count + kPiece - 1) / kPiece, [&](int64_t piece, int) {
    const int64_t at = piece * kPiece, n = std::min(kPiece, count - at);
    thread_local std::vector<float> room(kPiece);
    float* values = room.data();
    info(tensor.format).to_f32(tensor.data + row_bytes(tensor.format, at), values, n);
    uint32_t most = 0;
    int64_t here = 0;
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t bits = std::bit_cast<uint32_t>(values[i]) & kMagnitude;
      most = std::max(most, bits < kInfinity ? bits : 0);
      here += bits >= kInfinity;
    }
    bad += here;
    uint32_t known = largest.load();
    while (known < most && !largest.compare_exchange_weak(known, most)) {
    }
  });
  return {std::bit_cast<float>(largest.load()), bad.load()};
}

Range range_of(const FileTensor& tensor) {
  Range all;
  for (const TensorPiece& p : tensor.pieces) {
    const Range r = range_of(p.tensor());
    all.largest = std::max(all.largest, r.largest);
    all.not_finite += r.not_finite;
  }
  return all;
}

}  // namespace

Tensor checked_tensor(const FileTensor& tensor, Format format,
                      const std::function<void(const std::string&)>& notice) {
  Tensor result = disassembled(tensor.pieces, tensor.sizes, format);
  const Range made = range_of(result);
  const bool blocks = !info(format).exact;
  if (made.not_finite == 0 && !blocks) return result;
  const Range source = range_of(tensor);
  if (source.not_finite == 0) {
    if (made.not_finite == 0) return result;
    fail(ErrorKind::unsupported,
         "tensor {}: its largest value {:.6g} is beyond the range of {}, which would make {} of {} "
         "values infinite; bf16 and f32 hold it",
         tensor.name, source.largest, info(format).name, made.not_finite, result.elements());
  }
  if (blocks) {
    fail(ErrorKind::unsupported,
         "tensor {}: {} values are NaN or infinite, which {} cannot hold; the model is broken",
         tensor.name, source.not_finite, info(format).name);
  }
  if (notice) {
    notice(fmt::format("tensor {}: {} values are NaN or infinite, as in the source", tensor.name,
                       source.not_finite));
  }
  return result;
}

}  // namespace ashlar
