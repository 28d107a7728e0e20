# SPDX-License-Identifier: Apache-2.0
"""The exchange types beyond the four of AMQP, with pika: consistent and modulus hash, random, recent history, delayed
(reference queues-and-amqp.md, section 3). The peer needs SLUICE_PEER_PLUGINS=rabbitmq_consistent_hash_exchange,
rabbitmq_random_exchange,rabbitmq_recent_history_exchange,rabbitmq_sharding."""
import collections
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, until


class Hashing(AmqpCase):
    def spread(self, ch, queues):
        """Where each body went: {body: index of the queue}."""
        return {body: index for index, queue in enumerate(queues) for body in self.drain(ch, queue)}

    def test_consistent_hash_spreads_by_key_and_weight(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "x-consistent-hash")
        queues = [self.bound_queue(ch, exchange, weight) for weight in ("1", "1", "2")]
        first = None
        for round_ in range(2):
            for number in range(400):
                self.publish(ch, f"key{number}", str(number), exchange=exchange)
            where = self.spread(ch, queues)
            self.assertEqual(len(where), 400, "each message goes to exactly one queue")
            self.assertEqual(where, first or where, "the same key goes to the same queue")
            first = where
        sizes = collections.Counter(first.values())
        self.assertTrue(all(50 < sizes[index] < 160 for index in (0, 1)), sizes)
        self.assertTrue(140 < sizes[2] < 260, sizes)

    def test_few_keys_move_when_a_queue_comes(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "x-consistent-hash")
        queues = [self.bound_queue(ch, exchange, "1") for _ in range(3)]
        for number in range(300):
            self.publish(ch, f"key{number}", str(number), exchange=exchange)
        before = self.spread(ch, queues)
        queues.append(self.bound_queue(ch, exchange, "1"))
        for number in range(300):
            self.publish(ch, f"key{number}", str(number), exchange=exchange)
        after = self.spread(ch, queues)
        moved = [body for body in before if before[body] != after[body]]
        self.assertTrue(all(after[body] == 3 for body in moved), "keys move to the new queue only")
        self.assertTrue(30 < len(moved) < 130, len(moved))

    def test_consistent_hash_of_a_header_or_property(self):
        ch = self.channel(confirm=True)
        for arguments, properties in [({"hash-header": "user"}, lambda n: {"headers": {"user": f"u{n}"}}),
                                      ({"hash-property": "message_id"}, lambda n: {"message_id": f"u{n}"}),
                                      ({"hash-property": "correlation_id"}, lambda n: {"correlation_id": f"u{n}"}),
                                      ({"hash-property": "timestamp"}, lambda n: {"timestamp": 1000 + n})]:
            with self.subTest(arguments):
                exchange = self.exchange(ch, "x-consistent-hash", arguments=arguments)
                queues = [self.bound_queue(ch, exchange, "1") for _ in range(2)]
                for number in range(120):
                    self.publish(ch, "same key", str(number), exchange=exchange, **properties(number % 40))
                where = self.spread(ch, queues)
                self.assertEqual(len(where), 120)
                self.assertEqual(set(where.values()), {0, 1}, "40 values meet both queues")
                for number in range(40):
                    self.assertEqual(len({where[str(number + 40 * more)] for more in range(3)}), 1)

    def test_consistent_hash_checks_its_arguments(self):
        for arguments in ({"hash-header": "a", "hash-property": "message_id"}, {"hash-property": "priority"}):
            with self.refused(406, "^PRECONDITION_FAILED - "):
                self.channel().exchange_declare(self.name(), "x-consistent-hash", arguments=arguments)
        exchange = self.exchange(self.channel(), "x-consistent-hash")
        queue = self.queue(self.channel())
        for weight, text in (("heavy", 'be an integer: <<"heavy">>'), ("", "be an integer: <<>>"),
                             ("-1", "be greater than 0"), ("0", "be greater than 0"), ("10001", "not exceed 10000")):
            if weight == "10001" and self.broker is None:
                continue  # newer than the peer
            with self.subTest(weight), self.refused(406, f"^PRECONDITION_FAILED - The binding key must {text}$"):
                self.channel().queue_bind(queue, exchange, weight)

    def test_modulus_hash_sends_each_key_to_one_queue(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "x-modulus-hash")
        queues = [self.bound_queue(ch, exchange) for _ in range(4)]
        for number in range(200):
            self.publish(ch, f"key{number % 50}", str(number), exchange=exchange)
        where = self.spread(ch, queues)
        self.assertEqual((len(where), len(set(where.values()))), (200, 4))
        for number in range(50):
            self.assertEqual(len({where[str(number + 50 * more)] for more in range(4)}), 1)

    def test_random_picks_one(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "x-random")
        queues = [self.bound_queue(ch, exchange, "whatever") for _ in range(3)]
        for number in range(150):
            self.publish(ch, "k", str(number), exchange=exchange)
        where = self.spread(ch, queues)
        self.assertEqual((len(where), len(set(where.values()))), (150, 3))

    def test_local_random_takes_classic_queues_without_a_key(self):
        self.only_sluice("4.0")
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "x-local-random")
        queues = [self.bound_queue(ch, exchange, "") for _ in range(2)]
        for number in range(80):
            self.publish(ch, "", str(number), exchange=exchange)
        where = self.spread(ch, queues)
        self.assertEqual((len(where), len(set(where.values()))), (80, 2))
        with self.refused(406, "^PRECONDITION_FAILED - "):
            self.channel().queue_bind(queues[0], exchange, "key")
        quorum = self.queue(self.channel(), x_queue_type="quorum")
        with self.refused(406, "^PRECONDITION_FAILED - "):
            self.channel().queue_bind(quorum, exchange, "")


class RecentHistory(AmqpCase):
    def test_a_new_binding_gets_the_last_ones(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "x-recent-history")
        old = self.bound_queue(ch, exchange)
        for number in range(25):
            self.publish(ch, "k", str(number), exchange=exchange)
        new = self.bound_queue(ch, exchange)
        self.until_ready(ch, new, 20)
        self.assertEqual(self.drain(ch, new), [str(n) for n in range(5, 25)])
        self.publish(ch, "k", "live", exchange=exchange)
        self.assertEqual(self.take(ch, new, 1), ["live"])
        self.assertEqual(len(self.drain(ch, old)), 26)

    def test_its_length_and_what_is_not_stored(self):
        ch = self.channel(confirm=True)
        for wrong, shown in ((0, "0"), (-1, "-1"), ("5", '<<"5">>')):
            with self.refused(406, f"^PRECONDITION_FAILED - Invalid argument {shown}, 'x-recent-history-length' must be a "
                                   "positive integer$"):
                self.channel().exchange_declare(self.name(), "x-recent-history",
                                                arguments={"x-recent-history-length": wrong})
        exchange = self.exchange(ch, "x-recent-history", arguments={"x-recent-history-length": 2})
        for body in "abc":
            self.publish(ch, "k", body, exchange=exchange, headers={"n": body})
        self.publish(ch, "k", "not stored", exchange=exchange, headers={"x-recent-history-no-store": True})
        queue = self.bound_queue(ch, exchange)
        self.until_ready(ch, queue, 2)
        method, properties, body = self.get(ch, queue)
        self.assertEqual((body, properties.headers["n"], method.exchange), (b"b", "b", exchange))
        self.assertEqual(self.drain(ch, queue), ["c"])
        with self.refused(406, "^PRECONDITION_FAILED - "):
            self.channel().exchange_declare(self.name(), "x-recent-history", arguments={"x-recent-history-length": 0})


class Delayed(AmqpCase):
    def setUp(self):
        super().setUp()
        self.only_sluice("a community plugin")

    def delayed(self, ch, kind="direct", **more):
        return self.exchange(ch, "x-delayed-message", arguments={"x-delayed-type": kind, **more})

    def test_messages_wait_as_long_as_they_say(self):
        ch = self.channel(confirm=True)
        exchange = self.delayed(ch)
        queue = self.bound_queue(ch, exchange, "k")
        start = time.monotonic()
        for delay in (300, 100, 200):
            self.publish(ch, "k", str(delay), exchange=exchange, headers={"x-delay": delay, "mine": "kept"})
        self.publish(ch, "k", "now", exchange=exchange)
        self.assertEqual(self.take(ch, queue, 1), ["now"])
        for delay in (100, 200, 300):
            method, properties, body = self.get(ch, queue)
            self.assertEqual((body, method.exchange, method.routing_key), (str(delay).encode(), exchange, "k"))
            self.assertEqual(properties.headers, {"x-delay": -delay, "mine": "kept"})
            self.assertGreaterEqual(time.monotonic() - start, delay / 1000 - 0.01)

    def test_every_underlying_type(self):
        ch = self.channel(confirm=True)
        for kind, key, publish_key in (("direct", "k", "k"), ("fanout", "", "any"), ("topic", "a.*", "a.b")):
            exchange = self.delayed(ch, kind)
            queue = self.bound_queue(ch, exchange, key)
            self.publish(ch, publish_key, "m", exchange=exchange, headers={"x-delay": 50})
            self.assertEqual(self.take(ch, queue, 1), ["m"])
        exchange = self.delayed(ch, "headers")
        queue = self.bound_queue(ch, exchange, arguments={"a": 1})
        self.publish(ch, "", "m", exchange=exchange, headers={"x-delay": 50, "a": 1})
        self.assertEqual(self.take(ch, queue, 1), ["m"])

    def test_routing_is_decided_when_the_time_comes(self):
        ch = self.channel(confirm=True)
        exchange = self.delayed(ch, "fanout")
        self.publish(ch, "", "m", exchange=exchange, headers={"x-delay": 300})
        queue = self.bound_queue(ch, exchange)
        self.assertEqual(self.take(ch, queue, 1), ["m"])

    def test_hidden_keys_stay_hidden(self):
        ch = self.channel(confirm=True)
        delayed = self.exchange(ch, "x-delayed-message", arguments={"x-delayed-type": "direct"})
        history = self.exchange(ch, "x-recent-history")
        queue, hidden = self.bound_queue(ch, delayed, "k"), self.bound_queue(ch, delayed, "hidden")
        self.publish(ch, "k", "m", exchange=delayed, headers={"x-delay": 50, "BCC": ["hidden"], "CC": ["seen"]})
        self.publish(ch, "k", "m", exchange=history, headers={"BCC": ["hidden"], "CC": ["seen"]})
        for name in (queue, hidden, self.bound_queue(ch, history)):
            headers = self.get(ch, name)[1].headers
            self.assertEqual((headers["CC"], headers.get("BCC")), (["seen"], None))

    def test_delays_that_are_none(self):
        ch = self.channel(confirm=True)
        exchange = self.delayed(ch)
        queue = self.bound_queue(ch, exchange, "k")
        for number, delay in enumerate((0, -5, "soon", 2**32, None)):
            self.publish(ch, "k", str(number), exchange=exchange, headers={"x-delay": delay})
            self.assertEqual(self.take(ch, queue, 1), [str(number)])

    def test_the_type_is_required(self):
        for arguments in (None, {"x-delayed-type": "x-nothing"}, {"x-delayed-type": 5}):
            with self.refused(406, "^PRECONDITION_FAILED - "):
                self.channel().exchange_declare(self.name(), "x-delayed-message", arguments=arguments)

    def test_scheduled_ones_survive_a_restart(self):
        ch = self.channel(confirm=True)
        exchange = self.delayed(ch)
        queue = self.bound_queue(ch, exchange, "k")
        self.publish(ch, "k", "after the restart", exchange=exchange, headers={"x-delay": 600}, delivery_mode=2)
        self.restart()
        self.assertEqual(self.take(self.channel(), queue, 1), ["after the restart"])

    def test_many_delays_at_once(self):
        ch = self.channel(confirm=True)
        exchange = self.delayed(ch)
        queue = self.bound_queue(ch, exchange, "k")
        writer = self.channel()
        for number in range(1000):
            self.publish(writer, "k", str(number), exchange=exchange, headers={"x-delay": 200 + number % 10 * 20})
        consumer = Consumer(ch, queue, auto_ack=True)
        consumer.wait(1000)
        until("none is left", lambda: self.ready(ch, queue) == 0)
        self.assertEqual(sorted(consumer.bodies(), key=int), [str(n) for n in range(1000)])


class BehindOthers(AmqpCase):
    """Delayed and remembering exchanges where messages come from other exchanges or from queues."""

    def setUp(self):
        super().setUp()
        self.only_sluice("the delayed one is a community plugin")

    def behind(self, ch, kind, arguments=None, key="k"):
        """(an exchange to publish to, the special one bound to it)"""
        front, special = self.exchange(ch, "topic"), self.exchange(ch, kind, arguments=arguments)
        ch.exchange_bind(special, front, key)
        return front, special

    def test_a_delayed_one_bound_to_another(self):
        ch = self.channel(confirm=True)
        front, delayed = self.behind(ch, "x-delayed-message", {"x-delayed-type": "direct"}, "*")
        at_once, later = self.bound_queue(ch, front, "k"), self.bound_queue(ch, delayed, "k")
        start = time.monotonic()
        self.publish(ch, "k", "m", exchange=front, headers={"x-delay": 200})
        self.assertEqual(self.take(ch, at_once, 1), ["m"])
        self.assertLess(time.monotonic() - start, 0.2, "the delay is of the delayed exchange alone")
        method, properties, body = self.get(ch, later)
        self.assertGreaterEqual(time.monotonic() - start, 0.19)
        self.assertEqual((body, method.routing_key, properties.headers), (b"m", "k", {"x-delay": -200}))
        self.publish(ch, "other", "no such key", exchange=front, headers={"x-delay": 1})
        self.publish(ch, "k", "none", exchange=front)
        self.assertEqual(self.take(ch, later, 1), ["none"])
        self.assertEqual(self.drain(ch, later), [])

    def test_another_bound_to_a_delayed_one(self):
        ch = self.channel(confirm=True)
        delayed = self.exchange(ch, "x-delayed-message", arguments={"x-delayed-type": "topic"})
        behind = self.exchange(ch, "fanout")
        ch.exchange_bind(behind, delayed, "a.#")
        queue = self.bound_queue(ch, behind)
        start = time.monotonic()
        self.publish(ch, "a.b", "m", exchange=delayed, headers={"x-delay": 150})
        self.publish(ch, "b.a", "not this", exchange=delayed, headers={"x-delay": 1})
        self.assertEqual(self.take(ch, queue, 1), ["m"])
        self.assertGreaterEqual(time.monotonic() - start, 0.14)

    def test_two_delayed_ones_in_a_row_delay_once(self):
        ch = self.channel(confirm=True)
        first, second = (self.exchange(ch, "x-delayed-message", arguments={"x-delayed-type": "fanout"}) for _ in "ab")
        ch.exchange_bind(second, first)
        queue = self.bound_queue(ch, second)
        start = time.monotonic()
        self.publish(ch, "", "m", exchange=first, headers={"x-delay": 200})
        _, properties, _ = self.get(ch, queue)
        self.assertGreaterEqual(time.monotonic() - start, 0.19)
        self.assertEqual(properties.headers, {"x-delay": -200}, "negative says that it has waited")

    def test_retries_through_a_delayed_dead_letter_exchange(self):
        ch = self.channel(confirm=True)
        delayed = self.exchange(ch, "x-delayed-message", arguments={"x-delayed-type": "direct"})
        queue = self.bound_queue(ch, delayed, "again", x_dead_letter_exchange=delayed, x_dead_letter_routing_key="again")
        start = time.monotonic()
        self.publish(ch, queue, "m", headers={"x-delay": 150}, delivery_mode=2)
        method, properties, _ = self.get(ch, queue, auto_ack=False)
        self.assertEqual(properties.headers, {"x-delay": 150}, "the default exchange does not delay")
        ch.basic_reject(method.delivery_tag, requeue=False)
        _, properties, body = self.get(ch, queue)
        self.assertGreaterEqual(time.monotonic() - start, 0.14)
        self.assertEqual((body, properties.headers["x-delay"]), (b"m", -150))
        death, = properties.headers["x-death"]
        self.assertEqual((death["queue"], death["reason"], death["count"]), (queue, "rejected", 1))

    def test_a_restart_while_a_dead_letter_waits(self):
        ch = self.channel(confirm=True)
        delayed = self.exchange(ch, "x-delayed-message", arguments={"x-delayed-type": "fanout"})
        dead = self.bound_queue(ch, delayed)
        queue = self.queue(ch, x_queue_type="quorum", x_dead_letter_exchange=delayed, x_overflow="reject-publish",
                           x_dead_letter_strategy="at-least-once")
        self.publish(ch, queue, "m", headers={"x-delay": 700})
        method, _, _ = self.get(ch, queue, auto_ack=False)
        ch.basic_reject(method.delivery_tag, requeue=False)
        until("it waits", lambda: delayed in self.ctl("list_delayed_messages"))
        self.restart()
        ch = self.channel()
        self.assertEqual(self.take(ch, dead, 1), ["m"])
        self.assertEqual(self.drain(ch, dead), [])

    def test_a_remembering_one_bound_to_another(self):
        ch = self.channel(confirm=True)
        front, history = self.behind(ch, "x-recent-history", {"x-recent-history-length": 2})
        for body in "abc":
            self.publish(ch, "k", body, exchange=front)
        self.publish(ch, "other", "not to it", exchange=front)
        queue = self.bound_queue(ch, history)
        self.until_ready(ch, queue, 2)
        method, _, body = self.get(ch, queue)
        self.assertEqual((body, method.routing_key), (b"b", "k"))
        self.publish(ch, "k", "d", exchange=front)
        self.assertEqual(self.take(ch, queue, 2), ["c", "d"])

    def test_an_exchange_bound_to_a_remembering_one_gets_the_last(self):
        ch = self.channel(confirm=True)
        history, behind = self.exchange(ch, "x-recent-history"), self.exchange(ch, "direct")
        queue, other = self.bound_queue(ch, behind, "k"), self.bound_queue(ch, behind, "other")
        for body in "ab":
            self.publish(ch, "k", body, exchange=history)
        ch.exchange_bind(behind, history)
        self.until_ready(ch, queue, 2)
        self.assertEqual((self.drain(ch, queue), self.drain(ch, other)), (["a", "b"], []))

    def test_the_last_dead_letters(self):
        ch = self.channel(confirm=True)
        history = self.exchange(ch, "x-recent-history", arguments={"x-recent-history-length": 2})
        queue = self.queue(ch, x_dead_letter_exchange=history, x_max_length=1)
        self.publish(ch, queue, *"abcd")
        dead = []

        def has_all():  # dead letters come after the confirm
            dead.append(self.bound_queue(ch, history))
            return self.ready(ch, dead[-1]) == 2 and self.drain(ch, dead[-1]) == ["b", "c"]
        until("the last two are there", has_all)
        self.publish(ch, queue, "e")
        _, properties, body = self.get(ch, dead[-1])
        self.assertEqual((body, properties.headers["x-first-death-reason"]), (b"d", "maxlen"))


if __name__ == "__main__":
    main()
