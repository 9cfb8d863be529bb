"""Fails on an #include of src/, apps/ or include/ that docs/layers.txt does not allow.

    python3 tools/check_layers.py [ROOT]

A folder may include its own files, what its line lists, and what those may include. Public headers (include/ashlar)
include each other and the standard library only, so any folder may include them.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def read_rules(file: pathlib.Path) -> dict[str, set[str]]:
    direct = {}
    for line in file.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            name, rest = line.split(":")
            direct[name.strip()] = rest.split()
    closed: dict[str, set[str]] = {}

    def close(name: str, path: tuple[str, ...] = ()) -> set[str]:
        if name in path:
            raise SystemExit(f"{file}: circle: {' -> '.join((*path, name))}")
        if name not in direct:
            raise SystemExit(f"{file}: {path[-1]} lists {name}, which has no line")
        if name not in closed:
            closed[name] = {name}.union(*(close(d, (*path, name)) for d in direct[name]), set())
        return closed[name]

    for name in direct:
        close(name)
    return closed


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    allowed = read_rules(root / "docs/layers.txt")
    files = [(f.relative_to(root / "src").parts[0], f) for f in sorted((root / "src").rglob("*")) if f.is_file()]
    files += [("apps", f) for f in sorted((root / "apps").rglob("*")) if f.is_file()]
    problems, checked = [], 0
    for folder, file in files:
        if file.suffix not in (".h", ".cpp", ".inl"):
            continue
        if folder not in allowed:
            problems.append(f"{file.relative_to(root)}: the folder {folder} has no line in docs/layers.txt")
            continue
        for target in INCLUDE.findall(file.read_text()):
            top = target.split("/")[0]
            checked += 1
            if top in allowed and top not in allowed[folder]:
                problems.append(f"{file.relative_to(root)}: {folder} may not include {target}")
    for file in sorted((root / "include").rglob("*.h")):
        for target in INCLUDE.findall(file.read_text()):
            checked += 1
            if target.split("/")[0] != "ashlar":
                problems.append(f"{file.relative_to(root)}: a public header may not include {target}")
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"check_layers: {checked} includes, all allowed")
    return 1 if problems or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
