# SPDX-License-Identifier: Apache-2.0
"""Messages and queues that end by themselves, with pika: message TTL, queue expiry, length limits with each overflow
mode (reference queues-and-amqp.md, section 6.3)."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, pika, until
from broker import scaled, throughout


class MessageTtl(AmqpCase):
    def test_the_queue_says_how_long(self):
        for kind in ("classic", "quorum"):
            ch = self.channel(confirm=True)
            queue = self.queue(ch, x_message_ttl=150, x_queue_type=kind)
            start = time.monotonic()
            self.publish(ch, queue, "a", "b")
            self.until_ready(ch, queue, 2)
            self.until_ready(ch, queue, 0)
            self.assertGreaterEqual(time.monotonic() - start, 0.14)

    def test_the_message_says_how_long(self):
        for kind in ("classic", "quorum"):
            ch = self.channel(confirm=True)
            queue = self.queue(ch, x_queue_type=kind)
            self.publish(ch, queue, "short", expiration="100")
            self.publish(ch, queue, "stays")
            self.until_ready(ch, queue, 1)
            self.assertEqual(self.take(ch, queue, 1), ["stays"])

    def test_the_shorter_of_both_counts(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_message_ttl=100)
        self.publish(ch, queue, "m", expiration="600000")
        self.until_ready(ch, queue, 0)
        queue = self.queue(ch, x_message_ttl=600000)
        self.publish(ch, queue, "m", expiration="100")
        self.until_ready(ch, queue, 0)

    def test_expiry_is_looked_at_from_the_head(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, "first, for long", expiration="600000")
        self.publish(ch, queue, "second", expiration="1")
        self.publish(ch, queue, "third")
        throughout("the head hides what is behind it", 0.1, lambda: self.ready(ch, queue) == 3)
        self.assertEqual(self.take(ch, queue, 2), ["first, for long", "third"])

    def test_nothing_expired_is_delivered(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, *"abc", expiration="50")
        time.sleep(0.08)
        consumer = Consumer(ch, queue, auto_ack=True)
        self.publish(ch, queue, "fresh")
        self.assertEqual(consumer.settled_at(1), ["fresh"])

    def test_zero_means_now_or_never(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_message_ttl=0)
        self.publish(ch, queue, "nobody waits")
        self.until_ready(ch, queue, 0)
        consumer = Consumer(ch, queue, auto_ack=True)
        self.publish(ch, queue, "somebody waits")
        self.assertEqual(consumer.settled_at(1), ["somebody waits"])
        other = self.queue(ch)
        self.publish(ch, other, "m", expiration="0")
        self.until_ready(ch, other, 0)

    def test_a_requeue_keeps_the_time(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_message_ttl=200)
        self.publish(ch, queue, "m")
        method, properties, _ = self.get(ch, queue, auto_ack=False)
        self.assertIsNone(properties.expiration, "the queue's TTL is no property")
        time.sleep(0.25)
        ch.basic_nack(method.delivery_tag, requeue=True)
        self.until_ready(ch, queue, 0, timeout=1)

    def test_what_a_consumer_holds_does_not_expire(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, "m", expiration="50")
        tag = self.get(ch, queue, auto_ack=False)[0].delivery_tag
        time.sleep(0.1)
        ch.basic_ack(tag)
        ch.basic_qos(prefetch_count=1)

    def test_values_are_checked(self):
        for argument in ("x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes"):
            for value in (-1, "60000"):
                with self.subTest(argument, value=value), self.refused(
                        406, f"^PRECONDITION_FAILED - invalid arg '{argument}' for queue '.*' in vhost '/': "):
                    self.channel().queue_declare(self.name(), durable=True, arguments={argument: value})
        with self.refused(406, "invalid arg 'x-expires' .*value_zero"):
            self.channel().queue_declare(self.name(), durable=True, arguments={"x-expires": 0})
        for argument in ("x-message-ttl", "x-expires"):
            with self.refused(406, f"invalid arg '{argument}' .*value_too_large,315360000001"):
                self.channel().queue_declare(self.name(), durable=True, arguments={argument: 315_360_000_001})
        ten_years = 315_360_000_000
        queue = self.queue(ch := self.channel(), x_message_ttl=ten_years, x_expires=ten_years)
        self.publish(ch, queue, "m")
        self.assertEqual(self.take(ch, queue, 1), ["m"])


class QueueExpiry(AmqpCase):
    def test_an_unused_queue_goes(self):
        for kind in ("classic", "quorum"):
            ch = self.channel()
            queue = self.queue(ch, x_expires=150, x_queue_type=kind)
            self.publish(ch, queue, "messages do not keep it")
            if kind == "classic":
                self.until_expired(queue)
            else:
                self.until_gone(queue)  # a declare does not renew it

    def test_a_consumer_keeps_it(self):
        ch = self.channel()
        queue = self.queue(ch, x_expires=150)
        consumer = Consumer(ch, queue)
        time.sleep(0.4)
        self.assertTrue(self.exists(queue))
        consumer.cancel()
        self.until_expired(queue)

    def test_gets_and_declares_keep_it(self):
        ch = self.channel()
        got, declared = self.queue(ch, x_expires=400), self.queue(ch, x_expires=400)
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            ch.basic_get(got)
            self.queue(ch, declared, x_expires=400)
            time.sleep(0.05)
        self.until_expired(got)
        self.until_expired(declared)


class MaxLength(AmqpCase):
    def test_drop_head(self):
        for arguments in ({"x_max_length": 3}, {"x_max_length": 3, "x_overflow": "drop-head"}, {"x_max_length_bytes": 3},
                          {"x_max_length": 3, "x_queue_type": "quorum"}):
            with self.subTest(arguments):
                ch = self.channel(confirm=True)
                queue = self.queue(ch, **arguments)
                self.publish(ch, queue, *"abcde")
                self.assertEqual(self.drain(ch, queue), list("cde"))

    def test_only_ready_ones_count(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_length=2)
        self.publish(ch, queue, "a", "b")
        held = [self.get(ch, queue, auto_ack=False)[0].delivery_tag for _ in range(2)]
        self.publish(ch, queue, "c", "d")
        self.assertEqual(self.ready(ch, queue), 2)
        ch.basic_ack(held[1], multiple=True)
        self.publish(ch, queue, "e")
        self.assertEqual(self.drain(ch, queue), ["d", "e"])

    def test_a_limit_of_zero_passes_to_waiting_consumers(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_length=0)
        self.publish(ch, queue, "nobody waits")
        self.assertEqual(self.drain(ch, queue), [])
        consumer = Consumer(ch, queue, auto_ack=True)
        self.publish(ch, queue, "somebody waits")
        self.assertEqual(consumer.settled_at(1), ["somebody waits"])

    def test_reject_publish(self):
        for limit in ({"x_max_length": 2}, {"x_max_length_bytes": 2}):
            ch = self.channel(confirm=True)
            queue = self.queue(ch, x_overflow="reject-publish", **limit)
            self.publish(ch, queue, "a", "b")
            with self.assertRaises(pika.exceptions.NackError):
                self.publish(ch, queue, "c")
            self.assertEqual(self.take(ch, queue, 1), ["a"])
            self.publish(ch, queue, "d")
            self.assertEqual(self.drain(ch, queue), ["b", "d"])
            plain = self.channel()
            self.publish(plain, queue, *"xyz")  # without confirms it is dropped in silence
            self.until_ready(ch, queue, 2)
            self.assertEqual(self.drain(ch, queue), ["x", "y"])

    def test_reject_publish_on_quorum(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_overflow="reject-publish", x_max_length=2, x_queue_type="quorum")
        rejected = 0
        for number in range(50):  # it may overshoot
            try:
                self.publish(ch, queue, str(number))
            except pika.exceptions.NackError:
                rejected += 1
        self.assertGreater(rejected, 0)
        self.assertEqual(self.ready(ch, queue), 50 - rejected)

    def test_the_dropped_are_dead_lettered(self):
        ch = self.channel(confirm=True)
        dead = self.queue(ch)
        queue = self.queue(ch, x_max_length=1, x_dead_letter_exchange="", x_dead_letter_routing_key=dead)
        self.publish(ch, queue, "a", "b")
        _, properties, body = self.get(ch, dead)
        self.assertEqual((body, properties.headers["x-death"][0]["reason"]), (b"a", "maxlen"))
        self.assertEqual(self.drain(ch, queue), ["b"])

    def test_reject_publish_dlx_dead_letters_what_is_refused(self):
        ch = self.channel(confirm=True)
        dead = self.queue(ch)
        queue = self.queue(ch, x_max_length=1, x_overflow="reject-publish-dlx", x_dead_letter_exchange="",
                           x_dead_letter_routing_key=dead)
        self.publish(ch, queue, "a")
        with self.assertRaises(pika.exceptions.NackError):
            self.publish(ch, queue, "b")
        _, properties, body = self.get(ch, dead)
        self.assertEqual((body, properties.headers["x-death"][0]["reason"]), (b"b", "maxlen"))
        self.assertEqual(self.drain(ch, queue), ["a"])

    def test_both_limits_at_once(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_length=3, x_max_length_bytes=10)
        self.publish(ch, queue, "1", "2", "3", "4")
        self.assertEqual(self.ready(ch, queue), 3)
        self.publish(ch, queue, "eight..8")
        self.assertEqual(self.drain(ch, queue), ["3", "4", "eight..8"])

    def test_modes_are_checked(self):
        with self.refused(406, "invalid arg 'x-overflow' for queue '.*' in vhost '/': .*"):
            self.channel().queue_declare(self.name(), durable=True, arguments={"x-overflow": "explode"})
        self.only_sluice("3.10 looks at it later")
        with self.refused(406, "x-overflow"):
            self.channel().queue_declare(self.name(), durable=True,
                                         arguments={"x-overflow": "reject-publish-dlx", "x-queue-type": "quorum"})


class Together(AmqpCase):
    def test_many_timers_at_once(self):
        ch = self.channel(confirm=True)
        dead = self.queue(ch)
        queues = [self.queue(ch, x_message_ttl=100 + 10 * number, x_dead_letter_exchange="",
                             x_dead_letter_routing_key=dead) for number in range(20)]
        for number, queue in enumerate(queues):
            self.publish(ch, queue, str(number))
        got = self.take(ch, dead, 20, timeout=scaled(10))
        self.assertEqual(sorted(got, key=int), [str(n) for n in range(20)])
        until("all are empty", lambda: all(self.ready(ch, queue) == 0 for queue in queues))


if __name__ == "__main__":
    main()
