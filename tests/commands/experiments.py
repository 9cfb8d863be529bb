"""`ashlar experiment`: campaigns that are killed and go on, disks that are full, and pages."""

import json
import os
import random
import re
import signal
import subprocess
import time

from json_fields import differences
from program import Case, ashlar, ashlar_json
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

LONG = {**SMALL, "tokens": 128 * 100000, "data": {**SMALL["data"], "rows": 64}}


def without_clock(results):
    """What does not depend on how fast the machine was."""
    if isinstance(results, dict):
        return {k: without_clock(v) for k, v in results.items() if k not in ("seconds", "tokens_per_second", "amount")}
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
        file = self.write("e.json", SMALL)
        whole, part = self.tmp / "whole", self.tmp / "part"
        ashlar("experiment", "run", file, "-o", whole, "--quiet", "--jobs", 2)
        chance = random.Random(3)
        for _ in range(int(os.environ.get("ASHLAR_KILLS", "3"))):
            process = start("experiment", "run", file, "-o", part, "--quiet", "--jobs", 2)
            try:
                process.wait(timeout=0.3 + chance.random())
                break
            except subprocess.TimeoutExpired:
                process.kill()  # its runs end with it
                process.communicate()
                self.wait_for_runs(part)
        state = ashlar_json("experiment", "status", part, "--json")["experiments"][0]
        self.assertEqual(state["id"], "small")
        self.assertLessEqual(state["ended"], state["wanted"])
        ashlar("experiment", "run", file, "-o", part, "--quiet", "--jobs", 1)
        found, expected = self.results(part), self.results(whole)
        self.assertEqual(without_clock(found), without_clock(expected))
        self.assertEqual(found[0]["runs"]["ended"], 8)
        self.assertEqual(ashlar_json("experiment", "status", part, "--json")["seconds_left"], 0)
        self.assertEqual(differences(found, "experiment report"), [])
        self.assertEqual(differences(ashlar_json("experiment", "status", part, "--json"), "experiment status"), [])
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
        changed = {**SMALL, "criteria": [{**SMALL["criteria"][0], "size": 0}, SMALL["criteria"][1]]}
        done = ashlar("experiment", "run", self.write("e.json", changed), "-o", part)
        self.assertIn("changed after the first run", done.stdout)
        self.assertEqual(self.results(part)[0]["runs"]["ended"], 8)  # nothing ran again

    def test_interrupted(self):
        process = start("experiment", "run", self.write("e.json", LONG), "-o", self.tmp / "s")
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
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(disk)], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("no file system may be mounted here")
        self.addCleanup(subprocess.run, ["umount", str(disk)])
        file = self.write("e.json", SMALL)
        (disk / "other").write_bytes(b"x" * (20 << 20))
        done = ashlar("experiment", "run", file, "-o", disk / "store", "--quiet", code=3)
        self.assertRegex(done.stderr, "free some space and run it again")
        self.assertEqual(ashlar_json("experiment", "status", disk / "store", "--json")["experiments"][0]["ended"], 0)
        (disk / "other").unlink()
        ashlar("experiment", "run", file, "-o", disk / "store", "--quiet")
        self.assertEqual(self.results(disk / "store")[0]["runs"]["ended"], 8)

    def test_two_at_once(self):
        store, file = self.tmp / "s", self.write("e.json", LONG)
        process = start("experiment", "run", file, "-o", store)
        end = time.monotonic() + 60
        while not list(store.glob("runs/*")) and time.monotonic() < end:
            time.sleep(0.02)
        self.fails("experiment", "run", file, "-o", store, says="another process")
        process.kill()
        process.communicate()
        self.wait_for_runs(store)

    def test_a_run_that_diverges_is_a_result(self):
        wild = {**SMALL, "rates": [0.01, 1e30], "tokens": 128 * 20}
        ashlar("experiment", "run", self.write("e.json", wild), "-o", self.tmp / "s", "--quiet")
        runs = self.results(self.tmp / "s")[0]
        self.assertEqual(runs["runs"]["diverged"], 2)
        self.assertEqual([arm["rate"] for arm in runs["arms"]], [0.01, 0.01])


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
