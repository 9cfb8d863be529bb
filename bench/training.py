#!/usr/bin/env python3
"""Steps of training beside PyTorch's: the same shapes, batch and optimiser, one after the other, A B A B.

    bench/training.py build/release/ashlar --shape small [--threads N] [--steps N] [--rounds N] [--pytorch eager,bf16,...]
    bench/training.py build/release/ashlar --shape gpt2-64 --llmc PROGRAM

Prints tokens per second of the best step of each, their ratios, and with --memory each one's peak beside the memory of
a process that has loaded the same libraries and computed nothing. PyTorch runs Transformers' models with scaled dot-product
attention, grouped experts and fused AdamW: eager in float32, under autocast to bfloat16, and both through torch.compile
(whose first steps are not counted). llm.c's train_gpt2 (built by its Makefile; for gpt2-256 with `int T = 256` in train_gpt2.c)
takes as many steps on random weights and tokens written for it. Numbers and machine of a run stand in bench/training.md.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

SHAPES = {
    "small": dict(layers=4, width=128, heads=4, kv_heads=2, ffn=256, vocab=512, sequences=16, length=128),
    "24m": dict(layers=8, width=512, heads=8, kv_heads=4, ffn=1024, vocab=10240, sequences=8, length=256),
    "moe": dict(layers=8, width=512, heads=8, kv_heads=4, ffn=512, vocab=10240, sequences=8, length=256, experts=16,
                chosen=2),
    "gpt2-64": dict(gpt2=True, vocab=50257, sequences=4, length=64),
    "gpt2-256": dict(gpt2=True, vocab=50257, sequences=4, length=256),
}


def settings(s, steps, out, precision):
    if s.get("gpt2"):
        model = "gpt2"
    else:
        ffn = "experts" if "experts" in s else "dense"
        change = {"layers": s["layers"], "embedding.width": s["width"], "embedding.vocab": s["vocab"],
                  "blocks[*].mixer.attention.heads": s["heads"], "blocks[*].mixer.attention.kv_heads": s["kv_heads"],
                  "blocks[*].mixer.attention.head_dim": s["width"] // s["heads"], f"blocks[*].ffn.{ffn}.width": s["ffn"]}
        if "experts" in s:
            change |= {"blocks[*].ffn.experts.experts": s["experts"], "blocks[*].ffn.experts.top_k": s["chosen"]}
        model = {"base": "qwen3-30b-a3b" if "experts" in s else "llama-3.2-1b", "change": change}
    return {"model": model, "data": {"tokens": str(out / "ids.npy")},
            "batch": {"sequences": s["sequences"], "length": s["length"]}, "optimiser": {"rate": 1e-4}, "clip": 1.0,
            "precision": precision, "steps": steps, "checkpoint": {"every": 0}}


def ours(program, s, steps, threads, out, precision):
    """Seconds of each step but the first, and the process's peak in bytes."""
    run = out / f"run-{time.monotonic_ns()}"
    (out / "run.json").write_text(json.dumps(settings(s, steps, out, precision)))
    process = subprocess.Popen([program, "train", str(out / "run.json"), "--out", str(run), "--threads", str(threads),
                                "--quiet"])
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit("ashlar train failed")
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [r["seconds"] for r in records[1:]], usage.ru_maxrss * 1024


def model_of(s):
    import transformers
    if s.get("gpt2"):
        return transformers.GPT2LMHeadModel(transformers.GPT2Config(
            attn_implementation="sdpa", resid_pdrop=0, embd_pdrop=0, attn_pdrop=0))
    common = dict(vocab_size=s["vocab"], hidden_size=s["width"], num_hidden_layers=s["layers"],
                  num_attention_heads=s["heads"], num_key_value_heads=s["kv_heads"], head_dim=s["width"] // s["heads"],
                  attn_implementation="sdpa")
    if "experts" in s:
        return transformers.Qwen3MoeForCausalLM(transformers.Qwen3MoeConfig(
            **common, intermediate_size=s["ffn"], moe_intermediate_size=s["ffn"], num_experts=s["experts"],
            num_experts_per_tok=s["chosen"], norm_topk_prob=True))
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(
        **common, intermediate_size=s["ffn"], tie_word_embeddings=True))


def theirs(s, steps, threads, folder, mode):
    """In a process of its own: prints seconds of each step after the warm-up, and the peak."""
    import numpy
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    ids = numpy.load(pathlib.Path(folder) / "ids.npy")
    model = model_of(s)
    called = torch.compile(model) if "compile" in mode else model
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    rows, seconds, sequences = torch.from_numpy(ids.astype("int64")), [], s["sequences"]
    warm = 2 if "compile" in mode else 1
    for step in range(steps + warm):
        begin = time.monotonic()
        batch = rows[[(step * sequences + i) % len(rows) for i in range(sequences)]]
        with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in mode):
            loss = called(batch, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.monotonic() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    weights = sum(p.numel() for p in model.parameters()) * 4
    print(json.dumps([seconds[warm:], peak, peak - before + weights]))


def llmc(program, s, ids, steps, threads, folder):
    """Seconds of each step but the first of llm.c's train_gpt2, and its peak in bytes: it reads its weights, tokens and
    sizes from files of fixed names."""
    import numpy
    home = pathlib.Path(folder)
    data = home / "dev" / "data" / "tinyshakespeare"
    if not data.exists():
        data.mkdir(parents=True)
        header = numpy.zeros(256, "<i4")
        header[:8] = 20240326, 3, 1024, 50257, 12, 12, 768, 50304  # magic, version, sizes of GPT-2 124M
        weights = numpy.random.default_rng(0).standard_normal(124475904, "<f4") * numpy.float32(0.02)
        (home / "gpt2_124M.bin").write_bytes(header.tobytes() + weights.tobytes())
        tokens = numpy.resize(ids.astype("<u2"), 4 * s["length"] * 64 + 1)
        header[:8] = 20240520, 1, len(tokens), 0, 0, 0, 0, 0
        for name in "train", "val":
            (data / f"tiny_shakespeare_{name}.bin").write_bytes(header.tobytes() + tokens.tobytes())
    process = subprocess.Popen(["stdbuf", "-oL", program], cwd=folder, stdout=subprocess.PIPE, text=True,
                               env=os.environ | {"OMP_NUM_THREADS": str(threads)})
    seconds = []
    for line in process.stdout:
        if took := re.search(r"took ([0-9.]+) ms", line):
            seconds.append(float(took[1]) / 1000)
        if len(seconds) > steps:
            process.kill()  # it has no option for fewer than its 40
            break
    _, _, usage = os.wait4(process.pid, 0)
    if len(seconds) <= steps:
        raise SystemExit(f"{program} ended after {len(seconds)} steps")
    return seconds[1:], usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--precision", default="f32,bf16", help="of ours")
    parser.add_argument("--pytorch", default="eager,eager-bf16,compile,compile-bf16")
    parser.add_argument("--llmc", help="llm.c's train_gpt2, for the shapes of GPT-2")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    s = SHAPES[args.shape]
    if args.child:
        return theirs(s, args.steps, args.threads, args.folder, args.child)
    import numpy
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        ids = numpy.random.default_rng(0).integers(0, s["vocab"], (64, s["length"])).astype("int32")
        numpy.save(out / "ids.npy", ids)
        seconds, peaks = {}, {}
        for _ in range(args.rounds):
            for precision in filter(None, args.precision.split(",")):
                times, peak = ours(args.program, s, args.steps + 1, args.threads, out, precision)
                name = f"ashlar {precision}"
                seconds[name], peaks[name] = seconds.get(name, []) + times, peak
            for mode in filter(None, args.pytorch.split(",")):
                done = subprocess.run([sys.executable, __file__, args.program, "--shape", args.shape, "--threads",
                                       str(args.threads), "--steps", str(args.steps), "--child", mode, "--folder", folder],
                                      check=True, capture_output=True, text=True)
                times, peak, own = json.loads(done.stdout.splitlines()[-1])
                name = f"pytorch {mode}"
                seconds[name], peaks[name] = seconds.get(name, []) + times, own
            if args.llmc:
                times, peaks["llm.c"] = llmc(os.path.abspath(args.llmc), s, ids, args.steps, args.threads, folder)
                seconds["llm.c"] = seconds.get("llm.c", []) + times
    tokens = s["sequences"] * s["length"]
    speed = {name: tokens / min(times) for name, times in seconds.items()}
    best = max((v for n, v in speed.items() if n.startswith("pytorch")), default=None)
    for name, value in speed.items():
        ratio = f"  {value / best:5.2f} x the best PyTorch" if best and name.startswith("ashlar") else ""
        if "llm.c" in speed and name.startswith("ashlar"):
            ratio += f"  {value / speed['llm.c']:5.2f} x llm.c"
        print(f"{args.shape}, {args.threads} threads  {name:22} {value:9.0f} tokens/s  {peaks[name] / 2**20:7.0f} MiB{ratio}")


if __name__ == "__main__":
    main()
