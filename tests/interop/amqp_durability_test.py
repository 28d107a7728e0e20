# SPDX-License-Identifier: Apache-2.0
"""What is there after a restart and what is not, and what sluice adds to queues: x-retain, replay as a stream, rewind.
With pika; sluice only, since the tests stop and kill their broker."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import stream_wire
from amqp_case import PERSISTENT, TRANSIENT, AmqpCase, Consumer, main, pika


class SluiceOnly(AmqpCase):
    def setUp(self):
        super().setUp()
        self.only_sluice("stops its broker, or tests what only sluice has")


class Restart(SluiceOnly):
    def test_confirmed_persistent_messages_are_kept(self):
        for kill in (True, False):
            for kind in ("classic", "quorum", "stream"):
                with self.subTest(kill=kill, kind=kind):
                    ch = self.channel(confirm=True)
                    queue = self.queue(ch, x_queue_type=kind)
                    self.publish(ch, queue, *(str(n) for n in range(200)), delivery_mode=PERSISTENT, headers={"a": 1})
                    self.restart(kill)
                    ch = self.channel()
                    ch.basic_qos(prefetch_count=500)
                    arguments = {"x-stream-offset": "first"} if kind == "stream" else None
                    consumer = Consumer(ch, queue, arguments=arguments)
                    self.assertEqual(consumer.wait(200), [str(n) for n in range(200)])
                    self.assertFalse(any(method.redelivered for method, _, _ in consumer.got))
                    self.assertEqual(consumer.got[0][1].headers["a"], 1)
                    self.connection.close()
                    self.connection = None

    def test_transient_messages_are_gone(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, "t1", delivery_mode=TRANSIENT)
        self.publish(ch, queue, "p1", delivery_mode=PERSISTENT)
        self.publish(ch, queue, "t2")
        self.publish(ch, queue, "p2", delivery_mode=PERSISTENT)
        self.restart(kill=False)
        self.assertEqual(self.drain(self.channel(), queue), ["p1", "p2"])

    def test_durable_things_are_kept_and_transient_ones_gone(self):
        ch = self.channel(confirm=True)
        durable, transient = self.exchange(ch, "topic"), self.exchange(ch, "topic", durable=False)
        queue = self.queue(ch, x_message_ttl=600000)
        passing = self.queue(ch, durable=False)
        gone = self.queue(ch, durable=True, exclusive=True)
        ch.queue_bind(queue, durable, "a.#", {"x": 1})
        ch.queue_bind(queue, transient, "a.#")
        ch.queue_bind(passing, durable, "a.#")
        target = self.exchange(ch, "fanout")
        ch.exchange_bind(target, durable, "b.#")
        ch.queue_bind(queue, target)
        self.restart()
        ch = self.channel(confirm=True)
        self.queue(ch, queue, x_message_ttl=600000)  # with the arguments it had
        ch.exchange_declare(durable, "topic", durable=True)
        self.assertFalse(self.exists(passing))
        self.assertFalse(self.exists(gone))
        with self.refused(404):
            self.channel().exchange_declare(transient, passive=True)
        self.publish(ch, "a.b", "1", exchange=durable)
        self.publish(ch, "b.c", "2", exchange=durable)
        self.assertEqual(self.drain(ch, queue), ["1", "2"])

    def test_settled_stays_settled_and_unsettled_comes_again(self):
        for kind in ("classic", "quorum"):
            with self.subTest(kind):
                ch = self.channel(confirm=True)
                queue = self.queue(ch, x_queue_type=kind)
                self.publish(ch, queue, *(str(n) for n in range(20)), delivery_mode=PERSISTENT)
                consumer = Consumer(ch, queue)
                consumer.wait(20)
                for tag in consumer.tags()[:10:2]:
                    ch.basic_ack(tag)
                ch.basic_qos(prefetch_count=0)  # its answer says that the acks have arrived
                self.restart(kill=False)
                ch = self.channel()
                got = [self.get(ch, queue) for _ in range(15)]
                self.assertEqual([int(body) for _, _, body in got], [1, 3, 5, 7, 9, *range(10, 20)])
                self.assertTrue(all(method.redelivered for method, _, _ in got))
                self.assertEqual(self.drain(ch, queue), [])

    def test_priorities_counts_and_deadlines_are_kept(self):
        ch = self.channel(confirm=True)
        by_priority = self.queue(ch, x_max_priority=5)
        for priority in (1, 5, 3):
            self.publish(ch, by_priority, str(priority), priority=priority, delivery_mode=PERSISTENT)
        counted = self.queue(ch, x_queue_type="quorum")
        self.publish(ch, counted, "m")
        ch.basic_reject(self.get(ch, counted, auto_ack=False)[0].delivery_tag, requeue=True)
        self.until_ready(ch, counted, 1)
        short = self.queue(ch, x_message_ttl=400)
        self.publish(ch, short, "m", delivery_mode=PERSISTENT)
        self.restart()
        ch = self.channel()
        self.assertEqual(self.drain(ch, by_priority), ["5", "3", "1"])
        self.until_ready(ch, short, 0)
        self.assertEqual(self.get(ch, counted)[1].headers["x-delivery-count"], 1)

    def test_purged_and_deleted_stays_so(self):
        ch = self.channel(confirm=True)
        purged, deleted = self.queue(ch), self.queue(ch)
        for queue in (purged, deleted):
            self.publish(ch, queue, *"abc", delivery_mode=PERSISTENT)
        ch.queue_purge(purged)
        self.publish(ch, purged, "d", delivery_mode=PERSISTENT)
        ch.queue_delete(deleted)
        self.queue(ch, deleted)
        self.restart()
        ch = self.channel()
        self.assertEqual((self.drain(ch, purged), self.drain(ch, deleted)), (["d"], []))

    def test_policies_are_kept(self):
        queue = self.queue(self.channel())
        self.policy(f"^{queue}$", '{"max-length": 2}')
        self.restart()
        ch = self.channel(confirm=True)
        self.publish(ch, queue, *"abcd")
        self.assertEqual(self.drain(ch, queue), ["c", "d"])

    def test_a_fanout_is_whole_after_a_restart(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "fanout")
        queues = [self.bound_queue(ch, exchange) for _ in range(20)]
        body = b"x" * 5000
        for _ in range(3):
            self.publish(ch, "", body, exchange=exchange, delivery_mode=PERSISTENT)
        self.assertEqual(self.take(ch, queues[0], 3), [body.decode()] * 3)
        self.restart()
        ch = self.channel()
        self.assertEqual([len(self.drain(ch, queue)) for queue in queues], [0] + [3] * 19)


class Retain(SluiceOnly):
    def retained(self, ch, *bodies, **arguments):
        queue = self.queue(ch, x_retain="1h", **arguments)
        self.publish(ch, queue, *bodies, delivery_mode=PERSISTENT)
        return queue

    def test_settled_messages_are_replayed_as_a_stream(self):
        ch = self.channel(confirm=True)
        queue = self.retained(ch, *"abcde")
        self.assertEqual(self.take(ch, queue, 3), list("abc"))
        reader = self.channel()
        reader.basic_qos(prefetch_count=10)
        consumer = Consumer(reader, queue, arguments={"x-stream-offset": "first"})
        self.assertEqual(consumer.wait(5), list("abcde"))
        reader.basic_ack(0, multiple=True)
        self.assertEqual(self.take(ch, queue, 2), ["d", "e"], "reading the history settles nothing")

    def test_the_stream_protocol_reads_it(self):
        ch = self.channel(confirm=True)
        queue = self.retained(ch, *"abcde")
        self.take(ch, queue, 5)
        with stream_wire.Connection(self.port) as native:
            self.assertEqual(native.subscribe(1, queue), stream_wire.OK)
            self.assertEqual([message.data[-1:] for message in native.read(1, 5)], [b"a", b"b", b"c", b"d", b"e"])

    def test_rewinding_makes_settled_ones_ready_again(self):
        ch = self.channel(confirm=True)
        queue = self.retained(ch, *"abcde")
        self.take(ch, queue, 4)
        self.ctl("rewind_queue", queue, "--offset", "2")
        self.until_ready(ch, queue, 3)
        got = [self.get(ch, queue) for _ in range(3)]
        self.assertEqual([body for _, _, body in got], [b"c", b"d", b"e"])
        self.assertEqual([method.redelivered for method, _, _ in got], [True, True, False])

    def test_wrong_values_are_refused(self):
        for value in ("some", -1, True):
            with self.subTest(value), self.assertRaises(pika.exceptions.ChannelClosedByBroker) as caught:
                self.channel().queue_declare(self.name(), durable=True, arguments={"x-retain": value})
            self.assertEqual(caught.exception.reply_code, 406)


if __name__ == "__main__":
    main()
