"""What tools/golden.py knows of the reference: random weights, logits, gradients under checkpoint names."""
import json
import pathlib
import tempfile

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file

TOKENS = 40
FIRST_ORDINARY = 6  # ids below stand for special and image tokens
IN_DOUBLES = ("Qwen3Next", "Qwen3_5")
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


class InDoubles:
    """Everything in float64, also what a model casts to float32: chunked linear attention loses too many
    digits of float32 to be a reference."""

    def __enter__(self):
        self.kept = torch.float32, torch.Tensor.float
        torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double

    def __exit__(self, *_):
        torch.float32, torch.Tensor.float = self.kept


def randomise(model, generator, correction=0.0):
    """Weights large enough that attention and routing matter; norms, biases and sinks off their trivial
    values, so that leaving one out shows."""
    def normal(shape):
        return torch.randn(shape, generator=generator)

    kind = type(model).__name__
    gemma = kind.startswith(("Gemma2", "Gemma3"))
    about_zero = lambda name: (gemma or "Qwen3Next" in kind or "Qwen3_5" in kind) and not name.endswith(
        "linear_attn.norm.weight")  # norms multiply by 1 + w
    for name, p in list(model.named_parameters()) + list(model.named_buffers()):
        if name.endswith("e_score_correction_bias"):
            p.data = correction + 0.2 * normal(p.shape)
        elif "norm" in name or ".ln_" in name:
            p.data = ((0.0 if about_zero(name) else 1.0) if name.endswith("weight") else 0.0) + 0.3 * normal(p.shape)
        elif isinstance(p, torch.nn.Parameter) and p.dim() >= 2:
            fan_in = p.shape[-1]
            if "c_" in name or (p.dim() == 3 and type(model).__name__.startswith(("Llama4", "GptOss"))):
                fan_in = p.shape[-2]  # stored [in, out]
            spread = 1.3 * fan_in ** -0.5
            if "embed" in name or "wte" in name or "wpe" in name:
                spread = 0.2 if gemma else 0.5
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
    return cls, config


def answer(model, ids):
    """Logits and loss of the reference, and its gradients in place of the parameters."""
    if type(model).__name__.startswith(IN_DOUBLES):
        model.double()
        with InDoubles():
            logits, loss = forward_and_back(model, ids)
        model.float()
        return logits.float(), loss.float()
    return forward_and_back(model, ids)


def forward_and_back(model, ids):
    for config in (model.config, model.config.get_text_config()):
        config._experts_implementation = "eager"
    # Llama 4's multimodal class reads fields of its text model's output that 5.24 does not fill.
    text = model.language_model if type(model).__name__ == "Llama4ForConditionalGeneration" else model
    logits = text(input_ids=ids[None], use_cache=False).logits[0].float()
    loss = F.cross_entropy(logits[:-1], ids[1:])
    loss.backward()
    return logits.detach(), loss.detach()


def checkpoint_gradients(model):
    """The gradients under the names and in the layout of the checkpoint: written by the same code."""
    text = lambda n: not any(w in n for w in ("vision", "visual", "multi_modal"))
    for name, p in model.named_parameters():
        p.data = torch.zeros_like(p) if p.grad is None else p.grad
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = load_file(pathlib.Path(folder) / "model.safetensors")
    return {n: t for n, t in tensors.items() if text(n) and not n.endswith("e_score_correction_bias")}


def save_case(folder, ids, logits, loss, gradients, boundaries, reference):
    """expected.safetensors (logits and gradients) and case.json beside the checkpoint."""
    expected = {"logits": logits} | {"grad." + n: g.float() for n, g in gradients.items()}
    save_file({n: t.contiguous().clone() for n, t in expected.items()}, folder / "expected.safetensors")
    about = {"reference": reference, "boundaries": boundaries, "loss": loss.item(), "ids": ids.tolist()}
    (folder / "case.json").write_text(json.dumps(about) + "\n")


def random_answer(cls, config, seed_text, correction=0.0, tokens=TOKENS, closest=CLOSEST):
    """A random model whose top-k choices are clear: (model, weights, ids, logits, loss, generator)."""
    for seed in range(400):
        generator = torch.Generator().manual_seed(1000 * seed + sum(map(ord, seed_text)))
        model = cls(config).eval().float()
        randomise(model, generator, correction)
        ids = torch.randint(FIRST_ORDINARY, config.get_text_config().vocab_size, (tokens,), generator=generator)
        weights = {n: p.detach().clone() for n, p in model.named_parameters()}
        with TopKWatch() as watch:
            logits, loss = answer(model, ids)
        if watch.gap > closest:
            return model, weights, ids, logits, loss, generator
    raise SystemExit(f"{seed_text}: no seed without near ties")
