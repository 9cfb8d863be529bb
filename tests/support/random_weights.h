// Random but valid weights of any format: every block byte random, scales of a sane size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "tensor/format.h"
#include "tensor/scalar.h"

namespace ashlar::test {

/// `rows` rows of `cols` values, packed; the buffer ends exactly where the last row does.
inline std::vector<std::byte> random_weights(Format format, int64_t rows, int64_t cols,
                                             uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1);
  std::uniform_real_distribution<float> positive(0.002f, 0.02f);
  std::vector<std::byte> bytes(static_cast<size_t>(rows * row_bytes(format, cols)));
  const auto put16 = [](std::byte* p, uint16_t v) { std::memcpy(p, &v, 2); };
  const auto scale = [&](std::byte* p) {
    put16(p, f32_to_f16(random() % 2 ? positive(random) : -positive(random)));
  };
  const FormatInfo& f = info(format);
  for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(f.block_bytes)) {
    std::byte* b = bytes.data() + at;
    for (int i = 0; i < f.block_bytes; ++i) b[i] = static_cast<std::byte>(random());
    const float value = normal(random);
    switch (format) {
      case Format::f32:
        std::memcpy(b, &value, 4);
        break;
      case Format::f16:
        put16(b, f32_to_f16(value));
        break;
      case Format::bf16:
        put16(b, f32_to_bf16(value));
        break;
      case Format::q4_0:
      case Format::q5_0:
      case Format::q8_0:
      case Format::iq4_nl:
      case Format::iq4_xs:
        scale(b);
        break;
      case Format::q4_1:
      case Format::q5_1:
      case Format::q4_k:
      case Format::q5_k:
        scale(b), scale(b + 2);
        break;
      case Format::q2_k:
        scale(b + 80), scale(b + 82);
        break;
      case Format::q3_k:
        scale(b + 108);
        break;
      case Format::q6_k:
        scale(b + 208);
        break;
      case Format::mxfp4:
        b[0] = static_cast<std::byte>(118 + random() % 8);
        break;
      case Format::fp8_b128: {
        const float d = positive(random);
        std::memcpy(b, &d, 4);
        for (int i = 4; i < 132; ++i)  // no NaN
          if ((b[i] & std::byte{0x7f}) == std::byte{0x7f}) b[i] = std::byte{0x11};
        break;
      }
      case Format::int4_g32:
        put16(b, f32_to_bf16(positive(random)));
        break;
      case Format::count_:
        break;
    }
  }
  return bytes;
}

inline std::vector<float> random_values(int64_t n, uint32_t seed, float size = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, size);
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = normal(random);
  return v;
}

/// 64-byte aligned bytes whose last one is followed by memory that asan watches.
class Aligned {
 public:
  explicit Aligned(int64_t bytes) : bytes_(static_cast<size_t>((bytes + 63) / 64 * 64)) {
    data_ = static_cast<std::byte*>(::operator new (bytes_ + 1, std::align_val_t{64}));
    std::memset(data_, 0xff, bytes_ + 1);  // NaN, as any float
  }
  Aligned(const Aligned&) = delete;
  ~Aligned() { ::operator delete (data_, std::align_val_t{64}); }
  std::byte* data() { return data_; }

 private:
  size_t bytes_;
  std::byte* data_;
};

}  // namespace ashlar::test
