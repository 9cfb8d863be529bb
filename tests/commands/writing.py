"""What is left when the `ashlar` command cannot write, is killed or interrupted."""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time

from program import LONG, PROGRAM, ROOT, SMOL, Case, ashlar, read_npy

SMALL = str(ROOT / "tests/golden/models/llama_31_scaling/model")
QUICK = ["qwen3-0.6b" if LONG else "smollm2-135m", "--random", "1", "--weights", "q8_0"]  # a conversion of some seconds


def listing(folder):
    """Names and contents of all files below, and the folders."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def start(*args, **options):
    # A shell lets the jobs that it runs in the background ignore SIGINT, and they hand that on.
    options.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    return subprocess.Popen([PROGRAM, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def limited(size):
    """For preexec_fn: no file may become larger, as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def writers(folder, model=SMALL):
    """Commands that write, with the file or folder they write to."""
    return [
        (["convert", model, folder / "out.gguf"], "out.gguf"),
        (["convert", model, folder / "out", "--to", "safetensors"], "out"),
        (["logits", model, "--ids", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", "--output", folder / "l.npy"], "l.npy"),
        (["gradients", model, "--ids", "1,2,3,4", "--output", folder / "g.safetensors"], "g.safetensors"),
        (["draw", "gemma-3-1b", "-o", folder / "d.svg"], "d.svg"),
        (["compare", "olmo-2-7b", "qwen3-8b", "-o", folder / "c.svg"], "c.svg"),
        (["claims", "maverick-active", "-o", folder / "claims.html"], "claims.html"),
        (["report", "gpt2", "-o", folder / "r.html"], "r.html"),
        (["probe", "--quick", "-o", folder / "p.json"], "p.json"),
    ]


class FullDisks(Case):
    def fails_and_leaves(self, args, code, says, **options):
        before = listing(self.tmp)
        done = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, timeout=300, **options)
        self.assertEqual(done.returncode, code, f"{args}\n{done.stderr}")
        self.assertRegex(done.stderr, says)
        self.assertLessEqual(len(done.stderr.splitlines()), 2, done.stderr)
        self.assertEqual(listing(self.tmp), before, args)

    def test_a_file_that_ends_too_early(self):
        for args, name in writers(self.tmp):
            with self.subTest(args[0]):
                self.fails_and_leaves(args, 3, rf"{name}.*cannot be written: File too large .*needed, \d+ written, "
                                      r"\d+ free there\): .*another disk", preexec_fn=limited(500))
        # Now over what is there already.
        for args, name in writers(self.tmp):
            ashlar(*args)
            with self.subTest(f"{args[0]} over an old file"):
                self.fails_and_leaves(args, 3, "File too large", preexec_fn=limited(500))

    def test_a_full_device(self):
        for args, name in writers(self.tmp):
            if name == "out":
                continue
            args = [a if a != self.tmp / name else "/dev/full" for a in args]
            args += ["--to", "gguf"] if args[0] == "convert" else []
            if args[0] in ("draw", "compare"):
                continue  # the ending of the name says what to draw
            with self.subTest(args[0]):
                self.fails_and_leaves(args, 3, "/dev/full: cannot be written: No space left on device")
        done = subprocess.run([PROGRAM, "show", "gpt2"], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 3)
        self.assertIn("could not be written", done.stderr)

    def test_a_small_file_system(self):
        disk = self.tmp / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("no file system may be mounted here")
        self.addCleanup(subprocess.run, ["umount", str(disk)])
        (disk / "out.gguf").write_text("old")
        for out, to in ((disk / "out.gguf", "gguf"), (disk / "out", "safetensors")):
            done = ashlar("convert", "smollm2-135m", "--random", 1, out, "--to", to, code=3)
            self.assertRegex(done.stderr, r"disk.*: \d{9} bytes needed, 20\d{5} free there: free some space, or write to")
        self.assertEqual(listing(disk), {"out.gguf": b"old"})

    def test_a_folder_without_permission(self):
        user = None
        if os.geteuid() == 0:
            def user():
                os.setuid(65534)
            os.chmod(self.tmp, 0o755)
        model = self.tmp / "model"
        shutil.copytree(SMALL, model)
        for args, name in writers(self.tmp, model):
            ashlar(*args)
        for p in [self.tmp, *self.tmp.rglob("*")]:
            p.chmod(p.stat().st_mode & ~0o222 | 0o555)
        self.addCleanup(lambda: [p.chmod(0o777) for p in [self.tmp, *self.tmp.rglob("*")]])
        done = subprocess.run([PROGRAM, "--version"], preexec_fn=user, capture_output=True)
        if done.returncode != 0:
            self.skipTest("the program cannot be run as another user")
        for args, name in writers(self.tmp, model):
            with self.subTest(args[0]):
                self.fails_and_leaves(args, 1, f"{name}.*Permission denied", preexec_fn=user)
        self.fails_and_leaves(["convert", model, self.tmp / "new" / "out.gguf"], 1, "new", preexec_fn=user)
        self.fails_and_leaves(["convert", model, self.tmp / "new", "--to", "safetensors"], 1, "new.*Permission denied",
                              preexec_fn=user)

    def test_places_that_are_none(self):
        (self.tmp / "file").write_text("x")
        for args, name in writers(self.tmp):
            for place in (self.tmp / "file" / "x", "" if args[0] != "draw" else self.tmp / "no" / "x.svg"):
                wrong = [place if a == self.tmp / name else a for a in args]
                if args[0] in ("draw", "compare") and place != "":
                    wrong[wrong.index(place)] = str(place) + ".svg"
                if args[0] == "convert":
                    wrong += ["--to", "gguf"] if name == "out.gguf" else []
                done = subprocess.run([PROGRAM, *map(str, wrong)], capture_output=True, text=True)
                if args[0] in ("claims", "probe", "compare") and place == "":
                    continue  # as if it were not given
                with self.subTest(f"{args[0]} to {place}"):
                    self.assertIn(done.returncode, (1, 2), done.stderr)
                    self.assertTrue(done.stderr)
        self.assertEqual(listing(self.tmp), {"file": b"x"})


class Kills(Case):
    def killed(self, args, how):
        """Kills the program after a part of the time that it takes."""
        before = listing(self.tmp)
        for wait in (0.2, 0.5, 1.0, 1.5):
            process = start(*args)
            time.sleep(wait)
            if process.poll() is not None:
                break  # done before; nothing further is learned
            process.send_signal(how)
            process.communicate()
            if process.returncode == 0:
                break  # done before the signal
            self.assertEqual(process.returncode, -how)
            self.assertEqual(listing(self.tmp), before, f"after {wait} s")

    def test_a_conversion_leaves_what_was_there(self):
        (self.tmp / "out.gguf").write_text("old")
        ashlar("convert", SMALL, self.tmp / "old", "--to", "safetensors")
        for how in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
            for out, to in ((self.tmp / "out.gguf", "gguf"), (self.tmp / "old", "safetensors")):
                with self.subTest(f"{how.name} {to}"):
                    self.killed(["convert", *QUICK, out, "--to", to], how)
        ashlar("show", self.tmp / "old")

    def test_a_new_folder_never_looks_whole(self):
        out = self.tmp / "new"
        process = start("convert", *QUICK, out, "--to", "safetensors")
        seen = []
        while process.poll() is None:
            names = sorted(p.name for p in out.iterdir()) if out.exists() else []
            if not seen or seen[-1] != names:
                seen.append(names)
        process.communicate()
        self.assertEqual(process.returncode, 0)
        whole = sorted(p.name for p in out.iterdir())
        self.assertIn("config.json", whole)
        for names in seen:
            if "config.json" in names:
                self.assertEqual(names, whole)


class Interrupts(Case):
    def caught(self, pid):
        """Waits until the process catches Ctrl-C."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            mask = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), 16)
            if mask >> (signal.SIGINT - 1) & 1:
                return
            time.sleep(0.01)
        self.fail("Ctrl-C is never caught")

    def run_interrupted(self, *args, wait=0.3):
        process = start("run", SMOL, *args, "--threads", "1")
        self.caught(process.pid)
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)  # 100,000 tokens would take far longer
        self.assertEqual(process.returncode, 130, err)
        return out, err

    def test_run_in_its_prompt(self):
        prompt = self.write("long.txt", "The quick brown fox jumps over the lazy dog. " * 700)
        out, _ = self.run_interrupted("--prompt-file", prompt, "--json")
        result = json.loads(out)
        self.assertEqual((result["stop"], result["ids"], result["text"]), ("interrupted", [], ""))

    def test_run_in_its_answer(self):
        out, _ = self.run_interrupted("1, 2, 3,", "--max-tokens", "100000", "--ignore-end", "--json", wait=2)
        result = json.loads(out)
        self.assertEqual(result["stop"], "interrupted")
        self.assertGreater(len(result["ids"]), 0)

    def test_chat_returns_to_its_prompt(self):
        process = start("chat", SMOL, "--threads", "1", "--context", "8192", stdin=subprocess.PIPE)
        process.stdin.write("The quick brown fox jumps over the lazy dog. " * 700 + "\n")
        process.stdin.flush()
        self.caught(process.pid)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate("/stats\nSay hello.\n/quit\n", timeout=120)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("taken back", err)
        self.assertGreater(len(out.strip()), 0)


class ClosedPipes(Case):
    def test_a_reader_that_leaves(self):
        for how in (signal.SIG_DFL, signal.SIG_IGN):
            process = start("run", SMOL, "1, 2, 3,", "--max-tokens", "2000", "--ignore-end",
                            preexec_fn=lambda: signal.signal(signal.SIGPIPE, how), restore_signals=False)
            process.stdout.read(5)
            process.stdout.close()
            self.assertEqual(process.stderr.read(), "")
            self.assertEqual(process.wait(60), -signal.SIGPIPE)
