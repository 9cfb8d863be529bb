"""Counts the tests of a run of ctest, those inside of test programs one by one.

    tests/summary.py JUNIT_FILE     prints PASSED FAILED SKIPPED, then the names of what failed
"""

import pathlib
import re
import sys
import xml.etree.ElementTree


def count(text: str) -> tuple[dict[str, int], list[str]]:
    total, names = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}, []
    # What a test prints need not be XML.
    text = re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd]", "?", text)
    for case in xml.etree.ElementTree.fromstring(text).iter("testcase"):
        out = case.findtext("system-out") or ""
        found = {kind: sum(map(int, re.findall(rf"^\[ *{kind} *\] (\d+) tests?\b", out, re.M))) for kind in total}
        status = case.get("status")
        if status == "notrun" and "RETURN_CODE" in case.find("skipped").get("message", ""):
            found["SKIPPED"] += 1
        elif status != "run" and not found["FAILED"]:
            found["FAILED"] = 1  # it could not start, or ended badly: a signal, a time limit
        elif not any(found.values()):
            found["PASSED" if status == "run" else "FAILED"] = 1
        if found["FAILED"]:
            names += sorted(set(re.findall(r"^\[ *FAILED *\] ([^ ,]*[A-Za-z][^ ,]*)", out, re.M))) or [case.get("name")]
        for kind in total:
            total[kind] += found[kind]
    return total, names


def main() -> None:
    total, names = count(pathlib.Path(sys.argv[1]).read_text(errors="replace"))
    print(*total.values(), *names)


if __name__ == "__main__":
    main()
