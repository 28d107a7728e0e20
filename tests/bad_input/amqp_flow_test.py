# SPDX-License-Identifier: Apache-2.0
"""Publishers that are faster than what takes their messages: nobody consumes, a consumer is slow, a consumer with an
unlimited prefetch does not read its socket. The process must not grow with what waits: its memory is looked at all
the while. SLUICE_FLOW_MESSAGES=3000000 makes it a long run that prints what it saw."""
import contextlib
import os
import pathlib
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_wire import Connection
from broker import scaled, until
from case import BrokerCase

MESSAGES = int(os.environ.get("SLUICE_FLOW_MESSAGES", "200000"))
BODY_BYTES = 1000
GROWTH_MAX = 120e6  # of which journals, outboxes, windows and mail between shards make up most


class Watch(threading.Thread):
    """The most memory the broker had while it ran."""

    def __init__(self, broker):
        super().__init__(daemon=True)
        self.broker, self.leave, self.before = broker, threading.Event(), broker.rss_bytes()
        self.most = self.before
        self.start()

    def run(self):
        while not self.leave.wait(0.02):
            self.most = max(self.most, self.broker.rss_bytes())

    def grew(self):
        self.leave.set()
        self.join()
        return max(self.most, self.broker.rss_bytes()) - self.before


class Flow(BrokerCase):
    def setUp(self):
        self.watch = Watch(self.broker)

    def tearDown(self):
        grew = self.watch.grew()
        if "SLUICE_FLOW_MESSAGES" in os.environ:
            print(f"{self.id().split('.')[-1]}: {MESSAGES} messages of {BODY_BYTES} bytes, "
                  f"{self.watch.before / 1e6:.0f} MB before, at most {grew / 1e6:.0f} MB more")
        self.assertTrue(self.broker.is_running(), self.broker.log_text()[-4000:])
        self.assertLess(grew, GROWTH_MAX)

    def raw(self):
        connection = Connection(self.amqp_port)
        self.addCleanup(connection.close)
        connection.open_channel()
        return connection

    def declare(self, connection, kind="classic"):
        queue = self.name()
        connection.call(1, "queue.declare", queue=queue, durable=True, arguments={"x-queue-type": kind})
        self.addCleanup(connection.call, 1, "queue.delete", queue=queue, timeout=scaled(30))
        return queue

    @staticmethod
    def ready(connection, queues):
        return sum(connection.call(1, "queue.declare", queue=queue, passive=True).message_count for queue in queues)

    def pour(self, queues, count, delivery_mode):
        """Publishes count messages from two connections, as fast as the broker takes them."""
        def run(connection):
            batch = b"".join(connection.publish_bytes(1, "", queue, b"x" * BODY_BYTES, {"delivery_mode": delivery_mode})
                             for queue in queues for _ in range(100))
            for _ in range(count // (200 * len(queues))):
                connection.send_raw(batch)
            connection.call(1, "basic.qos", timeout=scaled(120))  # all of it has been read
            for queue in queues:  # a question to a queue's shard goes behind the messages that are on their way there
                connection.call(1, "queue.declare", queue=queue, passive=True, timeout=scaled(120))
        connections = [self.raw(), self.raw()]
        for connection in connections:
            connection.socket.settimeout(scaled(120))
        with self.at_once(run, connections, "publishing does not come to an end", 300):
            pass

    @contextlib.contextmanager
    def at_once(self, run, each, trouble, timeout=20):
        """run(one) for each, in threads that have ended a while after the block, or it fails with `trouble`."""
        threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in each]
        for thread in threads:
            thread.start()
        yield
        for thread in threads:
            thread.join(scaled(timeout))
            self.assertFalse(thread.is_alive(), trouble)

    def test_nobody_consumes(self):
        connection = self.raw()
        for kind, mode in (("classic", 1), ("classic", 2), ("quorum", 2)):
            queues = [self.declare(connection, kind) for _ in range(2)]
            self.pour(queues, MESSAGES // 3, mode)
            until("all messages are ready", lambda: self.ready(connection, queues) >= MESSAGES // 3 // 400 * 400, 20)

    def test_a_slow_consumer(self):
        connection = self.raw()
        queues = [self.declare(connection) for _ in range(2)]
        leave, got = threading.Event(), [0]

        def consume(queue):
            reader = self.raw()
            reader.call(1, "basic.qos", prefetch_count=100)
            reader.call(1, "basic.consume", queue=queue)
            while not leave.is_set():
                try:
                    delivery = reader.next("basic.deliver", timeout=1)
                except TimeoutError:
                    continue
                got[0] += 1
                reader.send(1, "basic.ack", delivery_tag=delivery.delivery_tag)
                leave.wait(0.002)
        with self.at_once(consume, queues, "a consumer hangs"):
            self.pour(queues, MESSAGES // 2, 2)
            leave.set()
        self.assertGreater(got[0], 0)

    def test_consumers_that_do_not_read(self):
        connection = self.raw()
        queues = [self.declare(connection), self.declare(connection, "quorum")]
        for queue in queues:
            for no_ack in (False, True):
                stuck = self.raw()
                stuck.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                stuck.send(1, "basic.qos", prefetch_count=65535)
                stuck.send(1, "basic.consume", queue=queue, no_ack=no_ack)
        self.pour(queues, MESSAGES // 2, 2)

    def test_a_consumer_that_settles_nothing(self):
        connection = self.raw()
        queues = [self.declare(connection), self.declare(connection, "quorum")]
        leave = threading.Event()

        def consume(queue):
            reader = self.raw()
            reader.call(1, "basic.consume", queue=queue)  # without a limit
            reader.socket.settimeout(0.5)
            while not leave.is_set():
                try:
                    if not reader.socket.recv(1 << 20):
                        return
                except TimeoutError:
                    continue
        with self.at_once(consume, queues, "a consumer hangs"):
            self.pour(queues, MESSAGES // 2, 1)
            leave.set()


if __name__ == "__main__":
    unittest.main()
