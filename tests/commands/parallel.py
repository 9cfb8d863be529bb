"""Runs test cases in several processes at a time: the tests wait for programs most of the time."""

import argparse
import concurrent.futures
import io
import multiprocessing
import time
import unittest

from program import Case


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def run_one(test):
    """Outcome, seconds and report of one test."""
    out, started = io.StringIO(), time.monotonic()
    result = unittest.TextTestRunner(stream=out, verbosity=0).run(test)
    outcome = "FAILED" if not result.wasSuccessful() or result.testsRun != 1 else "skipped" if result.skipped else "ok"
    report = result.skipped[0][1] if outcome == "skipped" else out.getvalue() if outcome == "FAILED" else ""
    return outcome, time.monotonic() - started, report


def main(module):
    parser = argparse.ArgumentParser(description=module.__doc__)
    parser.add_argument("-k", metavar="PATTERN", action="append", default=[], help="only tests whose name holds this")
    parser.add_argument("-j", metavar="N", type=int, default=2, help="processes (default: 2)")
    options = parser.parse_args()
    tests = [t for t in flat(unittest.defaultTestLoader.loadTestsFromModule(module))
             if not options.k or any(k in t.id() for k in options.k)]
    for case in Case.__subclasses__():
        assert getattr(module, case.__name__, None) is case, f"{case}: never imported, or its name is taken"
    counts = {"ok": 0, "skipped": 0, "FAILED": 0}
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(options.j, mp_context=context) as pool:
        for future in concurrent.futures.as_completed(waiting := {pool.submit(run_one, t): t for t in tests}):
            outcome, seconds, report = future.result()
            counts[outcome] += 1
            print(f"{outcome:7} {seconds:6.1f} s  {waiting[future].id().removeprefix('__main__.')}", flush=True)
            if report:
                print(report, flush=True)
    print(f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['skipped']} skipped")
    return 1 if counts["FAILED"] or not tests else 0
