#!/usr/bin/env python3
"""Golden models of tests/parity: tiny random checkpoints of every family with the reference's answers.

Writes tests/golden/models/NAME/: model/ (the checkpoint, as save_pretrained or the publisher writes it),
expected.safetensors (float32 logits [tokens, vocab] and `grad.<checkpoint name>` of the mean next-token
cross-entropy) and case.json (ids, loss, lengths at which windows, chunks or temperatures begin to matter).
Transformers runs eagerly in float32. The pinned version (requirements-golden.txt) has what older ones lacked:
mscale in DeepSeek-V2's softmax scale, and groups masked with -inf in V3's router. It leaves DeepSeek-V2's
norm_topk_prob aside, which no published config sets, and so do we. Running this again writes the same numbers.

usage: golden.py [--only PATTERN] [--output FOLDER]
"""
import argparse
import fnmatch
import json
import pathlib
import shutil
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file

import golden_configs
import golden_configs_2
import golden_grok
import golden_storage
from golden_reference import answer, build, checkpoint_gradients, random_answer, save_case

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/models"


def add_mtp(folder, config, generator):
    """Multi-token prediction tensors, which Transformers leaves aside: they must not disturb the rest."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    last, new = f"model.layers.{config.num_hidden_layers - 1}.", f"model.layers.{config.num_hidden_layers}."
    for name in [n for n in tensors if n.startswith(last)]:
        tensors[new + name[len(last):]] = tensors[name] + 0.1 * torch.randn(tensors[name].shape, generator=generator)
    d, v = config.hidden_size, config.vocab_size
    for name, shape in dict(enorm=(d,), hnorm=(d,), eh_proj=(d, 2 * d), embed_tokens=(v, d),
                            **{"shared_head.norm": (d,), "shared_head.head": (v, d)}).items():
        tensors[f"{new}{name}.weight"] = torch.randn(shape, generator=generator)
    save_file(tensors, file, metadata={"format": "pt"})


def add_qwen_mtp(folder, config, generator):
    """Qwen's multi-token prediction, beside the decoder, and experts stacked as in the published files."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    config = config.get_text_config()
    prefix = next(n for n in tensors if n.endswith("embed_tokens.weight")).removesuffix("embed_tokens.weight")
    for layer in range(getattr(config, "num_experts", 0) and config.num_hidden_layers):
        base = f"{prefix}layers.{layer}.mlp.experts"
        expert = lambda e, w: tensors.pop(f"{base}.{e}.{w}_proj.weight")
        experts = range(config.num_experts)
        if f"{base}.0.up_proj.weight" in tensors:
            gate, up, down = ([expert(e, w) for e in experts] for w in ("gate", "up", "down"))
            tensors[f"{base}.gate_up_proj"] = torch.stack([torch.cat(p) for p in zip(gate, up)])
            tensors[f"{base}.down_proj"] = torch.stack(down)
    full = max(i for i, kind in enumerate(config.layer_types) if kind == "full_attention")
    for name in [n for n in tensors if n.startswith(f"{prefix}layers.{full}.")]:
        tensors["mtp.layers.0." + name.split(f"layers.{full}.")[1]] = tensors[name].clone()
    d = config.hidden_size
    for name, shape in dict(fc=(d, 2 * d), pre_fc_norm_embedding=(d,), pre_fc_norm_hidden=(d,), norm=(d,)).items():
        tensors[f"mtp.{name}.weight"] = torch.randn(shape, generator=generator)
    save_file(tensors, file, metadata={"format": "pt"})


def published(config, kimi):
    """config.json as the hub's files have it: rope_theta and rope_scaling at top level, old key names."""
    c = {k: v for k, v in config.items() if not k.startswith("_") and k not in
         ("transformers_version", "dtype", "output_router_logits", "qk_head_dim", "is_llama_config")}
    c["torch_dtype"] = "float32"
    rope = c.pop("rope_parameters", None)
    if rope and c["model_type"] == "olmo3":
        rope = rope["full_attention"]
    elif rope and "full_attention" in rope:
        c["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = rope["full_attention"]
        if "layer_types" in c:
            c["sliding_window_pattern"] = 6
            del c["layer_types"]
    if rope:
        rope = dict(rope)
        c["rope_theta"] = rope.pop("rope_theta")
        fraction = rope.pop("partial_rotary_factor", None)
        if fraction:
            c["partial_rotary_factor"] = fraction
        kind = rope.pop("rope_type")
        if c["model_type"].startswith("deepseek"):
            c.pop("head_dim", None)
            rope["type"] = kind
        else:
            rope["rope_type"] = kind
        c["rope_scaling"] = rope if kind != "default" else None
        if kind == "default" and c["model_type"] == "gpt_oss":
            c["rope_scaling"] = {"rope_type": "default"}  # null would mean its usual YaRN
    if c["model_type"] == "qwen3_moe":
        c["num_experts"] = c.pop("num_local_experts", c.get("num_experts"))
    if c["model_type"].startswith("deepseek"):
        c["scoring_func"] = "sigmoid" if c["model_type"] == "deepseek_v3" else "softmax"
        if c["model_type"] == "deepseek_v3":
            c["topk_method"] = "noaux_tc"
    if c["model_type"] == "granitemoehybrid":
        c["layer_types"] = ["attention"] * c["num_hidden_layers"]
        del c["time_step_limit"]
    if c["model_type"] == "cohere2":
        c |= dict(rotary_pct=1.0, use_parallel_block=True, sliding_window_pattern=4)
        del c["layer_types"]
    if c["model_type"] == "minimax_m2":
        c["rotary_dim"] = int(c.pop("partial_rotary_factor") * c["head_dim"])
        c |= dict(use_qk_norm=True, qk_norm_type="per_layer", scoring_func="sigmoid", use_routing_bias=True,
                  shared_intermediate_size=0, attn_type_list=[1] * c["num_hidden_layers"])
    if c["model_type"] == "glm4_moe_lite":
        c |= dict(first_k_dense_replace=1, topk_method="noaux_tc")
        del c["mlp_layer_types"]
    if c["model_type"] == "ministral3":  # which is younger than rope_parameters
        c["rope_parameters"] = config["rope_parameters"] | {"type": config["rope_parameters"]["rope_type"]}
        del c["rope_theta"], c["rope_scaling"]
    if c["model_type"] == "gpt2":
        c["n_ctx"] = c["n_positions"]
    if kimi:
        c["model_type"] = "kimi_k2"
    return c


def check_on_disk(folder, cls, ids, logits):
    """The files as written, read by Transformers, give the same logits: config.json says all."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch) / "model"
        shutil.copytree(folder, copy)
        config = json.loads((copy / "config.json").read_text())
        if config["model_type"] == "kimi_k2":  # which Transformers calls deepseek_v3
            config["model_type"] = "deepseek_v3"
        (copy / "config.json").write_text(json.dumps(config))
        model = cls.from_pretrained(copy, dtype=torch.float32, attn_implementation="eager").eval()
    again, _ = answer(model, ids)
    if (again - logits).abs().max() > 1e-5 * logits.abs().max():
        raise SystemExit(f"{folder}: the files do not say what the model was")


def make(name, kind, keys, options, out):
    cls, config = build(kind, keys)
    model, weights, ids, logits, loss, generator = random_answer(cls, config, name, options.get("correction", 0.0))
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "model").mkdir(parents=True)
    for n, p in model.named_parameters():
        p.data = weights[n]
    model.save_pretrained(folder / "model")
    (folder / "model" / "generation_config.json").unlink(missing_ok=True)
    if options.get("extra") == "mtp":
        add_mtp(folder / "model", config, generator)
    if options.get("extra") == "qwen_mtp":
        add_qwen_mtp(folder / "model", config, generator)
    if options.get("published"):
        file = folder / "model" / "config.json"
        file.write_text(json.dumps(published(json.loads(file.read_text()), options.get("kimi")), indent=1) + "\n")
    check_on_disk(folder / "model", cls, ids, logits)
    grads = checkpoint_gradients(model) if options.get("grad") else {}
    save_case(folder, ids, logits, loss, grads, options.get("boundaries", []),
              f"Transformers {transformers.__version__} {kind}")
    print(f"{name}: loss {loss.item():.4f}, largest logit {logits.abs().max().item():.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="names to write, a shell pattern")
    parser.add_argument("--output", type=pathlib.Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name, kind, keys, options in golden_configs.MODELS + golden_configs_2.MODELS:
        if fnmatch.fnmatch(name, args.only):
            make(name, kind, keys, options, args.output)
    for name, write in golden_grok.CASES + golden_storage.CASES:
        if fnmatch.fnmatch(name, args.only):
            write(args.output, name)
            print(name)


if __name__ == "__main__":
    main()
