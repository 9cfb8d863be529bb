"""Configurations of tools/golden.py, second part: the same form as golden_configs.MODELS."""
from golden_configs import LLAMA3, rope, sized, yarn


def longrope(theta, original, short, long, **more):
    return rope(theta, kind="longrope", original_max_position_embeddings=original, short_factor=short,
                long_factor=long, **more)


GRANITE = dict(embedding_multiplier=6.0, residual_multiplier=0.22, attention_multiplier=0.07, logits_scaling=3.0)


def granite4(**keys):
    return sized(num_local_experts=0, num_experts_per_tok=0, mamba_n_heads=2, **keys) | {
        "layer_types": ["attention"] * keys.get("num_hidden_layers", 2)}


MODELS = [
    ("qwen2_tied", "Qwen2ForCausalLM", sized(tie_word_embeddings=True, rope_parameters=rope(1e6)),
     dict(grad=True, published=True)),
    ("qwen2_late_window", "Qwen2ForCausalLM",
     sized(num_hidden_layers=3, intermediate_size=24, num_key_value_heads=1, use_sliding_window=True, sliding_window=8,
           max_window_layers=1, rms_norm_eps=1e-5, rope_parameters=rope(1e6)),
     dict(grad=True, boundaries=[7, 8, 9, 16, 17])),
    ("qwen2_yarn_all_heads", "Qwen2ForCausalLM", sized(num_key_value_heads=4, rope_parameters=yarn(1e6, 4.0)), {}),

    ("qwen2_moe_shared", "Qwen2MoeForCausalLM",
     sized(num_experts=8, num_experts_per_tok=3, moe_intermediate_size=8, shared_expert_intermediate_size=12,
           rope_parameters=rope(1e6)), dict(grad=True, published=True)),
    ("qwen2_moe_every_second", "Qwen2MoeForCausalLM",
     sized(num_hidden_layers=4, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=8,
           shared_expert_intermediate_size=20, norm_topk_prob=True, qkv_bias=False, decoder_sparse_step=2,
           mlp_only_layers=[3], rope_parameters=rope(1e4)), dict(grad=True)),
    ("qwen2_moe_windows", "Qwen2MoeForCausalLM",
     sized(num_hidden_layers=5, num_experts=4, num_experts_per_tok=1, moe_intermediate_size=8,
           shared_expert_intermediate_size=8, num_key_value_heads=1, use_sliding_window=True, sliding_window=8,
           max_window_layers=4, tie_word_embeddings=True, rope_parameters=rope(1e6)),
     dict(boundaries=[7, 8, 9, 16, 17])),

    ("mixtral_top_two", "MixtralForCausalLM",
     sized(intermediate_size=16, num_local_experts=4, num_experts_per_tok=2, rope_parameters=rope(1e6)),
     dict(grad=True, published=True)),
    ("mixtral_window_one_kv_head", "MixtralForCausalLM",
     sized(intermediate_size=12, num_local_experts=3, num_experts_per_tok=1, num_key_value_heads=1, sliding_window=8,
           tie_word_embeddings=True, rope_parameters=rope(1e4)), dict(grad=True, boundaries=[7, 8, 9, 16, 17])),
    ("mixtral_wide_heads", "MixtralForCausalLM",
     sized(intermediate_size=8, num_local_experts=8, num_experts_per_tok=3, head_dim=12, num_key_value_heads=4,
           rope_parameters=rope(1e6, kind="linear", factor=2.0)), {}),

    ("gemma2_caps", "Gemma2ForCausalLM",
     sized(num_hidden_layers=3, intermediate_size=24, head_dim=8, sliding_window=8, query_pre_attn_scalar=8,
           attn_logit_softcapping=2.0, final_logit_softcapping=3.0, rope_parameters=rope(1e4)),
     dict(grad=True, published=True, boundaries=[7, 8, 9, 16, 17])),
    ("gemma2_listed_biases_untied", "Gemma2ForCausalLM",
     sized(num_hidden_layers=3, head_dim=16, num_key_value_heads=1, sliding_window=5, query_pre_attn_scalar=12,
           attention_bias=True, tie_word_embeddings=False,
           layer_types=["full_attention", "sliding_attention", "sliding_attention"], rope_parameters=rope(2e5)),
     dict(grad=True, boundaries=[4, 5, 6, 10, 11])),
    ("gemma2_uncapped", "Gemma2ForCausalLM",
     sized(head_dim=12, num_key_value_heads=4, sliding_window=16, query_pre_attn_scalar=21,
           attn_logit_softcapping=None, final_logit_softcapping=None, rope_parameters=rope(1e4)),
     dict(boundaries=[15, 16, 17, 32, 33])),

    # LongRoPE: the sequences are shorter than the original context, or longer.
    ("phi3_short_table", "Phi3ForCausalLM",
     sized(original_max_position_embeddings=64, tie_word_embeddings=True,
           rope_parameters=longrope(1e4, 64, [1.0, 1.3, 1.1], [1.5, 4.0, 9.0], partial_rotary_factor=0.75)),
     dict(grad=True, published=True)),
    ("phi3_long_table", "Phi3ForCausalLM",
     sized(original_max_position_embeddings=16, num_key_value_heads=4,
           rope_parameters=longrope(1e4, 16, [1.0, 1.2, 1.4, 1.6], [1.1, 3.0, 6.0, 8.0])),
     dict(grad=True, published=True, boundaries=[15, 16, 17])),
    ("phi3_long_table_factors", "Phi3ForCausalLM",
     sized(original_max_position_embeddings=32, sliding_window=16, num_attention_heads=2, num_key_value_heads=2,
           rope_parameters=longrope(1e4, 32, [1.0] * 8, [1.0 + j / 2 for j in range(8)], attention_factor=1.3)),
     dict(boundaries=[15, 16, 17, 31, 32, 33])),
    ("phi3_window_one_kv_head", "Phi3ForCausalLM",
     sized(num_key_value_heads=1, sliding_window=8, rope_parameters=rope(250000.0)),
     dict(grad=True, boundaries=[7, 8, 9, 16, 17])),

    # Sparsemixer: wide and narrow bands of experts; factors of cos and sin beside the tables.
    ("phimoe_long_table", "PhimoeForCausalLM",
     sized(intermediate_size=16, num_local_experts=6, router_jitter_noise=0.25, attention_bias=True, lm_head_bias=True,
           rope_parameters=longrope(1e4, 16, [1.0, 1.2, 1.4, 1.6], [1.1, 3.0, 6.0, 8.0], short_mscale=1.24,
                                    long_mscale=1.24)),
     dict(grad=True, published=True, boundaries=[15, 16, 17])),
    # The factor that llama.cpp's converter computes: sqrt(1 + ln 2 / ln 64).
    ("phimoe_short_table_window", "PhimoeForCausalLM",
     sized(intermediate_size=12, num_local_experts=4, router_jitter_noise=0.01, num_key_value_heads=1, sliding_window=8,
           lm_head_bias=True, rope_parameters=longrope(1e6, 64, [1.0, 1.1, 1.2, 1.3], [2.0, 3.0, 4.0, 5.0],
                                                       short_mscale=1.0801234497346435,
                                                       long_mscale=1.0801234497346435)),
     dict(grad=True, published=True, boundaries=[7, 8, 9, 16, 17])),
    ("phimoe_plain_rope_tied", "PhimoeForCausalLM",
     sized(intermediate_size=20, num_local_experts=8, router_jitter_noise=0.5, num_key_value_heads=4,
           attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=rope(1e4)),
     dict(grad=True)),

    ("olmo3_yarn", "Olmo3ForCausalLM",
     sized(num_hidden_layers=5, intermediate_size=24, sliding_window=8,
           rope_parameters={"full_attention": yarn(5e5, 8.0), "sliding_attention": rope(5e5)}),
     dict(grad=True, published=True, boundaries=[7, 8, 9, 16, 17])),
    ("olmo3_listed_tied", "Olmo3ForCausalLM",
     sized(num_hidden_layers=3, num_key_value_heads=1, sliding_window=5, attention_bias=True, tie_word_embeddings=True,
           layer_types=["full_attention", "sliding_attention", "full_attention"],
           rope_parameters={"full_attention": rope(1e6, kind="linear", factor=4.0), "sliding_attention": rope(1e4)}),
     dict(grad=True, boundaries=[4, 5, 6, 10, 11])),
    ("olmo3_all_heads", "Olmo3ForCausalLM",
     sized(num_key_value_heads=4, sliding_window=16, rms_norm_eps=1e-5,
           rope_parameters={"full_attention": rope(5e5), "sliding_attention": rope(5e5)}),
     dict(boundaries=[15, 16, 17, 32, 33])),

    ("granite_multipliers", "GraniteForCausalLM", sized(**GRANITE, rope_parameters=rope(1e7)),
     dict(grad=True, published=True)),
    ("granite_biases_tied", "GraniteForCausalLM",
     sized(**GRANITE | dict(logits_scaling=0.5), num_key_value_heads=1, attention_bias=True, mlp_bias=True,
           tie_word_embeddings=True, rope_parameters=rope(500000.0, **LLAMA3)), dict(grad=True)),
    ("granite_attention_only", "GraniteForCausalLM",
     sized(num_key_value_heads=4, attention_multiplier=0.125, rope_parameters=rope(1e4)), {}),

    ("granite4_tied", "GraniteMoeHybridForCausalLM",
     granite4(**GRANITE, shared_intermediate_size=40, position_embedding_type="rope", tie_word_embeddings=True,
              rope_parameters=rope(1e7)), dict(grad=True, published=True)),
    ("granite4_no_positions", "GraniteMoeHybridForCausalLM",
     granite4(**GRANITE, num_hidden_layers=3, shared_intermediate_size=24, num_key_value_heads=1, attention_bias=True,
              rope_parameters=rope(1e4)), dict(grad=True)),
    ("granite4_linear", "GraniteMoeHybridForCausalLM",
     granite4(num_key_value_heads=4, shared_intermediate_size=16, position_embedding_type="rope",
              attention_multiplier=0.2, rope_parameters=rope(1e4, kind="linear", factor=2.0)), {}),

    ("glm4_half_rotates", "Glm4ForCausalLM",
     sized(head_dim=8, rope_parameters=rope(1e4, partial_rotary_factor=0.5)), dict(grad=True, published=True)),
    ("glm4_quarter_tied", "Glm4ForCausalLM",
     sized(head_dim=16, num_key_value_heads=1, attention_bias=False, tie_word_embeddings=True, rms_norm_eps=1e-5,
           rope_parameters=rope(1e4, partial_rotary_factor=0.25)), dict(grad=True)),
    ("glm4_whole_rotates", "Glm4ForCausalLM",
     sized(head_dim=12, num_key_value_heads=4, rope_parameters=yarn(1e5, 4.0, partial_rotary_factor=1.0)), {}),
]
