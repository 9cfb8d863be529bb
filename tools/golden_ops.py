"""Golden values of single ops, from PyTorch and Transformers' own modules: tests/golden/ops/*.json.

Needs torch and transformers (see tools/requirements.txt). Run: python tools/golden_ops.py
"""

import json
import math
import pathlib
from types import SimpleNamespace

import torch
from torch.nn import functional as F
from transformers import LlamaConfig, masking_utils
from transformers.models.deepseek_v2 import modeling_deepseek_v2 as deepseek_v2
from transformers.models.deepseek_v3 import modeling_deepseek_v3 as deepseek_v3
from transformers.models.gemma2 import modeling_gemma2 as gemma2
from transformers.models.gemma3 import modeling_gemma3 as gemma3
from transformers.models.glm4_moe import modeling_glm4_moe as glm4_moe
from transformers.models.gpt_oss import modeling_gpt_oss as gpt_oss
from transformers.models.kimi_linear import modeling_kimi_linear as kimi_linear
from transformers.models.llama import modeling_llama as llama
from transformers.models.llama4 import modeling_llama4 as llama4
from transformers.models.olmo2 import modeling_olmo2 as olmo2
from transformers.models.qwen3_moe import modeling_qwen3_moe as qwen3_moe
from transformers.models.qwen3_next import modeling_qwen3_next as qwen3_next

OUT = pathlib.Path(__file__).parent.parent / "tests" / "golden" / "ops"
GENERATOR = torch.Generator().manual_seed(20)
CASES = {}


def rand(*shape):
    """Numbers with few digits, so that the files stay small and float32 holds them exactly."""
    return torch.randint(-512, 513, shape, generator=GENERATOR).double() / 256


def tokens(x, *names):
    return {"tokens": True, "x": x, "axes": list(names)}


def weight(x, *names):
    return {"tokens": False, "x": x, "axes": list(names)}


def flat(x):
    x = x.reshape(-1).tolist()
    return [v if isinstance(v, int) else float(f"{v:.12g}") for v in x]


def text(v):
    return str(v).lower() if isinstance(v, bool) else str(v)


def case(op, source, attributes, inputs, outputs, positions=None, tolerance=1e-9):
    """One case: `outputs` is what `source` made of the inputs."""
    rows = [i["x"].shape[0] for i in inputs if i["tokens"]] or [outputs[0].shape[0]]
    positions = list(range(rows[0])) if positions is None else positions
    CASES.setdefault(op, []).append({
        "source": source,
        "attributes": {k: text(v) for k, v in attributes.items()},
        "positions": positions,
        "tolerance": tolerance,
        "inputs": [{
            "index": not i["x"].is_floating_point(),
            "tokens": i["tokens"],
            "axes": [[n, s] for n, s in zip(i["axes"], i["x"].shape[1 if i["tokens"] else 0:])],
            "data": flat(i["x"]),
        } for i in inputs],
        "outputs": [flat(o.detach()) for o in outputs],
    })


def norms():
    x, w, b = rand(3, 8), rand(8), rand(8)
    norm = llama.LlamaRMSNorm(8, eps=1e-5)
    norm.weight.data = w.float()
    case("rms_norm", "LlamaRMSNorm", {"eps": 1e-5}, [tokens(x, "d"), weight(w, "d")],
         [norm(x.float())], tolerance=1e-6)
    norm = gemma3.Gemma3RMSNorm(8, eps=1e-6)
    norm.weight.data = (w - 1).float()
    case("rms_norm", "Gemma3RMSNorm, weight - 1", {"eps": 1e-6}, [tokens(x, "d"), weight(w, "d")],
         [norm(x.float())], tolerance=1e-6)
    x = rand(3, 2, 4)
    case("rms_norm", "Llama4TextL2Norm", {"eps": 1e-5}, [tokens(x, "h", "d")],
         [llama4.Llama4TextL2Norm(1e-5)(x.float())], tolerance=1e-6)
    norm, w = olmo2.Olmo2RMSNorm(8, eps=1e-6), rand(8)
    norm.weight.data = w.float()
    case("rms_norm", "Olmo2RMSNorm over the whole projection", {"eps": 1e-6, "axes": 2},
         [tokens(x, "h", "d"), weight(w.reshape(2, 4), "h", "d")],
         [norm(x.reshape(3, 8).float())], tolerance=1e-6)
    x, w = rand(3, 8), rand(8)
    case("layer_norm", "torch layer_norm", {"eps": 1e-5},
         [tokens(x, "d"), weight(w, "d"), weight(b, "d")], [F.layer_norm(x, [8], w, b, 1e-5)])


def elementwise():
    x = rand(3, 6) * 2
    for kind, f in {"gelu_tanh": lambda v: F.gelu(v, approximate="tanh"), "silu": F.silu,
                    "sigmoid": torch.sigmoid, "relu": F.relu}.items():
        case("activate", f"torch {kind}", {"kind": kind}, [tokens(x, "d")], [f(x)])
    case("softcap", "torch", {"cap": 1.5}, [tokens(x, "d")], [torch.tanh(x / 1.5) * 1.5])
    case("clamp", "torch clamp", {"low": -1, "high": 0.5}, [tokens(x, "d")], [x.clamp(-1, 0.5)])
    case("scale", "torch", {"factor": 3.5, "shift": -1}, [tokens(x, "d")], [x * 3.5 - 1])
    y, b = rand(3, 6), rand(6)
    case("add", "torch", {}, [tokens(x, "d"), tokens(y, "d")], [x + y])
    case("add", "torch", {}, [tokens(x, "d"), weight(b, "d")], [x + b])
    case("multiply", "torch", {}, [tokens(x, "d"), tokens(y, "d")], [x * y])
    x, y = rand(2, 3, 4), rand(2, 3, 2)
    case("slice", "torch narrow", {"begin": 1, "axis": "part", "size": 2}, [tokens(x, "h", "d")],
         [x.narrow(-1, 1, 2)])
    case("concat", "torch cat", {"axis": "both"}, [tokens(x, "h", "d"), tokens(y, "h", "e")],
         [torch.cat([x, y], -1)])
    case("repeat", "torch expand", {"axis": "k", "count": 3}, [tokens(y, "h", "e")],
         [y[:, None].expand(2, 3, 3, 2)])
    case("rename", "torch view", {"axes": "a=6;b=2"}, [tokens(x, "h", "d")], [x.reshape(2, 6, 2)])


def inputs():
    table, ids = rand(7, 4), torch.tensor([3, 0, 6, 3])
    case("embed", "torch embedding", {}, [tokens(ids), weight(table, "vocab", "d")],
         [F.embedding(ids, table)])
    positions = [0, 5, 2, 6]
    case("learned_position", "torch embedding", {}, [weight(table, "positions", "d")],
         [F.embedding(torch.tensor(positions), table)], positions)
    # Vaswani et al. 2017, section 3.5, written out.
    p, i = torch.tensor([[0.0], [1], [50]]).double(), torch.arange(0, 6, 2).double()
    angle = p / 10000 ** (i / 6)
    case("sinusoidal_position", "the paper's formula", {"d_model": 6}, [],
         [torch.stack([angle.sin(), angle.cos()], -1).reshape(3, 6)], [0, 1, 50])


def products():
    x, w, b = rand(3, 2, 4), rand(5, 2, 4), rand(5)
    case("linear", "torch linear", {"in_axes": 2},
         [tokens(x, "h", "d"), weight(w, "o", "h", "d"), weight(b, "o")],
         [F.linear(x.reshape(3, 8), w.reshape(5, 8), b)])
    x, w, b = rand(3, 4), rand(5, 6, 4), rand(5, 6)
    e = torch.tensor([[4, 1], [0, 2], [2, 3]])
    case("expert_linear", "torch einsum", {},
         [tokens(x, "d"), tokens(e, "chosen"), weight(w, "experts", "o", "d"),
          weight(b, "experts", "o")], [torch.einsum("td,tkod->tko", x, w[e]) + b[e]])
    x = rand(3, 2, 4)
    case("expert_linear", "torch einsum", {},
         [tokens(x, "chosen", "d"), tokens(e, "chosen"), weight(w, "experts", "o", "d")],
         [torch.einsum("tkd,tkod->tko", x, w[e])])


ROPES = {
    "plain": ({"rope_type": "default", "rope_theta": 10000.0}, 8),
    "gemma 3 global": ({"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}, 8),
    "llama 3.1": ({"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
                   "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}, 128),
    "llama 4 scout": ({"rope_type": "llama3", "rope_theta": 5e5, "factor": 16.0,
                       "low_freq_factor": 1.0, "high_freq_factor": 1.0,
                       "original_max_position_embeddings": 8192}, 128),
    "deepseek v3": ({"rope_type": "yarn", "rope_theta": 1e4, "factor": 40.0, "beta_fast": 32.0,
                     "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0,
                     "original_max_position_embeddings": 4096}, 64),
    "kimi k2": ({"rope_type": "yarn", "rope_theta": 5e4, "factor": 32.0, "beta_fast": 1.0,
                 "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0,
                 "original_max_position_embeddings": 4096}, 64),
    "gpt-oss": ({"rope_type": "yarn", "rope_theta": 15e4, "factor": 32.0, "beta_fast": 32.0,
                 "beta_slow": 1.0, "truncate": False,
                 "original_max_position_embeddings": 4096}, 64),
}


def rope_attributes(p, dim, factor):
    a = {"dim": dim, "theta": p["rope_theta"],
         "scaling": {"default": "none"}.get(p["rope_type"], p["rope_type"])}
    names = {"factor": "factor", "low_freq_factor": "low_frequency_factor",
             "high_freq_factor": "high_frequency_factor", "beta_fast": "beta_fast",
             "beta_slow": "beta_slow", "truncate": "truncate",
             "original_max_position_embeddings": "original_context"}
    a |= {names[k]: v for k, v in p.items() if k in names}
    return a | ({"attention_factor": factor} if p["rope_type"] == "yarn" else {})


def ropes():
    frequencies = []
    for name, (parameters, dim) in ROPES.items():
        config = LlamaConfig(hidden_size=dim, num_attention_heads=1, head_dim=dim,
                             max_position_embeddings=131072, rope_parameters=parameters)
        rotary = llama.LlamaRotaryEmbedding(config)
        attributes = rope_attributes(parameters, dim, rotary.attention_scaling)
        frequencies.append({"name": name, "attributes": {k: text(v) for k, v in attributes.items()},
                            "frequencies": [float(f"{v:.9g}") for v in rotary.inv_freq.tolist()]})
        if dim > 64:
            continue
        positions = [1, 7, 40]
        x = rand(3, 1, dim)
        cos, sin = rotary(x.float()[None], torch.tensor([positions]))
        q = x.float().transpose(0, 1)[None]  # [1, heads, tokens, dim]
        for layout, rotate in {"half": llama.apply_rotary_pos_emb,
                               "interleaved": interleaved}.items():
            y, _ = rotate(q, q, cos, sin)
            case("rope", f"Transformers, {name}", attributes | {"layout": layout},
                 [tokens(x, "h", "d")], [y[0].transpose(0, 1)], positions, 1e-5)
    x = rand(2, 2, 8)  # the first half of each head only (GLM-4.5)
    config = LlamaConfig(hidden_size=4, num_attention_heads=1, head_dim=4,
                         rope_parameters=ROPES["plain"][0])
    cos, sin = llama.LlamaRotaryEmbedding(config)(x.float()[None], torch.tensor([[3, 4]]))
    q = x.float().transpose(0, 1)[None]
    y, _ = glm4_moe.apply_rotary_pos_emb(q, q, cos, sin)
    case("rope", "glm4_moe, partial", {"dim": 4, "theta": 10000.0}, [tokens(x, "h", "d")],
         [y[0].transpose(0, 1)], [3, 4], 1e-5)
    write("rope_frequencies", frequencies)
    # Llama4TextAttention.forward: temperature tuning.
    positions, x = [0, 8190, 8191, 8192, 100000], rand(5, 2, 3)
    p = torch.tensor(positions).double()
    factor = torch.log1p(torch.floor((p + 1.0) / 8192)) * 0.1 + 1.0
    case("position_scale", "Llama4TextAttention", {"scale": 0.1, "length": 8192.0},
         [tokens(x, "h", "d")], [x * factor[:, None, None]], positions)


def interleaved(q, k, cos, sin):
    """DeepSeek's rotation, whichever order of the result this version of Transformers returns."""
    q, k = deepseek_v3.apply_rotary_pos_emb_interleave(q, k, cos, sin)
    halves = [torch.stack(v.chunk(2, -1), -1).flatten(-2) for v in (q, k)]
    return halves


def attend(module, q, k, v, mask, **options):
    """eager_attention_forward of a model: q [T, KV, G, d], k [T, KV, d], v [T, KV, dv]."""
    t, kv, group, d = q.shape
    heads = q.reshape(t, kv * group, d).transpose(0, 1)[None]
    visible = torch.tensor([[bool(mask(0, 0, torch.tensor(i), torch.tensor(j))) for j in range(t)]
                            for i in range(t)])
    bias = torch.zeros(t, t).double().masked_fill(~visible, float("-inf"))[None, None]
    y, _ = module[0](module[1], heads, k.transpose(0, 1)[None], v.transpose(0, 1)[None], bias,
                     **options)
    return y[0].reshape(t, kv, group, -1)


def attentions():
    t = 9
    q, k, v = rand(t, 2, 2, 4), rand(t, 2, 4), rand(t, 2, 3)
    three = [tokens(q, "kv_heads", "group", "head_dim"), tokens(k, "kv_heads", "head_dim"),
             tokens(v, "kv_heads", "value_dim")]
    groups = SimpleNamespace(num_key_value_groups=2, training=False, head_dim=4)
    causal = masking_utils.causal_mask_function
    case("attention", "llama eager, causal", {"scale": 0.5}, three,
         [attend((llama.eager_attention_forward, groups), q, k, v, causal, scaling=0.5)],
         tolerance=1e-6)
    window = masking_utils.sliding_window_causal_mask_function(3)
    case("attention", "gemma 2 eager, softcap, window 3", {"scale": 0.7, "softcap": 2.0, "window": 3},
         three, [attend((gemma2.eager_attention_forward, groups), q, k, v, window, scaling=0.7,
                        softcap=2.0)], tolerance=1e-6)
    chunk = masking_utils.chunked_causal_mask_function(4, torch.zeros(1, dtype=torch.int))
    case("attention", "llama 4 eager, chunk 4", {"scale": 0.5, "chunk": 4}, three,
         [attend((llama4.eager_attention_forward, groups), q, k, v, chunk, scaling=0.5)],
         tolerance=1e-6)
    sinks = rand(4)
    groups.sinks = sinks
    case("attention", "gpt-oss eager, sinks, window 3", {"scale": 0.5, "window": 3},
         three + [weight(sinks.reshape(2, 2), "kv_heads", "group")],
         [attend((gpt_oss.eager_attention_forward, groups), q, k, v, window, scaling=0.5)])
    # Grok's factor, written out: log2(p) / log2(length) beyond the length.
    p = torch.arange(t).double()
    factor = torch.where(p > 4, torch.log2(p.clamp(min=1)) / math.log2(4), torch.ones(t).double())
    case("attention", "llama eager on scaled queries", {"scale": 0.5, "log_length": 4}, three,
         [attend((llama.eager_attention_forward, groups), q * factor[:, None, None, None], k, v,
                 causal, scaling=0.5)], tolerance=1e-6)
    # DeepSeek V3's attention between its projections: k and v from kv_b.
    heads, nope, rope, latent, dv = 2, 3, 2, 5, 4
    qn, qr, c, kr = rand(t, heads, nope), rand(t, heads, rope), rand(t, latent), rand(t, rope)
    wk, wv = rand(heads, nope, latent), rand(heads, dv, latent)
    kv = F.linear(c, torch.cat([wk, wv], 1).reshape(-1, latent)).reshape(t, heads, nope + dv)
    kn, value = kv.split([nope, dv], -1)
    key = torch.cat([kn, kr[:, None].expand(t, heads, rope)], -1)
    query = torch.cat([qn, qr], -1)[:, :, None]
    groups = SimpleNamespace(num_key_value_groups=1, training=False)
    y = attend((deepseek_v3.eager_attention_forward, groups), query, key, value, causal, scaling=0.3)
    case("latent_attention", "deepseek_v3 eager", {"scale": 0.3},
         [tokens(qn, "heads", "qk_nope"), tokens(qr, "heads", "qk_rope"), tokens(c, "latent"),
          tokens(kr, "qk_rope"), weight(wk, "heads", "qk_nope", "latent"),
          weight(wv, "heads", "value_dim", "latent")], [y], tolerance=1e-6)


def by_expert(weights, experts):
    order = experts.argsort(-1)
    return [weights.gather(-1, order), experts.gather(-1, order)]


def route(source, router, attributes, logits, bias=None):
    """A router whose projection is the identity, so that its input are the logits."""
    router.weight.data = torch.eye(logits.shape[1])
    result = router(logits.float())
    ins = [tokens(logits, "experts")] + ([weight(bias, "experts")] if bias is not None else [])
    case("route", source, attributes, ins, by_expert(result[1], result[2]), tolerance=1e-6)


def routers():
    e, logits = 8, rand(6, 8)
    common = dict(hidden_size=e, num_experts=e, num_local_experts=e, num_experts_per_tok=3)
    for norm in (False, True):
        config = SimpleNamespace(**common, norm_topk_prob=norm)
        route("Qwen3MoeTopKRouter", qwen3_moe.Qwen3MoeTopKRouter(config),
              {"top_k": 3, "score": "softmax", "normalize": norm}, logits)
    route("GptOssTopKRouter", gpt_oss.GptOssTopKRouter(SimpleNamespace(**common)),
          {"top_k": 3, "score": "softmax_selected"}, logits)
    for method, groups in (("greedy", {}), ("group_limited_greedy", {
            "groups": 4, "keep_groups": 2, "group_score": "max"})):
        config = SimpleNamespace(**common, routed_scaling_factor=16.0, topk_method=method, n_group=4,
                                 topk_group=2)
        route(f"DeepseekV2TopkRouter, {method}", deepseek_v2.DeepseekV2TopkRouter(config),
              {"top_k": 3, "score": "softmax", "scale": 16.0} | groups, logits)
    bias = rand(e) / 2
    for source, router, groups in (
            ("DeepseekV3TopkRouter", deepseek_v3.DeepseekV3TopkRouter, 4),
            ("DeepseekV3TopkRouter, one group", deepseek_v3.DeepseekV3TopkRouter, 1),
            ("Glm4MoeTopkRouter", glm4_moe.Glm4MoeTopkRouter, 1)):
        config = SimpleNamespace(**common, routed_scaling_factor=2.5, n_group=groups,
                                 n_routed_experts=e, topk_group=max(groups // 2, 1),
                                 norm_topk_prob=True)
        r = router(config)
        r.e_score_correction_bias.data = bias.float()
        attributes = {"top_k": 3, "score": "sigmoid", "normalize": True, "scale": 2.5}
        if groups > 1:
            attributes |= {"groups": groups, "keep_groups": 2, "group_score": "top2_sum"}
        route(source, r, attributes, logits, bias)
    config = SimpleNamespace(**common | {"num_experts_per_tok": 1})
    router = llama4.Llama4Router(config)
    router.weight.data = torch.eye(e)
    weights, index = router(logits.float())[0].topk(1, -1)
    case("route", "Llama4Router", {"top_k": 1, "score": "sigmoid"}, [tokens(logits, "experts")],
         [weights, index], tolerance=1e-6)


def experts():
    gate, up = rand(3, 5) * 2, rand(3, 5) * 2
    pair = [tokens(gate, "ffn"), tokens(up, "ffn")]
    case("gated", "torch, SwiGLU", {"kind": "silu"}, pair, [F.silu(gate) * up])
    case("gated", "torch, GeGLU", {"kind": "gelu_tanh"}, pair,
         [F.gelu(gate, approximate="tanh") * up])
    clamp = {"kind": "clamped", "alpha": 1.702, "limit": 1.5}
    oss = SimpleNamespace(limit=1.5, alpha=1.702)
    both = torch.stack([gate, up], -1).flatten(-2)
    case("gated", "GptOssExperts._apply_gate", clamp, pair, [gpt_oss.GptOssExperts._apply_gate(oss, both)])
    e, d, ffn = 4, 6, 5
    x, w = rand(3, d), rand(3, 2)
    index = torch.tensor([[3, 0], [1, 2], [0, 1]])
    g, u, down = rand(e, ffn, d), rand(e, ffn, d), rand(e, d, ffn)
    ins = [tokens(x, "d"), tokens(w, "chosen"), tokens(index, "chosen"),
           weight(g, "experts", "ffn", "d"), weight(u, "experts", "ffn", "d"),
           weight(down, "experts", "d", "ffn")]
    config = SimpleNamespace(num_local_experts=e, num_experts=e, hidden_size=d, hidden_act="silu",
                             moe_intermediate_size=ffn, intermediate_size=ffn, swiglu_alpha=1.702,
                             swiglu_limit=1.5, _experts_implementation="eager")
    m = deepseek_v3.DeepseekV3Experts(config).double()
    m.gate_up_proj.data, m.down_proj.data = torch.cat([g, u], 1), down
    case("expert_ffn", "DeepseekV3Experts", {"kind": "silu"}, ins, [m(x, index, w)])
    gb, ub, db = rand(e, ffn), rand(e, ffn), rand(e, d)
    m = gpt_oss.GptOssExperts(config).double()
    m.gate_up_proj.data = torch.stack([g, u], 2).reshape(e, 2 * ffn, d).transpose(1, 2)
    m.gate_up_proj_bias.data = torch.stack([gb, ub], 2).reshape(e, 2 * ffn)
    m.down_proj.data, m.down_proj_bias.data = down.transpose(1, 2), db
    case("expert_ffn", "GptOssExperts", clamp,
         ins + [weight(gb, "experts", "ffn"), weight(ub, "experts", "ffn"),
                weight(db, "experts", "d")], [m(x, index, w)])
    # Llama 4: every expert sees the input times its weight; unchosen experts see zeros.
    m = llama4.Llama4TextExperts(config).double()
    m.gate_up_proj.data = torch.cat([g, u], 1).transpose(1, 2)
    m.down_proj.data = down.transpose(1, 2)
    scores = torch.zeros(3, e).double().scatter_(1, index, w)
    y = m((x.repeat(e, 1) * scores.T.reshape(-1, 1))).reshape(e, 3, d).sum(0)
    case("expert_ffn", "Llama4TextExperts", {"kind": "silu", "weigh_input": True}, ins, [y])
    y = rand(3, 2, d)
    case("weighted_sum", "torch", {}, [tokens(w, "chosen"), tokens(y, "chosen", "d")],
         [(w[..., None] * y).sum(1)])
    case("weighted_copies", "torch", {}, [tokens(w, "chosen"), tokens(x, "d")],
         [w[..., None] * x[:, None]])
    case("expert_sum", "torch", {}, [tokens(y, "chosen", "d")], [y.sum(1)])


def recurrences():
    x, w, b = rand(7, 2, 3), rand(2, 3, 4), rand(2, 3)
    y = F.conv1d(x.reshape(1, 7, 6).transpose(1, 2), w.reshape(6, 1, 4), b.reshape(6), padding=3, groups=6)
    case("causal_convolution", "torch conv1d", {},
         [tokens(x, "h", "d"), weight(w, "h", "d", "width"), weight(b, "h", "d")],
         [y[0, :, :7].T.reshape(7, 2, 3)])
    y = qwen3_next.causal_conv1d_fn(x.reshape(1, 7, 6).transpose(1, 2), w.reshape(6, 4), None)
    case("causal_convolution", "Qwen3Next causal_conv1d_fn without activation", {},
         [tokens(x, "h", "d"), weight(w, "h", "d", "width")], [y[0].T.reshape(7, 2, 3)])
    a, log, bias = rand(5, 2, 3) * 12, rand(2, 3), rand(2, 3)
    case("log_decay", "Qwen3NextGatedDeltaNet's expression", {},
         [tokens(a, "h", "g"), weight(log, "h", "g"), weight(bias, "h", "g")],
         [-log.exp() * F.softplus(a + bias)], tolerance=1e-8)
    case("log_decay", "KimiLinear's expression", {},
         [tokens(a, "h", "d"), weight(log[:, 0], "h"), weight(bias, "h", "d")],
         [-log[:, :1].exp() * F.softplus(a + bias)], tolerance=1e-8)
    q, k, v = rand(9, 2, 4), rand(9, 2, 4) / 2, rand(9, 6, 3)
    g, beta = -rand(9, 6).abs(), rand(9, 6).abs()
    batch = [i[None].float() for i in (q, k, v)]
    grouped = lambda i: i.reshape(9, 2, 3, *i.shape[2:])
    inputs = [tokens(q, "h", "d"), tokens(k, "h", "d"), tokens(grouped(v), "h", "g", "v"),
              tokens(grouped(g), "h", "g"), tokens(grouped(beta), "h", "g")]
    for rule in (qwen3_next.torch_recurrent_gated_delta_rule, qwen3_next.torch_chunk_gated_delta_rule):
        o, _ = rule(*batch, g=g[None].float(), beta=beta[None].float())
        case("gated_delta_rule", f"Qwen3Next {rule.__name__}", {"scale": 0.5}, inputs, [grouped(o[0])],
             tolerance=2e-6)
    g = -rand(9, 2, 1, 4).abs()
    o, _ = kimi_linear.recurrent_kimi_delta_attention(
        *(i[None].float() for i in (q, k, v[:, :2])), g=g[None, :, :, 0].float(),
        beta=beta[None, :, :2].float(), initial_state=None, output_final_state=False)
    case("gated_delta_rule", "KimiLinear recurrent_kimi_delta_attention: a decay per channel", {"scale": 0.5},
         inputs[:2] + [tokens(v[:, :2, None], "h", "g", "v"), tokens(g, "h", "g", "d"),
                       tokens(beta[:, :2, None], "h", "g")], [o[0]], tolerance=2e-6)


def statistics():
    x = rand(5, 2, 4)
    case("mean_square", "torch", {}, [tokens(x, "h", "d")], [x.square().mean().reshape(1)])
    t = 7
    q, k, sinks = rand(t, 2, 2, 4), rand(t, 2, 4), rand(2, 2)
    read = [tokens(q, "kv_heads", "group", "head_dim"), tokens(k, "kv_heads", "head_dim")]
    far = torch.arange(t)[:, None] - torch.arange(t)[None, :]
    for attributes, more in (({"scale": 0.5}, False), ({"scale": 0.7, "softcap": 2.0, "window": 3}, False),
                             ({"scale": 0.5}, True)):
        scores = torch.einsum("thgd,shd->hgts", q, k) * attributes["scale"]
        if "softcap" in attributes:
            scores = torch.tanh(scores / attributes["softcap"]) * attributes["softcap"]
        seen = (far >= 0) & (far < attributes.get("window", t))
        scores = scores.masked_fill(~seen, -torch.inf)
        largest = scores.amax((2, 3))
        if more:
            scores = torch.cat([scores, sinks[:, :, None, None].expand(2, 2, t, 1)], -1)
        p = scores.softmax(-1)
        entropy = torch.special.entr(p).sum(-1).mean(-1)
        case("score_statistics", "torch softmax and entr", attributes,
             read + [weight(sinks, "kv_heads", "group")] * more, [largest, entropy])


def write(name, data):
    OUT.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in data)
    (OUT / f"{name}.json").write_text(f"[\n{lines}\n]\n")


with torch.no_grad():
    for make in (norms, elementwise, inputs, products, ropes, attentions, routers, experts, recurrences, statistics):
        make()
    for op, cases in CASES.items():
        write(op, cases)
