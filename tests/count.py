#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sum up what test runners wrote: prints "PASSED FAILED SKIPPED".

A folder stands for the .trs files that make check left in it: each test counts
with the numbers of its own log (Check, node's runner, "N passed, N failed") and
as one where its log has none. A file stands for a log with such numbers, or
with the summary that make check prints.
"""
import pathlib
import re
import sys

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
NODE = re.compile(r"^(?:#|\u2139) (pass|fail|skipped) (\d+)$", re.M)
PLAIN = re.compile(r"^(?:[\w-]+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$",
                   re.M)
SUMMARY = re.compile(r"^# (PASS|FAIL|ERROR|SKIP|XPASS): +(\d+)$", re.M)


def numbers(text):
    """(passed, failed, skipped) of one log, or None."""
    plain = PLAIN.findall(text)
    if plain:
        p, f, s = plain[-1]
        return int(p), int(f), int(s or 0)
    checks = CHECK.findall(text)
    if checks:
        total = sum(int(c[0]) for c in checks)
        bad = sum(int(c[1]) + int(c[2]) for c in checks)
        return total - bad, bad, 0
    node = NODE.findall(text)
    if node:
        by = {"pass": 0, "fail": 0, "skipped": 0}
        for word, count in node:
            by[word] += int(count)
        return by["pass"], by["fail"], by["skipped"]
    summary = SUMMARY.findall(text)
    if summary:
        by = dict.fromkeys(("PASS", "FAIL", "ERROR", "SKIP", "XPASS"), 0)
        for word, count in summary:
            by[word] += int(count)
        return by["PASS"], by["FAIL"] + by["ERROR"] + by["XPASS"], by["SKIP"]
    return None


def of_trs(trs):
    result = re.search(r"^:global-test-result: (\w+)", trs.read_text(), re.M)
    result = result.group(1) if result else "ERROR"
    log = trs.with_suffix(".log")
    found = None
    if log.exists():
        found = numbers(log.read_text(errors="replace"))
    if result == "SKIP":
        return 0, 0, 1
    if result in ("PASS", "XFAIL"):
        return found or (1, 0, 0)
    p, f, s = found or (0, 0, 0)
    return p, max(f, 1), s


def main():
    total = [0, 0, 0]
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        if path.is_dir():
            parts = [of_trs(t) for t in sorted(path.rglob("*.trs"))]
        else:
            parts = [numbers(path.read_text(errors="replace")) or (0, 0, 0)]
        for part in parts:
            total = [a + b for a, b in zip(total, part)]
    print(*total)


main()
