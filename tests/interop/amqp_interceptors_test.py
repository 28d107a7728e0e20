# SPDX-License-Identifier: Apache-2.0
"""Message interceptors (message_interceptors.incoming.*): what they add to messages published over AMQP, with and without
overwriting what the publisher says (reference queues-and-amqp.md, section 9; names and types as in RabbitMQ 4.3)."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main

TIMESTAMP = "message_interceptors.incoming.set_header_timestamp.overwrite"
NODE = "message_interceptors.incoming.set_header_routing_node.overwrite"


class InterceptorCase(AmqpCase):
    def setUp(self):
        super().setUp()
        self.only_sluice("a broker with options of its own")

    def sent(self, **properties):
        ch = self.channel()
        queue = self.queue(ch)
        before = int(time.time() * 1000)
        self.publish(ch, queue, "m", **properties)
        got = self.get(ch, queue)[1]
        return got, before, int(time.time() * 1000)

    def assert_now(self, got, before, after):
        stamp = got.headers["timestamp_in_ms"]
        self.assertTrue(before <= stamp <= after, (before, stamp, after))
        self.assertEqual(got.timestamp, stamp // 1000)


class Overwriting(InterceptorCase):
    options = {TIMESTAMP: "true", NODE: "true"}

    def test_a_bare_message(self):
        got, before, after = self.sent()
        self.assert_now(got, before, after)
        self.assertRegex(got.headers["x-routed-by"], r"^sluice@.+")

    def test_what_the_publisher_says_is_replaced_and_the_rest_stays(self):
        got, before, after = self.sent(timestamp=5, priority=3, correlation_id="c", headers={
            "timestamp_in_ms": 5, "x-routed-by": "me", "other": [1, "two"]})
        self.assert_now(got, before, after)
        self.assertRegex(got.headers["x-routed-by"], r"^sluice@.+")
        self.assertEqual((got.headers["other"], got.priority, got.correlation_id), ([1, "two"], 3, "c"))

    def test_in_transactions_it_is_the_publish_that_counts(self):
        ch = self.channel()
        queue = self.queue(ch)
        ch.tx_select()
        before = int(time.time() * 1000)
        self.publish(ch, queue, "m")
        ch.basic_qos(prefetch_count=0)
        after = int(time.time() * 1000)
        ch.tx_commit()
        self.assert_now(self.get(self.channel(), queue)[1], before, after)

    def test_streams_and_headers_exchanges(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "headers")
        queue = self.bound_queue(ch, exchange, arguments={"x-match": "any-with-x", "x-routed-by": None},
                                 x_queue_type="stream")
        before = int(time.time() * 1000)
        self.publish(ch, "", "m", exchange=exchange, mandatory=True)
        ch.basic_qos(prefetch_count=10)
        consumer = Consumer(ch, queue, arguments={"x-stream-offset": "first"})
        consumer.wait(1)
        self.assert_now(consumer.got[0][1], before, int(time.time() * 1000))

    def test_a_dead_letter_keeps_them(self):
        ch = self.channel()
        dead = self.queue(ch)
        queue = self.queue(ch, x_dead_letter_exchange="", x_dead_letter_routing_key=dead, x_message_ttl=20)
        before = int(time.time() * 1000)
        self.publish(ch, queue, "m")
        after = int(time.time() * 1000) + 5
        self.assert_now(self.get(ch, dead)[1], before, after)


class Keeping(InterceptorCase):
    options = {TIMESTAMP: "false", NODE: "false"}

    def test_a_bare_message(self):
        got, before, after = self.sent()
        self.assert_now(got, before, after)
        self.assertRegex(got.headers["x-routed-by"], r"^sluice@.+")

    def test_what_the_publisher_says_stays(self):
        got, _, _ = self.sent(timestamp=5, headers={"timestamp_in_ms": 6, "x-routed-by": "me"})
        self.assertEqual(got.headers, {"timestamp_in_ms": 6, "x-routed-by": "me"})
        self.assertEqual(got.timestamp, 5)

    def test_one_without_the_other(self):
        got, before, after = self.sent(timestamp=5)
        self.assertEqual(got.timestamp, 5)
        self.assertTrue(before <= got.headers["timestamp_in_ms"] <= after)


class One(InterceptorCase):
    options = {NODE: "true"}

    def test_only_what_was_asked_for(self):
        got, _, _ = self.sent()
        self.assertEqual(list(got.headers), ["x-routed-by"])
        self.assertIsNone(got.timestamp)


class Off(InterceptorCase):
    def test_nothing_is_added(self):
        got, _, _ = self.sent()
        self.assertIsNone(got.headers)
        self.assertIsNone(got.timestamp)


if __name__ == "__main__":
    main()
