"""Grok 2 for tools/golden.py: Transformers has no such class, so the reference is written here, in plain torch,
after the vendor's serving code (SGLang, models/grok.py): softmax over all experts, the two best as they are,
plain rotary frequencies, scores capped and then stretched with the logarithm of the position."""
import json
import math
import shutil

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from golden_reference import CLOSEST, FIRST_ORDINARY, TOKENS, TopKWatch, save_case

PUBLISHED = dict(
    architectures=["Grok1ForCausalLM"], model_type="git", embedding_multiplier_scale=5.656854249492381,
    output_multiplier_scale=0.5, vocab_size=80, hidden_size=32, intermediate_size=40, moe_intermediate_size=12,
    max_position_embeddings=128, num_experts_per_tok=2, num_local_experts=6, residual_moe=True,
    num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=2, head_dim=8, rms_norm_eps=1e-5,
    final_logit_softcapping=50, attn_logit_softcapping=30.0, router_logit_softcapping=30.0, rope_theta=208533496,
    attn_temperature_len=16, sliding_window_size=-1, global_attn_every_n=1, original_max_position_embeddings=8192,
    scaling_factor=16.0, rope_type="original", beta_fast=8, beta_slow=1, extrapolation_factor=1.0, attn_factor=1.0)


def shapes(c):
    d, heads, kv, dim = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
    yield "model.embed_tokens.weight", (c["vocab_size"], d)
    yield "model.norm.weight", (d,)
    yield "lm_head.weight", (c["vocab_size"], d)
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        for n, shape in dict(q=(heads * dim, d), k=(kv * dim, d), v=(kv * dim, d), o=(d, heads * dim)).items():
            yield f"{at}self_attn.{n}_proj.weight", shape
        for n in ("pre_attn_norm", "post_attn_norm", "pre_moe_norm", "post_moe_norm"):
            yield f"{at}{n}.weight", (d,)
        for n, shape in dict(gate=(c["intermediate_size"], d), up=(c["intermediate_size"], d),
                             down=(d, c["intermediate_size"])).items():
            yield f"{at}mlp.{n}_proj.weight", shape
        yield f"{at}block_sparse_moe.gate.weight", (c["num_local_experts"], d)
        for e in range(c["num_local_experts"]):
            width = c["moe_intermediate_size"]
            for n, shape in dict(w1=(width, d), w2=(d, width), w3=(width, d)).items():
                yield f"{at}block_sparse_moe.experts.{e}.{n}.weight", shape


def capped(x, most):
    return most * torch.tanh(x / most) if most else x


def rotated(x, theta):
    """Half-split rotation; x [heads, tokens, dim]."""
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[1])[:, None] * theta ** (-torch.arange(half) / half)[None]
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], dim=-1)


def logits_of(c, w, ids):
    tokens, dim = len(ids), c["head_dim"]

    def norm(x, name):
        return w[name + ".weight"] * x * torch.rsqrt((x * x).mean(-1, keepdim=True) + c["rms_norm_eps"])

    def linear(x, name):
        return F.linear(x, w[name + ".weight"])

    def geglu(x, gate, up, down):
        return linear(F.gelu(linear(x, gate), approximate="tanh") * linear(x, up), down)

    position = torch.arange(tokens).float()
    stretch = torch.ones(tokens)
    if c["attn_temperature_len"] > 0:
        far = position > c["attn_temperature_len"]
        stretch[far] = torch.log2(position[far]) / math.log2(c["attn_temperature_len"])
    future = torch.full((tokens, tokens), float("-inf")).triu(1)

    x = w["model.embed_tokens.weight"][ids] * c["embedding_multiplier_scale"]
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        h = norm(x, at + "pre_attn_norm")
        q, k, v = (linear(h, f"{at}self_attn.{n}_proj").view(tokens, -1, dim).transpose(0, 1) for n in "qkv")
        q, k = rotated(q, c["rope_theta"]), rotated(k, c["rope_theta"])
        k, v = (t.repeat_interleave(q.shape[0] // t.shape[0], 0) for t in (k, v))
        score = capped(q @ k.transpose(1, 2) * dim ** -0.5, c["attn_logit_softcapping"]) * stretch[:, None]
        mixed = (score + future).softmax(-1) @ v
        out = linear(mixed.transpose(0, 1).reshape(tokens, -1), at + "self_attn.o_proj")
        x = x + norm(out, at + "post_attn_norm")
        h = norm(x, at + "pre_moe_norm")
        moe = at + "block_sparse_moe."
        chance = capped(linear(h, moe + "gate"), c["router_logit_softcapping"]).softmax(-1)
        weight, chosen = chance.topk(c["num_experts_per_tok"], dim=-1)
        routed = torch.zeros_like(h)
        for e in range(c["num_local_experts"]):
            row, place = (chosen == e).nonzero(as_tuple=True)
            if len(row):
                expert = f"{moe}experts.{e}."
                y = geglu(h[row], expert + "w1", expert + "w3", expert + "w2") * weight[row, place, None]
                routed = routed.index_add(0, row, y)
        dense = geglu(h, *(f"{at}mlp.{n}_proj" for n in ("gate", "up", "down")))
        x = x + norm((dense + routed) / math.sqrt(2), at + "post_moe_norm")
    out = linear(norm(x, "model.norm"), "lm_head") * c["output_multiplier_scale"]
    return capped(out, c["final_logit_softcapping"])


def sliced(tensors, ranks, folder):
    """As released: slices of the experts by rank, w1 and w3 along rows, w2 along columns; the rest in common."""
    common = {n: t for n, t in tensors.items() if ".experts." not in n}
    save_file(common, folder / "pytorch_model-00000-TP-common.safetensors")
    for r in range(ranks):
        part = {n: t.chunk(ranks, 1 if ".w2." in n else 0)[r].contiguous()
                for n, t in tensors.items() if ".experts." in n}
        save_file(part, folder / f"pytorch_model-00001-TP-{r:03}.safetensors")


def case(changes, ranks=1, gradients=False, salt=None):
    """salt: what the random weights depend on beside a count; by default the name."""
    def write(out, name):
        c = PUBLISHED | changes
        for seed in range(50):
            generator = torch.Generator().manual_seed(1000 * seed + (salt or sum(map(ord, name))))
            w = {}
            for n, shape in shapes(c):
                values = torch.randn(shape, generator=generator)
                spread = 1 + 0.3 * values if "norm" in n else 1.3 * shape[-1] ** -0.5 * values
                w[n] = (0.2 * values if "embed" in n else spread).requires_grad_()
            ids = torch.randint(FIRST_ORDINARY, c["vocab_size"], (TOKENS,), generator=generator)
            with TopKWatch() as watch:
                logits = logits_of(c, w, ids)
            if watch.gap > CLOSEST:
                break
        loss = F.cross_entropy(logits[:-1], ids[1:])
        loss.backward()
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "config.json").write_text(json.dumps(c, indent=1) + "\n")
        tensors = {n: t.detach() for n, t in w.items()}
        if ranks > 1:
            sliced(tensors, ranks, folder / "model")
        else:
            save_file(tensors, folder / "model" / "model.safetensors")
        grads = {n: torch.zeros_like(t) if t.grad is None else t.grad for n, t in w.items()} if gradients else {}
        save_case(folder, ids, logits.detach(), loss.detach(), grads, [16, 17, 18],
                  "golden_grok.py, after SGLang's models/grok.py")
    return write


CASES = [
    ("grok2_sliced", case({}, ranks=4, gradients=True)),
    ("grok2_tight_caps", case(dict(attn_logit_softcapping=2.0, router_logit_softcapping=1.5,
                                   final_logit_softcapping=3, output_multiplier_scale=1.0, num_key_value_heads=4,
                                   attn_temperature_len=5, num_experts_per_tok=3), gradients=True)),
    # Later layers magnify an error of float32's last digit a thousandfold in the first layer's q.
    ("grok2_sensitive", case(dict(vocab_size=97, intermediate_size=16, moe_intermediate_size=8, num_local_experts=2,
                                  num_key_value_heads=1, num_hidden_layers=3, head_dim=12,
                                  router_logit_softcapping=3.0, attn_temperature_len=4, rope_theta=10000),
                             gradients=True, salt=830)),
    ("grok2_one_kv_head", case(dict(num_key_value_heads=1, head_dim=12, num_experts_per_tok=1, rope_theta=10000,
                                    embedding_multiplier_scale=3.0), ranks=2)),
]
