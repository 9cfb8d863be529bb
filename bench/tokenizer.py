#!/usr/bin/env python3
# Ashlar's tokenizers beside tiktoken and Hugging Face's, one thread each, in one run.
"""
    python bench/tokenizer.py BENCH_TOKENIZER FOLDER     speed; FOLDER is what tools/get_tokenizers.sh filled
    python bench/tokenizer.py --same BENCH_TOKENIZER FOLDER [--seed S] [--count N]
                                                         ids and texts of a random corpus; prints differences

Needs: tokenizers, tiktoken.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import tiktoken  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

import tokenizer_corpus  # noqa: E402

PIECE = 32768


def text_of(megabytes):
    samples = tokenizer_corpus.sources()
    text = "\n".join(samples)
    return (text * (int(megabytes * 1e6 / len(text.encode())) + 1))[:int(megabytes * 1e6)]


def rate(function, pieces, size):
    best = 1e9
    for _ in range(3):
        start = time.perf_counter()
        for piece in pieces:
            function(piece)
        best = min(best, time.perf_counter() - start)
    return size / best / 1e6


def tiktoken_like(tokenizer_json):
    """A tiktoken encoding with the vocabulary and pattern of a byte-level tokenizer.json, or None."""
    spec = json.loads(tokenizer_json.read_text())
    if spec["model"]["type"] != "BPE" or spec["model"].get("byte_fallback"):
        return None
    steps = spec.get("pre_tokenizer") or {}
    patterns = [s["pattern"]["Regex"] for s in steps.get("pretokenizers", [steps])
                if s.get("type") == "Split" and "Regex" in s.get("pattern", {})]
    if len(patterns) != 1:
        return None
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    byte_of = {chr(b): b for b in letters}
    byte_of.update({chr(256 + i): b for i, b in enumerate(b for b in range(256) if b not in letters)})
    ranks = {}
    for token, rank in spec["model"]["vocab"].items():
        if all(c in byte_of for c in token):
            ranks[bytes(byte_of[c] for c in token)] = rank
    return tiktoken.Encoding("t", pat_str=patterns[0], mergeable_ranks=ranks, special_tokens={})


def speed(tool, folder):
    text = text_of(4)
    pieces = [text[i:i + PIECE] for i in range(0, len(text), PIECE)]
    size = len(text.encode())
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        print(f"{'':14}{'Ashlar':>12}{'tiktoken':>12}{'tokenizers':>12}   MB/s, {size / 1e6:.0f} MB in pieces of {PIECE}")
        for path in sorted(folder.iterdir()):
            if not (path / "tokenizer.json").exists():
                continue
            out = subprocess.run([tool, "time", path, file.name], capture_output=True, text=True).stdout
            ours = float(out.split("encode ")[1].split()[0]) if "encode " in out else 0
            hf = Tokenizer.from_file(str(path / "tokenizer.json"))
            theirs = rate(lambda p: hf.encode(p, add_special_tokens=False), pieces[:16], size * 16 / len(pieces))
            fast = tiktoken_like(path / "tokenizer.json")
            ranks = f"{rate(fast.encode_ordinary, pieces, size):12.1f}" if fast else f"{'-':>12}"
            print(f"{path.name:14}{ours:12.1f}{ranks}{theirs:12.1f}", flush=True)


def same(tool, folder, seed, count):
    corpus = tokenizer_corpus.make(seed, count)
    texts = [tokenizer_corpus.as_text(i) for i in corpus]
    bad = 0
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(corpus, file)
        file.flush()
        for path in sorted(folder.iterdir()):
            if not (path / "tokenizer.json").exists():
                continue
            found = json.loads(subprocess.run([tool, "encode", path / "tokenizer.json", file.name],
                                              capture_output=True, text=True).stdout or "[]")
            hf = Tokenizer.from_file(str(path / "tokenizer.json"))
            differ = 0 if len(found) == len(texts) else 1
            for text, (ids, again, plain) in zip(texts, found):
                expected = hf.encode(text).ids
                ok = (ids == expected and again == hf.decode(expected, skip_special_tokens=False)
                      and plain == hf.decode(expected, skip_special_tokens=True))
                differ += not ok
                if not ok and differ < 4:
                    print(f"{path.name}: {text[:200]!r}\n  {expected[:40]}\n  {ids[:40]}")
            bad += differ
            print(f"{path.name}: {len(texts)} texts, {differ} differ", flush=True)
    sys.exit(bad != 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--same", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    if options.same:
        same(options.tool, options.folder, options.seed, options.count)
    speed(options.tool, options.folder)


if __name__ == "__main__":
    main()
