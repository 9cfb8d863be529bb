#!/usr/bin/env python3
"""What an engine's rounding costs: Kullback-Leibler divergence of its next-token distributions from those that the same
file has in float32, over a real text; Ashlar beside llama.cpp.

    bench/divergence.py MODEL.gguf... --text FILE --llama llama-perplexity [--context 256] [--chunks 4]

llama-perplexity (of llama.cpp, built by you) cuts the text into chunks and writes what it predicts for the second half of
each. The same tokens go through Ashlar twice: with fast activations and float16 keys and values, as `run` has them, and in
float32 throughout by the plain loops, which is the reference. All three are brought to the 16 bits in which llama.cpp writes
log-probabilities.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import tempfile

import numpy


def coded(logits):
    """Log-probabilities as llama.cpp keeps them: 16 bits over at most 16 nats below the largest."""
    most = logits.max(axis=1, keepdims=True)
    least = numpy.maximum(logits.min(axis=1, keepdims=True), most - 16)
    scale = (most - least) / 65535
    total = numpy.log(numpy.exp((logits - most).astype(numpy.float64)).sum(axis=1, keepdims=True))
    return (numpy.rint((numpy.maximum(logits, least) - least) / scale) * scale + (least - most - total)).astype(numpy.float64)


def of_llama(program, model, text, context, chunks, folder):
    """Token ids [chunks, context] and log-probabilities of each chunk's second half but for its last token."""
    file = folder / "llama.bin"
    subprocess.run([program, "-m", model, "-f", text, "-c", str(context), "-b", str(context), "--chunks", str(chunks), "-t", "2",
                    "--kl-divergence-base", file], check=True, capture_output=True)
    data = file.read_bytes()
    if data[:8] != b"_logits_":
        raise SystemExit(f"{program}: wrote no log-probabilities")
    size, vocab, found = struct.unpack_from("<Iii", data, 8)
    ids = numpy.frombuffer(data, "<i4", size * found, 20).reshape(found, size)
    words = 2 * ((vocab + 1) // 2) + 4
    rows = numpy.frombuffer(data, "<u2", offset=20 + 4 * size * found).reshape(found, -1, words)
    head = rows[:, :, :4].copy().view("<f4").astype(numpy.float64)
    return ids, rows[:, :, 4:4 + vocab] * head[:, :, :1] + head[:, :, 1:]


def of_ashlar(program, model, ids, folder, *options):
    (folder / "ids.json").write_text(json.dumps([int(i) for i in ids]))
    subprocess.run([program, "logits", model, "--ids-file", folder / "ids.json", "--chunk", str(len(ids)), "-o", folder / "l.npy", *options],
                   check=True, capture_output=True)
    return coded(numpy.load(folder / "l.npy")[len(ids) // 2:-1])


def divergence(p, q):
    return (numpy.exp(p) * (p - q)).sum(axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL.gguf")
    parser.add_argument("--text", required=True)
    parser.add_argument("--llama", required=True, metavar="PROGRAM", help="llama-perplexity")
    parser.add_argument("--ashlar", default="build/release/ashlar")
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--chunks", type=int, default=4)
    o = parser.parse_args()
    print("| model | tokens | Ashlar, nats | llama.cpp, nats | ratio | largest, Ashlar | largest, llama.cpp |\n|---|---|---|---|---|---|---|")
    for model in o.models:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            ids, theirs = of_llama(o.llama, model, o.text, o.context, o.chunks, folder)
            first = subprocess.run([o.ashlar, "tokenize", model, "x", "--json"], check=True, capture_output=True, text=True)
            plain = subprocess.run([o.ashlar, "tokenize", model, "x", "--json", "--no-special"], check=True, capture_output=True, text=True)
            begin = json.loads(first.stdout)["ids"][:-len(json.loads(plain.stdout)["ids"])]
            ours, peers = [], []
            for chunk, rows in zip(ids, theirs):
                chunk = numpy.concatenate([begin, chunk[len(begin):]]).astype(int)  # as llama.cpp begins every chunk
                exact = of_ashlar(o.ashlar, model, chunk, folder, "--activations", "f32", "--kernels", "generic", "--state", "f32")
                ours.append(divergence(exact, of_ashlar(o.ashlar, model, chunk, folder, "--activations", "fast", "--state", "f16")))
                peers.append(divergence(exact, rows))
            a, b = numpy.concatenate(ours), numpy.concatenate(peers)
            print(f"| {pathlib.Path(model).name} | {len(a)} | {a.mean():.2e} | {b.mean():.2e} | {a.mean() / b.mean():.2f} | {a.max():.1e} | {b.max():.1e} |")


if __name__ == "__main__":
    main()
