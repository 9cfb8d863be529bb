// The table of formats.
#include "tensor/format.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/error.h"
#include "tensor/blocks.h"

namespace ashlar {
namespace {

constexpr std::array<FormatInfo, kFormats> kTable = {{
    {"f32", 1, 4, true, f32_copy, f32_store},
    {"f16", 1, 2, true, f16_dequantise, f16_quantise},
    {"bf16", 1, 2, true, bf16_dequantise, bf16_quantise},
    {"q4_0", 32, 18, false, q4_0_dequantise, q4_0_quantise},
    {"q4_1", 32, 20, false, q4_1_dequantise, q4_1_quantise},
    {"q5_0", 32, 22, false, q5_0_dequantise, q5_0_quantise},
    {"q5_1", 32, 24, false, q5_1_dequantise, q5_1_quantise},
    {"q8_0", 32, 34, false, q8_0_dequantise, q8_0_quantise},
    {"q2_k", 256, 84, false, q2_k_dequantise, q2_k_quantise},
    {"q3_k", 256, 110, false, q3_k_dequantise, q3_k_quantise},
    {"q4_k", 256, 144, false, q4_k_dequantise, q4_k_quantise},
    {"q5_k", 256, 176, false, q5_k_dequantise, q5_k_quantise},
    {"q6_k", 256, 210, false, q6_k_dequantise, q6_k_quantise},
    {"iq4_nl", 32, 18, false, iq4_nl_dequantise, iq4_nl_quantise},
    {"iq4_xs", 256, 136, false, iq4_xs_dequantise, iq4_xs_quantise},
    {"mxfp4", 32, 17, false, mxfp4_dequantise, mxfp4_quantise},
    {"fp8_b128", 128, 132, false, fp8_dequantise, nullptr},
    {"int4_g32", 32, 18, false, int4_dequantise, nullptr},
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
