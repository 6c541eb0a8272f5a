# SPDX-License-Identifier: Apache-2.0
"""What the tests with the official Python SDKs stand on: a server, a proxy that
can be a bad line, an application's event handler, and a list that is waited for.
"""
import asyncio
import http.server
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
DAEMON = os.environ.get("WEBPUBSUBD", str(TOP / "build/webpubsubd"))
PLUGINS = os.environ.get("WEBPUBSUBD_PLUGIN_DIR",
                         str(pathlib.Path(DAEMON).parent / ".libs"))
KEY = "primary-key-of-the-tests-0123456789-abcdefgh"
ROLES = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"]
# Only for what never comes: long, because the machine may stand still.
PATIENCE = 60.0


class Daemon:
    """The server under test, on a free port. `more` is configuration."""

    def __init__(self, handler=None, json_plugin=None, **more):
        hubs = {"*": {"anonymous": "deny"}}
        if handler:
            hubs["events"] = {
                "anonymous": "deny",
                "event_handlers": [{
                    "url": handler.url,
                    "user_events": "*",
                    "system_events": ["connect", "connected", "disconnected"],
                }],
            }
        configuration = {
            "listen": [{"address": "127.0.0.1:0"}],
            "access_keys": [KEY],
            "workers": 2,
            "plugins": {
                "subprotocol-simple": {},
                "subprotocol-json": json_plugin or {},
                "auth-jwt": {},
                "http-rest": {},
                "upstream-webhook": {},
            },
            "hubs": hubs,
            "shutdown": {"timeout": "10s", "spread": "0s"},
            "log": {"level": "info"},
            **more,
        }
        self.folder = tempfile.TemporaryDirectory(prefix="webpubsubd-python-")
        folder = pathlib.Path(self.folder.name)
        file = folder / "webpubsubd.yaml"
        file.touch(mode=0o600)
        file.write_text(json.dumps(configuration), encoding="utf-8")
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [DAEMON, "-c", str(file)],
                stdout=subprocess.PIPE, stderr=log,
                env={**os.environ, "WEBPUBSUBD_PLUGIN_DIR": PLUGINS})
        ready = self.process.stdout.readline().decode()
        if not ready.startswith("ready "):
            self.process.kill()
            self.process.wait()
            raise RuntimeError("the server did not start: " + self.text())
        self.port = int(ready.split("http://127.0.0.1:")[1].split(";")[0]
                        .split()[0])

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def connection_string(self, port=None):
        return (f"Endpoint=http://127.0.0.1:{port or self.port};"
                f"AccessKey={KEY};Version=1.0;")

    def stop(self):
        """SIGTERM; it has to end well, and has nothing to complain of."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        text = self.text()
        self.folder.cleanup()
        if code != 0 or "ERROR: " in text or "runtime error:" in text:
            raise RuntimeError(f"the server ended with {code}: {text[-3000:]}")


class Proxy:
    """TCP from a port of its own to the server's. While `down`, whoever comes
    is sent away, and `refused` has one more."""

    def __init__(self, target, name="127.0.0.1"):
        self.target = target
        self.down = False
        self.refused = Log()
        self.lock = threading.Lock()
        self.lines = set()
        self.listener = socket.create_server((name, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.down:
                self._refuse(near)
                self.refused.add(None)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                self._refuse(near)
                continue
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.lines.add((near, far))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair,
                                 daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def _refuse(one):
        """By a reset, which takes as long as on a network: the blocking client
        does not see one that comes at once (doc/compatibility.md, SDKs)."""
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                       struct.pack("ii", 1, 0))
        timer = threading.Timer(0.05, one.close)
        timer.daemon = True
        timer.start()

    def cut(self):
        """End every line on both sides, without a WebSocket close."""
        with self.lock:
            lines, self.lines = self.lines, set()
        for line in lines:
            for one in line:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def stop(self):
        self.listener.close()
        self.cut()


class Handler:
    """An event handler as the official samples for Python have it: no library,
    a function that looks at the ce- headers. HTTP/1.0, as Flask's own server.
    `answer` is asked with (event, headers, body) and gives (status, content
    type, body, more headers)."""

    def __init__(self):
        self.requests = []
        self.answer = lambda event, headers, body: (204, None, b"", {})
        outer = self

        class Request(http.server.BaseHTTPRequestHandler):
            def do_OPTIONS(self):
                if not self.headers["WebHook-Request-Origin"]:
                    self.send_error(400)
                    return
                self.send_response(200)
                self.send_header("WebHook-Allowed-Origin", "*")
                self.end_headers()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.headers, body))
                status, kind, data, more = outer.answer(
                    self.headers["ce-type"].removeprefix("azure.webpubsub."),
                    self.headers, body)
                self.send_response(status)
                if kind:
                    self.send_header("Content-Type", kind)
                for name, value in more.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server.server_port}/eventhandler"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Log:
    """A list that threads and tasks add to, and that a test waits for."""

    def __init__(self):
        self.items = []
        self.loop = asyncio.get_running_loop()
        self.waiting = []

    def add(self, item):
        try:
            self.loop.call_soon_threadsafe(self._add, item)
        except RuntimeError:
            pass  # the test is over

    def _add(self, item):
        self.items.append(item)
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, key):
        return self.items[key]

    async def until(self, ready, what):
        async def wait():
            while not ready():
                one = self.loop.create_future()
                self.waiting.append(one)
                await one
        try:
            await asyncio.wait_for(wait(), PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError(f"{what}: have {self.items!r}") from None

    async def reach(self, count):
        await self.until(lambda: len(self.items) >= count, f"{count} items")
        return self.items


class Case(unittest.IsolatedAsyncioTestCase):
    """One server for the tests of a class; `handler` where HANDLER is set."""

    HANDLER = False
    maxDiff = None
    names = 0

    @classmethod
    def setUpClass(cls):
        cls.handler = Handler() if cls.HANDLER else None
        cls.daemon = Daemon(handler=cls.handler)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()
        if cls.handler:
            cls.handler.stop()

    async def asyncSetUp(self):
        # unittest turns it on; on a busy machine it costs minutes.
        asyncio.get_running_loop().set_debug(False)
        self.opened = []

    async def asyncTearDown(self):
        # Before proxies and servers of the test stop, which clients would not
        # give up. At once: the reliable one for asyncio takes a second.
        await asyncio.gather(*(client.close() for client in self.opened))

    def fresh(self, word="g"):
        """A name that no other test uses."""
        Case.names += 1
        return f"{word}{Case.names}"

    def proxy(self, target=None):
        made = Proxy(target or self.daemon.port)
        self.addCleanup(made.stop)
        return made
