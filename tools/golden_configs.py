"""Configurations of tools/golden.py: for every family at least three that switch its options.

Each is (name, model class, config keys, options). Options: `published` writes config.json with the keys
of the hub's files instead of Transformers' own; `grad` False leaves gradients out; `boundaries` are the
lengths at which a window, chunk or temperature step begins to matter; `extra` names extra tensors.
"""

SIZES = dict(vocab_size=80, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=None)


def rope(theta, **scaling):
    return {"rope_theta": theta, "rope_type": scaling.pop("kind", "default"), **scaling}


def yarn(theta, factor, original=32, **more):
    return rope(theta, kind="yarn", factor=factor, original_max_position_embeddings=original, beta_fast=32.0,
                beta_slow=1.0, **more)


LLAMA3 = dict(kind="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)
LATENT = dict(num_key_value_heads=4, kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=8, qk_rope_head_dim=8,
              v_head_dim=12, moe_intermediate_size=10, n_routed_experts=8, num_experts_per_tok=2,
              n_shared_experts=1, first_k_dense_replace=1)
GROUPS = dict(n_group=4, topk_group=2, num_experts_per_tok=3)
TINY_VISION = {
    "siglip": dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=8,
                   patch_size=4, vision_use_head=False, model_type="siglip_vision_model"),
    "pixtral": dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, head_dim=8,
                    image_size=8, patch_size=4, model_type="pixtral"),
    "llama4": dict(hidden_size=8, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1, image_size=8,
                   patch_size=4, vision_output_dim=8, projector_input_dim=8, projector_output_dim=8),
}


def sized(**keys):
    return {**SIZES, **keys}


def gpt2(**keys):
    return dict(vocab_size=80, n_positions=40, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2,
                **keys)


MODELS = [
    # GPT-2: context exactly as long as the sequence; other widths; scores by layer.
    ("gpt2_tied", "GPT2LMHeadModel", gpt2(), dict(grad=True, published=True)),
    ("gpt2_inner_untied", "GPT2LMHeadModel", gpt2(n_inner=40, scale_attn_weights=False, tie_word_embeddings=False),
     {}),
    ("gpt2_by_layer", "GPT2LMHeadModel", gpt2(scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True),
     {}),

    ("llama_31_scaling", "LlamaForCausalLM", sized(rope_parameters=rope(500000.0, **LLAMA3)),
     dict(grad=True, published=True)),
    ("llama_tied_wide_heads", "LlamaForCausalLM",
     sized(head_dim=16, num_key_value_heads=4, tie_word_embeddings=True,
           rope_parameters=rope(10000.0, kind="linear", factor=2.0)), dict(grad=True)),
    ("llama_biases_one_kv_head", "LlamaForCausalLM",
     sized(num_key_value_heads=1, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-5,
           rope_parameters=rope(500000.0)), {}),
    ("llama_yarn", "LlamaForCausalLM", sized(num_attention_heads=2, num_key_value_heads=2,
                                              rope_parameters=yarn(10000.0, 4.0)), {}),

    ("mistral_window", "MistralForCausalLM", sized(sliding_window=8, rope_parameters=rope(10000.0)),
     dict(grad=True, published=True, boundaries=[7, 8, 9, 16, 17])),
    ("mistral_no_window", "MistralForCausalLM", sized(sliding_window=None, head_dim=12,
                                                       rope_parameters=rope(1e9)), {}),
    ("mistral_one_kv_head", "MistralForCausalLM", sized(sliding_window=16, num_key_value_heads=1,
                                                         tie_word_embeddings=True, rope_parameters=rope(1e6)),
     dict(boundaries=[15, 16, 17, 32, 33])),
    ("mistral3_multimodal", "Mistral3ForConditionalGeneration",
     dict(text=sized(sliding_window=None, head_dim=16, rope_parameters=rope(1e9), model_type="mistral"),
          vision=TINY_VISION["pixtral"], image_token_index=3, tie_word_embeddings=False), {}),

    ("olmo2_all_heads", "Olmo2ForCausalLM", sized(num_key_value_heads=4, rope_parameters=rope(500000.0)),
     dict(grad=True, published=True)),
    ("olmo2_grouped", "Olmo2ForCausalLM", sized(rms_norm_eps=1e-6, num_key_value_heads=2, attention_bias=True,
                                                rope_parameters=rope(10000.0)), dict(grad=True)),
    ("olmo2_one_kv_head_tied", "Olmo2ForCausalLM",
     sized(num_key_value_heads=1, tie_word_embeddings=True, rope_parameters=yarn(500000.0, 8.0)), {}),

    ("gemma3_six_layers", "Gemma3ForCausalLM",
     sized(num_hidden_layers=7, intermediate_size=24, head_dim=12, sliding_window=8, query_pre_attn_scalar=12,
           num_key_value_heads=1,
           rope_parameters={"full_attention": rope(1e6, kind="linear", factor=8.0),
                            "sliding_attention": rope(1e4)}),
     dict(grad=True, published=True, boundaries=[7, 8, 9, 16, 17])),
    ("gemma3_pattern_softcap", "Gemma3ForCausalLM",
     sized(num_hidden_layers=3, head_dim=8, sliding_window=5, query_pre_attn_scalar=8, final_logit_softcapping=6.0,
           layer_types=["full_attention", "sliding_attention", "full_attention"],
           rope_parameters={"full_attention": rope(1e6), "sliding_attention": rope(1e4)}),
     dict(boundaries=[4, 5, 6, 10, 11])),
    ("gemma3_biases_untied", "Gemma3ForCausalLM",
     sized(num_hidden_layers=3, head_dim=16, sliding_window=16, query_pre_attn_scalar=21, attention_bias=True,
           tie_word_embeddings=False, layer_types=["sliding_attention", "sliding_attention", "full_attention"],
           rope_parameters={"full_attention": rope(2e5), "sliding_attention": rope(5e3)}),
     dict(boundaries=[15, 16, 17, 32, 33])),
    ("gemma3_multimodal", "Gemma3ForConditionalGeneration",
     dict(text=sized(num_hidden_layers=3, head_dim=8, sliding_window=8, query_pre_attn_scalar=12,
                     layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                     rope_parameters={"full_attention": rope(1e6, kind="linear", factor=8.0),
                                      "sliding_attention": rope(1e4)}),
          vision=TINY_VISION["siglip"], mm_tokens_per_image=4, image_token_index=3, boi_token_index=4,
          eoi_token_index=5), dict(grad=True, boundaries=[7, 8, 9, 16, 17])),

    ("qwen3_tied", "Qwen3ForCausalLM", sized(head_dim=16, tie_word_embeddings=True, rope_parameters=rope(1e6)),
     dict(grad=True, published=True)),
    ("qwen3_late_window", "Qwen3ForCausalLM",
     sized(head_dim=8, use_sliding_window=True, sliding_window=8, max_window_layers=1, rope_parameters=rope(1e6)),
     dict(boundaries=[7, 8, 9, 16, 17])),
    ("qwen3_biases_yarn", "Qwen3ForCausalLM",
     sized(head_dim=12, num_key_value_heads=1, attention_bias=True, rope_parameters=yarn(1e6, 4.0)), dict(grad=True)),

    ("qwen3_moe_normalised", "Qwen3MoeForCausalLM",
     sized(head_dim=8, num_experts=8, num_experts_per_tok=3, moe_intermediate_size=8, norm_topk_prob=True,
           rope_parameters=rope(1e6)), dict(grad=True, published=True)),
    ("qwen3_moe_every_second", "Qwen3MoeForCausalLM",
     sized(head_dim=16, num_hidden_layers=4, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=8,
           norm_topk_prob=False, decoder_sparse_step=2, mlp_only_layers=[3], rope_parameters=rope(1e6)),
     dict(grad=True)),
    ("qwen3_moe_one_expert", "Qwen3MoeForCausalLM",
     sized(head_dim=8, num_experts=4, num_experts_per_tok=1, moe_intermediate_size=8, attention_bias=True,
           use_sliding_window=True, sliding_window=8, tie_word_embeddings=True, rope_parameters=rope(1e7)),
     dict(boundaries=[7, 8, 9, 16, 17])),

    ("smollm3_interval", "SmolLM3ForCausalLM", sized(num_hidden_layers=5, intermediate_size=24,
                                                      rope_parameters=rope(5e6)), dict(grad=True, published=True)),
    ("smollm3_listed_untied", "SmolLM3ForCausalLM",
     sized(num_hidden_layers=3, no_rope_layers=[0, 1, 1], tie_word_embeddings=False, attention_bias=True, mlp_bias=True,
           rope_parameters=rope(2e6)), {}),
    ("smollm3_window_yarn", "SmolLM3ForCausalLM",
     sized(num_hidden_layers=3, no_rope_layer_interval=2, use_sliding_window=True, sliding_window=8, rope_parameters=yarn(5e6, 2.0)),
     dict(grad=True, boundaries=[7, 8, 9, 16, 17])),

    ("deepseek_v2_lite", "DeepseekV2ForCausalLM",
     sized(**{**LATENT, "q_lora_rank": None, "n_shared_experts": 2, "num_experts_per_tok": 3}, topk_method="greedy",
           n_group=1, topk_group=1, rope_parameters=yarn(10000.0, 40.0, mscale=0.707, mscale_all_dim=0.707)),
     dict(grad=True, published=True)),
    ("deepseek_v2_groups", "DeepseekV2ForCausalLM",
     sized(**{**LATENT, **GROUPS, "first_k_dense_replace": 2}, num_hidden_layers=3, topk_method="group_limited_greedy",
           routed_scaling_factor=16.0, rope_parameters=yarn(10000.0, 40.0, mscale=1.0, mscale_all_dim=0.707)),
     dict(grad=True)),
    ("deepseek_v2_plain_normalised", "DeepseekV2ForCausalLM",
     sized(**{**LATENT, "first_k_dense_replace": 0}, num_hidden_layers=2, topk_method="greedy", attention_bias=True,
           norm_topk_prob=True, routed_scaling_factor=3.0, n_group=1, topk_group=1, rope_parameters=rope(10000.0)),
     {}),

    ("deepseek_v3_groups", "DeepseekV3ForCausalLM",
     sized(**LATENT | GROUPS, routed_scaling_factor=2.5,
           rope_parameters=yarn(10000.0, 40.0, mscale=1.0, mscale_all_dim=1.0)), dict(grad=True, published=True)),
    ("deepseek_v3_three_dense", "DeepseekV3ForCausalLM",
     sized(**LATENT | dict(q_lora_rank=None, first_k_dense_replace=3, n_shared_experts=2, v_head_dim=16),
           num_hidden_layers=4, n_group=1, topk_group=1, norm_topk_prob=False, attention_bias=True,
           rope_interleave=False, rope_parameters=rope(10000.0)), dict(grad=True)),
    ("deepseek_v3_negative_bias", "DeepseekV3ForCausalLM",
     sized(**LATENT | GROUPS | dict(topk_group=1, num_experts_per_tok=2), num_mtp_layers=0,
           rope_parameters=yarn(50000.0, 32.0, mscale=1.0, mscale_all_dim=0.5)), dict(correction=-0.9)),
    ("deepseek_v3_mtp", "DeepseekV3ForCausalLM",
     sized(**LATENT | GROUPS, num_hidden_layers=2, num_mtp_layers=1,
           rope_parameters=yarn(10000.0, 40.0, mscale=1.0, mscale_all_dim=1.0)),
     dict(grad=True, published=True, extra="mtp")),

    ("kimi_k2_beta_one", "DeepseekV3ForCausalLM",
     sized(**LATENT | dict(num_experts_per_tok=3, n_routed_experts=12), n_group=1, topk_group=1, num_mtp_layers=0,
           routed_scaling_factor=2.827,
           rope_parameters=yarn(50000.0, 32.0, mscale=1.0, mscale_all_dim=1.0) | {"beta_fast": 1.0}),
     dict(grad=True, published=True, kimi=True)),
    ("kimi_k2_thinking", "DeepseekV3ForCausalLM",
     sized(**LATENT | dict(num_experts_per_tok=4, n_routed_experts=12), n_group=1, topk_group=1, num_mtp_layers=0,
           routed_scaling_factor=2.827, rms_norm_eps=1e-5,
           rope_parameters=yarn(50000.0, 64.0, mscale=1.0, mscale_all_dim=1.0)),
     dict(published=True, kimi=True)),
    ("kimi_k2_dense_only_first", "DeepseekV3ForCausalLM",
     sized(**LATENT | dict(num_attention_heads=2, num_key_value_heads=2, n_shared_experts=1), num_hidden_layers=2,
           n_group=1, topk_group=1, num_mtp_layers=0, routed_scaling_factor=1.0, rope_parameters=rope(50000.0)),
     dict(published=True, kimi=True)),

    ("llama4_scout", "Llama4ForCausalLM",
     sized(num_hidden_layers=4, intermediate_size=16, intermediate_size_mlp=24, head_dim=8, num_local_experts=4,
           attention_chunk_size=8, floor_scale=16, attn_scale=0.1, use_qk_norm=True, interleave_moe_layer_step=1,
           rope_parameters=rope(500000.0, kind="llama3", factor=16.0, low_freq_factor=1.0, high_freq_factor=1.0,
                                original_max_position_embeddings=64)),
     dict(grad=True, published=True, boundaries=[7, 8, 9, 15, 16, 17])),
    ("llama4_maverick", "Llama4ForCausalLM",
     sized(num_hidden_layers=4, intermediate_size=16, intermediate_size_mlp=40, head_dim=8, num_local_experts=8,
           attention_chunk_size=16, floor_scale=8, attn_scale=0.3, use_qk_norm=False, interleave_moe_layer_step=2,
           rope_parameters=rope(500000.0)), dict(grad=True, boundaries=[7, 8, 15, 16, 17, 32, 33])),
    ("llama4_listed", "Llama4ForCausalLM",
     sized(num_hidden_layers=3, intermediate_size=16, intermediate_size_mlp=24, head_dim=12, num_local_experts=4,
           num_experts_per_tok=2, attention_chunk_size=5, attn_temperature_tuning=False, attention_bias=True,
           no_rope_layers=[1, 0, 1], moe_layers=[0, 2], tie_word_embeddings=True, rope_parameters=rope(10000.0)),
     dict(boundaries=[4, 5, 6, 10, 11])),
    ("llama4_multimodal", "Llama4ForConditionalGeneration",
     dict(text=sized(num_hidden_layers=4, intermediate_size=16, intermediate_size_mlp=24, head_dim=8,
                     num_local_experts=2, attention_chunk_size=8, floor_scale=8, interleave_moe_layer_step=2,
                     rope_parameters=rope(500000.0)),
          vision=TINY_VISION["llama4"], image_token_index=3, boi_token_index=4, eoi_token_index=5),
     dict(boundaries=[7, 8, 9, 16, 17])),

    ("gpt_oss_yarn", "GptOssForCausalLM",
     sized(num_hidden_layers=2, intermediate_size=32, head_dim=16, num_local_experts=6, num_experts_per_tok=4,
           sliding_window=8, rope_parameters=yarn(150000.0, 32.0, original=64, truncate=False)),
     dict(grad=True, published=True, boundaries=[7, 8, 9, 16, 17])),
    ("gpt_oss_clamped", "GptOssForCausalLM",
     sized(num_hidden_layers=3, intermediate_size=24, head_dim=8, num_local_experts=4, num_experts_per_tok=2,
           sliding_window=5, swiglu_limit=0.8, layer_types=["full_attention", "sliding_attention", "full_attention"],
           rope_parameters=rope(150000.0)), dict(grad=True, boundaries=[4, 5, 6, 10, 11])),
    ("gpt_oss_one_kv_head", "GptOssForCausalLM",
     sized(num_hidden_layers=2, intermediate_size=16, head_dim=12, num_key_value_heads=1, num_local_experts=4,
           num_experts_per_tok=1, sliding_window=16, tie_word_embeddings=True,
           rope_parameters=yarn(150000.0, 4.0, original=32, truncate=True)), dict(boundaries=[15, 16, 17, 32])),

    ("glm4_moe_qk_norm", "Glm4MoeForCausalLM",
     sized(head_dim=16, num_hidden_layers=4, first_k_dense_replace=3, n_routed_experts=8, num_experts_per_tok=3,
           moe_intermediate_size=8, n_shared_experts=1, use_qk_norm=True, attention_bias=True,
           routed_scaling_factor=2.5, rope_parameters=rope(1e6, partial_rotary_factor=0.5), num_mtp_layers=0),
     dict(grad=True, published=True)),
    ("glm4_moe_groups", "Glm4MoeForCausalLM",
     sized(head_dim=16, num_hidden_layers=2, first_k_dense_replace=1, n_routed_experts=8, moe_intermediate_size=8, n_shared_experts=2,
           **GROUPS, norm_topk_prob=False, use_qk_norm=False, attention_bias=False,
           rope_parameters=rope(1e6, partial_rotary_factor=0.25)), dict(grad=True)),
    ("glm4_moe_mtp", "Glm4MoeForCausalLM",
     sized(head_dim=8, num_hidden_layers=2, first_k_dense_replace=1, n_routed_experts=8, num_experts_per_tok=2,
           moe_intermediate_size=8, n_shared_experts=1, use_qk_norm=False, attention_bias=True, num_key_value_heads=1,
           rope_parameters=rope(1e6, partial_rotary_factor=0.5), num_mtp_layers=1),
     dict(published=True, extra="mtp")),
]
