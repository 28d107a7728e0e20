# SPDX-License-Identifier: Apache-2.0
"""tools/run as a person uses it: it serves until Ctrl-C, tells its clients goodbye, ends with code 0, and what was
confirmed is there when it is started again."""
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from broker import SERVING, TOP, Broker, scaled, until
from stream_wire import CLOSE, OK, Connection, Reader


class ToolsRun(unittest.TestCase):
    def setUp(self):
        # Lends its free ports, its configuration and its directories; its own process is never started.
        self.lender = Broker()
        self.addCleanup(self.lender.remove)
        self.output = self.lender.own_dir / "run.out"

    def start(self):
        environment = {**os.environ, "SLUICE_CONFIG": str(self.lender.write_config()),
                       "SLUICE_DATA_DIR": str(self.lender.data_dir)}
        with open(self.output, "wb") as output:
            # A session of its own: Ctrl-C reaches the whole foreground group of a terminal, and this test is not in it.
            process = subprocess.Popen([TOP / "tools/run"], env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=output, start_new_session=True)
        self.addCleanup(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGKILL))

        def serves():
            self.assertIsNone(process.poll(), self.text())
            return SERVING.search(self.text())
        until("tools/run serves", serves, 120)
        return process

    def text(self):
        return self.output.read_text(errors="replace")

    def ctrl_c(self, process):
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(scaled(20)), 0, self.text())
        self.assertIn("stopped", self.text())

    def test_ctrl_c_says_goodbye_ends_with_0_and_keeps_what_was_confirmed(self):
        process = self.start()
        with Connection(self.lender.port) as idle, Connection(self.lender.port) as busy:
            self.assertEqual(busy.create("kept"), OK)
            busy.publish_and_wait("kept", [b"a", b"b", b"c"])
            os.killpg(process.pid, signal.SIGINT)
            for connection in (idle, busy):
                close = Reader(connection.next(CLOSE).body)
                correlation, code, reason = close.u32(), close.u16(), close.string()
                self.assertEqual(code, OK)
                self.assertIn("shutting down", reason)
                connection.send(CLOSE | 0x8000, correlation.to_bytes(4, "big") + OK.to_bytes(2, "big"))
                self.assertTrue(connection.closed_within(5))
        self.assertEqual(process.wait(scaled(20)), 0, self.text())
        again = self.start()
        with Connection(self.lender.port) as connection:
            self.assertEqual(connection.subscribe(1, "kept"), OK)
            self.assertEqual([message for _, message in connection.read(1, 3)], [b"a", b"b", b"c"])
        self.ctrl_c(again)

    def test_ctrl_c_ends_with_a_client_that_does_not_read(self):
        process = self.start()
        with Connection(self.lender.port) as connection:
            self.assertEqual(connection.create("large"), OK)
            for _ in range(40):
                connection.publish_and_wait("large", [b"x" * 100_000] * 10)
            self.assertEqual(connection.subscribe(1, "large", credit=1000), OK)
            began = time.monotonic()
            self.ctrl_c(process)
            self.assertLess(time.monotonic() - began, scaled(10))


if __name__ == "__main__":
    unittest.main()
