# SPDX-License-Identifier: Apache-2.0
"""Connections and channels, with pika and with raw frames: the handshake and what it negotiates, refused logins and
vhosts, errors of each scope, secrets, heartbeats, the other protocol headers (reference queues-and-amqp.md, 1 and 2)."""
import pathlib
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, main, pika, until
from amqp_wire import (HEARTBEAT, METHOD, PROTOCOL_HEADER, Closed, Connection, encode_method, encode_table)
from broker import scaled

CAPABILITIES = ["authentication_failure_close", "basic.nack", "connection.blocked", "consumer_cancel_notify",
                "consumer_priorities", "direct_reply_to", "exchange_exchange_bindings", "per_consumer_qos",
                "publisher_confirms"]


class Handshake(AmqpCase):
    def raw(self, **arguments):
        connection = Connection(self.amqp_port, **arguments)
        self.addCleanup(connection.close)
        return connection

    def test_what_the_server_says_of_itself(self):
        start = self.raw().start
        self.assertEqual((start.version_major, start.version_minor, start.locales), (0, 9, b"en_US"))
        self.assertTrue({b"PLAIN", b"AMQPLAIN"} <= set(start.mechanisms.split()))
        self.assertEqual(start.server_properties["capabilities"], dict.fromkeys(CAPABILITIES, True))
        for key in ("product", "version", "platform", "copyright", "information", "cluster_name"):
            self.assertIsInstance(start.server_properties[key], str)

    def test_what_it_offers(self):
        connection = self.raw(handshake=False)
        tune = connection.until_tune()
        self.assertEqual((tune.channel_max, tune.frame_max, tune.heartbeat), (2047, 131072, 60))
        connection.send(0, "connection.tune-ok", channel_max=2, frame_max=8192, heartbeat=0)
        connection.call(0, "connection.open", virtual_host="/")
        connection.open_channel(1)
        connection.open_channel(2)
        connection.send(3, "channel.open")
        self.assertEqual(connection.closed_with()[:2], ("connection", 530))

    def test_values_above_the_offer_are_refused(self):
        for change, text in [({"channel_max": 4000}, "channel_max|negotiated channel_max"),
                             ({"frame_max": 4096 if self.broker else 100}, "frame_max")]:
            connection = self.raw(handshake=False)
            tune = connection.until_tune()
            values = {"channel_max": tune.channel_max, "frame_max": tune.frame_max, "heartbeat": 0, **change}
            connection.send(0, "connection.tune-ok", **values)
            scope, code, reply, *_ = connection.closed_with()
            if self.broker is None and scope == "dropped":
                continue  # 3.10 says why in its log only
            self.assertEqual((scope, code), ("connection", 530), change)
            self.assertRegex(reply, text)

    def test_other_protocol_headers_get_ours(self):
        for header in (b"AMQP\x00\x00\x09\x02", b"HTTP/1.1", b"GET / HTTP/1.1\r\n\r\n", bytes(8)):
            connection = self.raw(handshake=False)
            connection.send_raw(header)
            data = b""
            try:
                while True:
                    connection.receive(len(connection.data) + 1, time.monotonic() + scaled(10))
            except Closed:
                data = connection.data
            self.assertEqual(data[:8], PROTOCOL_HEADER, header)

    def test_amqp_1_0_is_answered_as_a_broker_without_it_does(self):
        for header in (b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00"):
            connection = self.raw(handshake=False)
            connection.send_raw(header)
            with self.assertRaises(Closed):
                connection.receive(9, time.monotonic() + scaled(10))
            self.assertEqual(connection.data, PROTOCOL_HEADER)

    def test_a_wrong_password_is_told_to_who_understands(self):
        connection = self.raw(handshake=False)
        with self.assertRaises(AssertionError) as caught:
            connection.until_tune(password="wrong", capabilities=["authentication_failure_close"])
        self.assertIn("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the "
                      "broker logfile.", str(caught.exception))
        self.assertIn("'reply_code': 403", str(caught.exception))
        connection = self.raw(handshake=False)
        start = time.monotonic()
        with self.assertRaises(Closed):
            connection.until_tune(password="wrong")
        self.assertGreater(time.monotonic() - start, 0.9, "guessing must be slow")
        with self.assertRaises(pika.exceptions.ProbableAuthenticationError):
            self.connect(password="wrong")

    def test_other_mechanisms(self):
        connection = self.raw(handshake=False)
        connection.until_tune(mechanism="AMQPLAIN",
                              response=encode_table({"LOGIN": "guest", "PASSWORD": "guest"})[4:])
        connection = self.raw(handshake=False)
        with self.assertRaises((Closed, AssertionError)):  # why stands in the log
            connection.until_tune(mechanism="NONSENSE")

    def test_an_unknown_vhost(self):
        with self.assertRaises((pika.exceptions.ConnectionClosedByBroker, pika.exceptions.ProbableAccessDeniedError)
                               ) as caught:
            self.connect(virtual_host="missing")
        self.assertIn("530", str(caught.exception))
        self.assertRegex(str(caught.exception), "NOT_ALLOWED - (vhost missing not found|access to vhost 'missing' refused)")

    def test_an_empty_vhost_is_the_default_one_by_name_only(self):
        with self.assertRaises(Exception):
            self.connect(virtual_host="")

    def test_uris_as_people_write_them(self):
        for path in ("/%2F", "/%2F?heartbeat=600", "/%2f?connection_attempts=2", ""):
            connection = pika.BlockingConnection(pika.URLParameters(f"amqp://guest:guest@127.0.0.1:{self.amqp_port}{path}"))
            connection.close()

    def test_a_handshake_in_small_pieces(self):
        connection = self.raw(handshake=False)
        for byte in PROTOCOL_HEADER:
            connection.send_raw(bytes([byte]))
        connection.next("connection.start")
        frame = struct.pack(">BHI", METHOD, 0, 0)
        method = encode_method("connection.start-ok", mechanism="PLAIN", response="\0guest\0guest", locale="en_US")
        frame = struct.pack(">BHI", METHOD, 0, len(method)) + method + b"\xce"
        for at in range(0, len(frame), 3):
            connection.send_raw(frame[at:at + 3])
        connection.next("connection.tune")

    def test_update_secret(self):
        connection = self.raw()
        connection.call(0, "connection.update-secret", new_secret="guest", reason="it was time")
        connection.open_channel()

    def test_heartbeats_are_sent_and_missed(self):
        connection = self.raw(handshake=False)
        connection.until_tune()
        connection.send(0, "connection.tune-ok", channel_max=10, frame_max=131072, heartbeat=1)
        connection.call(0, "connection.open", virtual_host="/")
        frame = connection.read_frame(timeout=5)
        self.assertEqual((frame.type, frame.channel, frame.payload), (HEARTBEAT, 0, b""))
        start = time.monotonic()
        with self.assertRaises(Closed):
            while time.monotonic() - start < scaled(10):
                connection.read_frame(timeout=10)

    def test_closing(self):
        connection = self.raw()
        connection.open_channel()
        queue = connection.call(1, "queue.declare", exclusive=True).queue
        connection.call(0, "connection.close", reply_code=200, reply_text="bye")
        self.until_gone(queue)


class Channels(AmqpCase):
    def setUp(self):
        super().setUp()
        self.raw = Connection(self.amqp_port)
        self.addCleanup(self.raw.close)

    def closes(self, scope, code, text=None, ids=None):
        got = self.raw.closed_with()
        self.assertEqual(got[:2], (scope, code), got)
        if text:
            self.assertRegex(got[2], text)
        if ids:
            self.assertEqual(got[3:], ids)

    def test_opening_twice(self):
        self.raw.open_channel(1)
        self.raw.send(1, "channel.open")
        self.closes("connection", 504, "^CHANNEL_ERROR - second 'channel.open' seen$", (20, 10))

    def test_a_method_on_a_channel_that_is_not_open(self):
        self.raw.send(3, "basic.qos", prefetch_count=1)
        self.closes("connection", 504, "^CHANNEL_ERROR - expected 'channel.open'$", (60, 10))

    def test_a_channel_may_be_opened_again_after_an_error(self):
        for _ in range(3):
            self.raw.open_channel(1)
            self.raw.send(1, "queue.declare", queue="missing", passive=True)
            self.closes("channel", 404, "^NOT_FOUND - ", (50, 10))
        self.raw.open_channel(2)
        self.raw.call(2, "channel.close", reply_code=200)

    def test_what_comes_after_an_error_is_ignored(self):
        self.raw.open_channel(1)
        self.raw.open_channel(2)
        self.raw.send(1, "queue.declare", queue="missing", passive=True)
        name = self.name()
        self.raw.send(1, "queue.declare", queue=name, exclusive=True)
        self.raw.publish(1, "", "nobody", b"m")
        close = self.raw.next("channel.close")
        self.raw.send(1, "basic.qos", prefetch_count=1)
        self.raw.send(1, "channel.close-ok")
        self.assertEqual(close.reply_code, 404)
        self.raw.send(2, "queue.declare", queue=name, passive=True)
        self.closes("channel", 404)

    def test_flow(self):
        self.raw.open_channel(1)
        self.assertTrue(self.raw.call(1, "channel.flow", active=True).active)
        self.raw.send(1, "channel.flow", active=False)
        self.closes("connection", 540, "^NOT_IMPLEMENTED - active=false$", (20, 20))

    def test_access_request_is_answered(self):
        self.raw.open_channel(1)
        self.assertEqual(self.raw.call(1, "access.request", realm="/data", active=True).ticket, 1)

    def test_many_channels_side_by_side(self):
        for channel in range(1, 201):
            self.raw.open_channel(channel)
        names = {}
        for channel in range(1, 201):
            self.raw.send(channel, "queue.declare", exclusive=True)
        for _ in range(200):
            answer = self.raw.next("queue.declare-ok")
            names[answer.channel] = answer.queue
        self.assertEqual((len(names), len(set(names.values()))), (200, 200))
        for channel, name in names.items():
            self.raw.publish(channel, "", names[channel % 200 + 1], b"from %d" % channel)
            self.raw.send(channel, "basic.consume", queue=name, no_ack=True)
        got = {}
        while len(got) < 200:
            method = self.raw.next("basic.consume-ok", "basic.deliver")
            if method.name == "basic.deliver":
                got[method.channel] = method.body
        self.assertEqual(got, {channel % 200 + 1: b"from %d" % channel for channel in names})

    def test_nowait_has_no_answers(self):
        self.raw.open_channel(1)
        name, exchange = self.name(), self.name()
        self.raw.send(1, "queue.declare", queue=name, exclusive=True, nowait=True)
        self.raw.send(1, "exchange.declare", exchange=exchange, type="fanout", nowait=True)
        self.raw.send(1, "queue.bind", queue=name, exchange=exchange, nowait=True)
        self.raw.publish(1, exchange, "", b"m")
        self.raw.send(1, "queue.purge", queue=name, nowait=True)
        self.raw.send(1, "exchange.delete", exchange=exchange, nowait=True)
        self.raw.send(1, "queue.delete", queue=name, nowait=True)
        self.raw.call(1, "basic.qos", prefetch_count=1)
        self.raw.send(1, "queue.declare", queue=name, passive=True)
        self.closes("channel", 404)

    def test_unknown_methods(self):
        self.raw.open_channel(1)
        self.raw.send_frame(METHOD, 1, struct.pack(">HH", 60, 99))
        got = self.raw.closed_with()
        self.assertIn(got[1], (502, 503, 540) if self.broker else (None,), got)


class Blocked(AmqpCase):
    """While the disk is too full publishers wait; consumers go on."""
    options = {"disk_free_limit.absolute": "900TB"}

    def test_a_publisher_is_told_and_waits(self):
        self.only_sluice("starts a broker with a disk limit")
        with Connection(self.amqp_port, capabilities=["connection.blocked"]) as raw:
            raw.open_channel()
            queue = raw.call(1, "queue.declare", exclusive=True).queue
            until("the alarm is raised", lambda: "free disk is below" in self.broker.log_text())

            def is_told():  # every shard hears of the alarm in its own time
                raw.publish(1, "", queue, b"m")
                try:
                    return raw.next("connection.blocked", timeout=0.1).reason == "low on disk"
                except TimeoutError:
                    return False
            until("the publisher is told", is_told)
            raw.publish(1, "", queue, b"m")
            with Connection(self.amqp_port) as other:  # who only consumes is not stopped
                other.open_channel()
                mine = other.call(1, "queue.declare", exclusive=True).queue
                other.call(1, "basic.consume", queue=mine)
                other.call(1, "basic.cancel", consumer_tag="none")


if __name__ == "__main__":
    main()
