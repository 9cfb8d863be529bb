"""The program away from its sources: data inside of it, folders in its place, manual pages and completions."""

import os
import pathlib
import re
import shutil
import subprocess

import program
from program import ROOT, Case, ashlar, ashlar_json


def bash(script, *args, cwd):
    return subprocess.run(["bash", "-c", script, "bash", *args], capture_output=True, text=True, cwd=cwd, check=True).stdout


class Installed(Case):
    def test_the_bare_program_has_its_data(self):
        copy = self.tmp / "ashlar"
        shutil.copy(program.PROGRAM, copy)
        env = {k: v for k, v in os.environ.items() if not k.startswith("ASHLAR_")}

        def run(*args):
            return subprocess.run([copy, *args], capture_output=True, text=True, cwd="/", env=env, check=True).stdout

        self.assertIn("596,049,920", run("count", "qwen3-0.6b"))
        self.assertIn("h100-sxm", run("plan", "--list"))
        self.assertIn("holds", run("claims", "kimi-k2-active"))
        listed = {line.split()[0] for line in run("show", "--list").splitlines()[1:]}
        self.assertEqual(listed, {f.stem for f in (ROOT / "blueprints").glob("*.json")})

    def test_a_folder_takes_its_place(self):
        folder = self.tmp / "data" / "blueprints"
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "blueprints/qwen3-0.6b.json", folder / "mine.json")
        for how in ({"args": ("--data", self.tmp / "data")}, {"env": {"ASHLAR_DATA": str(self.tmp / "data")}},
                    {"env": {"ASHLAR_BLUEPRINTS": str(folder)}}):
            args, env = how.get("args", ()), how.get("env")
            first = ashlar(*args, "show", "--list", env=env).stdout.splitlines()[1]  # below the heads of columns
            self.assertEqual(first.split()[0], "mine")
            self.assertEqual(ashlar_json(*args, "count", "mine", "--json", env=env)["parameters"]["total"], 596049920)
            # What the folder does not have comes from the program.
            self.assertIn("h100-sxm", ashlar(*args, "plan", "--list", env=env).stdout)
        self.fails("--data", self.tmp / "data", "count", "qwen3-8b", says="no blueprint of that name")
        self.fails("--data", self.tmp / "nothing", "count", "qwen3-8b", says="no folder")

    def test_messages_name_flags(self):
        golden = ROOT / "tests/golden/models/llama_tied_wide_heads/model"
        self.fails("logits", golden, "--ids", "1,2,3", "--weights", "q8_0", "-o", self.tmp / "l.npy",
                   says=r"^ashlar: --weights q8_0: goes with --random;")

    def test_manual_pages(self):
        ashlar("--man", self.tmp / "man1")
        pages = {f.name for f in (self.tmp / "man1").iterdir()}
        self.assertIn("ashlar.1", pages)
        overview = (self.tmp / "man1/ashlar.1").read_text(encoding="utf-8")
        for page in pages - {"ashlar.1"}:
            self.assertIn(page[len("ashlar-"):-len(".1")], overview)
        run = (self.tmp / "man1/ashlar-run.1").read_text(encoding="utf-8")
        for flag in ("max\\-tokens", "temperature", "context"):
            self.assertIn(f"\\-\\-{flag}", run)
        if shutil.which("groff") is None:
            self.skipTest("no groff")
        for page in sorted(pages):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", self.tmp / "man1" / page], capture_output=True, text=True,
                                  check=True)
            self.assertEqual(done.stderr, "", page)
            self.assertIn("SYNOPSIS", re.sub(".\x08", "", done.stdout))  # bold is written twice

    def test_completions_of_bash(self):
        script = self.write("c.bash", ashlar("--completions", "bash").stdout)
        (self.tmp / "weights.gguf").touch()

        def complete(*words):
            return bash('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ashlar; printf "%s\\n" "${COMPREPLY[@]}"',
                        script, "ashlar", *words, cwd=self.tmp).split()

        self.assertEqual(complete("per"), ["perplexity"])
        self.assertIn("--temperature", complete("run", "m", "--te"))
        self.assertEqual(complete("run", "--activations", ""), ["fast", "f32"])
        self.assertEqual(complete("plan", "--machine", "h1"), ["h100-sxm"])
        self.assertEqual(complete("count", "qwen3-0.6"), ["qwen3-0.6b"])
        self.assertEqual(complete("run", "weig"), ["weights.gguf"])
        self.assertEqual(complete("--data", "x", "expl"), ["explain"])
        self.assertEqual(complete("data", "bu"), ["build"])
        self.assertIn("--separator", complete("data", "build", "--sep"))

    def test_completions_of_other_shells(self):
        zsh, fish = (ashlar("--completions", shell).stdout for shell in ("zsh", "fish"))
        self.assertTrue(zsh.startswith("#compdef ashlar"))
        self.assertIn("-l temperature", fish)
        self.assertIn("--temperature[", zsh)
        for shell, text in (("zsh", zsh), ("fish", fish)):
            if shutil.which(shell):
                subprocess.run([shell, "-n", self.write("c." + shell, text)], check=True)
        self.fails("--completions", "csh", says="bash, zsh or fish")


class Package(Case):
    def test_deb_runs_from_where_it_is_unpacked(self):
        build = pathlib.Path(program.PROGRAM).parent
        if shutil.which("dpkg-deb") is None or not (build / "libashlar.a").exists():
            self.skipTest("no dpkg, or the library is not built")
        subprocess.run(["cpack", "-B", self.tmp, "--config", build / "CPackConfig.cmake"], check=True, capture_output=True)
        debs = {f.name.split("_")[0]: f for f in self.tmp.glob("*.deb")}
        self.assertEqual(set(debs), {"ashlar", "libashlar-dev"})
        depends = subprocess.run(["dpkg-deb", "-f", debs["ashlar"], "Depends"], capture_output=True, text=True,
                                 check=True).stdout
        for library in ("libc6", "libfmt", "libcurl", "libpcre2"):
            self.assertIn(library, depends)
        root = self.tmp / "root"
        for deb in debs.values():
            subprocess.run(["dpkg", "-x", deb, root], check=True)
        for file in ("usr/share/man/man1/ashlar-run.1", "usr/share/ashlar/machines/h100-sxm.json",
                     "usr/include/ashlar/engine.h", "usr/share/doc/ashlar/copyright"):
            self.assertTrue((root / file).is_file(), file)
        done = subprocess.run([root / "usr/bin/ashlar", "count", "qwen3-0.6b"], capture_output=True, text=True, check=True,
                              cwd="/")
        self.assertIn("596,049,920", done.stdout)
