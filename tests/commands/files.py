"""Files as people have them, through the `ashlar` command: what is lost, what is hidden, what is not a model at all.

Every model here is a tiny one of tests/golden/models, changed.
"""

import json
import math
import os
import pathlib
import shutil
import struct
import subprocess

from program import LONG, PROGRAM, ROOT, Case, ashlar, ashlar_json, cpu_seconds, read_npy

GOLDEN = ROOT / "tests/golden/models"
TOKENIZER = json.loads((ROOT / "tests/text/tokenizers/qwen2.json").read_text())["tokenizer"]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 988097824\n"


def read_safetensors(file):
    data = pathlib.Path(file).read_bytes()
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n])
    return header, bytearray(data[8 + n:])


def write_safetensors(file, header, data):
    text = json.dumps(header).encode()
    pathlib.Path(file).write_bytes(struct.pack("<Q", len(text)) + text + data)


def spoil(folder, name, value, at=0):
    """One float32 of a tensor changed."""
    header, data = read_safetensors(folder / "model.safetensors")
    begin = header[name]["data_offsets"][0] + 4 * at
    data[begin:begin + 4] = struct.pack("<f", value)
    write_safetensors(folder / "model.safetensors", header, data)


class Files(Case):
    def model(self, name="llama_31_scaling", folder="model", text=False):
        to = self.tmp / folder
        shutil.copytree(GOLDEN / name / "model", to)
        if text:
            vocab = {t: i for t, i in TOKENIZER["model"]["vocab"].items() if i < 72}
            merges = [m for m in TOKENIZER["model"]["merges"]
                      if all(t in vocab for t in ([*m, "".join(m)] if isinstance(m, list) else
                                                  [*m.split(" "), m.replace(" ", "")]))]
            ends = [{"id": 72 + i, "content": t, "special": True, "normalized": False, "single_word": False,
                     "lstrip": False, "rstrip": False} for i, t in enumerate(("<|endoftext|>", "<|user|>", "<|observation|>"))]
            (to / "tokenizer.json").write_text(json.dumps({
                **TOKENIZER, "added_tokens": ends, "model": {**TOKENIZER["model"], "vocab": vocab, "merges": merges}}))
        return to

    def test_a_model_drafts_for_itself(self):
        model = self.model("deepseek_v3_mtp", text=True)
        (model / "tokenizer_config.json").write_text(json.dumps({
            "chat_template": "{% for m in messages %}{{ m['content'] }}{% endfor %}"}))

        def run(*more):
            return ashlar_json("run", model, "abc defg", "--max-tokens", 24, "--ignore-end", "--json", *more)
        for sampling in ([], ["--temperature", 1, "--seed", 5]):
            plain, found = run(*sampling), run("--draft", "mtp", "--draft-tokens", 2, *sampling)
            self.assertEqual(found["ids"], plain["ids"])
            self.assertGreater(found["drafted_tokens"], 0)
            self.assertLessEqual(found["accepted_tokens"], found["drafted_tokens"])
        options = ["--temperature", 0, "--max-tokens", 8]
        talk = ashlar("chat", model, *options, stdin="abc\nd e f\n").stdout
        self.assertEqual(ashlar("chat", model, *options, "--draft", "mtp", stdin="abc\nd e f\n").stdout, talk)
        bench = ashlar_json("bench", model, "--prompt", 9, "--generate", 8, "--repeat", 1, "--speed-only", "--draft", "mtp",
                            "--json")["drafts"]
        self.assertEqual(bench["drafter"], "mtp")
        self.assertTrue(0 <= bench["accepted_tokens"] <= bench["drafted_tokens"] > 0)
        # The step that trains the layer.
        step = ["--train", "--batch", 2, "--length", 16, "--json"]
        for command in ("plan", "bench"):
            more, less = (ashlar_json(command, model, *step, *mtp) for mtp in (["--mtp"], []))
            self.assertTrue(more["options"]["mtp"] and not less["options"]["mtp"])
        self.assertGreater(more["operations"], 1.2 * less["operations"])
        more, less = (ashlar_json("count", model, *mtp, "--json") for mtp in (["--mtp"], []))
        self.assertEqual(more["training"]["weight_bytes"] - less["training"]["weight_bytes"], 4 * less["parameters"]["mtp"])
        self.assertGreater(more["training"]["flops"], less["training"]["flops"])
        self.assertIn("mtp_loss", ashlar("draw", model, "--gradient", "--mtp").stdout)
        without = self.model(folder="without", text=True)
        self.fails("run", without, "abc", "--draft", "mtp", says="no layer for multi-token prediction")
        self.fails("count", without, "--mtp", says="multi-token prediction")

    def test_end_tokens_survive_conversion(self):
        model = self.model(text=True)
        (model / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
        (model / "generation_config.json").write_text(json.dumps({"eos_token_id": [72, 73, 74]}))
        gguf, back, again = self.tmp / "m.gguf", self.tmp / "back", self.tmp / "again.gguf"
        ashlar("convert", model, gguf)
        ashlar("convert", gguf, back, "--to", "safetensors")
        ashlar("convert", back, again)
        for form in (model, gguf, back, again):
            for end in (72, 73, 74):
                out = ashlar_json("run", form, "a", "--max-tokens", 4, "--json", "--logit-bias", f"{end}=1e6")
                self.assertEqual((out["ids"], out["stop"]), ([end], "end_token"), form)

    def test_numbers_that_are_not_finite_end_what_was_asked(self):
        model = self.model(text=True)
        spoil(model, "model.layers.1.mlp.down_proj.weight", math.nan)
        text = self.write("t.txt", "a b c d " * 60)
        for args in (["run", model, "ab", "--max-tokens", 6], ["run", model, "ab", "--max-tokens", 6, "--temperature", 1],
                     ["perplexity", model, "--file", text, "--context", 16],
                     ["gradients", model, "--ids", "1,2,3", "--output", self.tmp / "g.safetensors"],
                     ["logits", model, "--ids", "1,2,3", "--output", self.tmp / "l.npy"]):
            with self.subTest(args[0]):
                self.fails(*args, says=r"layer 1 \(layers\.1\.ffn")
        (model / "chat_template.jinja").write_text("{{ messages[0].content }}")
        # A conversation goes on, and a script learns at its end that an answer failed.
        self.assertEqual(ashlar("chat", model, "--max-tokens", 4, stdin="hi\nhi\n", code=1).stderr.count("layer 1"), 2)

    def test_values_beyond_a_format_are_refused(self):
        model = self.model()
        spoil(model, "model.layers.0.mlp.down_proj.weight", 1e6)
        for weights, out in (("f16", "a.gguf"), ("f16", "folder")):
            self.fails("convert", model, self.tmp / out, "--weights", weights,
                       says=r"(ffn_down|mlp\.down_proj)\.weight: its largest value 1e\+06 is beyond the range of f16")
            self.assertFalse((self.tmp / out).exists() and any((self.tmp / out).iterdir()))
        ashlar("convert", model, self.tmp / "b.gguf", "--weights", "bf16")

    def test_a_factor_without_a_type(self):
        rows = {}
        model = self.model("mistral_no_window")
        ashlar("convert", model, self.tmp / "none.gguf", "--weights", "f32")
        data = (self.tmp / "none.gguf").read_bytes()
        version, tensors, keys = struct.unpack("<IQQ", data[4:24])
        key = b"llama.rope.scaling.factor"
        factor = (key, struct.pack("<If", 6, 4.0))
        kind = (b"llama.rope.scaling.type", struct.pack("<IQ", 8, 6) + b"linear")
        for name, entries in (("factor", [factor]), ("linear", [factor, kind])):
            # The tensors' data stays where it was, modulo 32.
            fill = (-sum(8 + len(k) + len(v) for k, v in entries) - 8 - 12 - 12) % 32
            entries = [*entries, (b"general.fill", struct.pack("<IQ", 8, fill) + b"x" * fill)]
            added = b"".join(struct.pack("<Q", len(k)) + k + v for k, v in entries)
            self.assertEqual(len(added) % 32, 0)
            (self.tmp / f"{name}.gguf").write_bytes(
                data[:4] + struct.pack("<IQQ", version, tensors, keys + len(entries)) + added + data[24:])
        for name in ("none", "factor", "linear"):
            ashlar("logits", self.tmp / f"{name}.gguf", "--ids", "1,5,9,20,33", "--output", self.tmp / "l.npy")
            rows[name] = read_npy(self.tmp / "l.npy")[2]
        self.assertEqual(rows["factor"], rows["linear"])
        self.assertNotEqual(rows["factor"], rows["none"])

    def test_configs_that_lean_on_defaults(self):
        full = {"model_type": "deepseek_v3", "routed_scaling_factor": 2.5, "first_k_dense_replace": 3, "topk_group": 4}
        for name, config in (("a", {"model_type": "deepseek_v3"}), ("b", full)):
            (self.tmp / name).mkdir()
            (self.tmp / name / "config.json").write_text(json.dumps(config))
        out = ashlar("compare", self.tmp / "a", self.tmp / "b").stdout
        different = out[out.index("Different") + len("Different"):out.index("The same")]
        self.assertEqual(different.strip(), "")

    def test_numbers_that_json_does_not_know(self):
        model = self.model()
        config = (model / "config.json").read_text()
        (model / "config.json").write_text(config.replace("{", '{"loss_limit": Infinity, "x": [NaN, -Infinity],', 1))
        ashlar("logits", model, "--ids", "1,2", "--output", self.tmp / "l.npy")
        (model / "config.json").write_text(config.replace('"rope_theta": 500000.0', '"rope_theta": Infinity'))
        self.fails("logits", model, "--ids", "1,2", "--output", self.tmp / "l.npy",
                   says="rope_theta: expected a number, found Infinity")

    def test_pointers_and_pages(self):
        model = self.model(text=True)
        whole = {f.name: f.read_bytes() for f in model.iterdir()}
        for name in whole:
            (model / name).write_text(POINTER)
            with self.subTest(name):
                self.fails("run", model, "a", says=rf"{name}: is a Git LFS pointer.*git lfs pull.*988,097,824 bytes")
                if name == "model.safetensors":
                    ashlar("count", model)
            (model / name).write_text("<!DOCTYPE html>\n<html><body>404</body></html>")
            with self.subTest(name):
                self.fails("run", model, "a", says=rf"{name}: is an HTML page")
            (model / name).write_bytes(whole[name])
        for name, text in (("a.gguf", POINTER), ("b.gguf", "<html>")):
            self.fails("count", self.write(name, text), says=f"{name}: is a")

    def test_quantised_folders(self):
        model = self.model()
        config = json.loads((model / "config.json").read_text())
        for key, value, name in (("quantization_config", {"quant_method": "gptq", "bits": 4}, "GPTQ"),
                                 ("quantization", {"group_size": 64, "bits": 4}, "MLX"),
                                 ("quantization_config", {"quant_method": "awq"}, "AWQ"),
                                 ("quantization_config", {"quant_method": "exl2"}, "EXL2"),
                                 ("quantization_config", {"quant_method": "hqq"}, "HQQ"),
                                 ("quantization_config", {"quant_method": "bitsandbytes"}, "bitsandbytes")):
            (model / "config.json").write_text(json.dumps({**config, key: value}))
            with self.subTest(name):
                self.fails("run", model, "a", says=f"quantised by {name} .*which is not read")
                for command in (["count"], ["show"], ["plan"], ["draw"], ["explain"]):
                    ashlar(command[0], model, *command[1:])
                ashlar("compare", model, "gpt2")

    def test_an_adapter_is_merged(self):
        base, adapter = GOLDEN / "llama_31_scaling/model", ROOT / "tests/golden/adapters/plain"
        ashlar("convert", base, self.tmp / "merged", "--adapter", adapter)
        for model, more, out in ((base, ["--adapter", adapter], "a.npy"), (self.tmp / "merged", [], "b.npy"), (base, [], "c.npy")):
            ashlar("logits", model, *more, "--ids", "1,5,9", "--output", self.tmp / out)
        a, b, c = (read_npy(self.tmp / f"{n}.npy")[2] for n in "abc")
        self.assertLess(max(abs(x - y) for x, y in zip(a, b)), 1e-4)
        self.assertGreater(max(abs(x - y) for x, y in zip(a, c)), 1e-2)
        self.fails("run", adapter, "a", says="is an adapter .*--adapter")

    def test_devices_pipes_and_holes(self):
        """A short message at once, whatever lies where a model should be."""
        model = self.model(text=True)
        sparse = self.tmp / "sparse"
        with open(sparse, "wb") as file:
            file.truncate(8 << 30)
        os.mkfifo(self.tmp / "pipe")
        def ends(*args):
            before = cpu_seconds()
            self.fails(*args, says="ashlar: ", code=(1, 3))  # 3: more bytes than are read here
            self.assertLess(cpu_seconds() - before, 10)
        for name in ("config.json", "tokenizer.json", "model.safetensors", "generation_config.json", "tokenizer_config.json"):
            kept = (model / name).read_bytes() if (model / name).exists() else None
            for place in ("/dev/zero", self.tmp / "pipe", sparse):
                (model / name).unlink(missing_ok=True)
                (model / name).symlink_to(place)
                with self.subTest(f"{name} is {place}"):
                    ends("run", model, "a")
            (model / name).unlink()
            if kept is not None:
                (model / name).write_bytes(kept)
        for extension in ("", ".gguf", ".safetensors", ".json"):
            for i, place in enumerate(("/dev/zero", self.tmp / "pipe", sparse)):
                link = self.tmp / f"m{i}{extension}"
                link.symlink_to(place)
                with self.subTest(f"{extension} {place}"):
                    ends("count", link)
        (model / "model.safetensors").unlink()
        for name in ("x\0.safetensors", "y" * 100_000, "/etc/passwd", "../m.safetensors"):
            (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
            self.fails("run", model, "a", says="expected a file name of the same folder")

    def test_unknown_ids_have_no_text(self):
        model = self.model(text=True)
        ashlar("detokenize", model, "--ids", "1,2,72")
        for ids in ("75", "1,2,4000"):
            self.fails("detokenize", model, "--ids", ids, says=f"token id {ids.split(',')[-1]}: ")
        self.fails("detokenize", model, "--lines-json", self.write("l.json", [[1], [99]]), says="token id 99: ")

    def test_a_million_ids(self):
        model, many = self.model(text=True), 1_000_000 if LONG else 200_000
        ids = self.write("ids.json", [i % 70 for i in range(many)])
        before = cpu_seconds()
        out = ashlar("detokenize", model, "--lines-json", self.write("l.json", [[1] * many]))
        self.assertGreater(len(out.stdout), many)
        self.assertLess(cpu_seconds() - before, many / 50_000)
        before = cpu_seconds()
        ashlar("perplexity", model, "--file", ids, "--context", "512")
        self.assertLess(cpu_seconds() - before, many / 11_000)

    def test_messages_are_of_a_sane_length(self):
        model = self.model()
        config = json.loads((model / "config.json").read_text())
        for key, value in (("model_type", "x" * 1_000_000), ("hidden_act", "y" * 1_000_000), ("rope_scaling", "z" * 1_000_000)):
            (model / "config.json").write_text(json.dumps({**config, key: value}))
            done = ashlar("count", model, code=1)
            self.assertLess(len(done.stderr), 5000)
