# SPDX-License-Identifier: Apache-2.0
"""Publishing with pika: confirms, returns, properties and headers that come back as they were sent, large bodies,
refused publishes, transactions (reference queues-and-amqp.md, section 4)."""
import datetime
import decimal
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, pika, until
from amqp_wire import Connection, Typed


class Confirms(AmqpCase):
    def test_each_publish_is_confirmed(self):
        ch = self.channel(confirm=True)
        for kind in ("classic", "quorum", "stream"):
            queue = self.queue(ch, x_queue_type=kind)
            self.publish(ch, queue, *(str(n) for n in range(50)), delivery_mode=2)
        self.publish(ch, "nobody-" + self.name(), "unroutable ones are confirmed, too")

    def test_confirms_count_from_one_and_cover_everything(self):
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            raw.call(1, "queue.declare", queue=self.name(), exclusive=True)
            queue = raw.call(1, "queue.declare", queue=self.name(), exclusive=True).queue
            raw.publish(1, "", queue, b"before confirm.select: not counted")
            raw.call(1, "confirm.select")
            count = 3000
            raw.send_raw(b"".join(raw.publish_bytes(1, "", queue if n % 3 else "nobody", b"%d" % n)
                                  for n in range(count)))
            open_tags = set(range(1, count + 1))
            while open_tags:
                ack = raw.next("basic.ack")
                acked = {tag for tag in open_tags if tag <= ack.delivery_tag} if ack.multiple else {ack.delivery_tag}
                self.assertTrue(acked and acked <= open_tags, f"{ack} confirms what is not open")
                open_tags -= acked
            self.assertEqual(raw.call(1, "queue.declare", queue=queue, passive=True).message_count, 2001)

    def test_selecting_twice_is_fine(self):
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            raw.call(1, "confirm.select")
            raw.call(1, "confirm.select")
            raw.send(1, "confirm.select", nowait=True)
            raw.publish(1, "", "nobody", b"m")
            self.assertEqual(raw.next("basic.ack").delivery_tag, 1)

    def test_mandatory_without_a_queue_returns_before_the_confirm(self):
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            raw.call(1, "confirm.select")
            raw.publish(1, "amq.direct", "no way", b"body" * 50000, {"message_id": "7", "headers": {"a": 1}},
                        mandatory=True)
            returned = raw.next("basic.return")
            self.assertEqual((returned.reply_code, returned.reply_text, returned.exchange, returned.routing_key,
                              returned.body, returned.properties), (312, "NO_ROUTE", "amq.direct", "no way",
                             b"body" * 50000, {"message_id": "7", "headers": {"a": 1}}))
            self.assertEqual(raw.next("basic.ack").delivery_tag, 1)

    def test_pika_tells_unroutable(self):
        ch = self.channel(confirm=True)
        with self.assertRaises(pika.exceptions.UnroutableError) as caught:
            self.publish(ch, "no-queue", "m", mandatory=True)
        self.assertEqual(caught.exception.messages[0].body, b"m")
        self.publish(ch, "no-queue", "dropped without a word")
        queue = self.queue(ch)
        self.publish(ch, queue, "m", mandatory=True)

    def test_returns_come_without_confirms_too(self):
        ch = self.channel()
        returned = []
        ch.add_on_return_callback(lambda _, method, properties, body: returned.append((method.reply_code, body)))
        self.publish(ch, "no-queue", "m", mandatory=True)
        until("the return comes", lambda: ch.connection.process_data_events(0.01) or returned)
        self.assertEqual(returned, [(312, b"m")])

    def test_one_rejecting_queue_makes_it_a_nack(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "fanout")
        full = self.bound_queue(ch, exchange, x_max_length=1, x_overflow="reject-publish")
        other = self.bound_queue(ch, exchange)
        self.publish(ch, "", "1", exchange=exchange)
        with self.assertRaises(pika.exceptions.NackError):
            self.publish(ch, "", "2", exchange=exchange)
        self.assertEqual((self.drain(ch, full), self.drain(ch, other)), (["1"], ["1", "2"]))


class Refused(AmqpCase):
    def test_immediate_is_not_implemented(self):
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            raw.publish(1, "", "q", b"m", immediate=True)
            scope, code, text, *ids = raw.closed_with()
            self.assertEqual((scope, code, ids), ("connection", 540, [60, 40]))
            self.assertEqual(text, "NOT_IMPLEMENTED - immediate=true")

    def test_user_id_must_be_ones_own(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, "m", user_id="guest")
        self.assertEqual(self.get(ch, queue)[1].user_id, "guest")
        with self.refused(406, "^PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was "
                               "'guest'$"):
            self.publish(ch, queue, "m", user_id="somebody")

    def test_expiration_must_be_a_number(self):
        for value, reason in [("soon", "no_integer"), ("1.5", '{leftover_string,".5"}'), ("-1", "{value_negative,-1}"),
                              ("", "no_integer"), ("315360000001", "{value_too_large,315360000001}")]:
            ch = self.channel(confirm=True)
            queue = self.queue(ch)
            with self.subTest(value), self.refused(406, 
                    f"^PRECONDITION_FAILED - invalid expiration '{value}': {re.escape(reason)}$"):
                self.publish(ch, queue, "m", expiration=value)
        self.publish(ch := self.channel(), queue := self.queue(ch), "m", expiration="315360000000")
        self.assertEqual(self.get(ch, queue)[1].expiration, "315360000000")

    def test_a_delivery_mode_nobody_knows_is_transient(self):
        self.only_sluice("4.x; 3.10 refuses it")
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, "m", delivery_mode=7)
        self.assertEqual(self.get(ch, queue)[1].delivery_mode, 7)

    def test_keys_that_topic_permissions_forbid(self):
        ch = self.channel(confirm=True)
        queue, exchange = self.queue(ch), self.exchange(ch, "topic")
        self.ctl("set_topic_permissions", "guest", exchange, r"^{username}\.", "^news")
        self.addCleanup(self.ctl, "clear_topic_permissions", "guest")
        text = r"^ACCESS_REFUSED - {}access to topic '{}' in exchange topic '{}' in vhost '/' refused for user 'guest'$"
        verb = "(write |)" if self.broker is None else "write "
        ch.queue_bind(queue, exchange, "news.#")
        self.publish(ch, "guest.m", "m", exchange=exchange)
        with self.refused(403, text.format(verb, "other", exchange)):
            self.publish(ch, "other", "m", exchange=exchange)
        ch = self.channel(confirm=True)
        with self.refused(403, text.format(verb, "other", exchange)):
            self.publish(ch, "guest.m", "m", exchange=exchange, headers={"CC": ["other"]})
        with self.refused(403, text.format(verb.replace("write", "read"), "all", exchange)):
            self.channel().queue_bind(queue, exchange, "all")
        self.publish(self.channel(confirm=True), "other", "m", exchange="amq.topic")

    def test_messages_above_the_limit(self):
        self.only_sluice("4.x: 16 MiB, 3.10: 128 MiB")
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, b"x" * 16777216)
        with self.refused(406, "^PRECONDITION_FAILED - message size 16777217 is larger than configured max size "
                               "16777216$"):
            self.publish(ch, queue, b"x" * 16777217)
        self.assertEqual(len(self.get(self.channel(), queue)[2]), 16777216)


class RoundTrip(AmqpCase):
    def test_all_properties(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        sent = pika.BasicProperties(content_type="application/json", content_encoding="gzip", delivery_mode=2, priority=9,
                                    correlation_id="c-1", reply_to="answers", expiration="60000", message_id="m-1",
                                    timestamp=1700000000, type="kind", user_id="guest", app_id="app",
                                    cluster_id="cluster", headers={"x-retry-count": 3})
        ch.basic_publish("", queue, b"\x00\xff body", sent)
        ch.basic_publish("", queue, b"", pika.BasicProperties())
        method, got, body = self.get(ch, queue)
        self.assertEqual((got.__dict__, body), (sent.__dict__, b"\x00\xff body"))
        self.assertEqual((method.exchange, method.routing_key, method.redelivered), ("", queue, False))
        _, got, body = self.get(ch, queue)
        self.assertEqual((got.__dict__, body), (pika.BasicProperties().__dict__, b""))

    def test_headers_as_pika_writes_them(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        headers = {"text": "täxt", "int": 5, "negative": -7, "long": 2**40, "bool": True, "no": False, "none": None,
                   "bytes": b"\x00\x01", "decimal": decimal.Decimal("3.14"),
                   "time": datetime.datetime(2023, 11, 14, 22, 13, 20), "table": {"a": {"b": [1, "x", {"c": None}]}},
                   "list": [1, "two", None, [3]], "": "empty key", "k" * 255: "long key"}
        ch.basic_publish("", queue, b"m", pika.BasicProperties(headers=headers))
        self.assertEqual(self.get(ch, queue)[1].headers, headers)

    def test_headers_of_every_field_code(self):
        table = {"t": Typed("t", True), "b": Typed("b", -128), "B": Typed("B", 255), "s": Typed("s", -32768),
                 "u": Typed("u", 65535), "I": Typed("I", -2**31), "i": Typed("i", 2**32 - 1), "l": Typed("l", -2**63),
                 "f": Typed("f", 0.5), "d": Typed("d", 1e300), "D": Typed("D", (2, 314)), "S": Typed("S", b"\xff\x00"),
                 "T": Typed("T", 1700000000), "V": Typed("V", None), "x": Typed("x", b"\x00bytes"),
                 "A": Typed("A", [Typed("b", 1), Typed("A", []), Typed("F", {})]),
                 "F": Typed("F", {"in": Typed("F", {"er": Typed("u", 1)})})}
        with Connection(self.amqp_port, typed=True) as raw:
            raw.open_channel()
            queue = raw.call(1, "queue.declare", exclusive=True).queue
            raw.publish(1, "", queue, b"m", {"headers": table})
            raw.send(1, "basic.get", queue=queue, no_ack=True)
            self.assertEqual(raw.next("basic.get-ok").properties["headers"], table)

    def test_bodies_over_many_frames(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        for size in (131064, 131065, 1 << 20, 10 * 1024 * 1024):
            body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            self.publish(ch, queue, body, delivery_mode=2)
            self.assertTrue(self.get(ch, queue)[2] == body, size)

    def test_a_small_frame_max_is_kept_to(self):
        writer, reader = self.connect(), self.connect(frame_max=8192)
        ch = self.channel(connection=reader)
        queue = self.queue(ch)
        body = b"abc" * 20000
        self.publish(self.channel(connection=writer), queue, body)
        self.assertEqual(self.get(ch, queue)[2], body)
        self.publish(ch, queue, body)
        self.assertEqual(self.get(self.channel(connection=writer), queue)[2], body)


class Transactions(AmqpCase):
    def test_commit_and_rollback_of_publishes(self):
        ch, other = self.channel(), self.channel()
        queue = self.queue(ch)
        ch.tx_select()
        self.publish(ch, queue, "a", "b")
        self.assertEqual(self.ready(other, queue), 0)
        ch.tx_commit()
        self.assertEqual(self.ready(other, queue), 2)
        self.publish(ch, queue, "c")
        ch.tx_rollback()
        ch.tx_commit()
        self.assertEqual(self.drain(other, queue), ["a", "b"])

    def test_commit_and_rollback_of_settlements(self):
        ch, other = self.channel(), self.channel()
        queue = self.queue(ch)
        self.publish(other, queue, "a", "b")
        self.until_ready(other, queue, 2)
        ch.tx_select()
        consumer = Consumer(ch, queue)
        consumer.wait(2)
        ch.basic_ack(consumer.tags()[0])
        ch.tx_rollback()  # the ack is forgotten, the message still unsettled
        ch.basic_ack(consumer.tags()[0])
        ch.basic_nack(consumer.tags()[1], requeue=False)
        ch.tx_commit()
        ch.close()
        self.assertEqual(self.drain(other, queue), [])

    def test_an_uncommitted_transaction_ends_with_its_channel(self):
        ch, other = self.channel(), self.channel()
        queue = self.queue(other)
        ch.tx_select()
        self.publish(ch, queue, "never")
        ch.close()
        self.assertEqual(self.ready(other, queue), 0)

    def test_tx_and_confirm_exclude_each_other(self):
        ch = self.channel()
        ch.tx_select()
        with self.refused(406, "^PRECONDITION_FAILED - cannot switch from tx to confirm mode$"):
            ch.confirm_delivery()
        ch = self.channel(confirm=True)
        with self.refused(406, "^PRECONDITION_FAILED - cannot switch from confirm to tx mode$"):
            ch.tx_select()

    def test_commit_without_select(self):
        for call in ("tx_commit", "tx_rollback"):
            with self.refused(406, "^PRECONDITION_FAILED - channel is not transactional$"):
                getattr(self.channel(), call)()


if __name__ == "__main__":
    main()
