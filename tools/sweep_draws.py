"""More draws of tools/sweep.py."""
from golden_configs import LLAMA3, rope, yarn


def any_rope(r, theta, fraction=None):
    more = {} if fraction is None else {"partial_rotary_factor": fraction}
    kind = r.randrange(5)
    if kind == 0:
        return rope(theta, kind="linear", factor=r.choice([2.0, 3.5]), **more)
    if kind == 1:
        return rope(theta, **LLAMA3, **more)
    if kind == 2:
        scales = r.choice([{}, {"attention_factor": 1.0}, {"mscale": 1.0, "mscale_all_dim": r.choice([0.5, 1.0])}])
        return yarn(theta, r.choice([2.0, 8.0, 40.0]), original=r.choice([16, 32]), truncate=r.random() < 0.7, **scales,
                    **more)
    return rope(theta, **more)


def sizes(r, head_dim=True):
    heads = r.choice([2, 3, 4, 6, 8])
    kv = r.choice([k for k in range(1, heads + 1) if heads % k == 0])
    keys = dict(vocab_size=r.choice([70, 96]), intermediate_size=r.choice([20, 40, 44]),
                num_hidden_layers=r.randint(1, 5), num_attention_heads=heads, num_key_value_heads=kv,
                max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=None,
                tie_word_embeddings=r.random() < 0.5)
    dim = r.choice([4, 8, 12, 16])
    if head_dim:
        keys |= dict(hidden_size=r.choice([24, 32, 40]), head_dim=dim)
    else:
        keys |= dict(hidden_size=heads * dim)
    return keys


def cohere2(r):
    keys = sizes(r, head_dim=False) | dict(
        sliding_window=r.choice([3, 8, 17]), logit_scale=r.choice([0.0625, 0.25, 2.0]),
        attention_bias=r.random() < 0.3, layer_norm_eps=r.choice([1e-5, 1e-3]), rope_parameters=any_rope(r, 5e4))
    if r.random() < 0.5:
        keys["layer_types"] = [r.choice(["full_attention", "sliding_attention"])
                               for _ in range(keys["num_hidden_layers"])]
    return "Cohere2ForCausalLM", keys


def starcoder2(r):
    return "Starcoder2ForCausalLM", sizes(r, head_dim=False) | dict(
        sliding_window=r.choice([None, 4, 9]), use_bias=r.random() < 0.6, norm_epsilon=r.choice([1e-5, 1e-3]),
        rope_parameters=any_rope(r, 1e5))


def seed_oss(r):
    return "SeedOssForCausalLM", sizes(r) | dict(
        attention_bias=r.random() < 0.6, attention_out_bias=r.random() < 0.4, mlp_bias=r.random() < 0.3,
        rope_parameters=any_rope(r, 1e7))


def ernie4_5(r):
    return "Ernie4_5ForCausalLM", sizes(r) | dict(use_bias=r.random() < 0.4, rope_parameters=any_rope(r, 5e5))


def ernie4_5_moe(r):
    keys = sizes(r, head_dim=False)
    layers = keys["num_hidden_layers"]
    return "Ernie4_5_MoeForCausalLM", keys | dict(
        moe_intermediate_size=r.choice([6, 12]), moe_num_experts=r.choice([4, 7, 8]), moe_k=r.randint(1, 4),
        moe_num_shared_experts=r.randint(0, 2), moe_layer_start_index=r.randint(0, layers - 1),
        moe_layer_end_index=r.choice([-1, layers - 1]), moe_layer_interval=r.choice([1, 1, 2]),
        use_bias=r.random() < 0.3, rope_parameters=any_rope(r, 5e5))


def minimax_m2(r):
    keys = sizes(r)
    fraction = r.choice([f for f in (0.25, 0.5, 1.0) if keys["head_dim"] * f % 2 == 0] + [None])
    return "MiniMaxM2ForCausalLM", keys | dict(
        intermediate_size=r.choice([6, 12]), num_local_experts=r.choice([4, 7, 8]), num_experts_per_tok=r.randint(1, 4),
        rms_norm_eps=r.choice([1e-6, 1e-3]), rope_parameters=any_rope(r, 5e6, fraction))


def ministral3(r):
    keys = sizes(r)
    scales = r.choice([{"mscale": 1.0, "mscale_all_dim": a} for a in (0.0, 0.5, 1.0)] + [{}, {"attention_factor": 1.3}])
    return "Ministral3ForCausalLM", keys | dict(
        sliding_window=r.choice([None, None, 6]),
        rope_parameters=yarn(r.choice([1e6, 1e9]), r.choice([2.0, 16.0, 48.0]), original=r.choice([4, 8, 16, 64]),
                             llama_4_scaling_beta=r.choice([0.0, 0.1, 0.5]), **scales))


def glm4_moe_lite(r):
    keys = sizes(r)
    del keys["head_dim"]
    keys["num_key_value_heads"] = keys["num_attention_heads"]
    layers, groups = keys["num_hidden_layers"], r.choice([1, 1, 2, 4])
    keys |= dict(q_lora_rank=r.choice([None, 16]), kv_lora_rank=r.choice([8, 20]), qk_nope_head_dim=r.choice([4, 8]),
                 qk_rope_head_dim=r.choice([4, 8]), v_head_dim=r.choice([4, 8, 12]), moe_intermediate_size=r.choice([6, 12]),
                 n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=r.randint(1, 2), n_group=groups,
                 topk_group=r.randint(1, groups), norm_topk_prob=r.random() < 0.7,
                 routed_scaling_factor=r.choice([1.0, 1.8]), rope_interleave=r.random() < 0.8,
                 attention_bias=r.random() < 0.3, rope_parameters=any_rope(r, 1e6))
    if r.random() < 0.5:
        keys["mlp_layer_types"] = [r.choice(["dense", "sparse"]) for _ in range(layers)]
    return "Glm4MoeLiteForCausalLM", keys


FAMILIES = dict(cohere2=cohere2, starcoder2=starcoder2, seed_oss=seed_oss, ernie4_5=ernie4_5, ernie4_5_moe=ernie4_5_moe,
                minimax_m2=minimax_m2, ministral3=ministral3, glm4_moe_lite=glm4_moe_lite)
