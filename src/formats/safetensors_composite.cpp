// FP8, MXFP4 and INT4 weights of safetensors files, and tensor-parallel slices.
#include "formats/safetensors_composite.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "tensor/blocks.h"
#include "tensor/scalar.h"

namespace ashlar {
namespace {

bool ends_with(std::string_view name, std::string_view tail) {
  return name.size() > tail.size() && name.substr(name.size() - tail.size()) == tail;
}

// The one raw tensor of that name; null if absent or sliced.
const RawTensor* single(const RawTensors& raw, const std::string& name) {
  const auto found = raw.find(name);
  return found == raw.end() || found->second.size() != 1 ? nullptr : &found->second.front();
}

std::string at(const RawTensor& t) { return fmt::format("{}: tensor \"{}\"", t.file, t.name); }

int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

int64_t rows_of(const Sizes& sizes) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) rows *= sizes[i];
  return rows;
}

Logical refused(const RawTensor& raw, std::string why) {
  return {raw.name, {Format::f32, raw.sizes, raw.file, std::move(why)}, nullptr, {raw.name}};
}

// ---- FP8: e4m3 values, a scale for each block of rows x columns.

struct Fp8 {
  RawTensor weight;
  std::vector<float> scales;  // [matrices, scale_rows, scale_cols]
  int64_t rows, cols;         // of one matrix
  int64_t scale_rows, scale_cols;
  int64_t block_rows, block_cols;

  const float* scales_of_row(int64_t row) const {
    const int64_t matrix = row / rows, block = row % rows / block_rows;
    return scales.data() + (matrix * scale_rows + block) * scale_cols;
  }
};

Tensor make_fp8_b128(const Fp8& w) {
  std::byte* out = nullptr;
  Tensor result = make_tensor(Format::fp8_b128, w.weight.sizes, &out);
  const auto* in = w.weight.bytes.data();
  for (int64_t row = 0; row < result.rows(); ++row) {
    const float* scales = w.scales_of_row(row);
    for (int64_t block = 0; block < w.cols / 128; ++block) {
      std::memcpy(out, scales + block * 128 / w.block_cols, sizeof(float));
      std::memcpy(out + sizeof(float), in, 128);
      out += sizeof(BlockFp8);
      in += 128;
    }
  }
  return result;
}

Tensor make_fp8_f32(const Fp8& w) {
  std::byte* data = nullptr;
  Tensor result = make_tensor(Format::f32, w.weight.sizes, &data);
  auto* out = reinterpret_cast<float*>(data);
  const auto* in = reinterpret_cast<const uint8_t*>(w.weight.bytes.data());
  std::array<float, 256> values = {};
  for (size_t i = 0; i < values.size(); ++i) values[i] = e4m3_to_f32(static_cast<uint8_t>(i));
  for (int64_t row = 0; row < result.rows(); ++row) {
    const float* scales = w.scales_of_row(row);
    for (int64_t col = 0; col < w.cols; ++col) *out++ = values[*in++] * scales[col / w.block_cols];
  }
  return result;
}

// The block length that cuts `size` into `pieces`: the preferred one, one block for all, or a power
// of two.
std::optional<int64_t> block_length(int64_t size, int64_t pieces, int64_t preferred, bool given) {
  if (pieces == ceil_div(size, preferred)) return preferred;
  if (given) return std::nullopt;
  if (pieces == 1) return std::max<int64_t>(size, 1);
  constexpr int64_t kLongest = 65536;
  for (int64_t length = 1; length <= std::min(size, kLongest); length *= 2) {
    if (pieces == ceil_div(size, length)) return length;
  }
  return std::nullopt;
}

Logical fp8(const RawTensor& weight, const RawTensor& scale, Fp8Blocks blocks) {
  if (weight.sizes.size() < 2) return refused(weight, "FP8 is read for matrices only");
  const auto format = format_of_dtype(scale.dtype);
  if (!format) return refused(weight, fmt::format("FP8 scales of type {}", scale.dtype));
  Fp8 w;
  w.weight = weight;
  w.cols = weight.sizes.back();
  w.rows = weight.sizes[weight.sizes.size() - 2];
  const int64_t matrices = rows_of(Sizes(weight.sizes.begin(), weight.sizes.end() - 1));
  // A lone number, [rows, 1], or [block rows, block columns], before it the axes of stacked
  // experts.
  Sizes sizes = scale.sizes;
  if (sizes.size() == 1 && sizes[0] == w.rows && w.rows > 1) sizes.push_back(1);
  const int64_t count = element_count(sizes, at(scale));
  if (count == 1) sizes = {1, 1};
  const bool shared = count == 1 && matrices > 1;
  if (sizes.size() < 2 || (!shared && rows_of(Sizes(sizes.begin(), sizes.end() - 1)) != matrices)) {
    fail(ErrorKind::format, "{}: scales of shape {} do not fit {}, a weight of shape {}", at(scale),
         to_string(scale.sizes), weight.name, to_string(weight.sizes));
  }
  w.scale_cols = sizes.back();
  w.scale_rows = sizes[sizes.size() - 2];
  const bool given = blocks.given && count != 1;
  const auto block_rows = block_length(w.rows, w.scale_rows, blocks.rows, given);
  const auto block_cols = block_length(w.cols, w.scale_cols, blocks.cols, given);
  if (!block_rows || !block_cols) {
    fail(ErrorKind::format,
         "{}: scales of shape {} do not fit {}, a weight of shape {}, in blocks of {} x {}",
         at(scale), to_string(scale.sizes), weight.name, to_string(weight.sizes), blocks.rows,
         blocks.cols);
  }
  w.block_rows = *block_rows;
  w.block_cols = *block_cols;
  const bool whole = w.cols % 128 == 0 && w.block_cols % 128 == 0;
  const auto make = [w, scale, format = *format, whole, shared, matrices] {
    if (element_count(w.weight.sizes, w.weight.name) == 0) {  // any number of rows of nothing
      std::byte* nowhere = nullptr;
      return make_tensor(whole ? Format::fp8_b128 : Format::f32, w.weight.sizes, &nowhere);
    }
    Fp8 ready = w;
    ready.scales = to_f32(aligned({format, scale.sizes, scale.bytes.data(), scale.owner}));
    if (shared) ready.scales.resize(static_cast<size_t>(matrices), ready.scales[0]);
    return whole ? make_fp8_b128(ready) : make_fp8_f32(ready);
  };
  return {weight.name,
          {whole ? Format::fp8_b128 : Format::f32, weight.sizes, weight.file},
          make,
          {weight.name, scale.name}};
}

// ---- MXFP4 of gpt-oss: bytes [..., rows, blocks, 16], scales [..., rows, blocks].

Logical mxfp4(const std::string& name, const RawTensor& blocks, const RawTensor& scales) {
  const Sizes& b = blocks.sizes;
  if (b.size() < 3 || b.back() != 16 || Sizes(b.begin(), b.end() - 1) != scales.sizes) {
    fail(ErrorKind::format,
         "{}: MXFP4 blocks of shape {} and scales of shape {}, expected [..., n, 16] and [..., n]",
         at(blocks), to_string(b), to_string(scales.sizes));
  }
  Sizes sizes(b.begin(), b.end() - 1);
  sizes.back() *= 32;
  element_count(sizes, at(blocks));
  const auto make = [blocks, scales, sizes] {
    std::byte* data = nullptr;
    Tensor result = make_tensor(Format::mxfp4, sizes, &data);
    const auto* in = reinterpret_cast<const uint8_t*>(blocks.bytes.data());
    for (const std::byte scale : scales.bytes) {
      // The file pairs neighbours (2b, 2b + 1) in a byte, the block pairs j and j + 16.
      BlockMxfp4 block = {static_cast<uint8_t>(scale), {}};
      for (int j = 0; j < 16; ++j) {
        const int shift = j % 2 * 4;
        const int low = (in[j / 2] >> shift) & 15, high = (in[8 + j / 2] >> shift) & 15;
        block.q[j] = static_cast<uint8_t>(low | (high << 4));
      }
      std::memcpy(data, &block, sizeof(block));
      data += sizeof(block);
      in += 16;
    }
    return result;
  };
  return {name, {Format::mxfp4, sizes, blocks.file}, make, {blocks.name, scales.name}};
}

// ---- INT4 of compressed-tensors: words [out, in / 8], scales [out, in / 32], shape (out, in).

Sizes shape_values(const RawTensor& shape) {
  const size_t width = shape.dtype == "I64" ? 8 : shape.dtype == "I32" ? 4 : 0;
  if (width == 0 || shape.bytes.size() != 2 * width) {
    fail(ErrorKind::format, "{}: expected two integers (I64 or I32), found {} of shape {}",
         at(shape), shape.dtype, to_string(shape.sizes));
  }
  Sizes sizes;
  for (size_t i = 0; i < 2; ++i) {
    int64_t wide = 0;
    int32_t narrow = 0;
    std::memcpy(&wide, shape.bytes.data() + i * width, width);
    std::memcpy(&narrow, shape.bytes.data() + i * width, sizeof(narrow));
    sizes.push_back(width == 8 ? wide : int64_t{narrow});
  }
  return sizes;
}

Tensor make_int4(const RawTensor& packed, const RawTensor& scale, const Sizes& sizes) {
  std::byte* data = nullptr;
  Tensor result = make_tensor(Format::int4_g32, sizes, &data);
  // Little-endian words of eight nibbles, low first, are bytes of two nibbles, low first.
  for (int64_t block = 0; block < result.elements() / 32; ++block) {
    std::memcpy(data, scale.bytes.data() + block * 2, 2);
    std::memcpy(data + 2, packed.bytes.data() + block * 16, 16);
    data += sizeof(BlockInt4);
  }
  return result;
}

Logical int4(const std::string& name, const RawTensor& packed, const RawTensor* scale,
             const RawTensor* shape, bool zero_points) {
  if (scale == nullptr || shape == nullptr) {
    fail(ErrorKind::format, "{}: a packed INT4 weight without {}", at(packed),
         scale == nullptr ? name + "_scale" : name + "_shape");
  }
  const Sizes sizes = shape_values(*shape);
  Logical result = {name,
                    {Format::int4_g32, sizes, packed.file},
                    nullptr,
                    {packed.name, scale->name, shape->name}};
  const auto refuse = [&](std::string why) {
    result.entry.format = Format::f32;
    result.entry.sizes = packed.sizes;
    result.entry.refusal = std::move(why);
    return result;
  };
  if (zero_points) return refuse("INT4 with zero points; only symmetric INT4 is read");
  if (packed.dtype != "I32" || packed.sizes.size() != 2) {
    return refuse(fmt::format("packed weights of {} {}, expected I32 [out, in / 8]", packed.dtype,
                              to_string(packed.sizes)));
  }
  if (sizes[0] != packed.sizes[0] || sizes[1] < 0 || sizes[1] / 8 != packed.sizes[1] ||
      sizes[1] % 8 != 0) {
    return refuse(
        fmt::format("packed words of shape {} for a weight of shape {}: not 4 bits per value",
                    to_string(packed.sizes), to_string(sizes)));
  }
  if (scale->dtype != "BF16")
    return refuse(fmt::format("INT4 scales of type {}, expected BF16", scale->dtype));
  if (sizes[1] % 32 != 0 || scale->sizes != Sizes{sizes[0], sizes[1] / 32}) {
    return refuse(
        fmt::format("INT4 scales of shape {} for a weight of shape {}; only groups of 32 are read",
                    to_string(scale->sizes), to_string(sizes)));
  }
  element_count(sizes, at(packed));
  result.make = [packed, scale = *scale, sizes] { return make_int4(packed, scale, sizes); };
  return result;
}

}  // namespace

std::vector<Logical> find_composites(const RawTensors& raw, Fp8Blocks blocks) {
  std::vector<Logical> found;
  for (const auto& [name, slices] : raw) {
    const RawTensor* t = single(raw, name);
    if (t == nullptr) continue;
    const auto sibling = [&, stem = name](const char* tail) { return single(raw, stem + tail); };
    if (t->dtype == "F8_E4M3") {
      const RawTensor* scale = sibling("_scale_inv");
      if (scale == nullptr) scale = sibling("_scale");
      if (scale != nullptr) found.push_back(fp8(*t, *scale, blocks));
    } else if (t->dtype == "U8" && (ends_with(name, "_blocks") || ends_with(name, ".blocks"))) {
      const std::string base = name.substr(0, name.size() - 7);
      const RawTensor* scales = single(raw, base + name[base.size()] + "scales");
      if (scales != nullptr && scales->dtype == "U8") found.push_back(mxfp4(base, *t, *scales));
    } else if (ends_with(name, "weight_packed")) {
      const std::string base = name.substr(0, name.size() - 7);
      found.push_back(int4(base, *t, single(raw, base + "_scale"), single(raw, base + "_shape"),
                           single(raw, base + "_zero_point") != nullptr));
    }
  }
  return found;
}

namespace {

/// Doubles as float32. Error where one is beyond their range.
Tensor narrowed(const RawTensor& raw) {
  std::byte* data = nullptr;
  Tensor result = make_tensor(Format::f32, raw.sizes, &data);
  auto* out = reinterpret_cast<float*>(data);
  for (int64_t i = 0; i < result.elements(); ++i) {
    double wide = 0;
    std::memcpy(&wide, raw.bytes.data() + i * 8, sizeof(wide));
    out[i] = static_cast<float>(wide);
    if (std::isfinite(wide) && !std::isfinite(out[i])) {
      fail(ErrorKind::unsupported, "{}: the value {:.6g} of F64 is beyond the range of float32",
           at(raw), wide);
    }
  }
  return result;
}

}  // namespace

Logical plain(const RawTensor& raw) {
  if (raw.dtype == "F64") {
    const auto make = [raw] { return narrowed(raw); };
    return {raw.name, {Format::f32, raw.sizes, raw.file}, make, {raw.name}};
  }
  const auto format = format_of_dtype(raw.dtype);
  if (!format) {
    return refused(
        raw, raw.dtype == "F8_E4M3"
                 ? std::string("F8_E4M3 without scales (expected <name>_scale_inv or <name>_scale)")
                 : fmt::format("{} is not read as a weight", raw.dtype));
  }
  const auto make = [raw, f = *format] {
    return aligned({f, raw.sizes, raw.bytes.data(), raw.owner});
  };
  return {raw.name, {*format, raw.sizes, raw.file}, make, {raw.name}};
}

Logical concatenated(const std::vector<RawTensor>& slices) {
  const RawTensor& first = slices.front();
  const auto format = format_of_dtype(first.dtype);
  if (!format) return refused(first, fmt::format("slices of {} are not read", first.dtype));
  for (const RawTensor& s : slices) {
    if (s.dtype != first.dtype || s.sizes != first.sizes) {
      fail(ErrorKind::format, "{}: slice of {} {}, but {} holds one of {} {}", at(s), s.dtype,
           to_string(s.sizes), first.file, first.dtype, to_string(first.sizes));
    }
  }
  const bool copies = std::all_of(slices.begin(), slices.end(), [&](const RawTensor& s) {
    return s.sizes.size() < 2 &&
           std::equal(s.bytes.begin(), s.bytes.end(), first.bytes.begin(), first.bytes.end());
  });
  if (copies) return plain(first);  // a norm, whole on every rank

  std::string_view stem = first.name;
  if (ends_with(stem, ".weight")) stem.remove_suffix(7);
  const bool by_columns =
      first.sizes.size() >= 2 &&
      (ends_with(stem, ".w2") || ends_with(stem, ".down_proj") || ends_with(stem, ".o_proj"));
  const auto ranks = static_cast<int64_t>(slices.size());
  Sizes sizes = first.sizes;
  if (sizes.empty()) sizes = {1};
  const size_t axis = by_columns ? sizes.size() - 1 : 0;
  if (__builtin_mul_overflow(sizes[axis], ranks, &sizes[axis])) {
    fail(ErrorKind::format, "{}: shape {} is too large", at(first), to_string(first.sizes));
  }
  element_count(sizes, at(first));
  // Runs of bytes that alternate between the slices: whole slices, or rows.
  const int64_t runs = by_columns ? rows_of(sizes) : 1;
  const auto make = [slices, sizes, runs, f = *format] {
    std::byte* out = nullptr;
    Tensor result = make_tensor(f, sizes, &out);
    const size_t run = runs == 0 ? 0 : slices.front().bytes.size() / static_cast<size_t>(runs);
    for (size_t r = 0; r < static_cast<size_t>(runs) && run > 0; ++r) {
      for (const RawTensor& s : slices) {
        std::memcpy(out, s.bytes.data() + r * run, run);
        out += run;
      }
    }
    return result;
  };
  return {first.name, {*format, sizes, first.file}, make, {first.name}};
}

}  // namespace ashlar
