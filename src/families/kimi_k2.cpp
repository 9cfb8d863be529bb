// Kimi K2: DeepSeek-V3's shape with more and sparser experts, half the heads, one dense layer. Its
// config says kimi_k2, which Transformers knows as deepseek_v3.
#include "families/deepseek_v3.h"

const ashlar::Family ashlar::kKimiK2{.name = "kimi_k2",
                                     .model_types = {"kimi_k2", "kimi_k25"},
                                     .architectures = {"DeepseekV3ForCausalLM"},
                                     .gguf = "deepseek2",
                                     // GGUF files do not tell them apart from DeepSeek-V3's.
                                     .claims = [](const GgufKeys&) { return false; },
                                     .written_type = "deepseek_v3",
                                     .pre = "kimi-k2",
                                     .visit = deepseek_v3::visit,
                                     .names = deepseek_v3::names};
