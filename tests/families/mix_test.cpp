// The choice of formats against files that llama.cpp quantised, and against its rule spelled out.
#include "families/mix.h"

#include <gtest/gtest.h>

#include <sstream>

#include "support/scratch.h"

namespace ashlar {
namespace {

// Lines "name format [sizes]" of a file that llama.cpp wrote.
struct Listing {
  std::vector<MixTensor> tensors;
  std::vector<std::string> formats;
};

Listing read_listing(const std::string& name) {
  Listing listing;
  std::istringstream in(bytes_of(kGolden / name));
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    MixTensor tensor;
    std::string format;
    words >> tensor.name >> format;
    words.ignore(2);  // " ["
    for (int64_t size; words >> size; words.ignore(1)) tensor.sizes.push_back(size);
    listing.tensors.push_back(tensor);
    listing.formats.push_back(format);
  }
  return listing;
}

void expect_as_listed(const std::string& file, const char* mix, int layers) {
  const Listing listing = read_listing(file);
  const auto found = mix_formats(*mix_named(mix), listing.tensors, {.layers = layers});
  ASSERT_GT(found.size(), 200u);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(info(found[i]).name, listing.formats[i]) << listing.tensors[i].name;
  }
}

TEST(Mix, Gemma3AsPublished) {  // rows of 640: every K-quant of them falls back
  expect_as_listed("mix_gemma3_270m_q4_k_m.txt", "q4_k_m", 18);
}

TEST(Mix, SmolLm2AsPublished) { expect_as_listed("mix_smollm2_135m_q4_1.txt", "Q4_1", 30); }

std::vector<MixTensor> llama(int layers, bool tied) {
  std::vector<MixTensor> tensors = {{"token_embd.weight", {32000, 2048}},
                                    {"output_norm.weight", {2048}}};
  if (!tied) tensors.push_back({"output.weight", {32000, 2048}});
  for (int i = 0; i < layers; ++i) {
    const std::string layer = fmt::format("blk.{}.", i);
    tensors.push_back({layer + "attn_v.weight", {512, 2048}});
    tensors.push_back({layer + "attn_k.weight", {512, 2048}});
    tensors.push_back({layer + "attn_output.weight", {2048, 2048}});
    tensors.push_back({layer + "ffn_down.weight", {2048, 8192}});
    tensors.push_back({layer + "ffn_gate_inp.weight", {8, 2048}});
  }
  return tensors;
}

std::string format_of(const std::vector<MixTensor>& tensors, const std::vector<Format>& formats,
                      const std::string& name) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == name) return std::string(info(formats[i]).name);
  }
  return "absent";
}

TEST(Mix, MediumRaisesTheFirstTheLastAndEveryThirdLayer) {
  const auto tensors = llama(32, false);
  const auto formats = mix_formats(*mix_named("q4_k_m"), tensors, {.layers = 32});
  for (int i = 0; i < 32; ++i) {
    const bool raised = i < 4 || i >= 28 || (i - 4) % 3 == 2;
    const std::string layer = fmt::format("blk.{}.", i);
    EXPECT_EQ(format_of(tensors, formats, layer + "attn_v.weight"), raised ? "q6_k" : "q4_k") << i;
    EXPECT_EQ(format_of(tensors, formats, layer + "ffn_down.weight"), raised ? "q6_k" : "q4_k")
        << i;
    EXPECT_EQ(format_of(tensors, formats, layer + "attn_k.weight"), "q4_k");
    EXPECT_EQ(format_of(tensors, formats, layer + "ffn_gate_inp.weight"), "f32");
  }
  EXPECT_EQ(format_of(tensors, formats, "output.weight"), "q6_k");
  EXPECT_EQ(format_of(tensors, formats, "token_embd.weight"), "q4_k");
  EXPECT_EQ(format_of(tensors, formats, "output_norm.weight"), "f32");
}

TEST(Mix, TiedEmbeddingsAreAnOutput) {
  const auto tensors = llama(4, true);
  const auto of = [&](const char* mix) {
    return format_of(tensors, mix_formats(*mix_named(mix), tensors, {.layers = 4}),
                     "token_embd.weight");
  };
  EXPECT_EQ(of("q4_0"), "q6_k");
  EXPECT_EQ(of("q8_0"), "q8_0");
  EXPECT_EQ(of("f16"), "f16");
}

TEST(Mix, EightExpertsRaiseAttention) {
  const auto tensors = llama(8, false);
  const auto formats = mix_formats(*mix_named("q4_k_m"), tensors, {.layers = 8, .experts = 8});
  EXPECT_EQ(format_of(tensors, formats, "blk.1.attn_v.weight"), "q8_0");
  EXPECT_EQ(format_of(tensors, formats, "blk.1.attn_k.weight"), "q8_0");
  EXPECT_EQ(format_of(tensors, formats, "blk.1.attn_output.weight"), "q5_k");
}

TEST(Mix, ExpertLayersAreReadFromNames) {
  std::vector<MixTensor> tensors;
  for (int i = 0; i < 16;
       ++i) {  // two down projections a layer: counting them would give other layers
    tensors.push_back({fmt::format("blk.{}.ffn_down_exps.weight", i), {64, 2048, 1024}});
    tensors.push_back({fmt::format("blk.{}.ffn_down_shexp.weight", i), {2048, 1024}});
  }
  const auto formats = mix_formats(*mix_named("q5_k_m"), tensors, {.layers = 16, .experts = 64});
  for (int i = 0; i < 16; ++i) {
    const char* expected = i < 2 || i >= 14 || (i - 2) % 3 == 2 ? "q6_k" : "q5_k";
    EXPECT_EQ(info(formats[static_cast<size_t>(i) * 2]).name, expected) << i;
    EXPECT_EQ(info(formats[static_cast<size_t>(i) * 2 + 1]).name, expected) << i;
  }
}

TEST(Mix, Names) {
  EXPECT_EQ(mix_file_type(*mix_named("q4_k_m")), 15u);
  EXPECT_EQ(mix_file_type(*mix_named("Q5_K_M")), 17u);
  EXPECT_EQ(mix_file_type(*mix_named("bf16")), 32u);
  EXPECT_FALSE(mix_named("q6_k_m"));
  EXPECT_FALSE(mix_named("q4_k_l"));
  EXPECT_FALSE(mix_named("int4_g32"));
  EXPECT_FALSE(mix_named(""));
}

}  // namespace
}  // namespace ashlar
