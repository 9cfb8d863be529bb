"""`ashlar experiment`: campaigns that are killed and go on, disks that are full, and pages."""

import contextlib
import json
import math
import os
import random
import re
import signal
import statistics
import subprocess
import time
import unittest

from json_fields import differences
from program import LONG, Case, ashlar, ashlar_json
from writing import start

BASE = {"base": "smollm2-135m", "change": {
    "layers": 2, "embedding.vocab": 16, "embedding.width": 16, "blocks[*].mixer.attention.heads": 2,
    "blocks[*].mixer.attention.kv_heads": 2, "blocks[*].mixer.attention.head_dim": 8, "blocks[*].ffn.dense.width": 240}}
SMALL = {
    "id": "small", "question": "Is it so?", "hypothesis": "It is.", "source": "nobody",
    "criteria": [{"id": "c", "says": "deep is better", "metric": "loss", "arm": "deep", "direction": "lower", "size": 0.01},
                 {"id": "d", "says": "deep learns", "metric": "loss", "arm": "deep", "against": 2.8, "direction": "lower",
                  "size": 0}],
    "base": BASE, "run": {"batch": {"sequences": 4}, "checkpoint": {"every": 10}}, "tokens": 128 * 60,
    "data": {"task": "nested", "parameters": {"kinds": 8, "depth": 4, "length": 32}, "validation_rows": 8},
    "equal": {"what": "body", "knob": "blocks[*].ffn.dense.width"},
    "arms": {"flat": {"about": "two layers"}, "deep": {"about": "three", "change": {"layers": 3}}},
    "rates": [0.003, 0.01], "seeds": [1, 2, 3]}

# Runs of some seconds: long enough to be killed in the middle.
MIDDLE = {**SMALL, "tokens": 128 * 800, "run": {**SMALL["run"], "checkpoint": {"every": 20, "keep": 1}}}
ENDLESS = {**SMALL, "tokens": 128 * 100000, "data": {**SMALL["data"], "rows": 64}}


def without_clock(results):
    """What does not depend on how fast the machine was."""
    if isinstance(results, dict):
        clock = ("seconds", "tokens_per_second", "amount", "decode_tokens_per_second", "memory_bytes")
        return {k: without_clock(v) for k, v in results.items() if k not in clock}
    if isinstance(results, list):
        return [without_clock(x) for x in results if not (isinstance(x, dict) and x.get("budget") == "seconds")]
    return results


class Experiments(Case):
    def wait_for_runs(self, store):
        """Until no process of a killed campaign is left: they end with it, but a moment later."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            found = subprocess.run(["pgrep", "-f", str(store)], capture_output=True, text=True).stdout.split()
            if not found:
                return
            time.sleep(0.05)
        self.fail(f"processes of {store} are left")

    def wait_until(self, true):
        end = time.monotonic() + 120
        while not true():
            self.assertLess(time.monotonic(), end, "it takes too long")
            time.sleep(0.01)

    def checkpoints(self, store):
        """Whole ones, of runs that have not ended."""
        return sorted(store.glob("runs/*/checkpoints/*/state.json"))

    def results(self, store):
        return ashlar_json("experiment", "report", store, "--json")

    def test_check_says_what_would_run(self):
        text = ashlar("experiment", "check", self.write("e.json", SMALL)).stdout
        for words in ("deep", "held equal: body", "blocks[*].ffn.dense.width = ", "8 runs", "deep is better",
                      "loss of deep lower than 2.8"):
            self.assertIn(words, text)
        self.fails("experiment", "check", self.write("f.json", {**SMALL, "seed": 1}), says="did you mean seeds")
        self.fails("experiment", "check", "no-such", says="no-such")
        self.fails("experiment", "status", self.tmp, says="no store")

    def test_killed_at_any_time(self):
        """What a killed campaign ends with is what one left alone ends with, to the bit; so are two stores."""
        file = self.write("e.json", MIDDLE)
        whole, part = self.tmp / "whole", self.tmp / "part"
        ashlar("experiment", "run", file, "-o", whole, "--quiet", "--jobs", 2)
        chance = random.Random(3)
        resumed = 0
        for _ in range(int(os.environ.get("ASHLAR_KILLS", "2"))):
            before = set(self.checkpoints(part))
            process = start("experiment", "run", file, "-o", part, "--quiet", "--jobs", 2)
            self.wait_until(lambda: set(self.checkpoints(part)) - before or process.poll() is not None)
            time.sleep(0.2 * chance.random())
            hit = process.poll() is None
            process.kill()  # its runs end with it
            process.communicate()
            if not hit:
                break
            self.wait_for_runs(part)
            state = ashlar_json("experiment", "status", part, "--json")["experiments"][0]
            self.assertEqual((state["id"], state["wanted"]), ("small", 8))
            self.assertLess(state["ended"], 8)
            resumed += len(self.checkpoints(part)) > 0  # the next campaign goes on from there
        self.assertGreater(resumed, 0, "no kill came in the middle of a run")
        ashlar("experiment", "run", file, "-o", part, "--quiet", "--jobs", 1)
        found, expected = self.results(part), self.results(whole)
        self.assertEqual(without_clock(found), without_clock(expected))
        self.assertEqual(found[0]["runs"]["ended"], 8)
        self.assertEqual(ashlar_json("experiment", "status", part, "--json")["seconds_left"], 0)
        self.assertEqual(differences(found, "experiment report"), [])
        self.assertEqual(differences(ashlar_json("experiment", "status", part, "--json"), "experiment status"), [])
        for folder in (part / "runs").iterdir():
            steps = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
            self.assertEqual(steps, list(range(1, 801)))  # none twice, none left out
        # Paired: the first step of a seed has one loss whatever the rate.
        first = {}
        for folder in (whole / "runs").iterdir():
            request = json.loads((folder / "request.json").read_text())
            loss = json.loads((folder / "log.jsonl").read_text().splitlines()[0])["loss"]
            first.setdefault((request["seed"], len(request["model"]["blocks"][0].get("blocks", [])) or
                              request["model"]["blocks"][0]["repeat"]), set()).add(loss)
        self.assertEqual([len(v) for v in first.values()], [1] * len(first))

        # The page, and a criterion that is changed afterwards.
        page = self.tmp / "p.html"
        ashlar("experiment", "report", part, "-o", page, "--results", self.tmp / "kept")
        html = page.read_text()
        self.assertIn("deep is better", html)
        self.assertNotRegex(html, r'(src|href)="(?!#)')
        self.assertNotIn("were changed after", html)
        ashlar("experiment", "report", self.tmp / "kept/small.json", "-o", self.tmp / "q.html")
        self.assertEqual((self.tmp / "q.html").read_text(), html)
        changed = {**MIDDLE, "criteria": [{**SMALL["criteria"][0], "size": 0}, SMALL["criteria"][1]]}
        done = ashlar("experiment", "run", self.write("e.json", changed), "-o", part)
        self.assertIn("changed after the first run", done.stdout)
        self.assertEqual(self.results(part)[0]["runs"]["ended"], 8)  # nothing ran again

    def test_interrupted(self):
        process = start("experiment", "run", self.write("e.json", ENDLESS), "-o", self.tmp / "s")
        end = time.monotonic() + 60
        while not list(self.tmp.glob("s/runs/*/log.jsonl")) and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        stderr = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 130, stderr)
        self.assertIn("goes on", stderr)
        self.assertTrue(list(self.tmp.glob("s/runs/*/checkpoints/*/state.json")))

    def test_a_full_disk(self):
        disk = self.tmp / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("no file system may be mounted here")
        self.addCleanup(subprocess.run, ["umount", str(disk)])
        file = self.write("e.json", SMALL)
        (disk / "other").write_bytes(b"x" * (30 << 20))
        done = ashlar("experiment", "run", file, "-o", disk / "store", "--quiet", code=3)
        self.assertRegex(done.stderr, "free some space and run it again")
        self.assertEqual(ashlar_json("experiment", "status", disk / "store", "--json")["experiments"][0]["ended"], 0)
        (disk / "other").unlink()
        # Full in the middle: what is going on cannot keep what it has learned.
        file = self.write("e.json", MIDDLE)
        process = start("experiment", "run", file, "-o", disk / "store", "--quiet")
        self.wait_until(lambda: self.checkpoints(disk / "store"))
        with (disk / "other").open("wb", buffering=0) as other, contextlib.suppress(OSError):
            while True:
                other.write(b"x" * (64 << 10))
        stderr = process.communicate(timeout=300)[1]
        self.assertEqual(process.returncode, 3, stderr)
        self.assertRegex(stderr, "free some space and run it again")
        state = ashlar_json("experiment", "status", disk / "store", "--json")["experiments"][0]
        self.assertLess(state["ended"], 8)
        (disk / "other").unlink()
        ashlar("experiment", "run", file, "-o", disk / "store", "--quiet")
        self.assertEqual(self.results(disk / "store")[0]["runs"]["ended"], 8)

    def test_two_at_once(self):
        store, file = self.tmp / "s", self.write("e.json", ENDLESS)
        process = start("experiment", "run", file, "-o", store)
        end = time.monotonic() + 60
        while not list(store.glob("runs/*")) and time.monotonic() < end:
            time.sleep(0.02)
        self.fails("experiment", "run", file, "-o", store, says="another process")
        process.kill()
        process.communicate()
        self.wait_for_runs(store)

    def test_a_run_is_known_by_the_program_too(self):
        """Other kernels compute other last digits: they are other runs, in the same store."""
        file, store = self.write("e.json", {**SMALL, "tokens": 128 * 2, "rates": [0.01], "seeds": [1]}), self.tmp / "s"
        runs = set()
        for kernels, expected in (("generic", 2), ("avx2", 4), ("generic", 4)):
            ashlar("experiment", "run", file, "-o", store, "--quiet", env={"ASHLAR_KERNELS": kernels})
            runs = {path.name for path in (store / "runs").iterdir()}
            self.assertEqual(len(runs), expected)

    def test_a_run_that_diverges_is_a_result(self):
        wild = {**SMALL, "rates": [0.01, 1e30], "tokens": 128 * 20}
        ashlar("experiment", "run", self.write("e.json", wild), "-o", self.tmp / "s", "--quiet")
        runs = self.results(self.tmp / "s")[0]
        self.assertEqual(runs["runs"]["diverged"], 2)
        self.assertEqual([arm["rate"] for arm in runs["arms"]], [0.01, 0.01])


    def test_sign_of_events(self):
        """Every event of every seed counts; the numbers again, from the logs."""
        steps, count = 240, 6
        experiment = {
            **SMALL, "id": "events", "tokens": 128 * steps, "seeds": [1, 2], "rates": [0.01], "events": {"count": count},
            "data": {"task": "markov", "parameters": {"symbols": 16, "length": 32}, "validation_rows": 8, "order": "sequential"},
            "criteria": [{"id": "c", "says": "-", "metric": "response", "arm": "deep", "direction": "lower", "size": 0.05,
                          "test": "sign"}]}
        store = self.tmp / "s"
        ashlar("experiment", "run", self.write("e.json", experiment), "-o", store, "--quiet")
        [result] = ashlar_json("experiment", "report", store, "--json")
        at = [steps // 4 + (2 * i + 1) * (steps - steps // 4) // (2 * count) for i in range(count)]
        apart, responses = [], {}
        for arm in result["arms"]:
            for run in arm["runs"]:
                log = (store / "runs" / run["key"] / "log.jsonl").read_text().splitlines()
                norm = [json.loads(line)["gradient_norm"] for line in log]
                found = [math.log(norm[i] / statistics.median(norm[i - 32:i])) for i in at]
                for a, b in zip(run["metrics"]["responses"], found, strict=True):
                    self.assertAlmostEqual(a, b, 9)
                responses[arm["name"], run["seed"]] = found
        for seed in (1, 2):
            apart += [a - b for a, b in zip(responses["deep", seed], responses["flat", seed], strict=True)]
        below, above = sum(d < -0.05 for d in apart), sum(d > -0.05 for d in apart)
        [criterion] = result["criteria"]
        most = sum(math.comb(12, k) for k in range(max(below, above), 13)) / 2**12
        self.assertEqual(criterion["signs"], {"about": -0.05, "below": below, "above": above,
                                              "p": criterion["signs"]["p"]})
        self.assertAlmostEqual(criterion["signs"]["p"], min(1, 2 * most), 12)
        self.assertIn(f"below -0.05 in {below} of 12 events", criterion["sentence"])


class KnownResults(Case):
    """Directions that are strong at toy size, in seconds."""

    def values(self, experiment, metric):
        """{arm: values of all seeds}."""
        store = self.tmp / experiment["id"]
        ashlar("experiment", "run", self.write(experiment["id"] + ".json", experiment), "-o", store, "--quiet")
        result = ashlar_json("experiment", "report", store, "--json")[0]
        return {a["name"]: [r["metrics"][metric] for r in a["runs"]] for a in result["arms"]}

    def experiment(self, name, base, data, tokens, arms, **more):
        first = next(iter(arms))
        return {"id": name, "question": "-", "hypothesis": "-", "base": {"base": "smollm2-135m", "change": {
            "embedding.width": 32, "blocks[*].mixer.attention.heads": 2, "blocks[*].mixer.attention.kv_heads": 2,
            "blocks[*].mixer.attention.head_dim": 16, "blocks[*].mixer.attention.rope.theta": 10000,
            "blocks[*].ffn.dense.width": 64, **base}},
            "run": {"init": {"scheme": "mitchell"}, "batch": {"sequences": 16}, "schedule": {"warmup": 30}, "clip": 1.0},
            "criteria": [{"id": "c", "says": "-", "metric": "loss", "arm": first, "against": 0, "direction": "lower",
                          "size": 0}],
            "data": {"task": data[0], "parameters": data[1], "validation_rows": 64}, "tokens": tokens, "arms": arms,
            "rates": [0.01], "seeds": [1, 2], **more}

    def test_windows_copy_nothing_from_beyond_their_reach(self):
        accuracy = self.values(self.experiment(
            "windows", {"layers": 2, "embedding.vocab": 17}, ("copy", {"symbols": 8, "string": 8, "gaps": 12}), 16 * 29 * 400,
            {"full": {"about": "all layers see all"},
             "windows": {"about": "6 tokens: 10 back", "change": {"blocks[*].mixer.attention.window": 6}}}), "accuracy")
        self.assertLess(max(accuracy["windows"]), 0.25)  # chance is an eighth
        self.assertGreater(min(accuracy["full"]), 0.9)

    def test_post_norm_without_warm_up_does_not_learn(self):
        """Twelve layers at a rate of 0.03 from the first step on: pre-norm learns, post-norm stays where guessing is."""
        loss = self.values(self.experiment(
            "warmup", {"layers": 12, "embedding.vocab": 256, "embedding.width": 64, "blocks[*].mixer.attention.head_dim": 32,
                       "blocks[*].ffn.dense.width": 176},
            ("markov", {"symbols": 256, "successors": 16, "order": 1, "length": 64}), 8 * 64 * 120,
            {"pre": {"about": "x + f(norm(x))"},
             "post": {"about": "norm(x + f(x))", "change": {"blocks[*].wiring.post_norm": {"eps": 1e-05}}}},
            run={"init": {"scheme": "fan_in"}, "batch": {"sequences": 8}, "clip": 1.0}, rates=[0.03], seeds=[1]), "loss")
        self.assertGreater(loss["post"][0], 5.4)  # guessing among 256 costs 5.55
        self.assertLess(loss["pre"][0], 5.1)

    def test_induction_takes_two_layers(self):
        """What followed this symbol before: one layer of attention does not find it, two do."""
        accuracy = self.values(self.experiment(
            "induction", {"layers": 2, "embedding.vocab": 9}, ("induction", {"symbols": 8, "shown": 4, "queries": 12}),
            16 * 29 * 1500, {"two": {"about": "two layers"}, "one": {"about": "one layer", "change": {"layers": 1}}},
            seeds=[1]), "accuracy")
        self.assertLess(accuracy["one"][0], 0.6)  # chance among those shown is a third
        self.assertGreater(accuracy["two"][0], 0.8)

    @unittest.skipUnless(LONG, "half a minute: ./test --long")
    def test_one_layer_does_not_look_up_twice(self):
        accuracy = self.values(self.experiment(
            "two-hop", {"layers": 3, "embedding.vocab": 10, "embedding.width": 48, "blocks[*].mixer.attention.head_dim": 24},
            ("lookup", {"symbols": 8, "chains": 2, "hops": [1, 2], "queries": 12}), 16 * 44 * 2000,
            {"three": {"about": "three layers"}, "one": {"about": "one layer", "change": {"layers": 1}}},
            rates=[0.005], seeds=[1]), "accuracy_hardest")
        self.assertLess(accuracy["one"][0], 0.42)  # guessing among 8 is right in 0.125
        self.assertGreater(accuracy["three"][0], accuracy["one"][0] + 0.1)
