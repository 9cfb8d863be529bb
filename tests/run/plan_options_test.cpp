// What a plan may choose changes no logits: the form of latent attention, weights in panels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "run/engine.h"
#include "support/random_model.h"
#include "support/samples.h"

namespace ashlar {
namespace {

/// The engine runs the form of latent attention that its plan records.
TEST(PlanOptions, ExpandedLatentsGiveTheLogitsOfAbsorbedOnes) {
  const Blueprint bp = testing::deepseek_like();
  const Graph graph = graph_of(bp);
  const Weights weights = testing::random_weights(graph);
  const std::vector<TokenId> ids{3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
  std::vector<std::vector<float>> logits;
  std::vector<int64_t> state_bytes;
  for (const LatentForm form : {LatentForm::absorbed, LatentForm::expanded}) {
    Engine engine(graph, weights, {.threads = 2, .context = 64, .chunk = 4, .latents = form});
    EXPECT_EQ(engine.plan().options.latents, form);
    const ashlar::Run run{*engine.open(), ids, ashlar::Run::Logits::all};
    const auto found = engine.step({&run, 1});
    logits.emplace_back(found.begin(), found.end());
    state_bytes.push_back(engine.state_bytes());
  }
  ASSERT_EQ(logits[0].size(), logits[1].size());
  double largest = 0;
  for (const float v : logits[0]) largest = std::max(largest, std::fabs(static_cast<double>(v)));
  for (size_t i = 0; i < logits[0].size(); ++i)
    ASSERT_NEAR(logits[0][i], logits[1][i], 1e-5 * largest) << i;
  EXPECT_LT(state_bytes[0], state_bytes[1]);
}

/// Weights packed once give the logits of weights packed for every product, to the bit, on any
/// number of threads; the copies are counted, with bytes or without.
TEST(PlanOptions, PackedWeightsGiveTheSameLogits) {
  Blueprint bp = testing::gemma_like(7);
  bp.embedding.width = 64;  // whole blocks of quantised formats
  for (Block& block : bp.blocks) {
    std::get<AttentionPart>(block.mixer).head_dim = 16;
    std::get<DenseFfn>(block.ffn).width = 96;
  }
  const Graph graph = graph_of(bp);
  for (const Format format : {Format::f32, Format::f16, Format::bf16, Format::q8_0, Format::q4_1}) {
    const Weights weights = testing::random_weights(graph, 3, format);
    const Weights none =
        weightless(graph, [&](const Param& p) { return weights.at(p.name).format; });
    std::vector<TokenId> ids(200);
    for (size_t i = 0; i < ids.size(); ++i)
      ids[i] = static_cast<TokenId>(i * 7 % static_cast<size_t>(bp.embedding.vocab));
    std::map<bool, std::vector<float>> of_form;  // float32 rows, or as fast as can be
    for (const auto& [packed, f32_rows] :
         {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
      std::vector<float>& expected = of_form[f32_rows];
      for (const int threads : {1, 3, 16}) {
        const EngineOptions options{.threads = threads,
                                    .context = 256,
                                    .f32_activations = f32_rows,
                                    .packed_weights = packed,
                                    .state = Format::f16};
        Engine engine(graph, weights, options);
        const ashlar::Run run{*engine.open(), ids, ashlar::Run::Logits::all};
        const auto found = engine.step({&run, 1});
        const std::vector<float> logits(found.begin(), found.end());
        if (expected.empty()) expected = logits;
        EXPECT_EQ(logits, expected) << info(format).name << " " << packed << " " << threads;
        const BoundWeights& bound = engine.plan().weights;
        const auto forms = engine.plan().table->product_forms(format);
        const bool has_panels = std::any_of(
            forms.begin(), forms.end(), [f32 = f32_rows](const kernels::ProductForm& form) {
              return form.packing == kernels::Packing::panels &&
                     (!f32 || form.activation == kernels::Activation::f32);
            });
        EXPECT_EQ(bound.made_bytes(WeightForm::panels) > 0, packed && has_panels);
        EXPECT_EQ(engine_bytes(graph, none, options).copies, bound.made_bytes());
      }
    }
  }
}

}  // namespace
}  // namespace ashlar
