#!/usr/bin/env python3
"""Steps of training beside PyTorch's: the same shapes, batch and optimiser, one after the other, A B A B.

    bench/training.py build/release/ashlar [--threads N] [--steps N] [--rounds N] [--shape small|24m]

Prints tokens per second of both and their ratio. PyTorch runs Transformers' Llama in float32 with scaled dot-product
attention and fused AdamW, eagerly; numbers and machine of a run stand in bench/training.md.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

SHAPES = {
    # name: layers, width, heads, kv_heads, ffn, vocabulary, sequences, length
    "small": (4, 128, 4, 2, 384, 512, 16, 128),
    "24m": (8, 384, 6, 3, 1024, 16384, 8, 256),
}


def settings(shape, steps, out):
    layers, width, heads, kv_heads, ffn, vocab, sequences, length = SHAPES[shape]
    return {
        "model": {"base": "llama-3.2-1b", "change": {
            "layers": layers, "embedding.width": width, "embedding.vocab": vocab,
            "blocks[*].mixer.attention.heads": heads, "blocks[*].mixer.attention.kv_heads": kv_heads,
            "blocks[*].mixer.attention.head_dim": width // heads, "blocks[*].ffn.dense.width": ffn}},
        "data": {"tokens": str(out / "ids.npy")}, "batch": {"sequences": sequences, "length": length},
        "optimiser": {"rate": 1e-4}, "clip": 1.0, "steps": steps, "checkpoint": {"every": 0}}


def ours(program, shape, steps, threads, out):
    run = out / f"run-{time.monotonic_ns()}"
    (out / "run.json").write_text(json.dumps(settings(shape, steps, out)))
    subprocess.run([program, "train", str(out / "run.json"), "--out", str(run), "--threads", str(threads), "--quiet"],
                   check=True)
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [r["seconds"] for r in records[1:]]


def theirs(shape, steps, threads, ids):
    import torch
    import transformers
    layers, width, heads, kv_heads, ffn, vocab, sequences, length = SHAPES[shape]
    torch.set_num_threads(threads)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=vocab, hidden_size=width, intermediate_size=ffn, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv_heads, head_dim=width // heads, tie_word_embeddings=True, attn_implementation="sdpa"))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    rows, seconds = torch.from_numpy(ids.astype("int64")), []
    for step in range(steps):
        begin = time.monotonic()
        batch = rows[[(step * sequences + i) % len(rows) for i in range(sequences)]]
        model(batch, labels=batch, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.monotonic() - begin)
    return seconds[1:]


def main():
    import numpy
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    args = parser.parse_args()
    *_, vocab, sequences, length = SHAPES[args.shape]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        ids = numpy.random.default_rng(0).integers(0, vocab, (64, length)).astype("int32")
        numpy.save(out / "ids.npy", ids)
        best = {"ashlar": [], "pytorch": []}
        for _ in range(args.rounds):
            best["ashlar"] += ours(args.program, args.shape, args.steps, args.threads, out)
            best["pytorch"] += theirs(args.shape, args.steps, args.threads, ids)
    tokens = sequences * length
    speed = {name: tokens / min(seconds) for name, seconds in best.items()}
    print(f"{args.shape}, {args.threads} threads: ashlar {speed['ashlar']:.0f} tokens/s, "
          f"pytorch {speed['pytorch']:.0f} tokens/s, ratio {speed['ashlar'] / speed['pytorch']:.2f}")


if __name__ == "__main__":
    main()
