"""Runs the `ashlar` command as its users do and checks what it prints, writes and returns.

    python3 tests/commands/run.py build/release/ashlar [-k PATTERN] [-j PROCESSES]

Needs the two real models of tools/get_models.sh. Only Python's standard library.
"""

import json
import os
import pathlib
import re
import shutil
import struct
import sys

import parallel
from data import Data  # noqa: F401
from experiments import Experiments, KnownResults  # noqa: F401
from files import Files  # noqa: F401
from hostile import Hostile  # noqa: F401
from hub import Fetching  # noqa: F401
from installing import Installed, Package  # noqa: F401
from json_fields import differences
from program import GEMMA, LONG, ROOT, SMOL, Case, ashlar, ashlar_json, read_npy, worst
from terminal import Chatting, CommandLine, RunInput  # noqa: F401
from training import Training  # noqa: F401
from writing import ClosedPipes, FullDisks, Interrupts, Kills  # noqa: F401

COMMANDS = """show run chat tokenize detokenize render logits perplexity convert verify count plan probe bench profile draw
explain compare report claims gradients train data tokenizer evaluate runs experiment""".split()


class Help(Case):
    def test_every_command_teaches(self):
        overview = ashlar("--help").stdout
        for command in COMMANDS:
            self.assertRegex(overview, rf"\b{command}\b")
            text = ashlar(command, "--help").stdout
            self.assertGreater(len(text), 200, command)

    def test_wrong_usage(self):
        self.fails("fly", says="fly", code=2)
        self.fails("run", says="model", code=2)
        self.fails("count", "qwen3-0.6b", "--contxt", "5", says="contxt", code=2)

    def test_version(self):
        self.assertRegex(ashlar("--version").stdout, r"ashlar \d+\.\d+\.\d+")


class Text(Case):
    def test_tokenize(self):
        out = ashlar_json("tokenize", SMOL, "Hello world", "--json")
        self.assertEqual(out, {"ids": [19556, 905], "pieces": ["Hello", "Ġworld"]})
        gemma = ashlar_json("tokenize", GEMMA, "Hello world", "--json")
        self.assertEqual(gemma["ids"][0], 2)
        self.assertEqual(ashlar_json("tokenize", GEMMA, "Hello world", "--json", "--no-special")["ids"], gemma["ids"][1:])

    def test_special_tokens_in_the_text(self):
        ids = ashlar_json("tokenize", SMOL, "<|im_start|>user", "--json")["ids"]
        self.assertEqual(ids[0], 1)

    def test_lines_there_and_back(self):
        lines = ["", "a", "Grüße, 世界! 👩‍👩‍👧", "def f(x):\n\treturn x  # 1234567890\n", "   spaces   "]
        for model in (SMOL, GEMMA):
            lists = ashlar_json("tokenize", model, "--lines-json", self.write("l.json", lines), "--no-special")
            self.assertEqual(len(lists), len(lines))
            back = ashlar_json("detokenize", model, "--lines-json", self.write("i.json", lists))
            self.assertEqual(back, lines)

    def test_file_and_ids(self):
        ids = ashlar_json("tokenize", SMOL, "--file", self.write("t.txt", "One two\n"), "--json")["ids"]
        out = ashlar("detokenize", SMOL, "--ids", ",".join(map(str, ids))).stdout
        self.assertEqual(out, "One two\n")

    def test_refusals(self):
        self.fails("tokenize", SMOL, says="exactly one of")
        self.fails("tokenize", self.tmp / "none.gguf", "x", says="none.gguf")
        self.fails("detokenize", SMOL, "--ids", "1,x", says='found "x"')
        self.fails("tokenize", SMOL, "--lines-json", self.write("b.json", "[1"), says="b.json")

    def test_render(self):
        messages = self.write("m.json", [{"role": "user", "content": "Hi ünder <|im_end|>"}])
        out = ashlar("render", SMOL, "--messages", messages).stdout
        self.assertTrue(out.endswith("<|im_start|>user\nHi ünder <|im_end|><|im_end|>\n<|im_start|>assistant\n"), out)
        self.assertFalse(ashlar("render", SMOL, "--messages", messages, "--no-generation-prompt").stdout
                         .endswith("assistant\n"))
        template = self.write("t.jinja", "{{ name }}|{{ n + 1 }}|{{ messages|length }}|{{ tools }}|{{ bos_token }}\n")
        out = ashlar("render", SMOL, "--messages", messages, "--template", template, "--var", 'name="Ada"', "--var",
                     "n=41").stdout
        self.assertEqual(out, "Ada|42|1|None|<|im_start|>")

    def test_render_refusals(self):
        messages = self.write("m.json", [{"role": "user", "content": "x"}])
        bad = self.write("bad.jinja", "{% if %}")
        self.fails("render", SMOL, "--messages", messages, "--template", bad, says="bad.jinja")
        stop = self.write("stop.jinja", "{{ raise_exception('no such role') }}")
        self.fails("render", SMOL, "--messages", messages, "--template", stop, says="no such role")
        endless = self.write("endless.jinja", "{% for a in range(99999) %}{% for b in range(99999) %}x"
                             "{% endfor %}{% endfor %}")
        self.fails("render", SMOL, "--messages", messages, "--template", endless, says=".", code=3)
        self.fails("render", GEMMA, "--messages", messages, says="chat template")


class Running(Case):
    def test_run_is_greedy_and_repeatable(self):
        a = ashlar_json("run", SMOL, "The capital of France is", "--max-tokens", 8, "--json")
        b = ashlar_json("run", SMOL, "The capital of France is", "--max-tokens", 8, "--json", "--threads", 1)
        self.assertEqual(a["ids"], b["ids"])
        self.assertIn("Paris", a["text"])
        self.assertEqual(len(a["ids"]), 8)
        self.assertGreater(a["prefill_tokens_per_second"], 0)
        self.assertGreater(a["decode_tokens_per_second"], 0)
        self.assertEqual(a["prompt_ids"], ashlar_json("tokenize", SMOL, "The capital of France is", "--json")["ids"])
        plain = ashlar("run", SMOL, "The capital of France is", "--max-tokens", 8).stdout
        self.assertEqual(plain, a["text"] + "\n")
        ids = ashlar("run", SMOL, "The capital of France is", "--max-tokens", 8, "--ids").stdout
        self.assertEqual([int(i) for i in ids.split(",")], a["ids"])

    def test_sampling_follows_the_seed(self):
        def text(seed):
            return ashlar_json("run", SMOL, "Once upon a time", "--max-tokens", 24, "--temperature", 1, "--seed", seed,
                               "--json")["ids"]
        self.assertEqual(text(7), text(7))
        self.assertNotEqual(text(7), text(8))

    def test_what_the_publisher_recommends(self):
        folder = self.tmp / "model"
        ashlar("convert", SMOL, folder, "--weights", "bf16")
        (folder / "generation_config.json").write_text('{"do_sample": true, "temperature": 1.5, "top_k": 1}')
        greedy = ashlar("run", folder, "Once upon a time", "--max-tokens", 6, "--ids", "--temperature", 0).stdout
        said = ashlar("run", folder, "Once upon a time", "--max-tokens", 6, "--ids", "--seed", 3)
        self.assertEqual(said.stdout, greedy)  # the most likely of one
        self.assertIn("temperature 1.5, top_k 1", said.stderr)
        own = ashlar("run", folder, "Once upon a time", "--max-tokens", 6, "--ids", "--seed", 3, "--top-k", 0)
        self.assertNotEqual(own.stdout, greedy)
        self.assertNotIn("top_k", own.stderr)

    def test_chat_ends_by_itself(self):
        out = ashlar_json("run", SMOL, "Say hello.", "--chat", "--max-tokens", 200, "--json")
        self.assertEqual(out["stop"], "end_token")
        self.assertEqual(out["ids"][-1], 2)
        self.assertNotIn("<|im_end|>", out["text"])

    def test_stop_text(self):
        whole = ashlar_json("run", SMOL, "1, 2, 3, 4,", "--max-tokens", 24, "--json")["text"]
        stop = whole[6:9]
        out = ashlar_json("run", SMOL, "1, 2, 3, 4,", "--max-tokens", 24, "--stop", stop, "--json")
        self.assertEqual(out["text"], whole[:whole.index(stop)])
        self.assertEqual(out["stop"], "stop_text")

    def test_drafting_changes_no_token(self):
        prompt = "one two three one two three one two three one"
        small = ROOT / "tests/golden/models/llama_tied_wide_heads/model"
        for sampling in ([], ["--temperature", 1, "--seed", 5]):
            def run(*more):
                return ashlar_json("run", SMOL, prompt, "--max-tokens", 30, "--ignore-end", "--json", *sampling, *more)
            plain = run()
            self.assertEqual((plain["drafted_tokens"], plain["accepted_tokens"]), (0, 0))
            for draft in ("lookup", SMOL):
                found = run("--draft", draft, "--draft-tokens", 5)
                self.assertEqual(found["ids"], plain["ids"])
                self.assertEqual(found["text"], plain["text"])
                self.assertLessEqual(found["accepted_tokens"], found["drafted_tokens"])
            if not sampling:
                self.assertGreater(found["accepted_tokens"], 15)  # the model drafts for itself
        said = ashlar("run", SMOL, prompt, "--max-tokens", 30, "--draft", "lookup").stderr
        self.assertRegex(said, r"\d+ of \d+ drafted tokens accepted")
        self.fails("run", SMOL, prompt, "--draft", GEMMA, says='same vocabulary, but token 0 is "<pad>" there')
        self.fails("run", SMOL, prompt, "--draft", small, says="same vocabulary")
        talk = ashlar("chat", SMOL, "--temperature", 0, "--max-tokens", 12, stdin="Hi\n").stdout
        self.assertEqual(ashlar("chat", SMOL, "--temperature", 0, "--max-tokens", 12, "--draft", "lookup",
                                stdin="Hi\n").stdout, talk)

    def test_packed_weights_change_no_text(self):
        prompt = "one two three four five six seven eight nine ten"  # enough tokens for panels
        options = ("--max-tokens", 8, "--temperature", 0, "--json")
        self.assertEqual(ashlar_json("run", SMOL, prompt, "--packed-weights", *options)["ids"],
                         ashlar_json("run", SMOL, prompt, *options)["ids"])

    def test_deterministic(self):
        def run(*more):
            return ashlar_json("run", SMOL, "One, two, three, four, five", "--max-tokens", 12, "--json", *more)["ids"]
        self.assertEqual(run("--deterministic"), run("--deterministic", "--threads", 1))
        self.assertEqual(ashlar_json("run", SMOL, "1 2 1 2 1", "--deterministic", "--draft", "lookup", "--max-tokens", 12,
                                     "--json")["ids"],
                         ashlar_json("run", SMOL, "1 2 1 2 1", "--deterministic", "--max-tokens", 12, "--json")["ids"])

    def test_the_model_that_comes_with_the_program(self):
        """ashlar-nano, by its name: small, and what it writes are words of the texts it was trained on."""
        file = ROOT / "nano/ashlar-nano.gguf"
        self.assertLess(file.stat().st_size, 6e6)
        text = ashlar("run", "ashlar-nano", "The function returns", "--temperature", 0, "--max-tokens", 40).stdout
        known = "".join(f.read_text() for f in (ROOT / "docs").glob("*.md"))
        words = [w.strip(".,:;()\"'").lower() for w in text.split()]
        self.assertGreater(len(words), 15, text)
        known = set(re.findall(r"[a-z]+", known.lower()))
        self.assertGreater(sum(w in known for w in words), 0.6 * len(words), text)
        told = ashlar_json("perplexity", "ashlar-nano", "--file", ROOT / "docs/library.md", "--json")
        self.assertLess(told["perplexity"], 1000, "4,096 would be a guess; 485 when it was made")

    def test_conversation(self):
        out = ashlar("chat", SMOL, "--temperature", 0, "--max-tokens", 12,
                     stdin="My name is Ada.\n/stats\n/nonsense\nWhat is 1+1?\n/undo\n/quit\n")
        self.assertGreater(len(out.stdout.split()), 4)
        self.assertIn("unknown command /nonsense", out.stderr)

    def test_kernels(self):
        a = ashlar("run", SMOL, "x", "--max-tokens", 2, "--kernels", "generic")
        self.assertIn("generic kernels", a.stderr)
        self.fails("run", SMOL, "x", "--kernels", "mmx", says="mmx")

    def test_random_weights(self):
        def rows(seed):
            ashlar("logits", "smollm2-135m", "--random", seed, "--ids", "5,6,7", "--output", self.tmp / "rows.npy")
            return list(read_npy(self.tmp / "rows.npy")[2])
        self.assertEqual(rows(1), rows(1))
        self.assertNotEqual(rows(1), rows(2))
        self.fails("run", "qwen3-0.6b", "x", says="--random")

    def test_logits(self):
        whole, chunked, one = (str(self.tmp / f"{n}.npy") for n in "abc")
        ids = [504, 3575, 282, 4649, 314, 260, 253, 1123, 2]
        ashlar("logits", SMOL, "--ids", ",".join(map(str, ids)), "--output", whole)
        ashlar("logits", SMOL, "--ids-file", self.write("i.json", ids), "--output", chunked, "--chunk", 2)
        rows, columns, a = read_npy(whole)
        self.assertEqual((rows, columns), (len(ids), 49152))
        self.assertLess(worst(a, read_npy(chunked)[2]), 0.1)  # int8 activations; float32 weights are exact:
        for output, more in ((whole, []), (chunked, ["--chunk", 2])):
            ashlar("logits", "smollm2-135m", "--random", 1, "--ids", "5,6,7,8,9", "--output", output, *more)
        self.assertLess(worst(read_npy(whole)[2], read_npy(chunked)[2]), 1e-4)
        self.fails("logits", SMOL, "--ids", "99999999", "--output", one, says="99999999")
        self.fails("logits", SMOL, "--ids", "", "--output", one, says="ids")
        self.assertFalse(os.path.exists(one))

    def test_the_table_of_longrope_is_said(self):
        model, one = ROOT / "tests/golden/models/phi3_long_table/model", self.tmp / "one.npy"
        for context, word in ((16, "up to 16"), (17, "beyond 16")):
            done = ashlar("logits", model, "--ids", "7,8,9", "--context", context, "--output", one)
            self.assertIn(f"contexts {word}", done.stderr)

    def test_perplexity(self):
        text = (ROOT / "docs/architecture.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
        out = ashlar_json("perplexity", SMOL, "--file", self.write("t.txt", text), "--context", 128, "--json")
        self.assertEqual(out["tokens"] % (128 - 1 - 64), 0)
        self.assertTrue(5 < out["perplexity"] < 80, out)
        self.fails("perplexity", SMOL, "--file", self.write("s.txt", "short"), says="window")


class ModelFiles(Case):
    def test_broken_files(self):
        data = pathlib.Path(SMOL).read_bytes()
        cut = self.tmp / "cut.gguf"
        cut.write_bytes(data[:50_000_000])
        self.fails("run", cut, "x", says="cut.gguf")
        cut.write_bytes(data[:5000])
        self.fails("show", cut, says="cut.gguf")
        cut.write_bytes(b"GGUF" + b"\xff" * 200)
        self.fails("run", cut, "x", says="cut.gguf")
        cut.write_bytes(b"")
        self.fails("run", cut, "x", says="cut.gguf")
        (self.tmp / "hf").mkdir()
        self.fails("run", self.tmp / "hf", "x", says="config.json")
        (self.tmp / "hf/config.json").write_text('{"model_type": "qwen4", "architectures": ["Qwen4ForCausalLM"]}')
        self.fails("run", self.tmp / "hf", "x", says="(?s)qwen4.*qwen3")

    def test_convert_there_and_back(self):
        folder, back = self.tmp / "hf", self.tmp / "back.gguf"
        ashlar("convert", SMOL, folder, "--to", "safetensors", "--weights", "f32")
        ashlar("convert", folder, back, "--to", "gguf", "--weights", "f32")
        for output, model in (("a.npy", folder), ("b.npy", back)):
            ashlar("logits", model, "--ids", "504,3575,282", "--output", self.tmp / output)
        self.assertLess(worst(read_npy(self.tmp / "a.npy")[2], read_npy(self.tmp / "b.npy")[2]), 1e-6)
        small = self.tmp / "small.gguf"
        ashlar("convert", folder, small, "--weights", "q8_0")
        self.assertLess(small.stat().st_size, 0.3 * back.stat().st_size)
        out = ashlar_json("run", small, "The capital of France is", "--max-tokens", 4, "--json")
        self.assertIn("Paris", out["text"])

    def test_show(self):
        out = ashlar_json("show", GEMMA, "--json")
        self.assertEqual(out["parameters"]["total"], 268098176)
        self.assertEqual(out["family"], "gemma3")
        self.assertTrue(out["weights"])
        listing = ashlar("show", "--list").stdout
        self.assertRegex(listing, r"deepseek-v3\s.*671,026,419,200")

    def test_verify(self):
        out = ashlar("verify", SMOL, seconds=600).stdout
        self.assertNotRegex(out, r"FAILED")


class Readings(Case):
    def test_count(self):
        out = ashlar_json("count", "deepseek-v3", "--context", 8192, "--json")
        self.assertEqual(out["parameters"]["total"], 671026419200)
        self.assertEqual(sum(out["parameters"]["by_layer"]) + 2 * 129280 * 7168 + 7168, 671026419200)
        for key in ("elements_per_token", "bytes_at_context"):
            self.assertIn(key, out["state"])
        self.assertGreater(out["flops_per_token"]["decode"], 6e10)
        self.assertIn("bytes_per_token", out["weights"])

    def test_plan_without_weights(self):
        out = ashlar_json("plan", "kimi-k2", "--machine", "h100-sxm", "--json", seconds=60)
        memory = out["memory"]
        # A trillion parameters of eight bits and a scale for 128 of them.
        self.assertAlmostEqual(memory["weights"] / 1.0261e12 / (132 / 128), 1, delta=0.02)
        self.assertEqual(memory["total"], sum(memory[k] for k in ("weights", "copies", "state", "activations")))
        self.assertEqual(out["devices"], out["devices_needed"])
        self.assertGreater(out["devices"] * out["machine"]["usable_bytes"], memory["total"])
        self.assertLess((out["devices"] - 1) * out["machine"]["usable_bytes"], memory["total"])
        limit = out["decode"]["limit"]
        self.assertAlmostEqual(limit["seconds"] * limit["tokens_per_second"], 1)
        self.assertLessEqual(limit["bandwidth_seconds"], limit["seconds"])

    def test_draw_explain_compare(self):
        svg = self.tmp / "a.svg"
        ashlar("draw", "gemma-3-1b", "-o", svg)
        self.assertIn("<svg", svg.read_text())
        self.assertIn("RoPE", ashlar("draw", "llama-3.2-1b").stdout)
        step = ashlar("draw", "qwen3-0.6b", "--gradient", "--columns", "200").stdout
        self.assertIn("linear_weight_grad attn.q = gradient of attn.q", step)
        self.assertNotIn("backward", ashlar("draw", "qwen3-0.6b", "--graph").stdout)
        self.assertGreater(len(ashlar("explain", "deepseek-v3").stdout), 1000)
        self.assertIn("olmo-2-7b", ashlar("compare", "olmo-2-7b", "llama-3.1-8b").stdout)

    def test_drawings_as_png_and_pdf(self):
        # A stand-in, so that the test does not hang on what is installed; the real one, too, where there is one.
        tools = self.tmp / "tools"
        tools.mkdir()
        wanted = {"PATH": str(tools)}
        for name in ("x.png", "x.pdf"):
            error = ashlar("draw", "gemma-3-1b", "-o", self.tmp / name, code=1, env=wanted).stderr
            self.assertIn("rsvg-convert, which is not installed", error)
            self.assertFalse((self.tmp / name).exists())
        error = ashlar("report", "gpt2", "-o", self.tmp / "r.pdf", code=1, env=wanted).stderr
        self.assertIn("Chromium, which is not installed", error)
        tool = tools / "rsvg-convert"
        # --format F --output MADE [--zoom 2] DRAWING
        tool.write_text("#!/bin/sh\necho \"$*\" > \"$4\"\n/bin/grep -c '<svg' \"${7:-$5}\" >> \"$4\"\n")
        tool.chmod(0o755)
        ashlar("draw", "gemma-3-1b", "-o", self.tmp / "x.png", env=wanted)
        words, drawings = (self.tmp / "x.png").read_text().splitlines()
        self.assertIn("--format png", words)
        self.assertEqual(drawings, "1")
        ashlar("draw", "gemma-3-1b", "-o", self.tmp / "x.pdf", env=wanted)
        self.assertIn("--format pdf", (self.tmp / "x.pdf").read_text())
        tool.write_text("#!/bin/sh\nexit 7\n")
        before = (self.tmp / "x.png").read_text()
        self.assertIn("exit code 7", ashlar("draw", "gpt2", "-o", self.tmp / "x.png", code=1, env=wanted).stderr)
        self.assertEqual((self.tmp / "x.png").read_text(), before)
        self.assertIn(".html, .pdf or .png", ashlar("report", "gpt2", "-o", self.tmp / "r.txt", code=1).stderr)
        if shutil.which("rsvg-convert"):
            ashlar("draw", "gemma-3-1b", "-o", self.tmp / "real.png")
            data = (self.tmp / "real.png").read_bytes()
            self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
            width, height = struct.unpack(">II", data[16:24])
            self.assertGreater(min(width, height), 1000)
            ashlar("compare", "gpt2", "qwen3-0.6b", "-o", self.tmp / "c.png")
            ashlar("draw", "gemma-3-1b", "-o", self.tmp / "real.pdf")
            self.assertEqual((self.tmp / "real.pdf").read_bytes()[:5], b"%PDF-")

    def test_compare_plans_speeds_for_a_named_machine(self):
        nothing_probed = {"XDG_CACHE_HOME": str(self.tmp)}
        text = ashlar("compare", "olmo-2-7b", "qwen3-8b", env=nothing_probed).stdout
        self.assertIn("planned for h100-sxm, by its published figures", text)
        self.assertRegex(text, r"decode at the limit, tokens/s +\d+ +\d+")
        data = ashlar_json("compare", "olmo-2-7b", "qwen3-8b", "--json", env=nothing_probed)
        self.assertEqual(data["options"]["machine_source"], "published")
        for curves in data["curves"]:
            self.assertTrue(all(p["seconds_per_token"] > 0 for p in curves["over_context"] + curves["over_batch"]))
        self.assertNotIn("Speeds", ashlar("compare", "olmo-2-7b", "qwen3-8b", "--machine", "none").stdout)

    def test_claims(self):
        claims = ashlar_json("claims", "--json", seconds=60)
        verdicts = {c["id"]: c["verdict"] for c in claims}
        self.assertEqual(verdicts["maverick-active"], "fails")
        self.assertLessEqual(set(verdicts.values()), {"holds", "holds-if", "fails", "undecided", "open"})
        self.assertGreaterEqual(len(verdicts), 19)


class JsonFields(Case):
    """docs/json.md lists what is printed. The slow probe and the readings' rarer fields: tests/readings, tests/measure."""

    def holds(self, section, *args, **options):
        self.assertEqual(differences(ashlar_json(*args, "--json", **options), section), [])

    def test_models_and_text(self):
        self.holds("show", "show", SMOL)
        self.holds("show --families", "show", "--families")
        self.holds("run", "run", SMOL, "One, two,", "--max-tokens", "3")
        self.holds("tokenize", "tokenize", SMOL, "One")
        self.holds("detokenize", "detokenize", SMOL, "--ids", "1,2,3")
        text = self.write("text.txt", "one two three four five six seven eight nine ten " * 40)
        self.holds("perplexity", "perplexity", SMOL, "--file", text, "--context", "128")

    def test_checks_and_gradients(self):
        small = ROOT / "tests/golden/models/gpt2_tied/model"
        self.holds("verify", "verify", small)
        self.holds("gradients", "gradients", small, "--ids", "1,2,3,4", "--output", self.tmp / "g.safetensors")

    def test_readings(self):
        self.holds("count", "count", "deepseek-v3")
        self.holds("plan", "plan", SMOL)
        self.holds("explain", "explain", "deepseek-v3")
        self.holds("compare", "compare", "olmo-2-7b", "qwen3-8b")
        self.holds("claims", "claims")
        if LONG:  # it measures the machine: 18 s
            self.holds("bench", "bench", SMOL, "--prompt", "8", "--generate", "2", "--repeat", "1", "--draft-tokens", "3",
                       "--draft", "lookup")

    def test_a_profile_is_a_trace(self):
        trace = self.tmp / "trace.json"
        text = ashlar("profile", SMOL, "--prompt", "8", "--generate", "2", "--trace", trace).stdout
        events = json.loads(trace.read_text())["traceEvents"]
        self.assertEqual({event["tid"] for event in events}, {1, 2})
        self.assertTrue(all(event["name"] in text for event in events if event["ph"] == "X"))

    def test_a_wrong_field_is_found(self):
        value = ashlar_json("tokenize", SMOL, "One", "--json")
        value["extra"] = value.pop("pieces")
        self.assertEqual(len(differences(value, "tokenize")), 2)


if __name__ == "__main__":
    sys.exit(parallel.main(sys.modules[__name__]))
