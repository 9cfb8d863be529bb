"""Fills the generated parts of the docs from what the program prints, so that they cannot drift.

    python3 tools/readme.py [--check] [PROGRAM]

A block of README.md or docs/*.md is generated if this comment stands before it:
    <!-- generated: ashlar count qwen3-0.6b -->     the command's output follows, as a fenced block
    <!-- generated: ashlar ... | head 6 -->        only its first lines, after the command itself
    <!-- generated: families -->                    the table of families follows
    <!-- generated: picture docs/x.svg ashlar draw gpt2 -->   a drawing, kept in that file, follows
--check changes nothing and fails where a block differs.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- generated: (.*?) -->\n)(.*?)(<!-- end -->)", re.S)


def run(program: str, command: str) -> str:
    command, _, lines = command.partition(" | head ")
    words = shlex.split(command)
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.stderr}")
    if not lines:
        return done.stdout
    return f"$ {command}\n" + "".join(done.stdout.splitlines(keepends=True)[: int(lines)]) + "...\n"


def families(program: str) -> str:
    rows = json.loads(run(program, "ashlar show --families --json"))
    sizes = sum(len(f["blueprints"]) for f in rows)
    lines = [f"{len(rows)} families, {sizes} released sizes with their blueprints:", "",
             "| family | config.json | GGUF | released sizes here |", "|---|---|---|---|"]
    for f in rows:
        names = ", ".join(f"`{n}`" for n in f["blueprints"]) or "any"
        lines.append(f"| {f['name']} | {', '.join(f['architectures'])} | {f['gguf']} | {names} |")
    return "\n".join(lines) + "\n"


def picture(program: str, what: str, where: pathlib.Path, check: bool) -> str:
    _, name, command = what.split(" ", 2)
    words = shlex.split(command)
    with tempfile.TemporaryDirectory() as folder:
        drawn = pathlib.Path(folder) / "drawn.svg"
        run(program, shlex.join([*words, "-o", str(drawn)]))
        text = drawn.read_text()
    file = ROOT / name
    if not file.exists() or file.read_text() != text:
        if check:
            raise SystemExit(f"{name} is not what `{command}` draws; tools/readme.py mends it")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return f"![{command}]({os.path.relpath(file, where.parent)})\n"


def fill(program: str, text: str, where: pathlib.Path, check: bool) -> str:
    def body(match: re.Match) -> str:
        what = match[2]
        if what.startswith("picture "):
            return match[1] + picture(program, what, where, check) + match[4]
        made = families(program) if what == "families" else "```\n" + run(program, what).rstrip("\n") + "\n```\n"
        return match[1] + made + match[4]

    return BLOCK.sub(body, text)


def main() -> int:
    check = "--check" in sys.argv
    rest = [a for a in sys.argv[1:] if a != "--check"]
    program = str(pathlib.Path(rest[0] if rest else ROOT / "build/release/ashlar").resolve())
    stale, blocks = [], 0
    for file in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        old = file.read_text()
        blocks += len(BLOCK.findall(old))
        new = fill(program, old, file, check)
        if new != old:
            stale.append(file.name)
            if not check:
                file.write_text(new)
    print(f"readme: {blocks} generated blocks" + (f", stale: {', '.join(stale)}" if stale else ""))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
