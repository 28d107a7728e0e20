# SPDX-License-Identifier: Apache-2.0
"""Celery with a worker process and kombu by itself (Debian's python3-celery) against the broker."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import unittest
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE / "clients")]
from amqp_case import until
from broker import scaled
from case import BrokerCase

os.environ["SLUICE_TEST_ID"] = f"celery-{uuid.uuid4().hex[:8]}"


class Celery(BrokerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.url = f"pyamqp://guest:guest@127.0.0.1:{cls.amqp_port}//"
        os.environ["SLUICE_AMQP_URL"] = cls.url
        import celery_app
        cls.tasks = celery_app
        cls.log = open(f"/tmp/{os.environ['SLUICE_TEST_ID']}.log", "w+")
        cls.worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--pool=threads", "--concurrency=4",
             "--loglevel=INFO"], cwd=HERE / "clients", stdout=cls.log, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        try:
            until("the worker is ready", lambda: cls.worker.poll() is not None or " ready." in cls.worker_log(), 30)
            assert cls.worker.poll() is None, cls.worker_log()
        except AssertionError:
            print(cls.worker_log()[-4000:])
            cls.tearDownClass()
            raise

    @classmethod
    def worker_log(cls):
        return pathlib.Path(cls.log.name).read_text()

    @classmethod
    def tearDownClass(cls):
        if cls.worker.poll() is None:
            cls.worker.send_signal(signal.SIGTERM)
            try:
                cls.worker.wait(scaled(15))
            except subprocess.TimeoutExpired:
                cls.worker.kill()
                cls.worker.wait()
        cls.log.close()
        os.unlink(cls.log.name)
        cls.tasks.app.close()
        super().tearDownClass()

    def test_tasks_and_their_results(self):
        results = [self.tasks.add.delay(number, 1) for number in range(50)]
        self.assertEqual([result.get(timeout=scaled(20)) for result in results], list(range(1, 51)))

    def test_a_route_to_a_queue_of_its_own(self):
        self.assertEqual(self.tasks.urgent.apply_async(["hurry"], priority=9).get(timeout=scaled(20)), "HURRY")

    def test_retries(self):
        self.assertEqual(self.tasks.flaky.delay().get(timeout=scaled(20)), 2)

    def test_failures(self):
        with self.assertRaisesRegex(ValueError, "on purpose"):
            self.tasks.fails.delay().get(timeout=scaled(20))

    def test_a_countdown(self):
        self.assertEqual(self.tasks.add.apply_async((2, 3), countdown=0.5).get(timeout=scaled(20)), 5)

    def test_groups_and_chains(self):
        from celery import chain, group
        self.assertEqual(chain(self.tasks.add.s(1, 2), self.tasks.add.s(10)).apply_async().get(timeout=scaled(20)), 13)
        self.assertEqual(group(self.tasks.add.s(n, n) for n in range(5)).apply_async().get(timeout=scaled(20)),
                         [0, 2, 4, 6, 8])

    def test_the_worker_answers_to_control(self):
        answers = until("a pong comes", lambda: self.tasks.app.control.ping(timeout=scaled(2)))
        self.assertEqual([list(answer.values())[0] for answer in answers], [{"ok": "pong"}])


class Kombu(BrokerCase):
    def connection(self):
        from kombu import Connection
        connection = Connection(f"pyamqp://guest:guest@127.0.0.1:{self.amqp_port}//",
                                transport_options={"confirm_publish": True})
        self.addCleanup(connection.release)
        return connection

    def test_simple_queues(self):
        name, connection = f"kombu-{uuid.uuid4().hex}", self.connection()
        with connection.SimpleQueue(name) as queue:
            for number in range(10):
                queue.put({"n": number}, serializer="json", compression="zlib")
            for number in range(10):
                message = queue.get(timeout=scaled(10))
                self.assertEqual(message.payload, {"n": number})
                message.ack()
            with self.assertRaises(queue.Empty):
                queue.get_nowait()
        connection.default_channel.queue_delete(name)

    def test_producers_consumers_and_entities(self):
        from kombu import Exchange, Queue
        connection = self.connection()
        exchange = Exchange(f"kombu-{uuid.uuid4().hex}", "topic", auto_delete=True)
        queue = Queue("", exchange, routing_key="a.#", exclusive=True, expires=60, message_ttl=30, max_length=100)
        got = []
        with connection.Consumer(queue, callbacks=[lambda body, message: (got.append(body), message.ack())],
                                 prefetch_count=5):
            producer = connection.Producer()
            for number in range(20):
                producer.publish({"n": number}, exchange=exchange, routing_key="a.b", delivery_mode=2,
                                 headers={"number": number}, priority=3, retry=True)
            until("all came", lambda: self.drain(connection) or len(got) == 20)
        self.assertEqual(got, [{"n": number} for number in range(20)])

    @staticmethod
    def drain(connection):
        try:
            connection.drain_events(timeout=0.05)
        except socket.timeout:
            pass

    def test_heartbeats(self):
        from kombu import Connection
        with Connection(f"pyamqp://guest:guest@127.0.0.1:{self.amqp_port}//", heartbeat=1) as connection:
            connection.connect()
            for _ in range(5):
                connection.heartbeat_check(rate=2)
                self.drain(connection)
            self.assertTrue(connection.connected)


if __name__ == "__main__":
    unittest.main()
