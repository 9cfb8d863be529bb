// The table of formats.
#include "tensor/format.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/error.h"
#include "tensor/blocks.h"

namespace ashlar {
namespace {

template <class Block, int kLen>
constexpr FormatInfo one_way(std::string_view name) {
  return {name, kLen, sizeof(Block), kLen == 1, dequantise<Block, kLen>, nullptr};
}
template <class Block, int kLen>
constexpr FormatInfo both_ways(std::string_view name) {
  FormatInfo f = one_way<Block, kLen>(name);
  f.from_f32 = quantise<Block, kLen>;
  return f;
}

constexpr std::array<FormatInfo, kFormats> kTable = {{
    both_ways<BlockF32, 1>("f32"),
    both_ways<BlockF16, 1>("f16"),
    both_ways<BlockBf16, 1>("bf16"),
    both_ways<BlockQ4_0, 32>("q4_0"),
    both_ways<BlockQ4_1, 32>("q4_1"),
    both_ways<BlockQ5_0, 32>("q5_0"),
    both_ways<BlockQ5_1, 32>("q5_1"),
    both_ways<BlockQ8_0, 32>("q8_0"),
    both_ways<BlockQ2K, kSuper>("q2_k"),
    both_ways<BlockQ3K, kSuper>("q3_k"),
    both_ways<BlockQ4K, kSuper>("q4_k"),
    both_ways<BlockQ5K, kSuper>("q5_k"),
    both_ways<BlockQ6K, kSuper>("q6_k"),
    both_ways<BlockIq4Nl, 32>("iq4_nl"),
    both_ways<BlockIq4Xs, kSuper>("iq4_xs"),
    both_ways<BlockMxfp4, 32>("mxfp4"),
    one_way<BlockFp8, 128>("fp8_b128"),
    one_way<BlockInt4, 32>("int4_g32"),
}};

}  // namespace

const FormatInfo& info(Format format) {
  const auto index = static_cast<size_t>(format);
  ASHLAR_ASSERT(index < kTable.size(), "formats come from the enum");
  return kTable[index];
}

std::string_view to_string(Format format) { return info(format).name; }

std::optional<Format> format_named(std::string_view name) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  for (size_t i = 0; i < kTable.size(); ++i) {
    const std::string_view known = kTable[i].name;
    if (std::equal(name.begin(), name.end(), known.begin(), known.end(), same)) {
      return static_cast<Format>(i);
    }
  }
  return std::nullopt;
}

}  // namespace ashlar
