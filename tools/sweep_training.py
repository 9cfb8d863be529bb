#!/usr/bin/env python3
"""Every small model of tests/golden/models trained by random settings, beside PyTorch.

Rate, decay, betas, schedule, clipping, batch and its parts are drawn per model; both begin with the checkpoint's
weights and read the same rows. Prints the worst relative differences of the losses and of the first gradient's norm, and
ends with 1 where the first five losses or that norm differ by more than 1e-5 and 1e-4. Later steps may part where
two experts' scores are all but equal. Models that Transformers does not read as published are left out.

usage: sweep_training.py [NAME...] [--program build/release/ashlar] [--steps 15] [--seed 0]
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy
import torch
import transformers
from safetensors.torch import load_file

import golden_training as golden

LOSS, NORM = 1e-5, 1e-4
LEFT_OUT = ("grok2_", "kimi_k2_", "storage_", "llama4_multimodal")


def draw(r, folder, rows, steps):
    kind = r.choice(["cosine", "linear", "constant"])
    schedule = dict(kind=kind, warmup=r.choice([0, 5]), **({} if kind == "constant" else dict(final=r.choice([0.0, 0.1]))))
    optimiser = golden.adamw(r.choice([3e-4, 1e-3]), r.choice([0, 0.1, 0.3]), r.choice(["matrices", "all", "none"]),
                             r.choice([(0.9, 0.95), (0.8, 0.99)]))
    return dict(init={"from": str(folder)}, data=dict(tokens="ids.npy", order="sequential"),
                batch=dict(sequences=r.choice([3, 4, 6]), length=rows.shape[1], micro=r.choice([1, 2, 3])),
                optimiser=optimiser, schedule=schedule, clip=r.choice([0, 0.5, 1.0]), steps=steps, seed=1,
                precision="f32")


def differences(name, program, steps, seed):
    """Of one model: of the first five losses, of all, of the first gradient's norm."""
    r = random.Random(f"{seed} {name}")
    folder = golden.MODELS / name / "model"
    model = golden.load(folder)
    vocab = getattr(model.config, "vocab_size", None) or model.config.text_config.vocab_size
    length = r.choice([17, 24, 31])
    rows = numpy.random.default_rng(r.getrandbits(32)).integers(0, min(vocab, 64), (10, length))
    rows[5:, length // 2:] = rows[5:, :length - length // 2]  # half of it repeats: something to learn
    settings = draw(r, folder, rows, steps)
    tensors = load_file(folder / "model.safetensors") if (folder / "model.safetensors").exists() else None
    expected = list(golden.curve(settings, model, torch.from_numpy(rows), tensors))
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        numpy.save(work / "ids.npy", rows.astype(numpy.int32))
        (work / "run.json").write_text(json.dumps(dict(settings, write_model=False)))
        subprocess.run([program, "train", str(work / "run.json"), "--out", str(work / "run"), "--threads", "1", "--quiet"],
                       check=True)
        found = [json.loads(line) for line in (work / "run/log.jsonl").read_text().splitlines()]
    apart = [abs(a["loss"] / b["loss"] - 1) for a, b in zip(found, expected, strict=True)]
    return max(apart[:5]), max(apart), abs(found[0]["gradient_norm"] / expected[0]["gradient_norm"] - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--program", default=str(golden.ROOT / "build/release/ashlar"))
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    names = args.names or sorted(p.name for p in golden.MODELS.iterdir() if not p.name.startswith(LEFT_OUT))
    failed = []
    for name in names:
        first, every, norm = differences(name, args.program, args.steps, args.seed)
        ok = first < LOSS and norm < NORM
        failed += [] if ok else [name]
        print(f"{name}: first losses {first:.1e}, all {every:.1e}, gradient {norm:.1e}{'' if ok else '  FAILED'}", flush=True)
    print(f"{len(names)} models, {len(failed)} differ: {' '.join(failed)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
