# SPDX-License-Identifier: Apache-2.0
"""Streams through AMQP 0-9-1, with pika: declaring, publishing, consuming from every kind of offset, filters, what is
refused, and messages that cross between AMQP and the native protocol (reference queues-and-amqp.md, sections 7 and 8)."""
import datetime
import gzip
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import stream_wire
from amqp_case import AmqpCase, Consumer, main, pika
from amqp_wire import Connection, Typed


class StreamCase(AmqpCase):
    def stream(self, ch, *bodies, **arguments):
        queue = self.queue(ch, x_queue_type="stream", **arguments)
        self.publish(ch, queue, *bodies)
        return queue

    def read(self, queue, offset="first", prefetch=100, **arguments):
        ch = self.channel()
        ch.basic_qos(prefetch_count=prefetch)
        table = {"x-stream-offset": offset, **{key.replace("_", "-"): value for key, value in arguments.items()}}
        return Consumer(ch, queue, lambda c, method, *_: c.basic_ack(method.delivery_tag), arguments=table)


class Streams(StreamCase):
    def test_everything_published_is_read_in_order_again_and_again(self):
        ch = self.channel(confirm=True)
        queue = self.stream(ch, *(str(n) for n in range(500)))
        for _ in range(2):
            consumer = self.read(queue)
            self.assertEqual(consumer.wait(500), [str(n) for n in range(500)])
            offsets = [properties.headers["x-stream-offset"] for _, properties, _ in consumer.got]
            self.assertEqual(offsets, list(range(500)))
        self.until_ready(ch, queue, 500)

    def test_offsets_by_number_last_and_next(self):
        ch = self.channel(confirm=True)
        queue = self.stream(ch, *(str(n) for n in range(100)))
        for number in (0, 40, 99):
            self.assertEqual(self.read(queue, number).wait(100 - number)[0], str(number))
        last = self.read(queue, "last")
        last.wait(1)
        self.assertEqual(last.bodies()[-1] if len(last.got) == 1 else "99", "99")
        following, ahead = self.read(queue, "next"), self.read(queue, 101)
        self.publish(ch, queue, "100", "101")
        self.assertEqual(following.settled_at(2), ["100", "101"])
        self.assertEqual(ahead.settled_at(1), ["101"])

    def test_the_default_offset_is_next(self):
        ch, other = self.channel(confirm=True), self.channel()
        queue = self.stream(ch, "old")
        other.basic_qos(prefetch_count=10)
        consumer = Consumer(other, queue)
        self.publish(ch, queue, "new")
        self.assertEqual(consumer.settled_at(1), ["new"])

    def test_offsets_by_time(self):
        ch = self.channel(confirm=True)
        queue = self.stream(ch, "first")
        time.sleep(1.1)
        middle = datetime.datetime.utcnow()
        time.sleep(0.9)
        self.publish(ch, queue, "second")
        self.assertEqual(self.read(queue, middle).wait(1)[0], "second")
        self.assertEqual(self.read(queue, datetime.datetime(2001, 1, 1)).wait(2), ["first", "second"])
        self.assertEqual(self.read(queue, "1h").wait(2), ["first", "second"])

    def test_wrong_offsets_are_refused(self):
        self.only_sluice("3.10 answers 541")
        queue = self.stream(self.channel())
        for offset in ("sometime", True, "1 week"):
            with self.subTest(offset), self.refused(406, "^PRECONDITION_FAILED - "):
                self.read(queue, offset)

    def test_credit_comes_back_with_acks(self):
        ch = self.channel(confirm=True)
        queue = self.stream(ch, *(str(n) for n in range(50)))
        reader = self.channel()
        reader.basic_qos(prefetch_count=5)
        consumer = Consumer(reader, queue, arguments={"x-stream-offset": "first"})
        self.assertEqual(len(consumer.settled_at(5)), 5)
        reader.basic_ack(consumer.tags()[4], multiple=True)
        self.assertEqual(len(consumer.settled_at(10)), 10)
        self.assertEqual(consumer.bodies(), [str(n) for n in range(10)])

    def test_what_streams_cannot(self):
        queue = self.stream(self.channel())
        with self.refused(406, "^PRECONDITION_FAILED - consumer prefetch count is not set for 'queue '.*' in vhost '/''"
                               "|consumer prefetch count is not set for stream"):
            Consumer(self.channel(), queue)
        if self.broker is not None:  # 3.10: 406
            ch = self.channel()
            ch.basic_qos(prefetch_count=5)
            with self.hung_up(540, "^NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queue '"):
                Consumer(ch, queue, auto_ack=True)
        with self.hung_up(540, "^NOT_IMPLEMENTED - basic.get not supported by stream queues queue "):
            self.channel().basic_get(queue)
        with self.hung_up(540, "^NOT_IMPLEMENTED - "):
            self.channel().queue_purge(queue)
        ch = self.channel()
        ch.basic_qos(prefetch_count=5)
        ch.basic_qos(prefetch_count=5, global_qos=True)
        with self.hung_up(540, "^NOT_IMPLEMENTED - queue '.*' in vhost '/' does not support global qos$"):
            Consumer(ch, queue)

    def test_the_flags_it_needs(self):
        for flags in ({"durable": False}, {"durable": True, "exclusive": True}, {"durable": True, "auto_delete": True}):
            with self.subTest(flags), self.refused(406, "^PRECONDITION_FAILED - invalid property "):
                self.channel().queue_declare(self.name(), arguments={"x-queue-type": "stream"}, **flags)

    def test_arguments_are_checked(self):
        for key, value in (("x-max-age", "soon"), ("x-max-age", 5), ("x-stream-max-segment-size-bytes", 3_000_000_001),
                           ("x-max-length-bytes", -1), ("x-initial-cluster-size", 0),
                           ("x-stream-filter-size-bytes", 15), ("x-stream-filter-size-bytes", 256)):
            if key in ("x-max-age", "x-stream-filter-size-bytes") and self.broker is None:
                continue  # 3.10 answers 541, or knows no filters
            with self.subTest(key, value=value), self.refused(
                    406, f"^PRECONDITION_FAILED - (invalid arg '{key}' for |Exceeded max value for {key}|"
                         f"Invalid value for {key}$)"):
                self.channel().queue_declare(self.name(), durable=True, arguments={"x-queue-type": "stream", key: value})
        self.stream(self.channel(), x_max_age="7D", x_max_length_bytes=20_000_000_000,
                    x_stream_max_segment_size_bytes=500_000_000)

    def test_it_takes_its_part_in_routing(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "topic")
        queue = self.stream(ch)
        ch.queue_bind(queue, exchange, "orders.#")
        self.publish(ch, "orders.created", "m", exchange=exchange, headers={"a": 1})
        consumer = self.read(queue)
        consumer.wait(1)
        method, properties, _ = consumer.got[0]
        self.assertEqual((method.exchange, method.routing_key, properties.headers["a"]), (exchange, "orders.created", 1))

    def test_properties_come_back(self):
        ch = self.channel(confirm=True)
        queue = self.stream(ch)
        sent = pika.BasicProperties(content_type="application/json", content_encoding="utf-8", delivery_mode=2, priority=3,
                                    correlation_id="c", reply_to="answers", message_id="m", timestamp=1700000000,
                                    type="kind", user_id="guest", app_id="app",
                                    headers={"text": "t", "number": 5, "yes": True, "x-mine": "x", "long": 2**40})
        ch.basic_publish("", queue, b"\x00body", sent)
        consumer = self.read(queue)
        consumer.wait(1)
        got = consumer.got[0][1]
        self.assertEqual(got.headers.pop("x-stream-offset"), 0)
        self.assertEqual(got.__dict__, sent.__dict__)

    def test_a_nack_counts_as_settled(self):
        self.only_sluice("3.x: 540")
        ch = self.channel(confirm=True)
        queue = self.stream(ch, *"abcd")
        reader = self.channel()
        reader.basic_qos(prefetch_count=2)
        consumer = Consumer(reader, queue, arguments={"x-stream-offset": "first"})
        consumer.wait(2)
        reader.basic_nack(consumer.tags()[1], multiple=True, requeue=True)
        self.assertEqual(consumer.settled_at(4), list("abcd"))

    def test_deleting_cancels_consumers(self):
        ch = self.channel(confirm=True)
        queue = self.stream(ch, "m")
        consumer = self.read(queue)
        consumer.wait(1)
        cancelled = []
        consumer.channel.add_on_cancel_callback(cancelled.append)
        ch.queue_delete(queue)
        self.assertFalse(self.exists(queue))
        end = time.monotonic() + 10
        while not cancelled and time.monotonic() < end:
            consumer.channel.connection.process_data_events(0.02)
        self.assertTrue(cancelled)


class Filters(StreamCase):
    def test_filter_values(self):
        self.only_sluice("3.13")
        ch = self.channel(confirm=True)
        queue = self.stream(ch)
        for number in range(30):
            value = ("even", "odd", None)[number % 3]
            headers = {"x-stream-filter-value": value} if value else {}
            self.publish(ch, queue, str(number), headers=headers)
        odd = self.read(queue, x_stream_filter="odd")
        bodies = {int(body) for body in odd.wait(10)}
        self.assertTrue({n for n in range(30) if n % 3 == 1} <= bodies)
        self.assertEqual(odd.got[0][1].headers["x-stream-filter-value"], "odd")
        both = self.read(queue, x_stream_filter=["odd", "even"], x_stream_match_unfiltered=True)
        self.assertEqual(both.wait(30), [str(n) for n in range(30)])


class Crossing(StreamCase):
    def native(self):
        connection = stream_wire.Connection(self.port)
        self.addCleanup(connection.close)
        return connection

    def test_from_pika_to_the_stream_protocol(self):
        ch = self.channel(confirm=True)
        queue = self.stream(ch)
        self.publish(ch, queue, "m", message_id="id-1", content_type="text/plain", headers={"a": "b"})
        native = self.native()
        self.assertEqual(native.subscribe(1, queue), stream_wire.OK)
        data = native.read(1, 1)[0].data
        self.assertTrue(data.endswith(b"\x53\x75\xa0\x01m") or data.endswith(b"\x00\x53\x75\xb0\x00\x00\x00\x01m"), data)
        for piece in (b"\xa1\x04id-1", b"\xa3\x0atext/plain", b"\xa1\x01a\xa1\x01b"):
            self.assertIn(piece, data)

    def test_from_the_stream_protocol_to_pika(self):
        native = self.native()
        queue = self.name()
        self.assertEqual(native.create(queue), stream_wire.OK)
        self.made.append(("queue", queue))
        native.publish_and_wait(queue, [stream_wire.amqp_message(b"body %d" % n, {"n": n, "t": "x"}, subject="s")
                                        for n in range(20)])
        consumer = self.read(queue)
        self.assertEqual(consumer.wait(20), [f"body {n}" for n in range(20)])
        headers = consumer.got[7][1].headers
        self.assertEqual((headers["n"], headers["t"], headers["x-stream-offset"]), (7, "x", 7))

    def test_compressed_batches_are_read(self):
        self.only_sluice("the peer skips them without a word")
        native = self.native()
        queue = self.name()
        self.assertEqual(native.create(queue), stream_wire.OK)
        self.assertEqual(native.declare(1, queue), stream_wire.OK)
        batch = [stream_wire.amqp_message(b"%d" % n) for n in range(10)]
        native.send_raw(native.publish_frame(1, [(1, stream_wire.sub_batch(batch)),
                                                 (2, stream_wire.sub_batch(batch, 1, gzip.compress))]))
        native.confirms(2)
        consumer = self.read(queue)
        self.assertEqual(consumer.wait(20), [str(n) for n in range(10)] * 2)

    def test_streams_of_both_protocols_are_the_same(self):
        ch = self.channel(confirm=True)
        native = self.native()
        queue = self.name()
        self.assertEqual(native.create(queue), stream_wire.OK)
        self.made.append(("queue", queue))
        self.assertEqual(ch.queue_declare(queue, passive=True).method.queue, queue)
        ch.queue_delete(queue)
        self.assertEqual(native.delete(queue), stream_wire.NO_STREAM)

    def test_the_server_keeps_a_place(self):
        self.only_sluice("an addition of ours")
        ch = self.channel(confirm=True)
        queue = self.stream(ch, *(str(n) for n in range(40)))

        def reader():
            channel = self.channel()
            channel.basic_qos(prefetch_count=10)
            return channel, Consumer(channel, queue, arguments={"x-stream-offset": "first",
                                                               "x-stream-offset-tracking": "app"})
        channel, consumer = reader()
        consumer.wait(10)
        channel.basic_ack(consumer.tags()[6], multiple=True)
        consumer.wait(17)
        channel.close()
        _, consumer = reader()
        self.assertEqual(consumer.wait(10)[0], "7")

    def test_superstream_partitions_take_bindings(self):
        self.only_sluice("3.10 knows super streams from its plugin's command only")
        native = self.native()
        name = self.name()
        partitions = [f"{name}-{n}" for n in range(3)]
        self.assertEqual(native.create_super_stream(name, partitions, ["0", "1", "2"]), stream_wire.OK)
        ch = self.channel(confirm=True)
        for key in "012":
            self.publish(ch, key, f"to {key}", exchange=name)
        for key in "012":
            self.assertEqual(self.read(partitions[int(key)]).wait(1), [f"to {key}"])

    def test_a_small_frame_max_gets_large_messages(self):
        ch = self.channel(confirm=True)
        queue = self.stream(ch)
        body = bytes(range(256)) * 1000
        self.publish(ch, queue, body)
        with Connection(self.amqp_port, frame_max=8192) as raw:
            raw.open_channel()
            raw.call(1, "basic.qos", prefetch_count=1)
            raw.call(1, "basic.consume", queue=queue, arguments={"x-stream-offset": Typed("l", 0)})
            self.assertEqual(raw.next("basic.deliver").body, body)


if __name__ == "__main__":
    main()
