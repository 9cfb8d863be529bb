"""What `--json` prints against the lists of docs/json.md, in both directions: a field that is not documented fails, and
so does a documented one that is not printed.
"""

import pathlib
import re


def documented(section):
    """Paths that docs/json.md lists under "## section"."""
    text = (pathlib.Path(__file__).resolve().parent.parent.parent / "docs/json.md").read_text(encoding="utf-8")
    part = text.split(f"\n## {section}\n", 1)
    return set(re.findall(r"^\| `([^`]+)` \|", part[1].split("\n## ")[0], re.M)) if len(part) == 2 else set()


def fields(value, path, maps):
    """Paths of all leaves: [] for items, * for keys of a map, ** for all that is below."""
    if path in maps and maps[path] == "**":
        return {path + ".**"}
    if isinstance(value, dict):
        parts = [(maps.get(path, key), item) for key, item in value.items()]
        return set().union(*(fields(item, f"{path}.{key}" if path else key, maps) for key, item in parts))
    if isinstance(value, list) and value:
        return set().union(*(fields(item, path + "[]", maps) for item in value))
    return {path}


def differences(value, section):
    """What differs between an output and its documentation; empty: nothing. An empty list and a null say nothing of what
    would be below them."""
    listed = documented(section)
    maps = {}
    for path in listed:
        for star in re.finditer(r"\.(\*\*?)(?=\.|\[|$)", path):
            maps[path[:star.start()]] = star.group(1)
    found = fields(value, "", maps)
    silent = {f for f in found - listed if any(d.startswith((f + "[", f + ".")) for d in listed)}
    below = tuple(f + mark for f in silent for mark in "[.")
    found -= silent
    return ([f"{section}: not documented: {f}" for f in sorted(found - listed)] +
            [f"{section}: not there: {f}" for f in sorted(listed - found) if not f.startswith(below)])
