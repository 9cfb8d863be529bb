// The wirings, one after the other.
#include "blueprint/wiring.h"

namespace ashlar {

const Norm& norm_of(const Wiring& wiring) {
  return std::visit([](const auto& w) -> const Norm& { return w.norm; }, wiring);
}

WiringForm form_of(const Wiring& wiring) {
  // In the order of the alternatives.
  static constexpr WiringForm kForms[] = {
      {{.before = true},
       "x + f(norm(x))",
       "normalises before attention and feed-forward",
       "Xiong et al. 2020, On Layer Normalization in the Transformer Architecture, section 3"},
      {{.on_stream = true},
       "norm(x + f(x))",
       "normalises after attention and feed-forward, on the residual stream itself",
       "Vaswani et al. 2017, Attention Is All You Need, section 3.1"},
      {{.after = true},
       "x + norm(f(x))",
       "normalises after attention and feed-forward, inside the residual",
       "OLMo Team 2024, 2 OLMo 2 Furious, section 2.1, eq. 1"},
      {{.before = true, .after = true},
       "x + norm(f(norm(x)))",
       "normalises before and after attention and feed-forward, inside the residual",
       "Ding et al. 2021, CogView, section 2; Gemma Team 2024, Gemma 2, section 2"},
      {{.before = true, .parallel = true},
       "x + attention(h) + ffn(h), h = norm(x)",
       "normalises once, for attention and feed-forward side by side",
       "Wang and Komatsuzaki 2021, GPT-J; Chowdhery et al. 2022, PaLM, section 2"}};
  static_assert(std::size(kForms) == std::variant_size_v<Wiring>);
  return kForms[wiring.index()];
}

}  // namespace ashlar
