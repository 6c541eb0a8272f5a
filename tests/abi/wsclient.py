# SPDX-License-Identifier: Apache-2.0
"""A server under test and a WebSocket client, by RFC 6455 written down once more,
because a test of the ABI should not lean on a WebSocket library."""
import os
import re
import socket
import struct
import subprocess

DEADLINE = 60 * int(os.environ.get("SDK_SLOW", "1"))


class Closed(Exception):
    pass


class Server:
    """Runs within its `with` block; `port` is where it listens."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        text=True, **options)
        self.port = None
        for line in self.process.stdout:
            ready = re.match(r"ready .*?:(\d+)", line)
            if ready:
                self.port = int(ready.group(1))
                break

    def __enter__(self):
        if self.port is None:
            self.process.wait(DEADLINE)
            raise AssertionError("the server did not start")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Client:
    """Offers one subprotocol; `status` is the answer to its handshake."""

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
                raise Closed("the server closed the socket")
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
