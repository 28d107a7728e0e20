# SPDX-License-Identifier: Apache-2.0
"""AMQP 0-9-1 as no client library would send it: damaged frames, methods out of order, contents that lie about their
length, deeply nested tables, noise. Each gets the documented code; a well-behaved client beside it notices nothing and
memory stays bounded (reference queues-and-amqp.md, section 2)."""
import pathlib
import random
import socket
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_wire import (BODY, HEADER, HEARTBEAT, METHOD, METHODS, PROTOCOL_HEADER, Closed, Connection, encode_frame,
                       encode_header, encode_method, encode_properties)
from broker import scaled
from case import BrokerCase

RSS_GROWTH_MAX = 150e6


class Bystander(threading.Thread):
    """A client that publishes and consumes all the while; `stop` demands that nothing ever failed or stalled."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.connection = Connection(port)
        self.connection.open_channel()
        self.connection.call(1, "confirm.select")
        self.queue = self.connection.call(1, "queue.declare", exclusive=True).queue
        self.connection.call(1, "basic.consume", queue=self.queue, no_ack=True)
        self.leave, self.rounds, self.slowest, self.error = threading.Event(), 0, 0.0, None
        self.start()

    def run(self):
        try:
            while not self.leave.is_set():
                start = time.monotonic()
                self.connection.publish(1, "", self.queue, b"%d" % self.rounds)
                got = {method.name: method for method in (self.connection.next("basic.ack", "basic.deliver")
                                                          for _ in range(2))}
                assert got["basic.deliver"].body == b"%d" % self.rounds
                assert got["basic.ack"].delivery_tag == self.rounds + 1
                self.slowest = max(self.slowest, time.monotonic() - start)
                self.rounds += 1
                self.leave.wait(0.002)
        except BaseException as error:  # noqa: BLE001 - told by stop
            self.error = error

    def stop(self, case):
        self.leave.set()
        self.join(scaled(20))
        self.connection.close()
        case.assertIsNone(self.error, f"the bystander failed after {self.rounds} rounds: {self.error!r}")
        case.assertGreater(self.rounds, 0)
        case.assertLess(self.slowest, scaled(5), "the bystander had to wait")


class HostileCase(BrokerCase):
    def setUp(self):
        self.bystander = Bystander(self.amqp_port)
        self.memory = self.broker.rss_bytes() if self.broker else 0

    def tearDown(self):
        self.bystander.stop(self)
        if self.broker:
            self.assertTrue(self.broker.is_running(), self.broker.log_text()[-4000:])
            self.assertLess(self.broker.rss_bytes() - self.memory, RSS_GROWTH_MAX)

    def raw(self, open_channel=True, **arguments):
        connection = Connection(self.amqp_port, **arguments)
        self.addCleanup(connection.close)
        if open_channel:
            connection.open_channel()
        return connection

    def end_of(self, connection):
        """How the broker ends it; 3.10 takes some of what it should not, which counts as dropped."""
        try:
            return connection.closed_with(timeout=1 if self.broker is None else 10)
        except TimeoutError:
            if self.broker is not None:
                raise
            return "dropped", None, None, None, None

    def ends(self, connection, code, text=None, scope="connection"):
        """The connection must end with this code; 3.10 may just drop it where it crashes."""
        got = self.end_of(connection)
        if self.broker is None and got[0] == "dropped":
            return got
        self.assertEqual(got[:2], (scope, code), got)
        if text:
            self.assertRegex(got[2], text)
        return got


class Frames(HostileCase):
    def test_a_wrong_end_marker(self):
        for end in (0, 0xCD, 0xFF):
            connection = self.raw()
            connection.send_frame(METHOD, 1, encode_method("basic.qos"), end=end)
            self.ends(connection, 501, "^FRAME_ERROR - ")

    def test_a_frame_above_the_negotiated_size(self):
        for size in (131073, 0x7FFFFFFF, 0xFFFFFFFF):
            connection = self.raw()
            connection.send_raw(struct.pack(">BHI", METHOD, 1, size) + bytes(100))
            self.ends(connection, 501, "^FRAME_ERROR - ")

    def test_a_negotiated_small_size_counts(self):
        connection = self.raw(frame_max=8192)
        connection.send_raw(struct.pack(">BHI", BODY, 1, 8193))
        self.ends(connection, 501, "^FRAME_ERROR - ")

    def test_unknown_frame_types(self):
        for kind in (0, 4, 7, 9, 255):
            connection = self.raw()
            connection.send_frame(kind, 1, b"abc")
            self.assertIn(self.end_of(connection)[:2], [("connection", 501), ("connection", 505), ("connection", 503),
                                                         ("dropped", None)] if self.broker is None else
                          [("connection", 501), ("connection", 505)], kind)

    def test_heartbeats_anywhere(self):
        connection = self.raw()
        connection.send_frame(HEARTBEAT, 0, b"")
        connection.send_frame(METHOD, 1, encode_method("basic.publish", routing_key="nobody"))
        connection.send_frame(HEARTBEAT, 0, b"")
        connection.send_frame(HEADER, 1, encode_header(2))
        connection.send_frame(HEARTBEAT, 0, b"")
        connection.send_frame(BODY, 1, b"ab")
        connection.call(1, "basic.qos", prefetch_count=1)

    def test_heartbeats_that_carry_something_or_come_on_a_channel(self):
        for channel, payload, code in ((0, b"beat", 501), (1, b"beat", 501), (1, b"", 505)):
            connection = self.raw()
            connection.send_frame(HEARTBEAT, channel, payload)
            self.ends(connection, code, "^(FRAME_ERROR|UNEXPECTED_FRAME) - type 8, all octets = ")

    def test_a_frame_eight_bytes_too_large_is_taken(self):
        """As in RabbitMQ, since quite a few clients count wrongly."""
        connection = self.raw(frame_max=8192)
        connection.send_frame(METHOD, 1, encode_method("basic.publish", routing_key="nobody"))
        connection.send_frame(HEADER, 1, encode_header(8192))
        connection.send_frame(BODY, 1, bytes(8192))
        connection.call(1, "basic.qos", prefetch_count=1)

    def test_before_the_handshake_frames_are_small(self):
        connection = self.raw(handshake=False, open_channel=False)
        connection.send_raw(PROTOCOL_HEADER)
        connection.next("connection.start")
        connection.send_raw(struct.pack(">BHI", METHOD, 0, 1 << 20) + bytes(8200))
        self.assertIn(self.end_of(connection)[:2], [("dropped", None), ("connection", 501)])

    def test_noise(self):
        source = random.Random(7)
        for number in range(60):
            connection = self.raw(open_channel=False, handshake=number % 3 != 0)
            data = source.randbytes(source.choice((1, 7, 8, 50, 5000)))
            if number % 3 == 1:  # with a head that is right
                data = encode_frame(source.choice((1, 2, 3)), source.randrange(3), data)
            try:
                connection.send_raw(data)
                connection.socket.shutdown(socket.SHUT_WR)
                self.end_of(connection)
            except (Closed, OSError):
                pass

    def test_cut_anywhere(self):
        connection = self.raw()
        whole = connection.publish_bytes(1, "", "nobody", b"body", {"headers": {"a": 1}, "message_id": "x"})
        for size in range(len(whole)):
            connection = Connection(self.amqp_port)
            connection.open_channel()
            connection.send_raw(whole[:size])
            connection.close()


class Methods(HostileCase):
    def test_every_cut_of_every_method(self):
        """A method that ends early cannot be decoded: 501 in RabbitMQ's reading of the codes."""
        fields = {"queue": "q", "exchange": "e", "type": "direct", "routing_key": "k", "consumer_tag": "t",
                  "arguments": {"a": 1}}
        names = [name for name in METHODS if not name.startswith("connection.") and not name.endswith("-ok")]
        for name in names:
            mine = {key: value for key, value in fields.items() if key in dict(METHODS[name][2])}
            whole = encode_method(name, **mine)
            for size in sorted({4, 5, 6, len(whole) // 2, len(whole) - 1}):
                if size >= len(whole):
                    continue
                connection = Connection(self.amqp_port)
                connection.open_channel()
                connection.send_frame(METHOD, 1, whole[:size])
                got = self.end_of(connection)
                connection.close()
                if self.broker is not None:
                    self.assertIn(got[:2], [("connection", 501), ("connection", 503)], f"{name} cut to {size}: {got}")

    def test_bytes_behind_the_last_argument(self):
        """RabbitMQ crashes (541) where it happens on channel 0; 501 says what is wrong there, too."""
        for name, fields in (("channel.open", {}), ("queue.declare", {"queue": "q"}), ("basic.qos", {}), ("tx.select", {}),
                             ("basic.publish", {"routing_key": "k"}), ("basic.ack", {}), ("channel.close", {}),
                             ("connection.close", {}), ("connection.update-secret", {})):
            on_channel = 0 if name.startswith("connection.") else 2 if name == "channel.open" else 1
            connection = self.raw()
            connection.send_frame(METHOD, on_channel, encode_method(name, **fields) + b"x")
            if self.broker is None and on_channel == 0:
                self.ends(connection, 541)
            else:
                self.ends(connection, 501, "^FRAME_ERROR - cannot decode <<")

    def test_methods_only_the_server_sends(self):
        for name in ("basic.deliver", "queue.declare-ok", "channel.open-ok", "basic.get-ok", "basic.return", "tx.commit-ok",
                     "connection.start", "connection.tune"):
            connection = self.raw()
            connection.send_frame(METHOD, 0 if name.startswith("connection") else 1, encode_method(name))
            got = self.end_of(connection)
            if self.broker is not None:
                self.assertIn(got[:2], [("connection", 503), ("connection", 505), ("connection", 504)], f"{name}: {got}")

    def test_unknown_classes_and_methods(self):
        for ids in ((60, 99), (61, 10), (0, 0), (65535, 65535), (10, 99)):
            connection = self.raw()
            connection.send_frame(METHOD, 1, struct.pack(">HH", *ids) + bytes(20))
            got = self.end_of(connection)
            if self.broker is not None:
                self.assertIn(got[1], (502, 503, 540), f"{ids}: {got}")

    def test_a_method_frame_too_short_for_its_ids(self):
        for size in range(4):
            connection = self.raw()
            connection.send_frame(METHOD, 1, bytes(size))
            got = self.end_of(connection)
            if self.broker is not None:
                self.assertEqual(got[:2], ("connection", 501), got)

    def test_connection_methods_on_channels_and_the_other_way(self):
        connection = self.raw()
        connection.send(1, "connection.open", virtual_host="/")
        self.assertIn(self.closed(connection)[1], (503, 504, 505, None))
        connection = self.raw()
        connection.send(0, "channel.open")
        self.assertIn(self.closed(connection)[1], (503, 504, 505, None))
        connection = self.raw()
        connection.send(0, "basic.publish")
        self.assertIn(self.closed(connection)[1], (503, 504, 505, None))

    def closed(self, connection):
        got = self.end_of(connection)
        self.assertIn(got[0], ("connection", "dropped") if self.broker is None else ("connection",), got)
        return got

    def test_the_handshake_out_of_order(self):
        for name, fields in (("connection.open", {"virtual_host": "/"}), ("connection.tune-ok", {}),
                             ("channel.open", {}), ("connection.close", {})):
            connection = self.raw(handshake=False, open_channel=False)
            connection.send_raw(PROTOCOL_HEADER)
            connection.next("connection.start")
            connection.send(1 if name == "channel.open" else 0, name, **fields)
            got = self.end_of(connection)
            self.assertIn(got[0], ("connection", "dropped"), got)

    def test_opening_and_starting_twice(self):
        for name, fields in (("connection.open", {"virtual_host": "/"}),
                             ("connection.start-ok", {"mechanism": "PLAIN", "response": "\0guest\0guest"}),
                             ("connection.tune-ok", {"channel_max": 10, "frame_max": 8192})):
            connection = self.raw()
            connection.send(0, name, **fields)
            self.assertIn(self.closed(connection)[1], (503, 504, 505, None), name)

    def test_ten_thousand_methods_after_an_error(self):
        connection = self.raw()
        connection.send(1, "queue.declare", queue="missing", passive=True)
        connection.send_raw(encode_frame(METHOD, 1, encode_method("queue.declare", queue="never")) * 10000)
        self.assertEqual(connection.next("channel.close").reply_code, 404)
        connection.send(1, "channel.close-ok")
        connection.open_channel(1)
        connection.send(1, "queue.declare", queue="never", passive=True)
        self.assertEqual(connection.next("channel.close").reply_code, 404)


class Contents(HostileCase):
    def publish(self, connection):
        connection.send(1, "basic.publish", routing_key="nobody")

    def test_contents_out_of_order(self):
        for frames, text in [
                ([(HEADER, encode_header(1))], "expected method frame|expected .*method"),
                ([(BODY, b"x")], "expected method frame|expected .*method"),
                (["publish", (BODY, b"x")], "expected content header"),
                (["publish", "publish"], "expected content header"),
                (["publish", (HEADER, encode_header(2)), (HEADER, encode_header(2))], "expected content body"),
                (["publish", (HEADER, encode_header(2)), (BODY, b"x"), "publish"], "expected content body"),
                (["publish", (HEADER, encode_header(2, class_id=50)), (BODY, b"xy")], "class 50|content header")]:
            connection = self.raw()
            for frame in frames:
                if frame == "publish":
                    self.publish(connection)
                else:
                    connection.send_frame(frame[0], 1, frame[1])
            self.ends(connection, 505, f"^UNEXPECTED_FRAME - .*({text})")

    def test_more_body_than_announced(self):
        connection = self.raw()
        self.publish(connection)
        connection.send_frame(HEADER, 1, encode_header(2))
        connection.send_frame(BODY, 1, b"xyz")
        got = self.end_of(connection)
        if self.broker is not None:
            self.assertIn(got[:2], [("connection", 501), ("connection", 502), ("connection", 505)], got)

    def test_enormous_bodies_that_never_come(self):
        connections = []
        for size in (1 << 40, (1 << 64) - 1, 16777217):
            connection = self.raw()
            self.publish(connection)
            connection.send_frame(HEADER, 1, encode_header(size))
            if self.broker is not None:
                got = self.end_of(connection)
                self.assertEqual(got[1], 406, got)
            connections.append(connection)
        for _ in range(200):  # each reserves nothing by what it announces
            connection = self.raw()
            self.publish(connection)
            connection.send_frame(HEADER, 1, encode_header(16777216))
            connections.append(connection)

    def test_damaged_headers(self):
        good = encode_properties({"headers": {"a": "b"}, "message_id": "m"})
        for payload in (b"", bytes(5), encode_header(1)[:-1], struct.pack(">HHQ", 60, 0, 1) + good[:-1],
                        struct.pack(">HHQ", 60, 0, 1) + good[:6],
                        struct.pack(">HHQH", 60, 0, 1, 1 << 13) + struct.pack(">I", 0xFFFFFFFF),
                        struct.pack(">HHQH", 60, 0, 1, 1 << 13) + struct.pack(">I", 4) + b"\x01aZ\x00"):
            connection = self.raw()
            self.publish(connection)
            connection.send_frame(HEADER, 1, payload)
            connection.send_frame(BODY, 1, b"x")
            connection.send(1, "basic.qos")
            got = connection.read()
            if self.broker is not None:
                self.assertEqual(got.name, "connection.close", f"{payload!r}: {got}")
                self.assertIn(got.reply_code, (501, 502), f"{payload!r}: {got}")

    def test_interleaved_channels_are_fine(self):
        connection = self.raw()
        connection.open_channel(2)
        connection.call(1, "confirm.select")
        connection.call(2, "confirm.select")
        for channel in (1, 2):
            connection.send(channel, "basic.publish", routing_key="nobody")
        for channel in (2, 1):
            connection.send_frame(HEADER, channel, encode_header(4))
        for channel in (1, 2, 2, 1):
            connection.send_frame(BODY, channel, b"xy")
        self.assertEqual({connection.next("basic.ack").channel for _ in range(2)}, {1, 2})

    def test_empty_body_frames(self):
        connection = self.raw()
        connection.call(1, "confirm.select")
        self.publish(connection)
        connection.send_frame(HEADER, 1, encode_header(1))
        for _ in range(50):
            connection.send_frame(BODY, 1, b"")
        connection.send_frame(BODY, 1, b"x")
        self.assertEqual(connection.next("basic.ack").delivery_tag, 1)


class Tables(HostileCase):
    @staticmethod
    def nested(depth, code=b"F"):
        """The bytes of a table of tables, or of arrays, so deep."""
        inner = b""
        for _ in range(depth):
            inner = (b"\x01a" + b"F" if code == b"F" else b"A") + struct.pack(">I", len(inner)) + inner
        if code == b"A":
            inner = b"\x01a" + inner
        return struct.pack(">I", len(inner)) + inner

    def test_nested_a_thousand_deep(self):
        """Either taken or refused with a code; the broker lives and the queue stays usable."""
        for code in (b"F", b"A"):
            for depth in (10, 100, 1000, 10000):
                connection = self.raw()
                connection.send(1, "queue.declare", exclusive=True, arguments=self.nested(depth, code))
                got = connection.read()
                self.assertIn(got.name, ("queue.declare-ok", "connection.close", "channel.close"), got)
                if depth == 10:
                    self.assertEqual(got.name, "queue.declare-ok")
                if got.name == "connection.close" and self.broker is not None:
                    self.assertEqual(got.reply_code, 501, got)
                connection = self.raw()
                queue = connection.call(1, "queue.declare", exclusive=True).queue
                table = self.nested(depth, code)
                connection.publish(1, "", queue, b"m", {"headers": table})
                connection.send(1, "basic.get", queue=queue, no_ack=True)
                try:
                    frame = connection.read_frame()
                except Closed:
                    continue  # what the peer does
                self.assertEqual(frame.type, METHOD)

    def test_tables_that_lie(self):
        for table in (struct.pack(">I", 0xFFFFFFFF), struct.pack(">I", 100) + b"\x01aI\x00\x00\x00\x01",
                      struct.pack(">I", 3) + b"\x05ab", struct.pack(">I", 3) + b"\x01aZ",
                      struct.pack(">I", 8) + b"\x01aS\xff\xff\xff\xff\x00", struct.pack(">I", 4) + b"\x01aI\x00",
                      struct.pack(">I", 7) + b"\x01aA\xff\xff\xff\xff", struct.pack(">I", 7) + b"\x01aF\x00\x00\x00\x09"):
            connection = self.raw()
            connection.send(1, "queue.declare", exclusive=True, arguments=table)
            got = self.end_of(connection)
            if self.broker is not None:
                self.assertEqual(got[:2], ("connection", 501), f"{table!r}: {got}")

    def test_a_large_table(self):
        connection = self.raw()
        table = {f"key{number}": "v" * 20 for number in range(3000)}
        connection.call(1, "queue.declare", exclusive=True, arguments=table)
        connection.call(1, "queue.declare", exclusive=True, arguments={"x" * 255: None})


if __name__ == "__main__":
    unittest.main()
