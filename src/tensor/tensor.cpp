// Shapes with checked arithmetic, owned tensors, and conversion between formats.
#include "tensor/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/mapped_memory.h"
#include "base/thread_pool.h"

namespace ashlar {
namespace {

constexpr int64_t kChunk = 16384;  // values converted at a time: a multiple of every block length
constexpr int64_t kMaxThreads = 64;
constexpr int64_t kMaxElements = int64_t{1} << 56;  // bytes of any format still fit in int64
constexpr int64_t kMaxBytes = int64_t{1} << 46;     // what an address can reach

}  // namespace

int64_t element_count(const Sizes& sizes, std::string_view where) {
  int64_t count = 1;
  bool empty = false;
  for (const int64_t size : sizes) {
    if (size < 0) fail(ErrorKind::format, "{}: negative size in shape {}", where, to_string(sizes));
    if (size == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(count, size, &count) || count > kMaxElements) {
      fail(ErrorKind::format, "{}: shape {} has more elements than any memory", where,
           to_string(sizes));
    }
  }
  return empty ? 0 : count;
}

std::string to_string(const Sizes& sizes) { return fmt::format("[{}]", fmt::join(sizes, ", ")); }

int64_t Tensor::rows() const {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) rows *= sizes[i];
  return rows;
}

Tensor make_tensor(Format format, Sizes sizes, std::byte** data) {
  constexpr size_t kAlignment = 64;
  constexpr int64_t kLarge = int64_t{2} << 20;  // a huge page
  const FormatInfo& f = info(format);
  const int64_t count = element_count(sizes, "tensor");
  const int64_t cols = sizes.empty() ? 1 : sizes.back();
  if (cols % f.block_len != 0) {
    fail(ErrorKind::invalid,
         "tensor of shape {}: rows of {} values do not divide into {} blocks of {}",
         to_string(sizes), cols, f.name, f.block_len);
  }
  const int64_t bytes = count / f.block_len * f.block_bytes;
  if (bytes > kMaxBytes) {
    fail(ErrorKind::resource, "tensor of shape {}: {} bytes, more than any memory",
         to_string(sizes), bytes);
  }
  const auto none = [&] {
    fail(ErrorKind::resource, "tensor of shape {} as {}: {} bytes of memory are not available",
         to_string(sizes), f.name, bytes);
  };
  if (bytes >= kLarge) {
    auto memory = std::make_shared<MappedMemory>(bytes);
    if (!*memory) none();
    *data = memory->data();
    return {format, std::move(sizes), *data, std::move(memory)};
  }
  void* block = std::calloc(static_cast<size_t>(bytes) + kAlignment, 1);
  if (block == nullptr) none();
  std::shared_ptr<const void> owner(block, [](const void* p) { std::free(const_cast<void*>(p)); });
  auto address = reinterpret_cast<uintptr_t>(block);
  address = (address + kAlignment - 1) / kAlignment * kAlignment;
  *data = reinterpret_cast<std::byte*>(address);
  return {format, std::move(sizes), *data, std::move(owner)};
}

std::vector<float> to_f32(const Tensor& tensor) {
  std::vector<float> values;
  const int64_t count = tensor.elements();
  try {
    values.resize(static_cast<size_t>(count));
  } catch (const std::exception&) {
    fail(ErrorKind::resource, "tensor of shape {} as float32: {} bytes of memory are not available",
         to_string(tensor.sizes), count * 4);
  }
  info(tensor.format).to_f32(tensor.data, values.data(), count);
  return values;
}

Tensor convert(const Tensor& tensor, Format format) {
  if (format == tensor.format) return tensor;
  const FormatInfo& from = info(tensor.format);
  const FormatInfo& to = info(format);
  if (to.from_f32 == nullptr) {
    fail(ErrorKind::unsupported,
         "Ashlar reads weights in {} but does not write them; choose another format", to.name);
  }
  if (tensor.cols() % to.block_len != 0) {
    fail(ErrorKind::invalid,
         "a tensor of shape {} cannot be {}: rows of {} values, expected a multiple of {}",
         to_string(tensor.sizes), to.name, tensor.cols(), to.block_len);
  }
  std::byte* out = nullptr;
  Tensor result = make_tensor(format, tensor.sizes, &out);
  const int64_t count = tensor.elements(), chunks = (count + kChunk - 1) / kChunk;
  // Quantising costs about a microsecond per ten values: worth more threads from a few chunks on.
  const auto threads = static_cast<int>(
      std::clamp<int64_t>(std::min<int64_t>(chunks / 16, default_threads()), 1, kMaxThreads));
  std::vector<std::vector<float>> buffers(static_cast<size_t>(threads));
  const auto work = [&](int64_t chunk, int thread) {
    std::vector<float>& values = buffers[static_cast<size_t>(thread)];
    values.resize(static_cast<size_t>(std::min(kChunk, count)));
    const int64_t at = chunk * kChunk, n = std::min(kChunk, count - at);
    from.to_f32(tensor.data + row_bytes(tensor.format, at), values.data(), n);
    to.from_f32(values.data(), out + row_bytes(format, at), n);
  };
  parallel_for(chunks, work, threads);
  return result;
}

}  // namespace ashlar
