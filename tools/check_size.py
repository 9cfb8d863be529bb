"""Fails on files that have grown too long to read: about 400 lines, kernels and tests 800, family files 120.

    python3 tools/check_size.py

Also: every source file says in its first line what it is for.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).parent.parent
# Shared by all families, not one of them; so are lists of keys (*_keys.cpp).
SHARED = {"decoder", "family", "fields", "mix", "names", "visitor"}

# One table of keys that reads better whole.
LONGER = {"src/text/tokenizer_json.cpp": 540}


def limit(path: pathlib.Path) -> int:
    parts = path.parts
    if parts[0] == "src" and parts[1] == "kernels" or parts[0] in ("tests", "bench"):
        return 800
    if parts[:2] == ("src", "families") and path.suffix == ".cpp" and path.stem.split("_")[0] not in SHARED:
        return 480 if path.stem.endswith("_keys") else 120
    return LONGER.get(str(path), 480)


def main() -> int:
    problems, count = [], 0
    for folder in ("src", "apps", "include", "tests", "bench", "fuzz"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix not in (".h", ".cpp", ".inl"):
                continue
            count += 1
            path = file.relative_to(ROOT)
            lines = file.read_text().splitlines()
            if len(lines) > limit(path):
                problems.append(f"{path}: {len(lines)} lines, at most {limit(path)}")
            if not lines or not lines[0].startswith("//"):
                problems.append(f"{path}: the first line must say what the file is for")
    print("\n".join(problems) if problems else f"check_size: {count} files")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
