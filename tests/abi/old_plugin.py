#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start a server (the arguments are its command line) and talk to the plugin of
tests/abi/fixtures/1.0/old.c."""
import signal
import sys
import urllib.error
import urllib.request

from wsclient import DEADLINE, Client, Server

checks = 0


def check(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise AssertionError(f"{what}: {got!r} instead of {wanted!r}")


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}",
                                    timeout=DEADLINE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, None


def scenario(port):
    check("a wrong key", Client(port, "key=simsalabim&user=eve").status, 401)
    check("no key", Client(port, "user=eve").status, 401)

    ada = Client(port, "key=sesame&user=ada")
    bob = Client(port, "key=sesame&user=bob")
    check("ada's handshake", ada.status, 101)
    check("bob's handshake", bob.status, 101)
    check("greeting", ada.receive(), "hello ada by old.v1")
    check("greeting", bob.receive(), "hello bob by old.v1")
    for client in (ada, bob):
        client.send("join")
        check("join", client.receive(), "joined 0 tag 7 member")

    ada.send("say hi")
    check("bob hears", bob.receive(), "#1>say hi")
    check("ada hears, then learns that it is published",
          sorted([ada.receive(), ada.receive()]),
          ["#1>say hi", "published 0 tag 8"])
    bob.send("ack")
    bob.send("count")
    check("how many are in the hub", bob.receive(), "count 0 clients 2")
    bob.send("shout loud")
    check("the upstream's answer", bob.receive(), "#2>SHOUT LOUD")
    bob.send("tick")
    check("a timer", bob.receive(), "tick")
    bob.send("leave")
    check("leave", bob.receive(), "left")
    ada.send("say alone")
    check("ada hears herself",
          sorted([ada.receive(), ada.receive()]),
          ["#2>say alone", "published 0 tag 8"])
    bob.send("bye")
    check("close by the plugin", bob.receive(), ("close", 4001))

    ada.send("x" * 100)
    check("last words", ada.receive(), "EPROTO")
    check("an error of a callback", ada.receive(), ("close", 1002))

    check("a route", get(port, "/old/hut%20ab"), (200, "hut ab"))
    check("no such route", get(port, "/old/a/b")[0], 404)


with Server(sys.argv[1:]) as server:
    scenario(server.port)
    server.process.send_signal(signal.SIGTERM)
    check("exit code", server.process.wait(DEADLINE), 0)
print(f"{checks} passed, 0 failed")
