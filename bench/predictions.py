#!/usr/bin/env python3
"""What plans promise beside what runs do: prefill and decode of several shapes, one table.

    bench/predictions.py build/release/ashlar [MODEL[:FORMAT]...] [--depths 0,2048] [--sequences 1,8] [--threads 2] [--json]

MODEL is anything that `ashlar bench` takes; a FORMAT asks for random weights. Without models: the shapes of Qwen3 0.6B,
Llama 3.2 1B, Gemma 3 270M, and bench/shapes, at q8_0. Each is measured by `ashlar bench`, which probes the machine and plans
in the same run; nothing else should run meanwhile. A row gives tokens per second, measured and planned, and the plan's error.
"""
import argparse
import json
import pathlib
import subprocess
import sys

SHAPES = pathlib.Path(__file__).resolve().parent / "shapes"
DEFAULT = ["qwen3-0.6b:q8_0", "llama-3.2-1b:q8_0", "gemma-3-270m:q8_0", f"{SHAPES / 'dsv3-mini.json'}:q8_0",
           f"{SHAPES / 'qwen3moe-mini.json'}:q8_0"]


def numbers(text):
    return [int(n) for n in text.split(",")]


def measure(program, model, depth, sequences, o):
    name, _, weights = model.partition(":")
    command = [program, "bench", name, "--depth", str(depth), "--sequences", str(sequences), "--prompt", str(o.prompt),
               "--generate", str(o.generate), "--repeat", str(o.repeat), "--threads", str(o.threads), "--json"]
    if weights:
        command += ["--random", "1", "--weights", weights]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"predictions: {' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("models", nargs="*", default=DEFAULT)
    parser.add_argument("--depths", type=numbers, default=[0, 2048])
    parser.add_argument("--sequences", type=numbers, default=[1, 8])
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    o = parser.parse_args()
    all_results = []
    if not o.json:
        print("| model | weights | depth | sequences | phase | measured | planned | |\n|---|---|---:|---:|---|---:|---:|---:|")
    for model in o.models:
        for depth in o.depths:
            for sequences in o.sequences:
                result = measure(o.program, model, depth, sequences, o)
                all_results.append(result)
                if o.json:
                    continue
                for phase in ("prefill", "decode"):
                    if phase == "prefill" and sequences != o.sequences[0]:
                        continue  # of one sequence, whatever decodes after it
                    found, planned = result[phase]["tokens_per_second"], result[phase]["planned_today"]
                    print(f"| {result['model']} | {result['weights']} | {depth} | {sequences} | {phase} | {found:.4g} | "
                          f"{planned:.4g} | {100 * (planned / found - 1):+.0f} % |", flush=True)
    if o.json:
        print(json.dumps(all_results))


if __name__ == "__main__":
    main()
