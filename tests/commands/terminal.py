"""The `ashlar` command in a pseudo-terminal, as a person meets it: chat, widths, colours; and the command line itself."""

import errno
import fcntl
import json
import os
import pty
import re
import select
import struct
import termios
import time
import unicodedata

from program import PROGRAM, ROOT, SMOL, Case, ashlar, ashlar_json

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SMALL = ROOT / "tests/golden/models/llama_31_scaling/model"


def width(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Terminal:
    """A process whose input and output are a terminal of `columns`."""

    def __init__(self, *args, columns=80, env=None):
        self.out = ""
        self.seen = 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            own = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
            os.execve(PROGRAM, [PROGRAM, *map(str, args)], {**own, "TERM": "xterm", "LC_ALL": "C", **(env or {})})

    def _more(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError as e:
            assert e.errno == errno.EIO
            return False
        self.out += data.decode("utf-8", "replace")
        return bool(data)

    def until(self, pattern, seconds=120):
        """What came since the last call, up to the end of `pattern`."""
        end = time.monotonic() + seconds
        while True:
            match = re.compile(pattern).search(self.out, self.seen)
            if match:
                text = self.out[self.seen:match.end()]
                self.seen = match.end()
                return text
            assert time.monotonic() < end and self._more(0.2), f"no {pattern!r} in {self.out[self.seen:]!r}"

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, seconds=120):
        """All that was printed, and the exit code."""
        end = time.monotonic() + seconds
        while self._more(0.2):
            assert time.monotonic() < end, self.out
        return self.out, os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def printed(*args, **options):
    text, code = Terminal(*args, **options).end()
    assert code == 0, text
    return text.replace("\r\n", "\n")


class Chatting(Case):
    PROMPT = r"\x1b\[\?2004h> $"

    def chat(self, *args):
        t = Terminal("chat", SMOL, "--temperature", 0, "--max-tokens", 8, *args, env={"XDG_STATE_HOME": str(self.tmp)})
        t.until(self.PROMPT)
        return t

    def said(self):
        messages = json.loads((self.tmp / "ashlar/last_chat.json").read_text())
        return [m["content"] for m in messages if m["role"] == "user"]

    def test_a_conversation(self):
        t = self.chat()
        t.type("Grüße\r")  # no letter is lost, whatever the locale
        text = t.until(self.PROMPT)
        self.assertIn("[cut at 8 tokens: /continue goes on", text)
        self.assertRegex(text, r"8 tokens at [\d.]+/s; prompt \d+")
        t.type("\x1b[200~first\rsecond\r\nthird\x1b[201~\r")  # a paste is one message
        t.until(self.PROMPT)
        t.type('"""one\rtwo\r"""\r')
        t.until(self.PROMPT)
        t.type("three\\\rfour\r")
        t.until(self.PROMPT)
        self.assertEqual(self.said(), ["Grüße", "first\nsecond\nthird", "one\ntwo", "three\nfour"])
        t.type("/continue\r")
        self.assertRegex(t.until(self.PROMPT), r"\[\d+ tokens")
        t.type("not this\x03")  # clears the line
        t.until(self.PROMPT)
        t.type("/un\t\r")
        t.until(self.PROMPT)
        t.type("/s\t\t")
        t.until(r"/system +/set +/save +/stats")
        t.type("\x03")
        t.until(self.PROMPT)
        t.type("/set temprature 1\r")
        self.assertIn("nearest is temperature", t.until(self.PROMPT))
        t.type("\x03")
        self.assertIn("again", t.until(self.PROMPT))
        os.kill(t.pid, 9)
        os.waitpid(t.pid, 0)
        typed = [json.loads(line) for line in (self.tmp / "ashlar/history").read_text().splitlines()]
        self.assertEqual(typed[:4], ["Grüße", "first\nsecond\nthird", "one\ntwo", "three\nfour"])

    def test_a_full_context_is_survived(self):
        said = ashlar("chat", SMOL, "--temperature", 0, "--max-tokens", 24, "--context", 96,
                      stdin="My name is Ada and I like the sea.\r\nAnd you?\r\nTell me more.\r\nWhy?\r\n").stderr
        self.assertRegex(said, r"the oldest \d+ messages are no longer seen")
        self.assertIn("/clear", said)
        self.assertEqual(said.count("generated") + said.count(" tokens at "), 4)
        done = ashlar("chat", SMOL, "--context", 32, stdin="word " * 90 + "\nHi\n")
        self.assertIn("a larger --context", done.stderr)

    def test_pipes(self):
        out = ashlar("chat", SMOL, "--temperature", 0, "--max-tokens", 8, "--quiet", stdin='"""What is\r\n1+1?"""\r\n/save '
                     + str(self.tmp / "c.json") + "\r\n")
        self.assertEqual(json.loads((self.tmp / "c.json").read_text())[-2]["content"], "What is\n1+1?")
        self.assertNotIn("\x1b", out.stdout + out.stderr)


class RunInput(Case):
    def test_standard_input(self):
        asked = ashlar("run", SMOL, "The capital of France is", "--max-tokens", 4, "--ids").stdout
        for args in (["-"], [], ["--prompt-file", "-"]):
            done = ashlar("run", SMOL, *args, "--max-tokens", 4, "--ids", stdin="The capital of France is")
            self.assertEqual(done.stdout, asked)

    def test_messages_and_their_continuation(self):
        messages = [{"role": "user", "content": "Name a colour."}, {"role": "assistant", "content": "The colour"}]
        file = self.write("m.json", messages)
        ids = ashlar_json("run", SMOL, "--messages", file, "--continue", "--max-tokens", 2, "--json")["prompt_ids"]
        self.assertTrue(ashlar("detokenize", SMOL, "--ids", ",".join(map(str, ids))).stdout.endswith("The colour"))
        ids = ashlar_json("run", SMOL, "--messages", file, "And another?", "--max-tokens", 2, "--json")["prompt_ids"]
        text = ashlar("detokenize", SMOL, "--ids", ",".join(map(str, ids))).stdout
        self.assertTrue(text.endswith("<|im_start|>user\nAnd another?<|im_end|>\n<|im_start|>assistant\n"), text)
        # Each option of a chat asks for one.
        ids = ashlar_json("run", SMOL, "--system", "Be brief.", "Hi", "--max-tokens", 1, "--json")["prompt_ids"]
        self.assertIn("system\nBe brief.", ashlar("detokenize", SMOL, "--ids", ",".join(map(str, ids))).stdout)
        self.fails("run", SMOL, "--continue", "Hi", says="messages", code=2)
        self.fails("run", SMOL, "--messages", self.write("e.json", []), says="list of messages")


class CommandLine(Case):
    COMMANDS = ("show run chat tokenize detokenize render logits perplexity convert verify count plan probe bench draw "
                "explain compare report claims gradients train fetch").split()

    def test_nothing_teaches(self):
        text = ashlar().stdout
        self.assertLess(len(text.splitlines()), 24)
        for word in ("show", "plan", "chat", "--help"):
            self.assertIn(word, text)

    def test_help_is_grouped_and_has_examples(self):
        text = ashlar("--help").stdout
        for purpose in ("Run a model", "Look at an architecture", "Plan and measure", "Check numbers", "Train"):
            self.assertIn(purpose, text)
        for command in ("run", "chat", "show", "count", "plan", "draw", "compare", "convert", "logits", "verify"):
            self.assertRegex(ashlar(command, "--help").stdout, rf"Examples:\n  .*ashlar {command} ")
        self.assertEqual(ashlar("help", "run").stdout, ashlar("run", "--help").stdout)

    def test_near_names(self):
        self.fails("count", "qwen3-8b", "--wieghts", "q8_0", says="--weights", code=2)
        self.fails("plan", "qwen3-8b", "--machine", "h100", says="nearest is h100")
        self.fails("list", says=r"show --list", code=2)
        self.fails("pull", "x", says=r"ashlar fetch", code=2)
        self.fails("cuont", "x", says="nearest is count", code=2)
        self.fails("count", "qwen3-8bb", says="qwen3-8b")
        offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(self.tmp)}
        plain = ashlar("count", "qwen3-8b").stdout
        self.assertEqual(ashlar("count", "Qwen3-8B").stdout, plain)
        done = ashlar("count", "Qwen/Qwen3-8B", env=offline)
        self.assertEqual(done.stdout, plain)
        self.assertIn("its architecture is that of the blueprint qwen3-8b", done.stderr)
        ashlar("count", "google/gemma-3-27b-it", env=offline)
        self.fails("count", "nobody/nothing-3b", says="nobody/nothing-3b", env=offline)
        ashlar("plan", "qwen3-8b", "--machine", "H100-SXM", "--weights", "Q4_K_M")

    def test_numbers(self):
        def context(text):
            return ashlar_json("count", "qwen3-0.6b", "--context", text, "--json")["options"]["context"]
        for text, value in {"32k": 32000, "128Ki": 131072, "1e5": 100000, "1.5k": 1500, "1_000": 1000, "2M": 2000000}.items():
            self.assertEqual(context(text), value)
        self.fails("count", "qwen3-0.6b", "--context", "32q", says="32q", code=2)
        self.fails("count", "qwen3-0.6b", "--context", "1.5", says="1.5", code=2)

    def test_threads_are_clamped(self):
        done = ashlar("run", SMOL, "x", "--threads", 999, "--max-tokens", 1)
        self.assertIn("--threads 999", done.stderr)

    def test_widths(self):
        for columns in (40, 80, 120):
            calls = [[c, "--help"] for c in self.COMMANDS] if columns == 40 else []
            calls += [["--help"], [], ["show", "--list"], ["show", "gemma-3-1b"], ["show", SMOL], ["count", "gemma-3-1b"],
                      ["plan", "gpt-oss-20b", "--machine", "h100-sxm"],
                      ["plan", "gpt-oss-20b", "--machine", "h100-sxm,rtx-4090"], ["plan", "--list"],
                      ["compare", "olmo-2-7b", "qwen3-8b"], ["explain", "qwen3-0.6b"], ["claims", "kimi-k2-active"],
                      ["verify", SMALL], ["show", SMOL, "--metadata"]]
            if columns == 80:
                calls += [["draw", "qwen3-0.6b"]]
            if columns == 120:
                calls = [["--help"], ["count", "gemma-3-1b"]]
            for call in calls:
                with self.subTest(columns=columns, call=call):
                    for line in ESCAPES.sub("", printed(*call, columns=columns)).split("\n"):
                        line = line.rsplit("\r", 1)[-1]
                        self.assertLessEqual(width(line), columns, line)

    def test_colours(self):
        self.assertIn("\x1b[1m", printed("--help"))
        self.assertNotIn("\x1b", printed("--help", env={"NO_COLOR": "1"}))
        self.assertNotIn("\x1b", ashlar("--help").stdout)

    def test_show_is_a_summary(self):
        text = ashlar("show", "gpt-oss-120b").stdout
        for word in ("36 layers", "128 experts", "131,072 tokens", "active without the embedding", "licence", "mxfp4"):
            self.assertIn(word, text)
        text = ashlar("show", SMOL).stdout
        for word in ("30 layers", "q4_1", "smollm2-135m-instruct-q4_1.gguf", "49,152 tokens", "chat template"):
            self.assertIn(word, text)
        keys = ashlar("show", SMOL, "--metadata").stdout
        self.assertIn('general.architecture = "llama"', keys)
        self.assertEqual(ashlar_json("show", SMOL, "--metadata", "--json")["general.architecture"], "llama")
        self.assertIn("token_embd.weight", ashlar("show", SMOL, "--where").stdout)
        self.assertEqual(json.loads(ashlar("show", "gemma-3-1b", "--blueprint").stdout)["family"], "gemma3")

    def test_layers_of_a_kind_stand_together(self):
        text = ashlar("count", "gemma-3-1b").stdout
        self.assertRegex(text, r"22 of 26 each")
        self.assertRegex(text, r"4 of 26: layers 5, 11, 17, 23")

    def test_what_was_written(self):
        out = self.tmp / "out"
        self.assertRegex(ashlar("convert", SMALL, out).stderr, rf"written: {out} \(\d+ files, [\d.]+ [KM]iB\)")
        svg = self.tmp / "a.svg"
        self.assertRegex(ashlar("draw", "qwen3-0.6b", "-o", svg).stderr, rf"written: {svg} \([\d.]+ KiB\)")
        self.assertRegex(ashlar("verify", SMALL).stdout, r"\d+ of \d+ checks passed")

    def test_endings_that_are_not_made(self):
        self.fails("draw", "qwen3-0.6b", "-o", self.tmp / "x.jpg", says="x.jpg: expected a name that ends in")
        self.fails("report", "qwen3-0.6b", "-o", self.tmp / "x.jpg", says=r"\.html")
        self.fails("compare", "qwen3-0.6b", "qwen3-8b", "-o", self.tmp / "x.jpg", says=r"\.svg")
        self.fails("convert", SMALL, self.tmp / "z.safetensors", says="z.safetensors.*folder")
        self.assertEqual(list(self.tmp.iterdir()), [])
