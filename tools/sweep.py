#!/usr/bin/env python3
"""Random checkpoints of the reference's classes through the program: logits as published, as Ashlar writes
them (safetensors, GGUF), and gradients.

Configurations are drawn per family from the options that its class has; weights are those of tools/golden.py.
Prints the worst differences, relative to the largest magnitude, and ends with 1 where one exceeds the bound.
A conversion that is refused is counted, not an error: GGUF cannot say everything.

usage: sweep.py [--families qwen2,phi3] [--count 20] [--seed 0] [--program build/release/ashlar] [--gradients N]
"""
import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors.torch import load_file

import sweep_draws
from golden_reference import build, checkpoint_gradients, random_answer

LOGITS, GRADIENTS = 1e-4, 1e-3


def common(r, tied=True):
    heads = r.choice([1, 2, 4, 6])
    kv = r.choice([k for k in (1, 2, 3, 4, 6) if heads % k == 0])
    head = r.choice([4, 6, 8, 12])
    c = dict(vocab_size=r.choice([40, 67, 96]), hidden_size=heads * head, intermediate_size=r.choice([10, 24, 33]),
             num_hidden_layers=r.randint(1, 5), num_attention_heads=heads, num_key_value_heads=kv,
             max_position_embeddings=r.choice([64, 128]), bos_token_id=1, eos_token_id=2, pad_token_id=None,
             rms_norm_eps=r.choice([1e-6, 1e-5, 1e-3]))
    if tied:
        c["tie_word_embeddings"] = r.random() < 0.4
    return c


def rope(r, kinds=("default", "default", "linear", "yarn", "llama3"), fraction=None):
    kind = r.choice(kinds)
    c = {"rope_type": kind, "rope_theta": r.choice([1e4, 5e5, 1e6])}
    if kind != "default":
        c["factor"] = r.choice([2.0, 4.0, 8.0])
    if kind in ("yarn", "llama3"):
        c["original_max_position_embeddings"] = r.choice([16, 32])
    if kind == "llama3":
        c |= dict(low_freq_factor=1.0, high_freq_factor=4.0)
    if kind == "yarn" and r.random() < 0.3:
        c["attention_factor"] = 1.2
    if fraction is not None:
        c["partial_rotary_factor"] = fraction
    return c


def layer_types(r, c, key="layer_types"):
    if r.random() < 0.4:
        c[key] = [r.choice(["full_attention", "sliding_attention"]) for _ in range(c["num_hidden_layers"])]


def qwen2(r):
    c = common(r) | dict(rope_parameters=rope(r))
    if r.random() < 0.5:
        c |= dict(use_sliding_window=True, sliding_window=r.randint(1, 20), max_window_layers=r.randint(0, 4))
    return "Qwen2ForCausalLM", c


def qwen2_moe(r):
    experts = r.randint(2, 9)
    c = common(r) | dict(rope_parameters=rope(r), num_experts=experts, num_experts_per_tok=r.randint(1, min(4, experts)),
                         moe_intermediate_size=r.choice([6, 8, 11]), qkv_bias=r.random() < 0.6,
                         shared_expert_intermediate_size=r.choice([5, 8, 22]), norm_topk_prob=r.random() < 0.5,
                         decoder_sparse_step=r.choice([1, 1, 2]), mlp_only_layers=r.choice([[], [0]]))
    if r.random() < 0.4:
        c |= dict(use_sliding_window=True, sliding_window=r.randint(2, 20), max_window_layers=r.randint(0, 4))
    return "Qwen2MoeForCausalLM", c


def mixtral(r):
    experts = r.randint(2, 8)
    c = common(r) | dict(rope_parameters=rope(r), num_local_experts=experts, head_dim=r.choice([8, 10]),
                         num_experts_per_tok=r.randint(1, min(3, experts)), sliding_window=r.choice([None, None, 7]))
    return "MixtralForCausalLM", c


def gemma2(r):
    c = common(r) | dict(rope_parameters=rope(r, ("default", "linear")), head_dim=r.choice([6, 8, 12]),
                         sliding_window=r.randint(2, 20), query_pre_attn_scalar=r.choice([4, 8, 11, 256]),
                         attn_logit_softcapping=r.choice([None, 1.5, 50.0]), attention_bias=r.random() < 0.3,
                         final_logit_softcapping=r.choice([None, 2.0, 30.0]))
    layer_types(r, c)
    return "Gemma2ForCausalLM", c


def phi3(r):
    c = common(r) | dict(sliding_window=r.choice([None, None, 5, 17]))
    head = c["hidden_size"] // c["num_attention_heads"]
    fraction = r.choice([f for f in (1.0, 0.75, 0.5) if int(head * f) >= 2 and int(head * f) % 2 == 0])
    if r.random() < 0.7:
        pairs = int(head * fraction) // 2
        original = r.choice([8, 39, 40, 64])
        c["original_max_position_embeddings"] = original
        c["rope_parameters"] = dict(rope_type="longrope", rope_theta=1e4, partial_rotary_factor=fraction,
                                    short_factor=[round(r.uniform(1, 2), 3) for _ in range(pairs)],
                                    long_factor=[round(r.uniform(1, 9), 3) for _ in range(pairs)],
                                    original_max_position_embeddings=original)
        if r.random() < 0.3:
            c["rope_parameters"]["attention_factor"] = 1.15
        elif r.random() < 0.3:
            c["rope_parameters"]["factor"] = 4.0
    else:
        c["rope_parameters"] = rope(r, ("default",), fraction)
    return "Phi3ForCausalLM", c


def phimoe(r):
    c = common(r) | dict(num_local_experts=r.choice([2, 3, 8]), num_experts_per_tok=2, attention_bias=r.random() < 0.5,
                         lm_head_bias=r.random() < 0.5, router_jitter_noise=r.choice([0.01, 0.1, 0.3, 0.6]),
                         sliding_window=r.choice([None, None, 7]))
    pairs = c["hidden_size"] // c["num_attention_heads"] // 2
    if r.random() < 0.6:
        factor = r.choice([1.0, 1.243163121016122])
        c["rope_parameters"] = dict(rope_type="longrope", rope_theta=1e4, short_mscale=factor, long_mscale=factor,
                                    short_factor=[round(r.uniform(1, 2), 3) for _ in range(pairs)],
                                    long_factor=[round(r.uniform(1, 9), 3) for _ in range(pairs)],
                                    original_max_position_embeddings=r.choice([8, 39, 40, 64]))
    else:
        c["rope_parameters"] = rope(r, ("default",))
    return "PhimoeForCausalLM", c


def olmo3(r):
    c = common(r) | dict(sliding_window=r.randint(2, 20), attention_bias=r.random() < 0.4)
    c["rope_parameters"] = {"full_attention": rope(r, ("default", "linear", "yarn")),
                            "sliding_attention": rope(r, ("default",))}
    layer_types(r, c)
    return "Olmo3ForCausalLM", c


def multipliers(r):
    return dict(embedding_multiplier=r.choice([1.0, 3.0, 12.0]), residual_multiplier=r.choice([1.0, 0.22, 0.4]),
                attention_multiplier=r.choice([1.0, 0.015625, 0.07, 0.3]), logits_scaling=r.choice([1.0, 8.0, 0.7]))


def granite(r):
    return "GraniteForCausalLM", common(r) | multipliers(r) | dict(
        rope_parameters=rope(r), attention_bias=r.random() < 0.4, mlp_bias=r.random() < 0.4)


def granite4(r):
    c = common(r) | multipliers(r)
    return "GraniteMoeHybridForCausalLM", c | dict(
        rope_parameters=rope(r), attention_bias=r.random() < 0.4, num_local_experts=0, num_experts_per_tok=0,
        position_embedding_type=r.choice(["rope", "rope", None]), shared_intermediate_size=r.choice([9, 16, 30]),
        layer_types=["attention"] * c["num_hidden_layers"], mamba_n_heads=1)


def glm4(r):
    head = r.choice([8, 12, 16])
    fraction = r.choice([f for f in (0.25, 0.5, 1.0) if int(head * f) % 2 == 0])
    return "Glm4ForCausalLM", common(r) | dict(
        head_dim=head, attention_bias=r.random() < 0.6,
        rope_parameters=rope(r, ("default", "default", "linear", "yarn"), fraction))


FAMILIES = dict(qwen2=qwen2, qwen2_moe=qwen2_moe, mixtral=mixtral, gemma2=gemma2, phi3=phi3, phimoe=phimoe, olmo3=olmo3,
                granite=granite, granite4=granite4, glm4=glm4) | sweep_draws.FAMILIES


def run(program, *arguments):
    result = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True)
    return None if result.returncode == 0 else result.stderr.strip()


def off(found, expected):
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))


class Sweep:
    def __init__(self, program, scratch):
        self.program, self.scratch = program, scratch
        self.worst, self.refused, self.failures = {}, {}, []

    def note(self, what, value, bound, about):
        self.worst[what] = max(self.worst.get(what, 0.0), value)
        if not value <= bound:
            self.failures.append(f"{about}: {what} off by {value:.2e}")

    def logits(self, what, model, ids, expected, about):
        file = self.scratch / "logits.npy"
        why = run(self.program, "logits", model, "--ids", ",".join(map(str, ids)), "-o", file)
        if why:
            self.failures.append(f"{about}: {what}: {why}")
        else:
            self.note(what, off(np.load(file), expected), LOGITS, about)

    def gradients(self, model, ids, expected, about):
        file = self.scratch / "gradients.safetensors"
        why = run(self.program, "gradients", model, "--ids", ",".join(map(str, ids)), "-o", file)
        if why:
            self.failures.append(f"{about}: gradients: {why}")
            return
        found = load_file(file)
        largest = max(g.abs().max().item() for g in expected.values())
        for name, g in expected.items():
            scale = max(g.abs().max().item(), 2e-3 * largest)
            error = (found[name] - g.float()).abs().max().item() / scale if name in found else float("inf")
            self.note("gradients", error, GRADIENTS, f"{about} {name}")

    def checkpoint(self, family, index, seed, with_gradients):
        kind, keys = FAMILIES[family](random.Random(f"{family} {seed} {index}"))
        cls, config = build(kind, keys)
        model, weights, ids, logits, _, _ = random_answer(cls, config, f"{family}{seed}{index}")
        for name, p in model.named_parameters():
            p.data = weights[name]
        folder = self.scratch / "model"
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        about = f"{family} {index} {json.dumps(keys)}"
        ids, logits = ids.tolist(), logits.numpy()
        self.logits("logits", folder, ids, logits, about)
        for what, out in (("through safetensors", self.scratch / "again"), ("through GGUF", self.scratch / "m.gguf")):
            shutil.rmtree(out, ignore_errors=True)
            out.unlink(missing_ok=True) if out.is_file() else None
            why = run(self.program, "convert", folder, out)
            if why:
                self.refused.setdefault((family, what), []).append(why)
                continue
            self.logits(what, out, ids, logits, about)
        if with_gradients:
            self.gradients(folder, ids, checkpoint_gradients(model), about)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gradients", type=int, default=3, help="of so many checkpoints of each family")
    parser.add_argument("--program", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "build/release/ashlar")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    failed = False
    for family in args.families.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            sweep = Sweep(args.program, pathlib.Path(scratch))
            for index in range(args.count):
                sweep.checkpoint(family, index, args.seed, index < args.gradients)
        words = ", ".join(f"{what} {value:.1e}" for what, value in sweep.worst.items())
        refused = {what: len(why) for (_, what), why in sweep.refused.items()}
        print(f"{family}: {args.count} checkpoints; worst {words}; refused {refused}", flush=True)
        for (_, what), why in sweep.refused.items():
            print(f"  {what}: {why[0][:300]}")
        for failure in sweep.failures[:5]:
            print("  FAILED", failure[:900])
        failed = failed or bool(sweep.failures)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
