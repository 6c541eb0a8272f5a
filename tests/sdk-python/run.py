# SPDX-License-Identifier: Apache-2.0
"""Run the tests: run.py [PATTERN...]; each in its words, then a summary that
tests/count.py reads. What the SDKs log is kept for a test that fails."""
import faulthandler
import io
import logging
import os
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.passed = 0
        self.log = logging.StreamHandler(io.StringIO())
        self.log.setFormatter(logging.Formatter(
            "%(relativeCreated)d %(name)s: %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[self.log])
        logging.getLogger("azure.messaging").setLevel(logging.DEBUG)
        logging.getLogger("azure.core").setLevel(logging.WARNING)

    def startTest(self, test):
        super().startTest(test)
        self.log.setStream(io.StringIO())
        # What hangs for so long does so for ever.
        faulthandler.dump_traceback_later(300, exit=True)
        self.began = time.monotonic()

    def say(self, test, verdict):
        took = time.monotonic() - getattr(self, "began", time.monotonic())
        print(f"{verdict:5} {took:6.2f} s  {test.id()}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.say(test, "ok")

    def show(self, test):
        self.say(test, "FAIL")
        print((self.errors + self.failures)[-1][1])
        log = self.log.stream.getvalue()
        print("\n".join(line for line in log[-20000:].splitlines()
                        if "access_token" not in line), flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        self.show(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.show(test)


def chosen(suite, patterns):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, patterns)
        elif not patterns or any(p in test.id() for p in patterns):
            yield test


def main():
    # What the SDK for asyncio leaves open is found when the loop is closed.
    sys.unraisablehook = lambda _: None
    found = unittest.defaultTestLoader.discover(str(HERE), "test_*.py")
    suite = unittest.TestSuite(chosen(found, sys.argv[1:]))
    if suite.countTestCases() == 0:
        print("tests/sdk-python: no test matches", file=sys.stderr)
        return 2
    result = Result()
    suite.run(result)
    failed = len(result.errors) + len(result.failures)
    print(f"sdk-python: {result.passed} passed, {failed} failed")
    return 1 if failed or not result.passed else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Threads of the blocking client may still be at it.
    os._exit(status)
