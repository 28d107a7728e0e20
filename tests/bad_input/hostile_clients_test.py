# SPDX-License-Identifier: Apache-2.0
"""Clients that misbehave: whatever they send or do not do, they get the documented close, memory stays bounded, and a
well-behaved client beside them notices nothing.
"""
import contextlib
import pathlib
import random
import resource
import socket
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from broker import scaled, throughout, until
from case import BrokerCase
from stream_wire import *  # noqa: F403
from stream_wire import Closed, Connection, Reader, array, frame, offset_spec, properties, simple_entry, string

RSS_GROWTH_MAX = 150e6


class Bystander(threading.Thread):
    """A client that publishes and reads all the while; `stop` demands that nothing ever failed or stalled."""

    def __init__(self, port, stream):
        super().__init__(daemon=True)
        self.connection = Connection(port)
        assert self.connection.create(stream) == OK
        assert self.connection.declare(1, stream) == OK
        assert self.connection.subscribe(1, stream, NEXT) == OK
        self.leave = threading.Event()
        self.rounds, self.slowest, self.error = 0, 0.0, None
        self.start()

    def run(self):
        try:
            while not self.leave.is_set():
                start = time.monotonic()
                self.connection.publish(1, [b"%d" % self.rounds], first_id=self.rounds + 1)
                assert self.connection.confirms(1) == [self.rounds + 1]
                assert self.connection.read(1, 1)[0].data == b"%d" % self.rounds
                self.slowest = max(self.slowest, time.monotonic() - start)
                self.rounds += 1
                self.leave.wait(0.002)
        except BaseException as error:  # noqa: BLE001
            self.error = error

    def stop(self, case):
        self.leave.set()
        self.join(scaled(10))
        self.connection.close()
        case.assertIsNone(self.error, f"the bystander failed after {self.rounds} rounds: {self.error!r}")
        case.assertGreater(self.rounds, 0)
        case.assertLess(self.slowest, scaled(5), "the bystander had to wait")


class HostileClients(BrokerCase):
    def setUp(self):
        self.bystander = Bystander(self.port, self.name())
        self.memory = self.broker.rss_bytes()

    def tearDown(self):
        self.bystander.stop(self)
        self.assertTrue(self.broker.is_running(), self.broker.log_text()[-4000:])
        self.assertLess(self.broker.rss_bytes() - self.memory, RSS_GROWTH_MAX)

    def raw(self):
        connection = self.connect(handshake=False)
        return connection

    def drain(self, connection, seconds=5):
        """Reads until the end; returns the close code the broker gave, None when it just closed."""
        code = None
        try:
            while True:
                got = connection.next(CLOSE, timeout=seconds)
                reader = Reader(got.body)
                correlation, code = reader.u32(), reader.u16()
                connection.send(CLOSE | 0x8000, struct.pack(">IH", correlation, OK))
        except (Closed, OSError):
            if isinstance(sys.exc_info()[1], TimeoutError):
                raise
            return code

    def test_random_bytes_before_the_handshake(self):
        generator = random.Random(1)
        for round_ in range(60):
            connection = self.raw()
            with contextlib.suppress(OSError):
                connection.send_raw(generator.randbytes(generator.choice((1, 4, 9, 100, 5000))))
                connection.socket.shutdown(socket.SHUT_WR)
            self.assertIsNone(self.drain(connection), f"round {round_}")

    def test_random_frames_after_open(self):
        generator = random.Random(2)
        for _ in range(60):
            connection = self.connect()
            with contextlib.suppress(OSError):
                for _ in range(20):
                    size = generator.choice((0, 1, 3, 8, 30, 200))
                    key = generator.choice((generator.randrange(1, 32), generator.randrange(65536),
                                            0x8000 | generator.randrange(1, 32)))
                    connection.send(key, generator.randbytes(size), generator.choice((0, 1, 1, 1, 2, 9)))
                connection.socket.shutdown(socket.SHUT_WR)
            self.assertIn(self.drain(connection), (None, UNKNOWN_FRAME))

    def test_every_command_cut_short_everywhere(self):
        stream = self.name()
        with self.connect() as setup:
            self.assertEqual(setup.create(stream), OK)
        number = struct.pack(">I", 1)
        commands = {
            DECLARE_PUBLISHER: number + b"\1" + string("ref") + string(stream),
            PUBLISH: b"\1" + array([struct.pack(">Q", 1) + simple_entry(b"data")]),
            SUBSCRIBE: number + b"\1" + string(stream) + offset_spec((4, 5)) + b"\0\5" + properties({"name": "x"}),
            QUERY_OFFSET: number + string("ref") + string(stream),
            CREATE: number + string(stream) + properties({"max-age": "1h"}),
            METADATA: number + array([string(stream)]),
            CREATE_SUPER_STREAM: number + string("s") + array([string("p")]) + array([string("k")]) + properties({"a": "b"}),
            RESOLVE_OFFSET_SPEC: number + string(stream) + offset_spec((5, 7)),
            CLOSE: number + b"\0\1" + string("bye"),
        }
        for key, whole in commands.items():
            for size in range(0, len(whole), 1 if len(whole) < 40 else 3):
                with self.connect() as connection, contextlib.suppress(OSError):
                    connection.send(key, whole[:size])
                    connection.send(HEARTBEAT)
                    connection.send(CLOSE, number + b"\0\1" + string("bye"))
                    self.assertIn(self.drain(connection), (None, UNKNOWN_FRAME), f"key {key}, {size} bytes")

    def test_lengths_that_lie(self):
        stream = self.name()
        with self.connect() as setup:
            self.assertEqual(setup.create(stream), OK)
        number = struct.pack(">I", 1)
        huge, most = b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"
        lies = [
            (PUBLISH, 1, b"\1" + huge + struct.pack(">Q", 1) + simple_entry(b"x")),
            (PUBLISH, 1, b"\1" + struct.pack(">IQ", 1, 1) + huge + b"x"),
            (PUBLISH, 1, b"\1" + struct.pack(">IQ", 1, 1) + struct.pack(">BHII", 0x80, 65535, 1 << 31, 1 << 31) + b"x"),
            (PUBLISH, 2, b"\1" + struct.pack(">IQ", 1, 1) + b"\x7f\xff" + b"x"),
            (METADATA, 1, number + most), (METADATA, 1, number + huge + string(stream)),
            (CREATE, 1, number + b"\x7f\xffabc"), (CREATE, 1, number + string("s") + huge),
            (EXCHANGE_VERSIONS, 1, number + huge), (CREATE_SUPER_STREAM, 1, number + string("s") + huge),
            (DECLARE_PUBLISHER, 1, number + b"\1" + b"\xff\xfe" + b"a"),
            (SUBSCRIBE, 1, number + b"\1" + string(stream) + b"\0\4" + b"\0\1"),
        ]
        for key, version, body in lies:
            with self.subTest(key=key, body=body[:12].hex()):
                connection = self.connect()
                connection.declare(1, stream)
                connection.send(key, body, version)
                with contextlib.suppress(OSError):
                    connection.send(CLOSE, number + b"\0\1" + string("bye"))
                self.assertIn(self.drain(connection), (None, UNKNOWN_FRAME))

    def test_frames_of_2_gib_before_and_after_open(self):
        for size in (0x7fffffff, 0x80000000, 0xffffffff):
            before = self.raw()
            before.send_raw(struct.pack(">IHH", size, PEER_PROPERTIES, 1))
            self.assertIsNone(self.drain(before))
            after = self.connect()
            after.send_raw(struct.pack(">IHH", size, PUBLISH, 1))
            reader = Reader(after.next(CLOSE).body)
            reader.u32()
            self.assertEqual(reader.u16(), FRAME_TOO_LARGE)

    def test_tiny_frames(self):
        for size in (0, 1, 2, 3):
            connection = self.connect()
            connection.send_raw(struct.pack(">I", size) + bytes(size) + frame(HEARTBEAT, 1, b""))
            self.assertIn(self.drain(connection), (None, UNKNOWN_FRAME))

    def test_one_byte_at_a_time_is_answered_or_given_up_but_never_blocks(self):
        slow = [self.raw() for _ in range(20)]
        whole = frame(PEER_PROPERTIES, 1, struct.pack(">I", 1) + properties({"product": "x"}))
        for byte in whole:
            for connection in slow:
                connection.send_raw(bytes([byte]))
            time.sleep(0.005)
        for connection in slow:
            connection.next(PEER_PROPERTIES | 0x8000)

    def test_thousands_of_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 10000
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, wanted + 500), hard))
        count = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 300)
        sockets = []
        try:
            for _ in range(count):
                one = socket.socket()
                sockets.append(one)
                one.settimeout(scaled(10))
                one.connect(("127.0.0.1", self.port))
            # Some of them go all the way, the others stay silent.
            for _ in range(50):
                self.assertEqual(self.connect().create(self.name() + str(_)), OK)
            self.assertLess(self.broker.rss_bytes() - self.memory, 400e6)
        finally:
            for one in sockets:
                one.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        # The memory of ten thousand connections may stay with the allocator: the limit was asked above.
        self.memory = max(self.memory, self.broker.rss_bytes() - RSS_GROWTH_MAX / 2)

    def test_256_subscriptions_on_each_of_ten_connections(self):
        setup = self.connect()
        stream = self.new_stream(setup)
        readers = []
        for _ in range(10):
            connection = self.connect()
            for number in range(256):
                self.assertEqual(connection.subscribe(number, stream, FIRST, credit=2), OK)
            self.assertEqual(connection.subscribe(0, stream), PRECONDITION_FAILED)
            readers.append(connection)
        setup.publish_and_wait(stream, [b"x" * 100])
        for connection in readers:
            self.assertEqual({connection.deliver().subscription for _ in range(256)}, set(range(256)))

    def test_a_client_that_stops_reading_costs_bounded_memory(self):
        setup = self.connect()
        stream = self.new_stream(setup)
        for _ in range(10):
            setup.publish_and_wait(stream, [b"x" * 100000] * 100)
        stuck = []
        for _ in range(5):
            connection = self.connect(receive_buffer=4096)
            stuck.append(connection)
            for number in range(20):
                connection.send(SUBSCRIBE, struct.pack(">IB", number + 1, number) + string(stream)
                                + offset_spec(FIRST) + struct.pack(">H", 1000))
        throughout("memory is bounded", 1, lambda: self.broker.rss_bytes() - self.memory < RSS_GROWTH_MAX)
        # It may go on where it stopped: nothing was lost meanwhile.
        connection = stuck[0]
        seen = {}
        while len(seen) < 20 or min(seen.values()) < 3:
            chunk = connection.deliver()
            seen[chunk.subscription] = seen.get(chunk.subscription, 0) + 1

    def test_requests_without_reading_the_answers(self):
        connection = self.connect(receive_buffer=4096)
        request = frame(METADATA, 1, struct.pack(">I", 1) + array([string("x" * 200)] * 50))
        connection.socket.settimeout(scaled(2))
        with contextlib.suppress(OSError):
            for _ in range(20000):
                connection.send_raw(request)
        self.assertLess(self.broker.rss_bytes() - self.memory, RSS_GROWTH_MAX)

    def test_publishing_to_a_stream_that_is_being_deleted(self):
        for _ in range(20):
            publisher, other = self.connect(), self.connect()
            stream = self.name() + str(_)
            self.assertEqual(other.create(stream), OK)
            self.assertEqual(publisher.declare(1, stream), OK)
            total = 0
            for first in range(0, 3000, 100):
                publisher.publish(1, [b"x" * 100] * 100, first_id=first + 1)
                total += 100
                if first == 1000:
                    other.send_request(DELETE, string(stream))
            told = confirmed = failed = 0
            while confirmed + failed < total:
                got = publisher.next(PUBLISH_CONFIRM, PUBLISH_ERROR, METADATA_UPDATE)
                reader = Reader(got.body)
                if got.key == METADATA_UPDATE:
                    told += 1
                    # What was in flight when the stream went is not answered any more; what comes later is, with 18.
                    publisher.publish(1, [b"after"], first_id=999999)
                    break
                reader.u8()
                if got.key == PUBLISH_CONFIRM:
                    confirmed += len(reader.list(reader.u64))
                else:
                    failed += len(reader.list(lambda: (reader.u64(), reader.u16())))
            if told:
                errors = {}
                while 999999 not in errors:
                    errors.update(publisher.errors(1))
                self.assertEqual(errors[999999], NO_PUBLISHER)
            self.assertEqual(publisher.create(stream), OK)
            publisher.close()
            other.close()

    def test_each_broken_connection_is_logged_once(self):
        start = len(self.broker.log_text())
        connection = self.connect()
        connection.send(0x0666, b"")
        self.assertEqual(self.drain(connection), UNKNOWN_FRAME)
        lines = until("the log tells of it", lambda: [
            line for line in self.broker.log_text()[start:].splitlines()
            if "unknown" in line.lower() or "0x666" in line.lower() or "1638" in line], 3)
        self.assertEqual(len(lines), 1, lines)


if __name__ == "__main__":
    unittest.main()
