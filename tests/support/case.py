# SPDX-License-Identifier: Apache-2.0
"""The base of Python tests that need one broker for a whole test class.

SLUICE_PEER_PORT=5552 runs the same tests against a broker that is already there, for comparing with the reference; its
AMQP listener is the port after it.
Streams get a fresh name for every test, so tests of one class do not meet.
"""
import os
import unittest
import uuid

from broker import Broker
from stream_wire import OK, Connection


class BrokerCase(unittest.TestCase):
    options = {}

    @classmethod
    def setUpClass(cls):
        peer = os.environ.get("SLUICE_PEER_PORT")
        cls.broker = None if peer else Broker(options=cls.options).start()
        cls.port = int(peer) if peer else cls.broker.port
        cls.amqp_port = int(peer) + 1 if peer else cls.broker.amqp_port

    @classmethod
    def tearDownClass(cls):
        if cls.broker is not None:
            running = cls.broker.is_running()
            try:
                code = cls.broker.stop() if running else None
                log = cls.broker.log_text()[-8000:]
            finally:
                cls.broker.kill()
                cls.broker.remove()
            assert running, f"the broker ended during the tests:\n{log}"
            assert code == 0, f"the broker ended with code {code}:\n{log}"

    def only_sluice(self, reason="newer than the peer"):
        """Skips the rest of a test when it runs against the older broker used for comparison."""
        if self.broker is None:
            self.skipTest(reason)

    def connect(self, **arguments):
        connection = Connection(self.port, **arguments)
        self.addCleanup(connection.close)
        return connection

    def name(self):
        return f"{self._testMethodName}-{uuid.uuid4().hex[:8]}"

    def new_stream(self, connection, **arguments):
        stream = self.name()
        self.assertEqual(connection.create(stream, **arguments), OK)
        return stream
