#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start a server (the arguments are its command line) and talk to the plugin of
tests/abi/fixtures/1.0/old.c, by RFC 6455 written down once more, because a test
of the ABI should not lean on a WebSocket library."""
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request

DEADLINE = 20 * int(os.environ.get("SDK_SLOW", "1"))
checks = 0


def check(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise AssertionError(f"{what}: {got!r} instead of {wanted!r}")


class Client:
    """One WebSocket client; reads text messages, raises on anything odd."""

    def __init__(self, port, query, protocol="old.v1"):
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.socket.sendall((
            f"GET /client/hubs/chat?{query} HTTP/1.1\r\nHost: localhost\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                break
            head += byte
        self.status = int(head.split()[1]) if head else 0

    def _read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise AssertionError("the server closed the socket")
            data += piece
        return data

    def send(self, text):
        data = text.encode()
        assert len(data) < 126
        # A mask of zeros is a mask.
        self.socket.sendall(bytes((0x81, 0x80 | len(data))) + bytes(4) + data)

    def receive(self):
        """The next text message; ("close", code) for a close frame."""
        while True:
            first, second = self._read(2)
            size = second & 0x7f
            if size == 126:
                size, = struct.unpack(">H", self._read(2))
            data = self._read(size)
            if first == 0x81:
                return data.decode()
            if first == 0x88:
                return "close", struct.unpack(">H", data[:2])[0]
            assert first == 0x89, hex(first)


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


def main():
    server = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
    port = None
    try:
        for line in server.stdout:
            ready = re.match(r"ready .*?:(\d+)", line)
            if ready:
                port = int(ready.group(1))
                break
        if port is None:
            raise AssertionError("the server did not start")
        scenario(port)
        server.send_signal(signal.SIGTERM)
        check("exit code", server.wait(DEADLINE), 0)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    print(f"{checks} passed, 0 failed")


main()
