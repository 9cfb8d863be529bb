"""Storage variants for tools/golden.py: the ways in which published files hold their weights.

The reference answers come from Transformers with the weights as the file's format decodes them; the
formats' own decoding is checked bit by bit in tests/formats. `stored` in case.json marks files whose
weights are not float32."""
import json
import math
import pathlib
import shutil
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file

import golden_configs as configs
from golden_reference import CLOSEST, TopKWatch, answer, build, random_answer, save_case

E4M3_MOST = 448.0
E2M1 = torch.tensor([0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6])


def fp8(w, block=128):
    """Block scales as DeepSeek V3 stores them: (e4m3 values, scales to multiply by, decoded)."""
    rows, cols = (math.ceil(n / block) for n in w.shape)
    scale = torch.stack([torch.stack([w[r * block:(r + 1) * block, c * block:(c + 1) * block].abs().max() / E4M3_MOST
                                      for c in range(cols)]) for r in range(rows)])
    wide = scale.repeat_interleave(block, 0)[:w.shape[0]].repeat_interleave(block, 1)[:, :w.shape[1]]
    values = (w / wide).to(torch.float8_e4m3fn)
    return values, scale, values.float() * wide


def store_fp8(tensors):
    stored, decoded = {}, {}
    for n, t in tensors.items():
        projection = n.endswith("_proj.weight") or "kv_a_proj" in n
        if t.dim() == 2 and projection and "eh_proj" not in n:
            values, scale, decoded[n] = fp8(t)
            stored[n], stored[n + "_scale_inv"] = values, scale
        elif "e_score" in n:
            stored[n] = decoded[n] = t
        else:
            stored[n] = t.to(torch.bfloat16)
            decoded[n] = stored[n].float()
    return stored, decoded, {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                             "weight_block_size": [128, 128]}


def store_int4(tensors):
    """compressed-tensors' pack-quantized: eight offset nibbles a word, low first, a scale per 32 inputs."""
    stored, decoded = {}, {}
    for n, t in tensors.items():
        if ".experts." in n and "shared" not in n:
            groups = t.view(t.shape[0], -1, 32)
            scale = (groups.abs().amax(-1) / 7.5).to(torch.bfloat16)
            q = (groups / scale.float()[..., None]).round().clamp(-8, 7)
            decoded[n] = (q * scale.float()[..., None]).view(t.shape)
            nibbles = (q.view(t.shape[0], -1, 8) + 8).to(torch.int64)
            words = (nibbles << torch.arange(0, 32, 4)).sum(-1)
            words = torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)
            stored[n + "_packed"], stored[n + "_scale"] = words, scale
            stored[n + "_shape"] = torch.tensor(t.shape, dtype=torch.int32)
        elif "e_score" in n:
            stored[n] = decoded[n] = t
        else:
            stored[n] = t.to(torch.bfloat16)
            decoded[n] = stored[n].float()
    weights = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 32,
               "dynamic": False}
    return stored, decoded, {"quant_method": "compressed-tensors", "format": "pack-quantized",
                             "config_groups": {"group_0": {"weights": weights, "targets": ["Linear"]}},
                             "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*",
                                        "re:.*mlp\\.(gate|up|gate_up|down)_proj.*"],
                             "quantization_status": "compressed"}


def store_mxfp4(tensors):
    """gpt-oss: blocks of 32 inputs in 16 bytes, low nibble first, and an exponent byte; decoded by Transformers."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    stored, decoded = {}, {}
    for n, t in tensors.items():
        if n.endswith(("gate_up_proj", "down_proj")):
            rows = t.transpose(1, 2).contiguous()  # [experts, out, in]
            groups = rows.view(*rows.shape[:2], -1, 32)
            exponent = (groups.abs().amax(-1) / 6).log2().ceil().clamp(-127, 127)
            near = (groups / 2 ** exponent[..., None])[..., None] - E2M1
            q = near.abs().argmin(-1).to(torch.uint8)
            stored[n + "_blocks"] = q[..., 0::2] | (q[..., 1::2] << 4)
            stored[n + "_scales"] = (exponent + 127).to(torch.uint8)
            decoded[n] = convert_moe_packed_tensors(stored[n + "_blocks"], stored[n + "_scales"]).float()
        else:
            stored[n] = t.to(torch.bfloat16)
            decoded[n] = stored[n].float()
    return stored, decoded, {"quant_method": "mxfp4", "modules_to_not_convert":
                             ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]}


def store_as(dtype):
    def store(tensors):
        stored = {n: t if "e_score" in n else t.to(dtype) for n, t in tensors.items()}
        return stored, {n: t.float() for n, t in stored.items()}, None
    return store


def case(kind, keys, store, finish=None, boundaries=(), **how):
    """A random model, its tensors as `store` keeps them, and the reference's answer to the decoded ones."""
    def write(out, name):
        cls, config = build(kind, keys)
        model, weights, ids, *_ = random_answer(cls, config, name, **how)
        for n, p in model.named_parameters():
            p.data = weights[n]
        with tempfile.TemporaryDirectory() as scratch:
            scratch = pathlib.Path(scratch)
            model.save_pretrained(scratch)
            stored, decoded, quantization = store(load_file(scratch / "model.safetensors"))
            save_file({n: t.contiguous() for n, t in decoded.items()}, scratch / "model.safetensors",
                      metadata={"format": "pt"})
            model = cls.from_pretrained(scratch, dtype=torch.float32, attn_implementation="eager").eval()
            described = json.loads((scratch / "config.json").read_text())
        with TopKWatch() as watch:
            logits, loss = answer(model, ids)
        if watch.gap < how.get("closest", CLOSEST) / 2:
            raise SystemExit(f"{name}: near ties after rounding; rename the case for another seed")
        if quantization:
            described["quantization_config"] = quantization
        described["dtype"] = "bfloat16"
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "model").mkdir(parents=True)
        stored = {n: t.contiguous() for n, t in stored.items()}
        stored, described = finish(folder / "model", stored, described) if finish else (stored, described)
        if stored:
            save_file(stored, folder / "model" / "model.safetensors", metadata={"format": "pt"})
        (folder / "model" / "config.json").write_text(json.dumps(described, indent=1) + "\n")
        save_case(folder, ids, logits, loss, {}, list(boundaries), f"Transformers {transformers.__version__} {kind}")
    return write


def sharded(folder, tensors, config):
    """Three files and an index."""
    names = sorted(tensors)
    where = {}
    for i in range(3):
        file = f"model-{i + 1:05}-of-00003.safetensors"
        part = {n: tensors[n] for n in names[i::3]}
        save_file(part, folder / file, metadata={"format": "pt"})
        where |= dict.fromkeys(part, file)
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": size}, "weight_map": where}, indent=1) + "\n")
    return {}, config


def renamed(*pairs, extra=None, change=None):
    def finish(_, tensors, config):
        for old, new in pairs:
            tensors = {new + n[len(old):] if n.startswith(old) else n: t for n, t in tensors.items()}
        return tensors | (extra or {}), (change(config) if change else config)
    return finish


def masks(layers, context):
    """GPT-2's causal masks, which old files hold as buffers."""
    lower = torch.ones(context, context, dtype=torch.bool).tril()[None, None]
    return {f"h.{i}.attn.{n}": t.clone() for i in range(layers)
            for n, t in dict(bias=lower, masked_bias=torch.tensor(-1e4)).items()}


def as_kimi(config):
    return config | {"model_type": "kimi_k2"}


def as_k25(config):
    return {"architectures": ["KimiK25ForConditionalGeneration"], "model_type": "kimi_k25", "text_config": as_kimi(config)}


def with_head(_, tensors, config):
    """A copy of the embedding as head beside a config that ties them, as Qwen3 0.6B is published."""
    return tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, config


def without_tie(config):
    """The wrapper's default would tie the head; the file's own head counts."""
    return {k: v for k, v in config.items() if k != "tie_word_embeddings"} | {
        "text_config": {k: v for k, v in config["text_config"].items() if k != "tie_word_embeddings"}}


def sized(**keys):
    return configs.sized(**keys)


WIDE = sized(**configs.LATENT | dict(hidden_size=160, kv_lora_rank=136, n_routed_experts=4, num_experts_per_tok=2),
             intermediate_size=136, n_group=2, topk_group=1, num_mtp_layers=0,
             rope_parameters=configs.yarn(10000.0, 40.0, mscale=1.0, mscale_all_dim=1.0))
KIMI = sized(**configs.LATENT | dict(hidden_size=64, moe_intermediate_size=32, n_routed_experts=6),
             n_group=1, topk_group=1, num_mtp_layers=0, rms_norm_eps=1e-5, routed_scaling_factor=2.827,
             rope_parameters=configs.yarn(50000.0, 64.0, mscale=1.0, mscale_all_dim=1.0))
OSS = sized(hidden_size=64, intermediate_size=32, head_dim=16, num_local_experts=4, num_experts_per_tok=2,
            sliding_window=8, rope_parameters=configs.yarn(150000.0, 32.0, original=64, truncate=False))
LLAMA = sized(rope_parameters=configs.rope(500000.0, **configs.LLAMA3))
GEMMA = dict(text=sized(head_dim=8, sliding_window=8, query_pre_attn_scalar=12,
                        layer_types=["sliding_attention", "full_attention"],
                        rope_parameters={"full_attention": configs.rope(1e6), "sliding_attention": configs.rope(1e4)}),
             vision=configs.TINY_VISION["siglip"], mm_tokens_per_image=4, image_token_index=3)
MISTRAL = dict(text=sized(sliding_window=None, head_dim=8, rope_parameters=configs.rope(1e9), model_type="mistral"),
               vision=configs.TINY_VISION["pixtral"], image_token_index=3, tie_word_embeddings=False)
QWEN = sized(head_dim=8, tie_word_embeddings=True, rope_parameters=configs.rope(1e6))
F32 = store_as(torch.float32)
# Run as stored, activations are rounded too: few tokens, and no choice of experts that this could turn.
CLEAR = dict(tokens=12, closest=0.04)

CASES = [
    ("storage_fp8_deepseek_v3", case("DeepseekV3ForCausalLM", WIDE, store_fp8, **CLEAR)),
    ("storage_int4_kimi_k2", case("DeepseekV3ForCausalLM", KIMI, store_int4, renamed(change=as_kimi), **CLEAR)),
    ("storage_int4_kimi_k25", case("DeepseekV3ForCausalLM", KIMI, store_int4,
                                   renamed(("model.", "language_model.model."), ("lm_head", "language_model.lm_head"),
                                           change=as_k25), **CLEAR)),
    ("storage_mxfp4_gpt_oss", case("GptOssForCausalLM", OSS, store_mxfp4, boundaries=[7, 8, 9], **CLEAR)),
    ("storage_bf16_llama", case("LlamaForCausalLM", LLAMA, store_as(torch.bfloat16))),
    ("storage_f16_llama", case("LlamaForCausalLM", LLAMA, store_as(torch.float16))),
    ("storage_sharded_llama", case("LlamaForCausalLM", LLAMA, F32, sharded)),
    ("storage_prefix_gpt2", case("GPT2LMHeadModel", configs.gpt2(), F32,
                                 renamed(("transformer.", ""), extra=masks(2, 40)))),
    ("storage_prefix_gemma3", case("Gemma3ForConditionalGeneration", GEMMA, F32,
                                   renamed(("language_model.model.", "model.language_model."),
                                           ("vision_tower.", "model.vision_tower.")))),
    ("storage_prefix_mistral3", case("Mistral3ForConditionalGeneration", MISTRAL, F32,
                                     renamed(("language_model.model.", "model.language_model."),
                                             ("language_model.lm_head", "lm_head")))),
    ("storage_copied_head_qwen3", case("Qwen3ForCausalLM", QWEN, F32, with_head)),
    ("storage_own_head_mistral3", case("Mistral3ForConditionalGeneration", MISTRAL, F32, renamed(change=without_tie))),
]
