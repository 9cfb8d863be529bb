"""What the tests of the `ashlar` command share: running it, and reading what it writes."""

import array
import ast
import json
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve()) if len(sys.argv) > 1 else str(ROOT / "build/release/ashlar")
MODELS = pathlib.Path(os.environ.get("ASHLAR_MODELS", ROOT / "models"))
SMOL = str(MODELS / "smollm2-135m-instruct-q4_1.gguf")
GEMMA = str(MODELS / "gemma-3-270m-q4_k_m.gguf")
LONG = bool(os.environ.get("ASHLAR_LONG"))  # ./test --long: all that a test can do, else what shows the same fault sooner


def cpu_seconds():
    """Processor time of the commands that have ended, which other work on the machine does not change."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ashlar(*args, code=0, text=True, stdin=None, env=None, seconds=300):
    """Runs the command, expects the exit code (or one of several), gives the process."""
    done = subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=text, input=stdin, timeout=seconds,
                          env={**os.environ, **(env or {})})
    if done.returncode not in (code if isinstance(code, tuple) else (code,)):
        raise AssertionError(f"ashlar {' '.join(map(str, args))}: exit code {done.returncode}, expected {code}\n"
                             f"stdout: {done.stdout[-2000:]}\nstderr: {done.stderr[-2000:]}")
    return done


def ashlar_json(*args, **options):
    return json.loads(ashlar(*args, **options).stdout)


def read_npy(path):
    """A float32 matrix of a .npy file as (rows, columns, array)."""
    data = pathlib.Path(path).read_bytes()
    assert data[:6] == b"\x93NUMPY"
    (length,) = struct.unpack("<H", data[8:10])
    header = ast.literal_eval(data[10:10 + length].decode("latin1"))
    assert header["descr"] == "<f4" and not header["fortran_order"]
    values = array.array("f")
    values.frombytes(data[10 + length:])
    rows, columns = header["shape"]
    assert len(values) == rows * columns
    return rows, columns, values


def worst(a, b):
    """Largest difference relative to the largest magnitude."""
    return max(abs(x - y) for x, y in zip(a, b)) / max(abs(x) for x in a)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.tmp = pathlib.Path(self.folder.name)

    def write(self, name, value):
        file = self.tmp / name
        file.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return str(file)

    def fails(self, *args, says, code=1, **options):
        """One clear message on stderr that holds `says` (a regular expression)."""
        done = ashlar(*args, code=code, **options)
        self.assertRegex(done.stderr, says)
        self.assertLess(len(done.stderr.splitlines()), 60)
        self.assertNotIn("terminate called", done.stderr)
