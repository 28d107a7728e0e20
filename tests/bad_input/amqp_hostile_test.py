# SPDX-License-Identifier: Apache-2.0
"""AMQP clients that follow the protocol and are a burden all the same: they never settle, never read, never stop
publishing, come and go without end. Memory stays bounded and a client beside them notices nothing."""
import pathlib
import socket
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from amqp_frames_test import HostileCase
from amqp_wire import METHOD, PROTOCOL_HEADER, Closed, Connection, encode_frame, encode_method
from broker import scaled, until


class Burdens(HostileCase):
    def memory_grew(self):
        return self.broker.rss_bytes() - self.memory if self.broker else 0

    def test_a_consumer_that_never_settles(self):
        connection = self.raw()
        queue = connection.call(1, "queue.declare", queue=f"unsettled-{time.time()}", durable=True).queue
        count = 100000
        batch = connection.publish_bytes(1, "", queue, b"x" * 20) * 1000
        reader = self.raw()
        reader.call(1, "basic.consume", queue=queue)
        got = 0
        for _ in range(count // 1000):
            connection.send_raw(batch)
            for _ in range(1000):
                assert reader.next("basic.deliver", timeout=30).delivery_tag == got + 1
                got += 1
        reader.close()
        # Closing gives all of it back.
        until("all are ready again", lambda: connection.call(1, "queue.declare", queue=queue,
                                                             passive=True).message_count >= count, 30)
        self.assertEqual(connection.call(1, "queue.purge", queue=queue).message_count, count)
        connection.call(1, "queue.delete", queue=queue)

    def test_a_consumer_that_never_reads(self):
        publisher = self.raw()
        queue = publisher.call(1, "queue.declare", exclusive=False, queue=f"unread-{time.time()}", durable=True).queue
        self.addCleanup(lambda: publisher.call(1, "queue.delete", queue=queue))
        stuck = [self.raw() for _ in range(5)]
        for connection in stuck:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.send(1, "basic.consume", queue=queue, no_ack=False)
        batch = publisher.publish_bytes(1, "", queue, b"x" * 10000, {"delivery_mode": 2}) * 100
        for _ in range(200):  # 200 MB, on disk and not in the process
            publisher.send_raw(batch)
        publisher.call(1, "basic.qos", timeout=60)

    def test_a_publish_storm_to_a_full_queue(self):
        connection = self.raw()
        queue = connection.call(1, "queue.declare", exclusive=True, arguments={
            "x-max-length": 100, "x-overflow": "reject-publish"}).queue
        connection.call(1, "confirm.select")
        count = 30000
        batch = connection.publish_bytes(1, "", queue, b"x" * 1000) * 1000
        answered, rejected = 0, 0
        for _ in range(count // 1000):
            connection.send_raw(batch)
            target = answered + 1000
            while answered < target:
                method = connection.next("basic.ack", "basic.nack", timeout=30)
                number = method.delivery_tag - answered if method.multiple else 1
                answered += number
                rejected += number if method.name == "basic.nack" else 0
        self.assertEqual(connection.call(1, "queue.declare", queue=queue, passive=True).message_count, 100)
        self.assertEqual(rejected, count - 100)

    def test_a_publisher_that_never_reads_its_confirms(self):
        connection = self.raw()
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.call(1, "confirm.select")
        batch = connection.publish_bytes(1, "", "nobody", b"") * 2000
        connection.socket.settimeout(scaled(2))
        try:
            for _ in range(500):
                connection.socket.sendall(batch)
        except OSError:
            pass  # it was stopped, as it should be

    def test_connections_that_come_and_go(self):
        for number in range(300):
            connection = Connection(self.amqp_port)
            connection.open_channel()
            connection.call(1, "queue.declare", exclusive=True)
            if number % 3 == 0:
                connection.call(0, "connection.close", reply_code=200)
            elif number % 3 == 1:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    def test_half_open_connections(self):
        sockets = []
        for number in range(200):
            client = socket.create_connection(("127.0.0.1", self.amqp_port))
            client.sendall(PROTOCOL_HEADER[:number % 9])
            sockets.append(client)
        with Connection(self.amqp_port) as connection:
            connection.open_channel()
        for client in sockets:
            client.close()

    def test_a_handshake_that_never_goes_on_is_cut(self):
        with socket.create_connection(("127.0.0.1", self.amqp_port)) as client:
            client.sendall(PROTOCOL_HEADER)
            client.settimeout(scaled(25))
            start = time.monotonic()
            try:
                while client.recv(4096):
                    pass
            except ConnectionResetError:
                pass
            self.assertGreater(time.monotonic() - start, 3)

    def test_as_many_channels_as_there_may_be(self):
        connection = self.raw(open_channel=False)
        connection.send_raw(b"".join(encode_frame(METHOD, number, encode_method("channel.open"))
                                     for number in range(1, 2048)))
        for _ in range(2047):
            connection.next("channel.open-ok", timeout=30)
        connection.send(2048, "channel.open")
        self.assertEqual(connection.closed_with()[:2], ("connection", 530))

    def test_queues_that_come_and_go_under_consumers(self):
        stop, errors = threading.Event(), []

        def consume():
            try:
                with Connection(self.amqp_port) as connection:
                    connection.open_channel()
                    while not stop.is_set():
                        connection.send(1, "basic.consume", queue="flicker", no_ack=True)
                        while not stop.is_set():
                            method = connection.read(timeout=5)
                            if method.name == "channel.close":
                                connection.send(1, "channel.close-ok")
                                connection.open_channel()
                                break
            except (Closed, TimeoutError):
                pass
            except BaseException as error:  # noqa: BLE001
                errors.append(error)
        threads = [threading.Thread(target=consume, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        connection = self.raw()
        for _ in range(300):
            connection.call(1, "queue.declare", queue="flicker", durable=True)
            connection.send_raw(connection.publish_bytes(1, "", "flicker", b"m") * 10)
            connection.call(1, "queue.delete", queue="flicker")
        stop.set()
        for thread in threads:
            thread.join(scaled(10))
        self.assertEqual(errors, [])

    def test_bindings_without_end(self):
        connection = self.raw()
        queue = connection.call(1, "queue.declare", exclusive=True).queue
        connection.call(1, "exchange.declare", exchange="many", type="topic", auto_delete=True)
        for start in range(0, 3000, 500):
            connection.send_raw(b"".join(
                encode_frame(METHOD, 1, encode_method("queue.bind", queue=queue, exchange="many",
                                                      routing_key=f"a.{number}.#.{number % 7}.*"))
                for number in range(start, start + 500)))
            for _ in range(500):
                connection.next("queue.bind-ok", timeout=30)
        start = time.monotonic()
        connection.publish(1, "many", "a." + ".".join(["b"] * 60), b"m")
        connection.call(1, "basic.qos", timeout=30)
        self.assertLess(time.monotonic() - start, scaled(5))


del HostileCase  # its own tests run in the other file
if __name__ == "__main__":
    unittest.main()
