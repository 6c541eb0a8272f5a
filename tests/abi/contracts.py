#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start a debug build with tests/abi/violate.c once for each rule (the arguments
are its command line), have the rule broken, and expect SIGABRT and the text."""
import signal
import subprocess
import sys

import wsclient

RULES = [
    # query, message, what the server says before it aborts
    ("", "thread", "conn->send_bytes on a thread that is not the client's"),
    ("", "member", "hub->member_group after left()"),
    ("", "unref", "message->unref: a reference too few"),
    ("", "key", "undeclared"),
    ("twice", None, "finished twice"),
]


def broken(query, message, text):
    with wsclient.Server(sys.argv[1:], stderr=subprocess.PIPE) as server:
        client = wsclient.Client(server.port, query)
        try:
            if message is not None:
                client.send(message)
                client.receive()
        except (wsclient.Closed, ConnectionError):
            pass
        _, said = server.process.communicate(timeout=wsclient.DEADLINE)
        code = server.process.returncode
    assert code == -signal.SIGABRT, f"{text}: exit {code}\n{said}"
    assert text in said, f"{text!r} is not in:\n{said}"


for rule in RULES:
    broken(*rule)
print(f"{len(RULES)} passed, 0 failed")
