#!/usr/bin/env python3
"""Golden models of tests/parity: tiny random checkpoints of every family with the reference's answers.

Writes tests/golden/models/NAME/: model/ (the checkpoint, as save_pretrained or the publisher writes it),
expected.safetensors (ids, float32 logits [tokens, vocab], loss, and `grad.<checkpoint name>` of the mean
next-token cross-entropy) and case.json (what the case switches). Transformers runs eagerly in float32;
where it is known to be wrong the model's own code decides: see Patched below. Seeds and versions are
pinned (requirements-golden.txt): running it again writes the same numbers.

usage: golden.py [--only PATTERN] [--output FOLDER]
"""
import argparse
import contextlib
import fnmatch
import json
import pathlib
import shutil
import tempfile

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file

import golden_configs
import golden_grok
import golden_storage

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/models"
TOKENS = 40
FIRST_ORDINARY = 6  # ids below stand for special and image tokens
CLOSEST = 2e-4      # two candidates of a top-k nearer than this could be taken either way


class TopKWatch:
    """The smallest distance between the last value that a top-k took and the first it left."""

    def __enter__(self):
        self.gap, self.real = float("inf"), torch.topk
        self.method = torch.Tensor.topk

        def watched(values, k, *args, **kwargs):
            dim = kwargs.get("dim", args[0] if args else -1)
            ordered = values.detach().sort(dim=dim, descending=True).values
            if k < ordered.shape[dim]:
                gaps = ordered.narrow(dim, k - 1, 1) - ordered.narrow(dim, k, 1)
                self.gap = min(self.gap, gaps.min().item())
            return self.real(values, k, *args, **kwargs)

        torch.topk = watched
        torch.Tensor.topk = watched
        return self

    def __exit__(self, *_):
        torch.topk, torch.Tensor.topk = self.real, self.method


@contextlib.contextmanager
def patched(config):
    """DeepSeek-V2's own code divides the weights of the chosen experts by their sum when norm_topk_prob is
    set, and then leaves the scale out; Transformers 5.24 ignores the key."""
    from transformers.models.deepseek_v2 import modeling_deepseek_v2 as v2
    router = v2.DeepseekV2TopkRouter
    original = router.forward

    def forward(self, hidden):
        logits, weights, chosen = original(self, hidden)
        weights = weights / self.routed_scaling_factor
        return logits, weights / (weights.sum(dim=-1, keepdim=True) + 1e-20), chosen

    if config.model_type == "deepseek_v2" and config.norm_topk_prob:
        router.forward = forward
    try:
        yield
    finally:
        router.forward = original


def randomise(model, generator, correction=0.0):
    """Weights large enough that attention and routing matter; norms, biases and sinks off their trivial
    values, so that leaving one out shows."""
    def normal(shape):
        return torch.randn(shape, generator=generator)

    about_zero = "Gemma3" in type(model).__name__  # norms multiply by 1 + w
    for name, p in list(model.named_parameters()) + list(model.named_buffers()):
        if name.endswith("e_score_correction_bias"):
            p.data = correction + 0.2 * normal(p.shape)
        elif "norm" in name or ".ln_" in name:
            p.data = ((0.0 if about_zero else 1.0) if name.endswith("weight") else 0.0) + 0.3 * normal(p.shape)
        elif isinstance(p, torch.nn.Parameter) and p.dim() >= 2:
            fan_in = p.shape[-1]
            if "c_" in name or (p.dim() == 3 and type(model).__name__.startswith(("Llama4", "GptOss"))):
                fan_in = p.shape[-2]  # stored [in, out]
            spread = 1.3 * fan_in ** -0.5
            if "embed" in name or "wte" in name or "wpe" in name:
                spread = 0.2 if about_zero else 0.5
            p.data = spread * normal(p.shape)
        elif isinstance(p, torch.nn.Parameter):
            p.data = 0.3 * normal(p.shape)


def build(kind, keys):
    """A config object from the keys; text and vision towers of multimodal models apart."""
    cls = getattr(transformers, kind)
    keys = dict(keys)
    if "text" in keys:
        keys["text_config"], keys["vision_config"] = keys.pop("text"), keys.pop("vision")
    config = cls.config_class(**keys)
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    return cls, config


def answer(model, ids):
    """Logits and loss of the reference, and its gradients in place of the parameters."""
    # Llama 4's multimodal class reads fields of its text model's output that 5.24 does not fill.
    text = model.language_model if type(model).__name__ == "Llama4ForConditionalGeneration" else model
    logits = text(input_ids=ids[None], use_cache=False).logits[0].float()
    loss = F.cross_entropy(logits[:-1], ids[1:])
    loss.backward()
    return logits.detach(), loss.detach()


def checkpoint_gradients(model):
    """The gradients under the names and in the layout of the checkpoint: written by the same code."""
    text = lambda n: not any(w in n for w in ("vision", "multi_modal"))
    for name, p in model.named_parameters():
        p.data = torch.zeros_like(p) if p.grad is None else p.grad
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = load_file(pathlib.Path(folder) / "model.safetensors")
    return {n: t for n, t in tensors.items() if text(n) and not n.endswith("e_score_correction_bias")}


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


def published(config, kimi):
    """config.json as the hub's files have it: rope_theta and rope_scaling at top level, old key names."""
    c = {k: v for k, v in config.items() if not k.startswith("_") and k not in
         ("transformers_version", "dtype", "output_router_logits", "qk_head_dim", "is_llama_config")}
    c["torch_dtype"] = "float32"
    rope = c.pop("rope_parameters", None)
    if rope and "full_attention" in rope:
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
    if c["model_type"] == "qwen3_moe":
        c["num_experts"] = c.pop("num_local_experts", c.get("num_experts"))
    if c["model_type"].startswith("deepseek"):
        c["scoring_func"] = "sigmoid" if c["model_type"] == "deepseek_v3" else "softmax"
        if c["model_type"] == "deepseek_v3":
            c["topk_method"] = "noaux_tc"
    if c["model_type"] == "gpt2":
        c["n_ctx"] = c["n_positions"]
    if kimi:
        c["model_type"] = "kimi_k2"
    return c


def save_case(folder, ids, logits, loss, gradients, about):
    expected = {"ids": ids.to(torch.int32), "logits": logits, "loss": loss}
    expected |= {"grad." + n: g.float().contiguous() for n, g in gradients.items()}
    save_file({n: t.contiguous().clone() for n, t in expected.items()}, folder / "expected.safetensors")
    (folder / "case.json").write_text(json.dumps(about, indent=1) + "\n")


def make(name, kind, keys, options, out):
    cls, config = build(kind, keys)
    for seed in range(50):
        generator = torch.Generator().manual_seed(1000 * seed + sum(map(ord, name)))
        with patched(config):
            model = cls(config).eval().float()
            randomise(model, generator, options.get("correction", 0.0))
            vocab = config.get_text_config().vocab_size
            ids = torch.randint(FIRST_ORDINARY, vocab, (TOKENS,), generator=generator)
            with TopKWatch() as watch:
                weights = {n: p.detach().clone() for n, p in model.named_parameters()}
                logits, loss = answer(model, ids)
        if watch.gap > CLOSEST:
            break
    else:
        raise SystemExit(f"{name}: no seed without near ties")
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "model").mkdir(parents=True)
    for n, p in model.named_parameters():
        p.data = weights[n]
    model.save_pretrained(folder / "model")
    (folder / "model" / "generation_config.json").unlink(missing_ok=True)
    if options.get("extra") == "mtp":
        add_mtp(folder / "model", config, generator)
    if options.get("published"):
        file = folder / "model" / "config.json"
        file.write_text(json.dumps(published(json.loads(file.read_text()), options.get("kimi")), indent=1) + "\n")
    grads = checkpoint_gradients(model) if options.get("grad") else {}
    save_case(folder, ids, logits, loss, grads,
              {"boundaries": options.get("boundaries", []), "reference": f"Transformers {transformers.__version__} {kind}"})
    print(f"{name}: loss {loss.item():.4f}, largest logit {logits.abs().max().item():.2f}, closest choice {watch.gap:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="names to write, a shell pattern")
    parser.add_argument("--output", type=pathlib.Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name, kind, keys, options in golden_configs.MODELS:
        if fnmatch.fnmatch(name, args.only):
            make(name, kind, keys, options, args.output)
    for name, write in golden_grok.CASES + golden_storage.CASES:
        if fnmatch.fnmatch(name, args.only):
            write(args.output, name)
            print(name)


if __name__ == "__main__":
    main()
