"""Corpora, tokenizers, data folders and runs on them, as their users have them."""

import gzip
import json

from json_fields import differences
from program import Case, ashlar, ashlar_json

MODEL = {"base": "qwen3-0.6b", "change": {
    "layers": 2, "embedding.width": 32, "embedding.vocab": 400, "blocks[*].mixer.attention.heads": 2,
    "blocks[*].mixer.attention.kv_heads": 1, "blocks[*].mixer.attention.head_dim": 16, "blocks[*].ffn.dense.width": 64}}


def story(n):
    return "".join(f"Story {n} goes on: the {n * 7 + i}th stone is cut, naïvely. " for i in range(12)) + "\n"


class Data(Case):
    def corpus(self):
        folder = self.tmp / "corpus"
        for domain in ("even", "odd"):
            (folder / domain).mkdir(parents=True, exist_ok=True)
        for n in range(200):
            name = folder / ("odd" if n % 2 else "even") / f"{n:03}.txt.gz"
            with gzip.open(name, "wt", encoding="utf-8") as file:
                file.write(story(n))
        return folder

    def test_from_corpus_to_bits_per_byte(self):
        corpus, data, out = self.corpus(), self.tmp / "data", self.tmp / "runs/a"
        built = ashlar_json("data", "build", corpus, "-o", data, "--vocab", 400, "--validation", 0.1, "--json")
        shown = ashlar_json("data", "show", data, "--check", "--json")
        self.assertEqual(differences(shown, "data show"), [])
        self.assertEqual({**built, "samples": shown["samples"]}, shown)
        self.assertEqual(sum(s["documents"] for s in shown["splits"].values()), 200)
        self.assertEqual(sum(s["bytes"] for s in shown["splits"].values()),
                         sum(len(story(n).encode()) for n in range(200)))
        self.assertEqual(sorted(shown["splits"]["train"]["domains"]), ["even", "odd"])
        self.assertRegex(shown["samples"][0]["text"], r"^Story \d+ goes on")
        self.assertIn("bytes per token", ashlar("data", "show", data).stdout)
        self.fails("data", "build", corpus, "-o", data, says="holds data already")
        run = self.write("run.json", {"model": MODEL, "data": {"folder": str(data), "order": "shuffled"},
                                      "batch": {"sequences": 4, "length": 32}, "optimiser": {"rate": 0.01},
                                      "evaluate": {"every": 10}, "steps": 20})
        ashlar("train", run, "--out", out, "--threads", 1, "--quiet")
        log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        self.assertEqual([r["step"] for r in log if "bits_per_byte" in r], [10, 20])
        report = (out / "report.html").read_text(encoding="utf-8")
        self.assertNotRegex(report, r"(src|href)=\"?http")
        for title in ("Loss", "Validation loss", "Gradient norm", "Rate", "Speed"):
            self.assertIn(f">{title}</text>", report)
        self.assertTrue(list(out.glob("events.out.tfevents.*")))
        for arguments in ([], ["--mask"], ["--split", "train", "--tokens", 500]):
            found = ashlar_json("evaluate", out, "--data", data, "--length", 32, "--threads", 1, "--json", *arguments)
            self.assertEqual(differences(found, "evaluate"), [])
            if not arguments:
                self.assertAlmostEqual(found["loss"], log[-1]["validation_loss"], places=4)
                self.assertAlmostEqual(found["bits_per_byte"], log[-1]["bits_per_byte"], places=3)
        self.assertIn("bits per byte", ashlar("evaluate", out, "--data", data, "--length", 32).stdout)
        # A step again.
        again = ashlar("train", "--out", out, "--replay", 7, "--threads", 1).stdout
        self.assertIn("its loss is the log's, to the bit", again)
        replay = json.loads((out / "replay-7.json").read_text())
        self.assertEqual(replay["loss"]["value"], log[6]["loss"])
        self.assertTrue(replay["telemetry"]["residual_rms"])
        self.fails("train", "--out", out, "--replay", 21, says="from 1 to 20")
        self.fails("evaluate", out, "--data", self.tmp, says="ashlar data build")
        bytes_data = self.tmp / "bytes"
        ashlar("data", "build", corpus, "-o", bytes_data, "--validation", 0.1)
        self.fails("evaluate", out, "--data", bytes_data, says="another tokenizer")
        self.fails("train", run, "--out", self.tmp / "x", f"data.folder={bytes_data}", f"tokenizer={out}/model",
                   says="another tokenizer")
        # The runs of a folder, and their page.
        ashlar("train", run, "--out", self.tmp / "runs/b", "--quiet", "optimiser.rate=0.001", "--steps", 5)
        (self.tmp / "runs/b/model/config.json").unlink()
        listed = ashlar_json("runs", self.tmp / "runs", "--json")
        self.assertEqual(differences(listed, "runs"), [])
        self.assertEqual([(r["state"], r["steps_done"]) for r in listed["runs"]], [("finished", 20), ("stopped", 5)])
        self.assertRegex(ashlar("runs", self.tmp / "runs").stdout, r"runs/a +finished +20/20")
        ashlar("runs", "--report", self.tmp / "runs/a", self.tmp / "runs/b", "-o", self.tmp / "both.html")
        page = (self.tmp / "both.html").read_text(encoding="utf-8")
        self.assertIn("optimiser.rate", page)
        self.assertNotIn("optimiser.kind", page)
        self.fails("runs", self.tmp / "runs", "--report", says="go together")

    def test_an_architecture_of_ones_own(self):
        """Trained, saved as its blueprint, taken by other commands."""
        corpus, data, out = self.corpus(), self.tmp / "data", self.tmp / "run"
        ashlar("data", "build", corpus, "-o", data, "--vocab", 400)
        changes = {**MODEL["change"], "blocks[1].mixer.attention.sinks": True, "blocks[1].mixer.attention.window": 8}
        run = self.write("run.json", {"model": {"base": "qwen3-0.6b", "change": changes}, "data": {"folder": str(data)},
                                      "batch": {"sequences": 2, "length": 32}, "steps": 3})
        ashlar("train", run, "--out", out, "--threads", 1, "--quiet")
        self.assertEqual(json.loads((out / "model/config.json").read_text())["model_type"], "ashlar")
        gguf = self.tmp / "own.gguf"
        self.assertIn("no published family", ashlar("convert", out / "model", gguf, "--weights", "f32").stderr)
        for model in (out / "model", gguf):
            text = ashlar_json("run", model, "Story", "--max-tokens", 4, "--temperature", 0, "--threads", 1, "--json")
            self.assertEqual(len(text["ids"]), 4)
            shown = ashlar_json("show", model, "--json")
            self.assertTrue(shown["parameters"]["total"])
        self.assertNotIn("FAILED", ashlar("verify", out / "model", seconds=600).stdout)

    def test_a_tokenizer_of_ones_own(self):
        folder = self.tmp / "tokenizer"
        out = ashlar_json("tokenizer", "train", self.corpus(), "--vocab", 350, "-o", folder, "--json")
        self.assertEqual(differences(out, "tokenizer train"), [])
        self.assertEqual(out["vocabulary"], 350)
        ids = ashlar_json("tokenize", folder, story(3), "--json")["ids"]
        self.assertLess(len(ids), len(story(3)) / 2)
        self.assertEqual(ashlar("detokenize", folder, "--ids", ",".join(map(str, ids))).stdout, story(3))
        self.fails("tokenizer", "train", self.tmp / "none", "-o", folder, says="no such file")
        self.fails("data", "build", self.corpus(), "-o", self.tmp / "d", "--vocab", 300, "--tokenizer", folder,
                   says="one of them")
