#!/usr/bin/env python3
"""Golden curves of tests/train: tiny models trained by PyTorch and Transformers as RUN.json says.

Writes tests/golden/training/NAME/: run.json (settings; its model and initial weights are a checkpoint of
tests/golden/models), ids.npy (int32 [sequences, length], read over and over) and expected.json (loss, norm of the
gradient and rate of every step); and rules.json, what optimisers and schedules by themselves do. The rules are docs/training.md's: the mean over all predicted tokens of the step,
torch.nn.utils.clip_grad_norm_, torch.optim.AdamW, rates as Transformers' schedules have them. Everything is float32;
Transformers' auxiliary losses are off. `curve` trains any folder by any such run.json, for comparisons at hand:

    golden_training.py [--only PATTERN]
    golden_training.py --run RUN.json      prints one JSON object a step
"""
import argparse
import fnmatch
import json
import pathlib

import numpy
import torch
import transformers
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "tests/golden/training"
MODELS = ROOT / "tests/golden/models"


def adamw(rate, decay=0.1, decay_on="matrices", betas=(0.9, 0.95), eps=1e-8):
    return dict(kind="adamw", rate=rate, betas=list(betas), eps=eps, decay=decay, decay_on=decay_on)


def run(model, optimiser, schedule, sequences=4, micro=4, clip=1.0, **more):
    return dict(more, init={"from": model}, data=dict(tokens="ids.npy", order="sequential"),
                batch=dict(sequences=sequences, length=24, micro=micro), optimiser=optimiser, schedule=schedule,
                clip=clip, steps=100, seed=1, precision="f32")


CASES = {
    "gpt2": run("gpt2_tied", adamw(1e-3), dict(kind="cosine", warmup=10, final=0.1)),
    "llama": run("llama_31_scaling", adamw(2e-3, decay_on="all"), dict(kind="linear", warmup=5, final=0.0)),
    "olmo2": run("olmo2_grouped", adamw(3e-3, betas=(0.8, 0.9)), dict(kind="constant", warmup=20), micro=2),
    "gemma3": run("gemma3_six_layers", adamw(3e-4, decay=0.3, decay_on="all"), dict(kind="constant", warmup=0)),
    "qwen3_moe": run("qwen3_moe_normalised", adamw(1e-3), dict(kind="cosine", warmup=10, final=0.2), sequences=6,
                     micro=4),
    "deepseek_v3": run("deepseek_v3_groups", adamw(1e-3, decay_on="none"), dict(kind="constant", warmup=10)),
    "qwen3_moe_balanced": run("qwen3_moe_every_second", adamw(1e-3), dict(kind="constant", warmup=5), micro=2,
                              losses=dict(z=1e-3, router_z=2e-3, balance=dict(kind="step", weight=0.02))),
    "deepseek_v3_corrected": run("deepseek_v3_negative_bias", adamw(1e-3), dict(kind="constant", warmup=5), micro=2,
                                 losses=dict(bias_rate=1e-3)),
    "deepseek_v3_mtp": run("deepseek_v3_mtp", adamw(3e-4), dict(kind="constant", warmup=10), losses=dict(mtp=0.3)),
    "gpt_oss": run("gpt_oss_yarn", adamw(1e-3, eps=1e-6), dict(kind="linear", warmup=10, final=0.1), clip=0.5),
}


def factor(schedule, step, steps):
    """Share of the rate at a step from 0: Transformers' get_cosine/linear/constant_schedule_with_warmup."""
    kind, warmup, final = schedule["kind"], schedule.get("warmup", 0), schedule.get("final", 0.0)
    if step < warmup:
        return step / max(1, warmup)
    done = (step - warmup) / max(1, steps - warmup)
    if kind == "constant":
        return 1.0
    if kind == "cosine":
        return final + (1 - final) * 0.5 * (1 + numpy.cos(numpy.pi * done))
    if kind == "linear":
        return final + (1 - final) * (1 - done)
    raise SystemExit(f"schedule {kind}")


def is_matrix(name, parameter):
    return parameter.dim() >= 2 and not name.endswith("bias")


class Routers:
    """Loads of the layers with a correction bias, as their experts are called."""

    def __init__(self, model):
        self.layers = {n: m for n, m in model.named_modules() if hasattr(m, "gate") and hasattr(m, "experts")}
        self.counts = {}
        for name, layer in self.layers.items():
            layer.experts.register_forward_pre_hook(lambda m, args, name=name: self.count(name, args[1]))

    def count(self, name, chosen):
        experts = self.layers[name].gate.weight.shape[0]
        self.counts[name] = self.counts.get(name, 0) + torch.bincount(chosen.flatten(), minlength=experts)

    def correct(self, rate):
        """DeepSeek-V3, section 2.1.2, once per step."""
        for name, counts in self.counts.items():
            counts = counts.double()
            bias = self.layers[name].gate.e_score_correction_bias
            bias += (rate * torch.sign(counts.mean() - counts)).to(bias.dtype)
        self.counts = {}


class Ahead(torch.nn.Module):
    """The layer for the token after the next, which Transformers leaves aside: DeepSeek-V3, section 2.2."""

    def __init__(self, model, tensors):
        super().__init__()
        from transformers.models.deepseek_v3 import modeling_deepseek_v3 as m
        config, at = model.config, f"model.layers.{model.config.num_hidden_layers}."
        self.base, self.hidden = [model], None  # a list: its parameters are not this module's
        self.layer = m.DeepseekV3DecoderLayer(config, 1)
        d, eps = config.hidden_size, config.rms_norm_eps
        self.enorm, self.hnorm, self.norm = (m.DeepseekV3RMSNorm(d, eps) for _ in range(3))
        self.eh_proj = torch.nn.Linear(2 * d, d, bias=False)
        mine = {name.removeprefix(at): t.float() for name, t in tensors.items() if name.startswith(at)}
        with torch.no_grad():
            for name, module in dict(enorm=self.enorm, hnorm=self.hnorm, eh_proj=self.eh_proj,
                                     **{"shared_head.norm": self.norm}).items():
                module.weight.copy_(mine.pop(f"{name}.weight"))
            for name, p in self.layer.named_parameters():
                if ".experts." in name:  # stacked: gate above up
                    kind = name.split(".")[-1]
                    parts = [[mine.pop(f"mlp.experts.{e}.{w}.weight") for w in
                              (("gate_proj", "up_proj") if kind == "gate_up_proj" else ("down_proj",))]
                             for e in range(config.n_routed_experts)]
                    p.copy_(torch.stack([torch.cat(part) for part in parts]))
                else:
                    p.copy_(mine.pop(name))
            self.layer.mlp.gate.e_score_correction_bias.copy_(mine.pop("mlp.gate.e_score_correction_bias"))
        assert set(mine) == {"embed_tokens.weight", "shared_head.head.weight"}, mine.keys()  # the model's own are used
        model.model.layers[-1].register_forward_hook(lambda m, args, out: setattr(self, "hidden", out))
        self.eval()

    def loss(self, ids):
        """Mean over the tokens whose second successor is there, after a forward pass of the model."""
        model, rows = self.base[0], ids.shape[1]
        following = torch.cat([ids[:, 1:], ids[:, -1:]], 1)
        x = self.eh_proj(torch.cat([self.enorm(model.model.embed_tokens(following)), self.hnorm(self.hidden)], -1))
        positions = torch.arange(rows)[None]
        mask = torch.full((rows, rows), float("-inf")).triu(1)[None, None]
        x = self.layer(x, attention_mask=mask, position_ids=positions,
                       position_embeddings=model.model.rotary_emb(x, position_ids=positions))
        logits = model.lm_head(self.norm(x))[:, :-2].float()
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 2:].flatten())


def auxiliary(losses, out, config):
    """Weighted losses beside the cross-entropy, with Transformers' balance over the whole step."""
    from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func
    z = (out.logits[:, :-1].float().logsumexp(-1) ** 2).mean()
    router_z = torch.stack([(r.logsumexp(-1) ** 2).mean() for r in out.router_logits]).mean()
    balance = load_balancing_loss_func(out.router_logits, config.num_experts, config.num_experts_per_tok)
    values = dict(z_loss=z, router_z_loss=router_z, balance_loss=balance)
    weighted = losses["z"] * z + losses["router_z"] * router_z + losses["balance"]["weight"] * balance
    return weighted, {key: value.item() for key, value in values.items()}


def curve(settings, model, ids, tensors=None):
    losses = settings.get("losses", {})
    ahead = Ahead(model, tensors) if losses.get("mtp") else None
    routers = Routers(model) if losses.get("bias_rate") else None
    o, clip = settings["optimiser"], settings.get("clip", 0)
    on = dict(matrices=is_matrix, all=lambda n, p: True, none=lambda n, p: False)[o["decay_on"]]
    named = list(model.named_parameters()) + (list(ahead.named_parameters()) if ahead else [])
    groups = [dict(params=[p for n, p in named if on(n, p)], weight_decay=o["decay"]),
              dict(params=[p for n, p in named if not on(n, p)], weight_decay=0.0)]
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], lr=o["rate"], betas=o["betas"], eps=o["eps"])
    sequences, micro = settings["batch"]["sequences"], settings["batch"]["micro"]
    for step in range(settings["steps"]):
        rows = ids[[(step * sequences + i) % len(ids) for i in range(sequences)]]
        predicted = sequences * (ids.shape[1] - 1)
        optimiser.zero_grad(set_to_none=False)
        total = 0.0
        values = {}
        for part in rows.split(len(rows) if losses.get("balance") else micro):
            out = model(part, use_cache=False, **(dict(output_router_logits=True) if losses.get("balance") else {}))
            logits = out.logits[:, :-1].float()
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten(), reduction="sum") / predicted
            total += loss.item()
            if losses.get("balance"):
                weighted, values = auxiliary(losses, out, model.config)
                loss = loss + weighted
            if ahead:
                of_ahead = ahead.loss(part) * len(part) / sequences
                values["mtp_loss"] = values.get("mtp_loss", 0.0) + of_ahead.item()
                loss = loss + losses["mtp"] * of_ahead
            loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([p for _, p in named], clip if clip > 0 else float("inf"))
        rate = o["rate"] * factor(settings["schedule"], step, settings["steps"])
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        if routers:
            routers.correct(losses["bias_rate"])
        yield dict(values, step=step + 1, loss=total, gradient_norm=norm.item(), rate=rate)


SHAPES = dict(projection=(6, 4), tall=(3, 8), expert=(3, 5, 4), embedding=(7, 4), norm=(5,))


def newton_schulz(g, iterations):
    """Keller Jordan's (kellerjordan.github.io/posts/muon), in float32."""
    x = g / (g.norm() + 1e-7)
    turn = x.shape[0] > x.shape[1]
    x = x.T if turn else x
    for _ in range(iterations):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if turn else x


def muon(weights, gradients, momentum, o):
    """One step as published; moonlight: arXiv 2502.16982, equation 4, each expert by itself."""
    for w, g, m in zip(weights, gradients, momentum):
        m.lerp_(g, 1 - o["momentum"])
        u = g.lerp(m, o["momentum"]) if o["nesterov"] else m
        rows, cols = w.shape
        scale = 0.2 * max(rows, cols) ** 0.5 if o["scale"] == "moonlight" else max(1, rows / cols) ** 0.5
        w.mul_(1 - o["rate"] * o["decay"]).sub_(newton_schulz(u, 5), alpha=o["rate"] * scale)


def optimisers():
    """Parameters after each of some steps with given gradients."""
    cases = [dict(kind="adamw", rate=1e-2, betas=[0.9, 0.95], eps=1e-8, decay=0.1),
             dict(kind="adamw", rate=3e-3, betas=[0.8, 0.999], eps=1e-3, decay=0.0),
             dict(kind="sgd", rate=1e-2, momentum=0.9, nesterov=True, decay=0.0),
             dict(kind="sgd", rate=1e-2, momentum=0.0, nesterov=False, decay=0.0),
             dict(kind="muon", rate=1e-2, momentum=0.95, nesterov=True, scale="moonlight", decay=0.1,
                  betas=[0.9, 0.95], eps=1e-8),
             dict(kind="muon", rate=2e-2, momentum=0.9, nesterov=False, scale="keller", decay=0.0,
                  betas=[0.9, 0.95], eps=1e-8)]
    out = []
    for o in cases:
        generator = torch.Generator().manual_seed(len(out))
        weights = {n: torch.randn(s, generator=generator) for n, s in SHAPES.items()}
        steps = [{n: torch.randn(s, generator=generator) for n, s in SHAPES.items()} for _ in range(4)]
        case = dict(settings=o, begin={n: w.flatten().tolist() for n, w in weights.items()}, steps=[])
        hidden = ["projection", "tall", "expert"] if o["kind"] == "muon" else []
        matrices = [m for n in hidden for m in (weights[n] if weights[n].dim() == 3 else [weights[n]])]
        momentum = [torch.zeros_like(m) for m in matrices]
        others = {n: w for n, w in weights.items() if n not in hidden}
        decays = [w for n, w in others.items() if n != "norm"]
        groups = [dict(params=decays, weight_decay=o["decay"]), dict(params=[others["norm"]], weight_decay=0.0)]
        torch_one = (torch.optim.SGD(list(others.values()), lr=o["rate"], momentum=o["momentum"], nesterov=o["nesterov"])
                     if o["kind"] == "sgd" else torch.optim.AdamW(groups, lr=o["rate"], betas=o["betas"], eps=o["eps"]))
        for gradients in steps:
            for n, w in others.items():
                w.grad = gradients[n].clone()
            torch_one.step()
            muon(matrices, [g for n in hidden for g in (gradients[n] if gradients[n].dim() == 3 else [gradients[n]])],
                 momentum, o)
            case["steps"].append(dict(gradients={n: g.flatten().tolist() for n, g in gradients.items()},
                                      after={n: w.flatten().tolist() for n, w in weights.items()}))
        out.append(case)
    return out


def schedules():
    """Shares of the rate as Transformers and PyTorch have them, for steps from 0."""
    from torch.optim.lr_scheduler import MultiStepLR
    from transformers import optimization as t
    steps, out = 40, []
    for settings, make in [
            (dict(kind="cosine", warmup=8, final=0.1),
             lambda o: t.get_cosine_with_min_lr_schedule_with_warmup(o, 8, steps, min_lr_rate=0.1)),
            (dict(kind="cosine", warmup=0, final=0.0), lambda o: t.get_cosine_schedule_with_warmup(o, 0, steps)),
            (dict(kind="linear", warmup=5, final=0.0), lambda o: t.get_linear_schedule_with_warmup(o, 5, steps)),
            (dict(kind="constant", warmup=7), lambda o: t.get_constant_schedule_with_warmup(o, 7)),
            (dict(kind="steps", at=[0.5, 0.75], factor=0.3), lambda o: MultiStepLR(o, [20, 30], 0.3)),
            *[(dict(kind="wsd", warmup=4, decay=0.25, final=0.2, shape=shape),
               lambda o, kind=kind: t.get_wsd_schedule(o, 4, 10, steps, decay_type=kind, min_lr_ratio=0.2))
              for shape, kind in [("linear", "linear"), ("cosine", "cosine"), ("sqrt", "1-sqrt")]]]:
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule, factors = make(optimiser), []
        for _ in range(steps):
            factors.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        out.append(dict(settings=settings, steps=steps, factors=factors))
    return out


def load(folder):
    config = json.loads((folder / "config.json").read_text())
    cls = getattr(transformers, config["architectures"][0])
    model = cls.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager",
                                experts_implementation="eager").eval()
    return model  # eval: no dropout; gradients flow as in training


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="names to write, a shell pattern")
    parser.add_argument("--run", type=pathlib.Path, help="print the curve of this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if args.run:
        settings = json.loads(args.run.read_text())
        ids = torch.from_numpy(numpy.load(args.run.parent / settings["data"]["tokens"]).astype("int64"))
        for record in curve(settings, load(pathlib.Path(settings["init"]["from"])), ids):
            print(json.dumps(record), flush=True)
        return
    OUT.mkdir(parents=True, exist_ok=True)
    if fnmatch.fnmatch("rules", args.only):
        (OUT / "rules.json").write_text(json.dumps(dict(optimisers=optimisers(), schedules=schedules())) + "\n")
    for name, settings in CASES.items():
        if not fnmatch.fnmatch(name, args.only):
            continue
        model = load(MODELS / settings["init"]["from"] / "model")
        generator = numpy.random.default_rng(len(name))
        # Half of it repeats, so that there is something to learn.
        rows = generator.integers(0, min(model.config.vocab_size, 64), (10, 24))
        rows[5:, 12:] = rows[5:, :12]
        folder = OUT / name
        folder.mkdir(parents=True, exist_ok=True)
        numpy.save(folder / "ids.npy", rows.astype(numpy.int32))
        tensors = load_file(MODELS / settings["init"]["from"] / "model/model.safetensors")
        records = list(curve(settings, model, torch.from_numpy(rows), tensors))
        (folder / "run.json").write_text(json.dumps(settings, indent=1) + "\n")
        expected = {key: [record[key] for record in records] for key in records[0] if key != "step"}
        expected["reference"] = f"PyTorch {torch.__version__.split('+')[0]}, Transformers {transformers.__version__}"
        (folder / "expected.json").write_text(json.dumps(expected) + "\n")
        print(f"{name}: loss {expected['loss'][0]:.4f} to {expected['loss'][-1]:.4f}")


if __name__ == "__main__":
    main()
