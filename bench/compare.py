#!/usr/bin/env python3
"""Ashlar and its peers on one model file, in turns: the same threads, the same lengths, one table.

    bench/compare.py MODEL.gguf --ashlar build/release/ashlar \\
        --peer llama.cpp=/path/to/llama-bench --peer "ik=/path/to/llama-bench -rtr 1" \\
        [--prompt 512] [--generate 64] [--depth 0] [--threads 2] [--rounds 3]
    bench/compare.py MODEL.gguf --ashlar ... --sequences 8 --peer llama.cpp=/path/to/llama-batched-bench

Builds nothing. A peer is NAME=PROGRAM with options of its own; a program named *batched-bench is asked
for --sequences decoding together, any other as llama-bench is. Every round runs each program once, in
turn, so that what else the machine does meets them all. A row gives the median in tokens per second,
the lowest and highest round, and Ashlar's median as a multiple of the peer's. --json prints it all.
"""
import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys

PHASES = ("prefill", "decode")


def run(command, seconds):
    """stdout of the program; SystemExit with its last words where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except FileNotFoundError:
        sys.exit(f"compare: {command[0]}: there is no such program")
    except subprocess.TimeoutExpired:
        sys.exit(f"compare: {shlex.join(command)}: took longer than {seconds} s")
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()[-3:]
        sys.exit(f"compare: {shlex.join(command)}: exit code {done.returncode}: " + " / ".join(words))
    return done.stdout


class Ashlar:
    name = "Ashlar"

    def __init__(self, program, o):
        self.command = shlex.split(program) + ["bench", o.model, "--prompt", str(o.prompt),
            "--generate", str(o.generate), "--depth", str(o.depth), "--sequences", str(o.sequences),
            "--threads", str(o.threads), "--repeat", "1", "--speed-only", "--json"]
        self.version = run(shlex.split(program) + ["--version"], 60).strip()
        self.seconds = o.timeout

    def measure(self):
        result = json.loads(run(self.command, self.seconds))
        return {phase: result[phase]["tokens_per_second"] for phase in PHASES}


class LlamaBench:
    """llama-bench of llama.cpp or ik_llama.cpp: one test of the prompt, one of the decode."""

    def __init__(self, name, program, o):
        self.name, self.version, self.seconds = name, "", o.timeout
        self.command = shlex.split(program) + ["-m", o.model, "-t", str(o.threads), "-p", str(o.prompt),
            "-n", str(o.generate), "-r", "1", "-o", "json"]
        if o.depth:
            self.command += ["-d", str(o.depth)]

    def measure(self):
        text = run(self.command, self.seconds)
        tests = json.loads(text[text.index("["):])
        self.version = f"{tests[0].get('build_number', '?')} ({tests[0].get('build_commit', '?')})"
        speed = {}
        for test in tests:
            speed["decode" if test["n_gen"] else "prefill"] = test["avg_ts"]
        return speed


class BatchedBench:
    """llama-batched-bench: all sequences decode together after prompts of their own."""

    def __init__(self, name, program, o):
        self.name, self.version, self.seconds = name, "", o.timeout
        prompt = max(o.depth, 1)
        self.command = shlex.split(program) + ["-m", o.model, "-t", str(o.threads), "-tb", str(o.threads),
            "-c", str((prompt + o.generate) * o.sequences), "-npp", str(prompt), "-ntg", str(o.generate),
            "-npl", str(o.sequences), "--output-format", "jsonl"]

    def measure(self):
        lines = [l for l in run(self.command, self.seconds).splitlines() if l.startswith("{")]
        return {"decode": json.loads(lines[-1])["speed_tg"]}


def peer(text, o):
    name, _, program = text.partition("=")
    if not program:
        sys.exit(f"compare: --peer {text}: expected NAME=PROGRAM")
    batched = os.path.basename(shlex.split(program)[0]).endswith("batched-bench")
    return (BatchedBench if batched else LlamaBench)(name, program, o)


def cpu():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            fields = dict(line.split(":", 1) for line in f.read().split("\n\n")[0].splitlines())
        fields = {k.strip(): v.strip() for k, v in fields.items()}
        return f"{fields['model name']} family {fields['cpu family']} model {fields['model']}"
    except (OSError, KeyError, ValueError):
        return platform.processor() or platform.machine()


def spread(values):
    return f"{statistics.median(values):8.1f} ({min(values):.1f} .. {max(values):.1f})"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("--ashlar", default="build/release/ashlar", help="program, with options of its own")
    p.add_argument("--peer", action="append", default=[], metavar="NAME=PROGRAM")
    p.add_argument("--prompt", type=int, default=512)
    p.add_argument("--generate", type=int, default=64)
    p.add_argument("--depth", type=int, default=0, help="tokens that sequences hold before either")
    p.add_argument("--sequences", type=int, default=1)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--timeout", type=int, default=600, help="seconds, of one run of one program")
    p.add_argument("--json", action="store_true")
    o = p.parse_args()

    programs = [Ashlar(o.ashlar, o)] + [peer(text, o) for text in o.peer]
    found = {id(program): {phase: [] for phase in PHASES} for program in programs}
    for _ in range(o.rounds):
        for program in programs:
            for phase, speed in program.measure().items():
                found[id(program)][phase].append(speed)

    rows = []
    ours = found[id(programs[0])]
    for phase in PHASES:
        for program in programs:
            theirs = found[id(program)][phase]
            if not theirs:
                continue
            ratios = [a / b for a, b in zip(ours[phase], theirs)]
            rows.append({"phase": phase, "program": program.name, "version": program.version,
                         "tokens_per_second": theirs, "ratio": statistics.median(ours[phase]) /
                         statistics.median(theirs), "ratios": ratios})
    what = {"model": os.path.basename(o.model), "machine": cpu(), "threads": o.threads,
            "date": datetime.date.today().isoformat(), "prompt": o.prompt, "generate": o.generate,
            "depth": o.depth, "sequences": o.sequences, "rounds": o.rounds}
    if o.json:
        print(json.dumps({**what, "rows": rows}, indent=1))
        return
    print(f"{what['model']}: prompt {o.prompt}, generate {o.generate}, depth {o.depth}, {o.sequences} "
          f"sequence{'s' if o.sequences > 1 else ''}, {o.threads} threads, {what['machine']}, "
          f"{what['date']}, {o.rounds} rounds in turn")
    for program in programs:
        print(f"  {program.name}: {program.version or '?'}")
    print(f"  {'':8} {'':16} {'tokens/s':>26} {'Ashlar is':>24}")
    for row in rows:
        ratio = "" if row["program"] == "Ashlar" else \
            f"{row['ratio']:.2f} x ({min(row['ratios']):.2f} .. {max(row['ratios']):.2f})"
        print(f"  {row['phase']:8} {row['program']:16} {spread(row['tokens_per_second']):>26} {ratio:>24}")


if __name__ == "__main__":
    main()
