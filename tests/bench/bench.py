#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What clients, events to a webhook, and broadcasts by REST cost the server.

  bench.py clients|webhook|rest [--json FILE] [--runs 3] [--seconds 2]
           [--workers 1]

Printed, never judged. Times are CPU of the processes, median (least-most) of the
runs, which take turns so that a machine that slows down does so for all lines.
Numbers of two machines, or of two days, do not compare: the last column does, a
ratio to a floor that is measured in the same round. The server (of one worker)
or the floor has the first core, everything else the last one.

The load of "clients" is that of webpubsubctl bench, which checks every message:
a line that says BAD is a fault of the server, or of its configuration. Its floor
is tests/bench/relay.c, which does nothing but send; the last column is the part
of its speed that the server has, in messages per second (rate) where the server
and the relay were what set the pace, else by CPU.

WEBPUBSUBD, WEBPUBSUBCTL, WEBPUBSUBD_PLUGIN_DIR and BENCH_PROGRAMS (a folder)
say what runs.
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

KEY = "key-of-the-benchmarks-0123456789-abcdefgh"
SIZE = 128

top = pathlib.Path(__file__).resolve().parents[2]
daemon = os.environ.get("WEBPUBSUBD", str(top / "build/webpubsubd"))
tool = os.environ.get("WEBPUBSUBCTL",
                      str(pathlib.Path(daemon).parent / "webpubsubctl"))
programs = pathlib.Path(os.environ.get(
    "BENCH_PROGRAMS", str(pathlib.Path(daemon).parent / "tests/bench")))
cores = sorted(os.sched_getaffinity(0))


def part(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(url, **claims):
    head = part({"alg": "HS256", "typ": "JWT"}) + "." + part(
        {"aud": url, "exp": int(time.time()) + 3600, **claims})
    mac = hmac.new(KEY.encode(), head.encode(), hashlib.sha256).digest()
    return head + "." + part(mac)


def on_cores(*chosen):
    return lambda: os.sched_setaffinity(0, set(chosen))


class Process:
    """Started, with the first line it prints; ended with the block."""

    def __init__(self, command, *on, env=None):
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=on_cores(*on), env={**os.environ, **(env or {})})
        self.line = self.child.stdout.readline().strip()
        if not self.line:
            sys.exit(f"{command[0]} did not start")
        self.pid = self.child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.terminate()
        self.child.wait()
        self.child.stdout.close()


def server(folder, workers, handler=None):
    def hub(mode, **events):
        if handler is None:
            return {}
        return {"event_handlers": [
            {"url": f"http://127.0.0.1:{handler}/{mode}/{{event}}", **events}]}

    file = pathlib.Path(folder) / "webpubsubd.yaml"
    plugins = ["subprotocol-simple", "subprotocol-json", "auth-jwt",
               "http-rest" if handler is None else "upstream-webhook"]
    file.write_text(json.dumps({
        "listen": [{"address": "127.0.0.1:0"}],
        "access_keys": [KEY],
        "workers": str(workers),
        "plugins": {name: {} for name in plugins},
        "hubs": {
            "connect": hub("none", system_events=["connect"]),
            "life": hub("none", system_events=["connect", "connected",
                                               "disconnected"]),
            "none": hub("none", user_events="*"),
            "echo": hub("echo", user_events="*"),
            "quiet": {},
        },
        "shutdown": {"timeout": "2s", "spread": "0s"},
        "log": {"level": "error"},
    }))
    file.chmod(0o600)
    plugins_in = os.environ.get("WEBPUBSUBD_PLUGIN_DIR",
                                str(pathlib.Path(daemon).parent / ".libs"))
    on = cores[:1] if workers == 1 else cores
    one = Process([daemon, "-c", str(file)], *on,
                  env={"WEBPUBSUBD_PLUGIN_DIR": plugins_in})
    one.port = int(one.line.rsplit(":", 1)[1])
    one.url = f"http://127.0.0.1:{one.port}"
    return one


def client_path(one, hub):
    url = f"/client/hubs/{hub}"
    return f"{url}?access_token={token(one.url + url, sub='load')}"


def load(name, *args, pids=(), seconds=2.0):
    command = [str(programs / name), "--seconds", str(seconds)]
    for a in args:
        command.append(str(a))
    for pid in pids:
        command += ["--pid", str(pid)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          preexec_fn=on_cores(cores[-1]), check=False)
    if done.returncode != 0:
        sys.exit(f"{name} failed: {' '.join(command[:8])} ...")
    return json.loads(done.stdout)


def webhook(options):
    with Process([str(programs / "answerer")], cores[-1]) as handler, \
            tempfile.TemporaryDirectory() as folder, \
            server(folder, options.workers, handler.line) as one:
        rows = []
        for many in (1, 64):
            at_a_time = f"{many} at a time"
            floor = f"floor: libcurl alone, {at_a_time}"
            rows.append((floor, None, lambda many=many: load(
                "floor", "--url", f"http://127.0.0.1:{handler.line}/none",
                "--transfers", many, "--size", SIZE, pids=[handler.pid],
                seconds=options.seconds)))
            for text, hub, mode in (
                    (f"user event of {SIZE} B, no answer", "none", "event"),
                    (f"user event of {SIZE} B, answer of {SIZE} B", "echo",
                     "answer"),
                    ("client comes and goes, no event", "quiet", "connect"),
                    ("client comes and goes, connect", "connect", "connect"),
                    ("client comes and goes, all system events", "life",
                     "connect")):
                rows.append((
                    f"{text}, {at_a_time}", floor,
                    lambda hub=hub, mode=mode, many=many: load(
                        "clients", "--port", one.port, "--path",
                        client_path(one, hub), "--mode", mode, "--clients",
                        many, "--size", SIZE, pids=[one.pid, handler.pid],
                        seconds=options.seconds)))
        return measured(options, rows, ("server", "handler"))


def rest(options):
    with tempfile.TemporaryDirectory() as folder, \
            server(folder, options.workers) as one:
        target = "/api/hubs/quiet/:send?api-version=2024-12-01"
        auth = token(one.url + target)
        rows = []
        for many in (1, 32):
            lines = f"{many} connection{'s' if many > 1 else ''}"
            floor = f"floor: GET /api/health, {lines}"
            rows.append((floor, None, lambda many=many: load(
                "requests", "--port", one.port, "--method", "GET", "--status",
                "200", "--connections", many, pids=[one.pid],
                seconds=options.seconds)))
            for receivers in (0, 1, 100):
                args = ["--port", one.port, "--path", target, "--token", auth,
                        "--connections", many, "--size", SIZE]
                if receivers:
                    args += ["--receivers", receivers, "--receiver-path",
                             client_path(one, "quiet")]
                rows.append((
                    f"POST :send of {SIZE} B to {receivers}, {lines}",
                    floor, lambda args=args: load(
                        "requests", *args, pids=[one.pid],
                        seconds=options.seconds)))
        return measured(options, rows, ("server",))


# What is printed, the arguments of webpubsubctl bench, and how many frames the
# relay sends at once: as many as the window lets come together, 64 at most.
CLIENTS = [
    ("fan-out 1 to 1000, 128 B, window 1", "fanout --window 1", 1),
    ("same, window 16", "fanout --window 16", 16),
    ("same, window 64", "fanout --window 64", 64),
    ("same, window 256", "fanout --window 256", 64),
    ("same, window 16, simple", "fanout --window 16 --protocol simple", 16),
    ("same, window 16, reliable", "fanout --window 16 --protocol reliable", 16),
    ("fan-out 1 to 100, 128 B, window 16", "fanout --subscribers 100", 16),
    ("same, 1 KiB", "fanout --subscribers 100 --size 1024", 16),
    ("same, 4 KiB", "fanout --subscribers 100 --size 4096", 16),
    ("same, 16 KiB", "fanout --subscribers 100 --size 16384", 16),
    ("fan-out 1 to 1000, 100 messages/s", "fanout --rate 100", 1),
    ("500 groups of 10, 128 B, window 4", "groups --window 4", 16),
    ("round trips, 50 clients", "roundtrips", 1),
    ("round trips, 50 clients, 16 deep", "roundtrips --depth 16", 16),
    ("5000 connections", "connections --connections 5000", 1),
    ("5000 connections, reliable",
     "connections --connections 5000 --protocol reliable", 1),
]

# What a message of 128 B has around it when it reaches a client; the simple
# protocol has nothing. The relay's messages are so much longer.
ENVELOPE = len(json.dumps({
    "type": "message", "from": "group", "fromUserId": "u1000",
    "group": "aaaa0", "dataType": "text", "data": ""}, separators=(",", ":")))


def client_load(options, arguments, one, *where):
    """One run; its result, None where there is none."""
    command = [tool, "bench", *arguments, "--json", "--pid", str(one.pid),
               "--warmup", "500ms", "--duration",
               f"{round(options.seconds * 1000)}ms", *where]
    # Who sleeps has to be woken, and the server would pay for it. An open
    # loop is about latency as it is.
    if len(cores) > 1 and options.workers == 1 and "--rate" not in command:
        command.append("--spin")
    on = cores[-1:] if options.workers == 1 else cores
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "BENCH_KEY": KEY},
                          preexec_fn=on_cores(*on), check=False)
    return json.loads(done.stdout) if done.stdout else None


def server_load(options, arguments):
    with tempfile.TemporaryDirectory() as folder, \
            server(folder, options.workers) as one:
        return client_load(options, arguments.split(), one, "--endpoint",
                           one.url, "--key", "env:BENCH_KEY", "--hub", "quiet")


def relay_load(options, arguments, frames):
    """The same load on a relay, with as many bytes on their way to clients."""
    words = arguments.split()
    longer = ENVELOPE
    if "--protocol" in words:
        at = words.index("--protocol")
        longer = 0 if words[at + 1] == "simple" else longer
        del words[at:at + 2]
    if words[0] != "connections":
        size = int(words[words.index("--size") + 1]) if "--size" in words \
            else SIZE
        words += ["--size", str(size + longer)]
    with Process([str(programs / "relay"), str(frames)], cores[0]) as one:
        return client_load(options, words, one, "--protocol", "raw",
                           "--endpoint", f"http://127.0.0.1:{one.line}")


def figures(got):
    """Of one run: per second, CPU of each in us, latency, bytes, limit."""
    if got is None or got["verdict"] != "ok":
        return {"bad": got["reason"] if got else "it did not run"}
    each = got["server"].get("cpu_ns_per_message")
    times = got["connect_us" if each is None else "latency_us"]
    rate = [got[f"{name}_per_second"]
            for name in ("delivered", "roundtrips", "connects")
            if f"{name}_per_second" in got]
    one = {"rate": rate[0], "p50_us": times["p50"], "p99_us": times["p99"]}
    if each is None:
        one["server_us"] = got["server"]["cpu_us_per_connect"]
        one["bytes"] = got["server"]["rss_per_connection"]
    else:
        one["server_us"] = each / 1000
        one["limit"] = got["limit"]
    return one


NUMBERS = ("rate", "server_us", "p50_us", "p99_us", "bytes", "limit", "bad")


def column(runs):
    return {name: [one[name] for one in runs if name in one]
            for name in NUMBERS}


def clients(options):
    table = [{"what": what, "arguments": arguments, "frames": frames,
              "server": [], "relay": []} for what, arguments, frames in CLIENTS]
    for turn in range(options.runs):
        for row in table:
            progress(f"run {turn + 1}/{options.runs}: {row['what']}")
            row["relay"].append(figures(
                relay_load(options, row["arguments"], row["frames"])))
            row["server"].append(figures(
                server_load(options, row["arguments"])))
    progress("")
    for row in table:
        row["relay"], row["server"] = column(row["relay"]), column(row["server"])
        row.update(ratio_of(row["server"], row["relay"]))
    return table


def ratio_of(one, relay):
    """The part of the relay's speed: of what comes through where the process
    set the pace in all runs of both, else of what a core could do."""
    by = "rate" if set(one["limit"] + relay["limit"]) == {"server"} \
        else "server_us"
    if not one[by] or not relay[by]:
        return {"ratio": None, "by": by}
    ours, floor = statistics.median(one[by]), statistics.median(relay[by])
    ratio = ours / floor if by == "rate" else floor / ours if ours else None
    return {"ratio": ratio, "by": by}


def show_clients(table):
    lines = [["", "per second", "server µs each", "p50 µs", "p99 µs",
              "B/connection", "limit", "relay µs", "of the relay"]]
    for row in table:
        one, relay = row["server"], row["relay"]
        limit = " ".join(sorted(set(one["limit"])))
        bad = one["bad"] + relay["bad"]
        if bad:
            limit = f"BAD ({len(bad)}x): {bad[0]}"
        ratio = "" if row["ratio"] is None else \
            f"{row['ratio']:.2f} {'rate' if row['by'] == 'rate' else 'CPU'}"
        lines.append([row["what"], shown(one["rate"], "%.0f"),
                      shown(one["server_us"], "%.2f"),
                      shown(one["p50_us"], "%.0f"), shown(one["p99_us"], "%.0f"),
                      shown(one["bytes"], "%.0f"), limit,
                      shown(relay["server_us"], "%.2f"), ratio.rjust(9)])
    aligned(lines)


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measured(options, rows, names):
    """[{what, rate, server_us, ...}], each a list with one value per round."""
    table = {what: {"what": what, "floor": floor, "rate": [], "delivered": [],
                    **{f"{n}_us": [] for n in names}, "ratio": []}
             for what, floor, _ in rows}
    for turn in range(options.runs):
        for what, floor, run in rows:
            progress(f"run {turn + 1}/{options.runs}: {what}")
            got, row = run(), table[what]
            count = max(got["count"], 1)
            row["rate"].append(got["count"] / got["seconds"])
            if got.get("delivered"):
                row["delivered"].append(got["delivered"] / got["seconds"])
            # The floor of webhooks is the load program's own CPU.
            cpu = got["cpu_us"]
            if floor is None and "handler" in names:
                cpu = [got["own_us"], *cpu]
            for name, us in zip(names, cpu):
                row[f"{name}_us"].append(us / count)
            base = table[floor]["server_us"][-1] if floor else None
            if base:
                row["ratio"].append(row["server_us"][-1] / base)
    progress("")
    return list(table.values()), names


def shown(values, form):
    if not values:
        return ""
    low, middle, high = min(values), statistics.median(values), max(values)
    if len(values) == 1:
        return form % middle
    return f"{form % middle} ({form % low}-{form % high})"


def show(table, names):
    head = ["", "per second", *(f"{n} µs each" for n in names), "times floor"]
    lines = [head]
    if any(row["delivered"] for row in table):
        head.insert(2, "delivered/s")
    for row in table:
        line = [row["what"], shown(row["rate"], "%.0f"),
                *(shown(row[f"{n}_us"], "%.1f") for n in names),
                shown(row["ratio"], "%.2f")]
        if len(head) > len(line):
            line.insert(2, shown(row["delivered"], "%.0f"))
        lines.append(line)
    aligned(lines)


def aligned(lines):
    width = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                        for i, (cell, w) in enumerate(zip(line, width))).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["clients", "webhook", "rest"])
    parser.add_argument("--json", metavar="FILE",
                        help="the numbers of each run; - for standard output")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    if options.what == "clients":
        table = clients(options)
        if options.json != "-":
            show_clients(table)
    else:
        table, names = {"webhook": webhook, "rest": rest}[options.what](options)
        if options.json != "-":
            show(table, names)
    if options.json:
        text = json.dumps({"bench": options.what, "workers": options.workers,
                           "cores": len(cores), "size": SIZE, "rows": table},
                          indent=1)
        if options.json == "-":
            print(text)
        else:
            pathlib.Path(options.json).write_text(text + "\n")


main()
