"""Runs the package's tests with an interpreter that has numpy and pytest; exit code 77 where there is none.

    python3 python/tests/run.py FOLDER     FOLDER holds the package ashlar with its module
"""

import os
import pathlib
import subprocess
import sys

folder = pathlib.Path(sys.argv[1]).resolve()
modules = [f.name for f in (folder / "ashlar").glob("_core*.so")]
if not modules:
    print("skipped: the Python package is not built (Python's headers or pybind11 were not found)")
    sys.exit(77)
for python in (sys.executable, "/usr/bin/python3"):
    asked = subprocess.run([python, "-c", "import sysconfig, numpy, pytest; print(sysconfig.get_config_var('EXT_SUFFIX'))"],
                           capture_output=True, text=True)
    if asked.returncode == 0 and "_core" + asked.stdout.strip() in modules:
        tests = pathlib.Path(__file__).parent
        os.execve(python, [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)],
                  {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"})
print("skipped: no interpreter that fits the module has numpy and pytest")
sys.exit(77)
