"""Runs of `ashlar train` that are killed, interrupted or out of room, and what their next process makes of them."""

import json
import os
import random
import shutil
import signal
import subprocess
import time

from json_fields import differences
from program import ROOT, Case, ashlar
from writing import limited, start

MODEL = ROOT / "tests/golden/models/llama_31_scaling/model"
IDS = ROOT / "tests/golden/training/llama/ids.npy"


class Training(Case):
    def arguments(self, out, *more):
        return ["train", "--init", MODEL, "--data", IDS, "--out", out, "--threads", "1", "checkpoint.every=20", *more]

    def log(self, folder):
        lines = (folder / "log.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        self.assertEqual([r["step"] for r in records], list(range(1, len(records) + 1)))
        return records

    def wait_for(self, folder, steps):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                if len((folder / "log.jsonl").read_bytes().splitlines()) >= steps:
                    return
            except FileNotFoundError:
                pass
            time.sleep(0.01)
        self.fail(f"{folder}: no {steps} steps")

    def killed_run(self, part, steps, most, seconds, chance):
        """A run that is killed up to `most` times and goes on each time; how many kills hit it."""
        process = start(*self.arguments(part, "--steps", steps, "--quiet"))
        done = hits = 0
        while hits < most:
            try:
                process.wait(timeout=0.1 + chance.random() * seconds / 2)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                hits += 1
            checkpoints = [int(p.parent.name[5:]) for p in part.glob("checkpoints/*/state.json")]
            if checkpoints:  # no more is lost than the steps since the last checkpoint
                reached = len((part / "log.jsonl").read_bytes().splitlines())
                self.assertGreaterEqual(max(checkpoints), done)
                self.assertLess(reached - max(checkpoints), 21)
                done = max(checkpoints)
            again = ["train", "--out", part, "--resume", "--threads", "1", "--quiet"]
            if not (part / "run.json").exists():  # killed before it began
                again = self.arguments(part, "--steps", steps, "--quiet")
            process = start(*again)
        self.assertEqual(process.wait(timeout=300), 0, process.stderr.read())
        return hits

    def test_killed_at_any_time(self):
        """As often as $ASHLAR_KILLS says (30 in the long tests); losses and weights are those of a run left alone."""
        steps, kills = 300, int(os.environ.get("ASHLAR_KILLS", "3"))
        whole, part = self.tmp / "whole", self.tmp / "part"
        ashlar(*self.arguments(whole, "--steps", steps, "--quiet"))
        expected = self.log(whole)
        seconds = sum(r["seconds"] for r in expected)
        chance = random.Random(1)
        while kills > 0:
            shutil.rmtree(part, ignore_errors=True)
            hits = self.killed_run(part, steps, kills, seconds, chance)
            self.assertGreater(hits, 0, "no kill came in the middle of the run")
            kills -= hits
            found = self.log(part)
            self.assertEqual([r["loss"] for r in found], [r["loss"] for r in expected])
            self.assertEqual([r["gradient_norm"] for r in found], [r["gradient_norm"] for r in expected])
            self.assertEqual((part / "model/model.safetensors").read_bytes(),
                             (whole / "model/model.safetensors").read_bytes())

    def test_signals_write_a_checkpoint(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            out = self.tmp / f"run-{code}"
            process = start(*self.arguments(out, "--steps", 100000, "checkpoint.every=0"))
            self.wait_for(out, 5)
            process.send_signal(number)
            stderr = process.communicate(timeout=60)[1]
            self.assertEqual(process.returncode, code, stderr)
            self.assertIn("--resume goes on", stderr)
            steps = len(self.log(out))
            self.assertTrue((out / f"checkpoints/step-{steps:08}/state.json").exists())
            done = ashlar("train", "--out", out, "--resume", "--steps", steps + 3, "--quiet")
            self.assertEqual(done.stderr, "")
            self.assertEqual(len(self.log(out)), steps + 3)
            # The folder of a run that has finished is a MODEL.
            counted = [ashlar("count", folder, "--json").stdout for folder in (out, out / "model")]
            self.assertEqual(*[json.loads(text)["parameters"] for text in counted])

    def test_a_full_disk_is_not_the_end(self):
        out = self.tmp / "run"
        done = ashlar(*self.arguments(out, "--steps", 60, "--quiet", "checkpoint.every=20"))
        shutil.rmtree(out)
        process = start(*self.arguments(out, "--steps", 60, "--quiet", "checkpoint.every=20"),
                        preexec_fn=limited(40000))  # room for the log, not for a checkpoint
        stderr = process.communicate(timeout=120)[1]
        self.assertEqual(done.stderr, "")
        self.assertEqual(process.returncode, 3, stderr)  # the model cannot be written either
        self.assertEqual(len(self.log(out)), 60)
        self.assertRegex(stderr, r"note: .*cannot be written: File too large.*the run goes on")
        self.assertEqual(list(out.glob("checkpoints/*")), [])

    def test_the_line_for_people(self):
        done = ashlar(*self.arguments(self.tmp / "run", "--steps", 30))
        lines = done.stderr.splitlines()
        self.assertLess(len(lines), 8, "no flood where no terminal is")
        self.assertRegex(lines[0], r"parameters, 30 steps of \d+ tokens")
        self.assertRegex(lines[-2], r"step 30/30  loss \d+\.\d{4}  .* tokens/s")
        printed = ashlar(*self.arguments(self.tmp / "json", "--steps", 30, "--json"))
        records = [json.loads(line) for line in printed.stdout.splitlines()]
        self.assertEqual(records, self.log(self.tmp / "json"))
        self.assertEqual(differences(records[0], "train"), [])

    def test_settings_of_every_kind(self):
        file = self.write("run.json", {"init": {"from": str(MODEL)}, "data": {"tokens": str(IDS)}, "steps": 9})
        out = self.tmp / "run"
        ashlar("train", file, "--out", out, "optimiser.rate=1e-4", "schedule={\"kind\": \"cosine\"}", "--quiet")
        run = json.loads((out / "run.json").read_text())
        self.assertEqual(run["optimiser"]["rate"], 1e-4)
        self.assertEqual(run["schedule"]["kind"], "cosine")
        self.assertEqual(run["batch"], {"sequences": 8, "length": 24, "micro": 8})
        self.assertEqual(len(self.log(out)), 9)
        ashlar("train", file, "--out", self.tmp / "tokens", "--tokens", 8 * 24 * 4 + 1, "--quiet")
        self.assertEqual(len(self.log(self.tmp / "tokens")), 5)
        ashlar("train", file, "--out", self.tmp / "time", "--time", "1s", "--quiet")
        self.assertGreater(len(self.log(self.tmp / "time")), 1)
        self.fails("train", file, "--out", out, says="holds a run already")
        self.fails("train", file, "--out", self.tmp / "x", "optimizer.rate=1", says="did you mean optimiser")
        self.fails("train", file, says="out: is missing")
        self.fails("train", "--out", self.tmp / "none", "--resume", says="none/run.json")
        self.fails("train", file, "--out", self.tmp / "y", "--time", "soon", says="expected 90s, 30m or 2h")
