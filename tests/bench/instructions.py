#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many instructions of ours one unit of the server's work takes.

  instructions.py [--update] [--profile] [--runs 1] [NAME...]

`make bench-instructions`, with UPDATE=1 for --update; the rest by BENCH_FLAGS.

Method. tests/bench/instructions.c has the whole server in one thread, with a
clock and random numbers that are always the same, and clients at the other end
of socket pairs. It runs under callgrind, which collects inside the function
measured() only. Counted is self cost of functions in objects that this build
has made: the program and the plugins. What libc, OpenSSL, libev or libjwt take
when they are called stands beside it and is not judged; nor is the kernel's
time. Each scenario runs twice, with COUNT and 2 * COUNT rounds or receivers,
and the difference is divided by the units in it: what happens once per run is
not in the number.

The result is compared with tests/bench/instructions.json, which has a baseline
per compiler (its first version number) and architecture. More than 3 % above it
is a failure; so is a scenario that it does not have. Who wants the growth runs
`make bench-instructions UPDATE=1` and commits the file. What shrinks is said,
and passes. With a compiler that has no baseline it prints and passes. The build
has to be -g -O2, without sanitizer and contract checks; of another one it makes
such a build in the folder instructions-build.

--profile prints which functions the instructions are in, by objects that are
not ours as a whole. --runs 3 does all of it three times and fails when two runs
differ at all.
"""
import argparse
import collections
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

TOLERANCE = 0.03
FLAGS = ["-g", "-O2"]
TOGGLE = "measured"
BENCH = "tests/bench/instructions"  # its own functions are not the server's
# Position and cost; a name may be given as "(id) name" once, then as "(id)".
COST = re.compile(r"[+*\-\d]\S*(?: (\d+))?$")
NAMED = re.compile(r"(c?(?:ob|fl|fn|fi|fe))=\((\d+)\)(?: (.*))?$")

srcdir = pathlib.Path(__file__).resolve().parents[2]
builddir = pathlib.Path(os.environ.get("top_builddir", srcdir / "build"))
baseline_file = srcdir / "tests/bench/instructions.json"
cc = shlex.split(os.environ.get("CC", "gcc"))


def call(command, **more):
    done = subprocess.run(command, text=True, check=False, **more)
    if done.returncode != 0:
        print(done.stdout or "", end="")
        sys.exit(f"failed: {shlex.join(map(str, command))}")
    return done.stdout


def compiler():
    """For example "gcc 12, x86_64"."""
    defined = dict(line.split(" ", 2)[1:] for line in call(
        cc + ["-dM", "-E", "-x", "c", "/dev/null"],
        stdout=subprocess.PIPE).splitlines() if line.count(" ") >= 2)
    name = "clang" if "__clang_major__" in defined else "gcc"
    major = defined["__clang_major__" if name == "clang" else "__GNUC__"]
    return f"{name} {major}, {platform.machine()}"


def comparable_build():
    """The folder of a build with our flags: this one, or one in it."""
    flags = os.environ.get("CFLAGS", "").split()
    if sorted(flags) == sorted(FLAGS) and \
            os.environ.get("SANITIZER", "no") == "no" and \
            os.environ.get("DEBUG_BUILD", "no") == "no":
        return builddir
    if (srcdir / "config.status").exists():
        sys.exit("this build is not -g -O2 without checks, and a source folder "
                 "that is configured itself allows no other: make distclean, "
                 "and build elsewhere")
    folder = builddir / "instructions-build"
    print(f"building in {folder}: this build has other flags", flush=True)
    folder.mkdir(exist_ok=True)
    if not (folder / "Makefile").exists():
        call([srcdir / "configure", "--quiet", f"CC={shlex.join(cc)}",
              f"CFLAGS={' '.join(FLAGS)}"], cwd=folder)
    call(["make", "-s", "-j2", "all", BENCH], cwd=folder)
    return folder


def cost(out, folder):
    """Self cost of our functions in callgrind's file, and of other objects."""
    names = collections.defaultdict(dict)
    ours, others = collections.Counter(), collections.Counter()
    at = {"ob": "", "fl": "", "fn": ""}
    home = None  # the file that the function is in, not one inlined into it
    inclusive = False  # the line behind calls= has the callee's cost
    for line in out.splitlines():
        named = NAMED.match(line)
        if named:
            key, number, name = named.groups()
            kind = key[-2:] if key[-2:] in ("ob", "fn") else "fl"
            if name is not None:
                names[kind][number] = name
            if key in ("ob", "fn", "fl"):
                at[key] = names[kind][number]
            if key == "fn":
                home = at["fl"]
        elif line.startswith("calls="):
            inclusive = True
        elif COST.match(line):
            spent = 0 if inclusive else int(COST.match(line).group(1) or 0)
            inclusive = False
            if home is not None and BENCH in home:
                continue
            if at["ob"].startswith(f"{folder}/"):
                ours[at["fn"]] += spent
            else:
                others[pathlib.Path(at["ob"]).name or "?"] += spent
    return ours, others


def run(folder, name, count):
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "out"
        call(["valgrind", "-q", "--tool=callgrind",
              f"--toggle-collect={TOGGLE}", f"--callgrind-out-file={out}",
              folder / BENCH, name, str(count)],
             env={**os.environ, "WEBPUBSUBD_PLUGIN_DIR": f"{folder}/.libs"})
        return cost(out.read_text(), folder)


def difference(long, short, units):
    return {name: (long[name] - short[name]) / units for name in long
            if long[name] != short[name]}


def measure(folder, chosen):
    """By scenario: text, our functions, other objects."""
    result = {}
    for line in call([folder / BENCH, "--list"],
                     stdout=subprocess.PIPE).splitlines():
        name, count, per, text = line.split(" ", 3)
        if chosen and name not in chosen:
            continue
        count, units = int(count), int(count) * int(per)
        short, long = run(folder, name, count), run(folder, name, 2 * count)
        ours = difference(long[0], short[0], units)
        if sum(ours.values()) <= 0:
            sys.exit(f"{name}: nothing was counted")
        result[name] = text, ours, difference(long[1], short[1], units)
    return result


def profile(results):
    for name, (text, ours, others) in results.items():
        print(f"\n{name}: {text}")
        whole = sum(ours.values())
        for function, spent in sorted(ours.items(), key=lambda i: -i[1])[:20]:
            if abs(spent) >= 0.5:
                print(f"  {spent:9.1f} {spent / whole:4.0%}  {function}")
        for thing, spent in sorted(others.items(), key=lambda i: -i[1])[:6]:
            print(f"  {spent:9.1f}       [{thing}]")


def verdict(now, before):
    """A word, and whether it is a failure."""
    if before is None:
        return "not in the baseline", True
    change = now / before - 1
    if change > TOLERANCE:
        return "GROWN", True
    return "shrunk" if change < -TOLERANCE else "", False


def report(results, baseline):
    failed = words = 0
    print(f"{'':17}{'baseline':>9}{'now':>10}{'change':>8}{'others':>10}")
    for name, (text, ours, others) in results.items():
        now, before = sum(ours.values()), (baseline or {}).get(name)
        word, bad = verdict(now, before) if baseline is not None else ("", 0)
        failed += bad
        words += word == "shrunk"
        was = "" if before is None else f"{before:.1f}"
        change = "" if before is None else f"{now / before - 1:+.1%}"
        print(f"{name:17}{was:>9}{now:10.1f}{change:>8}"
              f"{sum(others.values()):10.1f}  {text}"
              f"{': ' + word if word else ''}")
    if words:
        print(f"{words} shrunk: UPDATE=1 keeps it that way")
    if failed:
        print(f"{failed} grown by more than {TOLERANCE:.0%}, or new: mend it, or "
              "run `make bench-instructions UPDATE=1` and commit\n"
              "tests/bench/instructions.json with the reason")
    return failed


def main():
    options = argparse.ArgumentParser(
        usage=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--update", action="store_true")
    options.add_argument("--profile", action="store_true")
    options.add_argument("--runs", type=int, default=1)
    options.add_argument("names", nargs="*")
    options = options.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("valgrind was not found; ./bootstrap deps installs it")
    folder = comparable_build().resolve()
    results = measure(folder, options.names)
    for _ in range(options.runs - 1):
        again = measure(folder, options.names)
        for name in results:
            one, two = results[name][1], again[name][1]
            odd = [f"{f} {one.get(f, 0):.2f} {two.get(f, 0):.2f}"
                   for f in {**one, **two} if one.get(f) != two.get(f)]
            if odd:
                sys.exit(f"{name}: two runs differ: {', '.join(odd)}")
    baselines = json.loads(baseline_file.read_text()) \
        if baseline_file.exists() else {}
    which = compiler()
    if options.update:
        baselines.setdefault(which, {}).update(
            (name, round(sum(ours.values()), 1))
            for name, (_, ours, _) in results.items())
        baseline_file.write_text(json.dumps(baselines, indent=2) + "\n")
    print(f"instructions of ours per unit, {which}")
    failed = report(results, baselines.get(which))
    if options.profile:
        profile(results)
    if which not in baselines:
        print("no baseline for this compiler: nothing is compared")
        print(f"0 passed, 0 failed, {len(results)} skipped")
        return 0
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
