# SPDX-License-Identifier: Apache-2.0
"""The eight tutorial patterns, played by a program in another language: hello, work queue, publish/subscribe, routing,
topics, headers, RPC, confirms; and what more a program offers.

`Tutorials` is mixed into a test case of one client. The program gets a pattern and an AMQP URL as its arguments, checks
what it sees by itself and exits with 0; what it prints is shown when it fails. Every program uses names of its own (the
environment's SLUICE_TEST_ID) and cleans up.
"""
import os
import subprocess
import uuid

from broker import scaled

PATTERNS = ("hello", "work_queue", "publish_subscribe", "routing", "topics", "headers", "rpc", "confirms")


def tutorials(*more):
    """A class with a test for each pattern; the test case says how to start the program with program()."""
    def make(pattern):
        return lambda self: self.play(pattern)
    return type("Tutorials", (), {"play": play, **{f"test_{name}": make(name) for name in (*PATTERNS, *more)}})


def play(self, pattern):
    url = f"amqp://guest:guest@127.0.0.1:{self.amqp_port}/%2F"
    environment = {**os.environ, "SLUICE_TEST_ID": f"{pattern}-{uuid.uuid4().hex[:8]}", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run([*self.program(), pattern, url], capture_output=True, text=True, timeout=scaled(60),
                              env=environment)
    except subprocess.TimeoutExpired as error:
        output = b"".join(filter(None, (error.stdout, error.stderr))).decode(errors="replace")
        raise AssertionError(f"{pattern} does not end:\n{output[-4000:]}") from None
    self.assertEqual(done.returncode, 0, f"{pattern}:\n{(done.stdout + done.stderr)[-4000:]}")
