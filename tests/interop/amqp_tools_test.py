# SPDX-License-Identifier: Apache-2.0
"""The command line tools of librabbitmq (Debian's amqp-tools) against the broker."""
import pathlib
import subprocess
import sys
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from broker import scaled
from case import BrokerCase


class AmqpTools(BrokerCase):
    def run_tool(self, tool, *words, text=None, code=0):
        url = f"amqp://guest:guest@127.0.0.1:{self.amqp_port}"
        done = subprocess.run([f"amqp-{tool}", "-u", url, *words], input=text, capture_output=True, text=True,
                              timeout=scaled(20))
        self.assertEqual(done.returncode, code, f"amqp-{tool} {words}: {done.stdout}{done.stderr}")
        return done.stdout if code == 0 else done.stderr

    def setUp(self):
        self.queue = f"tools-{uuid.uuid4().hex[:8]}"
        self.addCleanup(self.run_tool, "delete-queue", "-q", self.queue)
        self.run_tool("declare-queue", "-d", "-q", self.queue)

    def test_publish_and_get(self):
        self.run_tool("publish", "-r", self.queue, "-p", "-b", "hello from the shell")
        self.assertEqual(self.run_tool("get", "-q", self.queue), "hello from the shell")
        self.run_tool("get", "-q", self.queue, code=2)

    def test_a_line_a_message(self):
        self.run_tool("publish", "-r", self.queue, "-l", text="one\ntwo\nthree\n")
        self.assertEqual(self.run_tool("consume", "-q", self.queue, "-c", "3", "cat"), "one\ntwo\nthree\n")

    def test_consume_with_acks_and_prefetch(self):
        for number in range(10):
            self.run_tool("publish", "-r", self.queue, "-b", f"{number} ")
        self.assertEqual(self.run_tool("consume", "-q", self.queue, "-p", "2", "-c", "10", "cat"),
                         "".join(f"{number} " for number in range(10)))
        self.run_tool("get", "-q", self.queue, code=2)

    def test_exchanges_routing_keys_and_properties(self):
        self.run_tool("publish", "-e", "amq.direct", "-r", "nowhere", "-b", "dropped", "-t", "reply", "-C", "text/plain")
        consumer = subprocess.Popen(
            ["amqp-consume", "-u", f"amqp://guest:guest@127.0.0.1:{self.amqp_port}", "-e", "amq.topic", "-r", "logs.#", "-A",
             "-c", "1", "cat"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (consumer.kill(), consumer.wait()) if consumer.poll() is None else None)
        name = consumer.stderr.readline()  # "Server provided queue name: ..."
        self.assertIn("amq.gen-", name)
        # The name is printed before the binding is made, so one message may be too early.
        for _ in range(200):
            self.run_tool("publish", "-e", "amq.topic", "-r", "logs.kern.info", "-b", "m")
            if consumer.poll() is not None:
                break
        out, errors = consumer.communicate(timeout=scaled(10))
        self.assertEqual((out, consumer.returncode), ("m", 0), errors)

    def test_errors_are_told(self):
        self.assertIn("no queue 'missing'", self.run_tool("get", "-q", "missing", code=1))
        self.assertIn("no exchange 'missing'", self.run_tool("consume", "-e", "missing", "-r", "k", "cat", code=1))


if __name__ == "__main__":
    unittest.main()
