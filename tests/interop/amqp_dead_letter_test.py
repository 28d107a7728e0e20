# SPDX-License-Identifier: Apache-2.0
"""Dead lettering with pika: each reason, the x-death header and its relatives, keys, cycles, retry queues (reference
queues-and-amqp.md, section 6.3)."""
import datetime
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, until


class DeadLetters(AmqpCase):
    def pair(self, ch, **arguments):
        """A queue whose dead letters go to a second one through the default exchange: (queue, dead)."""
        dead = self.queue(ch)
        return self.queue(ch, x_dead_letter_exchange="", x_dead_letter_routing_key=dead, **arguments), dead

    def reject(self, ch, queue, **more):
        method, properties, body = self.get(ch, queue, auto_ack=False)
        ch.basic_reject(method.delivery_tag, requeue=False)
        return properties, body

    def test_rejected(self):
        for kind in ("classic", "quorum"):
            with self.subTest(kind):
                ch = self.channel(confirm=True)
                queue, dead = self.pair(ch, x_queue_type=kind)
                self.publish(ch, queue, "m", headers={"mine": 1}, message_id="7", delivery_mode=2)
                self.reject(ch, queue)
                method, properties, body = self.get(ch, dead)
                self.assertEqual((body, properties.message_id, properties.delivery_mode), (b"m", "7", 2))
                self.assertEqual((method.exchange, method.routing_key, method.redelivered), ("", dead, False))
                headers = properties.headers
                time = headers["x-death"][0].pop("time")
                self.assertLess(abs((time - datetime.datetime.utcnow()).total_seconds()), 60)
                self.assertEqual(headers["x-death"], [{"count": 1, "exchange": "", "queue": queue, "reason": "rejected",
                                                       "routing-keys": [queue]}])
                self.assertEqual((headers["mine"], headers["x-first-death-exchange"], headers["x-first-death-queue"],
                                  headers["x-first-death-reason"]), (1, "", queue, "rejected"))

    def test_nacked_many_keep_their_order(self):
        ch = self.channel(confirm=True)
        queue, dead = self.pair(ch)
        self.publish(ch, queue, *"abcdef")
        consumer = Consumer(ch, queue)
        consumer.wait(6)
        ch.basic_nack(consumer.tags()[-1], multiple=True, requeue=False)
        self.assertEqual(self.take(ch, dead, 6), list("abcdef"))

    def test_expired(self):
        ch = self.channel(confirm=True)
        queue, dead = self.pair(ch)
        self.publish(ch, queue, "m", expiration="50")
        _, properties, _ = self.get(ch, dead)
        death = properties.headers["x-death"][0]
        self.assertEqual((death["reason"], death["original-expiration"]), ("expired", "50"))
        self.assertIsNone(properties.expiration, "else it would expire again")

    def test_expired_by_the_queue(self):
        ch = self.channel(confirm=True)
        queue, dead = self.pair(ch, x_message_ttl=50)
        self.publish(ch, queue, "m")
        death = self.get(ch, dead)[1].headers["x-death"][0]
        self.assertEqual(death["reason"], "expired")
        self.assertNotIn("original-expiration", death)

    def test_last_death_headers(self):
        self.only_sluice("x-last-death-* came with 3.13")
        ch = self.channel(confirm=True)
        queue, dead = self.pair(ch, x_message_ttl=50)
        self.publish(ch, queue, "m")
        headers = self.get(ch, dead)[1].headers
        self.assertEqual((headers["x-last-death-queue"], headers["x-last-death-reason"], headers["x-last-death-exchange"]),
                         (queue, "expired", ""))

    def test_without_a_key_the_own_keys_stay(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "topic")
        dead = self.bound_queue(ch, exchange, "orders.#")
        source = self.exchange(ch, "topic")
        queue = self.bound_queue(ch, source, "#", x_dead_letter_exchange=exchange)
        self.publish(ch, "orders.created", "m", exchange=source)
        self.reject(ch, queue)
        method, properties, _ = self.get(ch, dead)
        self.assertEqual((method.exchange, method.routing_key), (exchange, "orders.created"))
        self.assertEqual(properties.headers["x-death"][0]["exchange"], source)

    def test_cc_keys_are_used_and_go_with_a_key_of_the_queue(self):
        ch = self.channel(confirm=True)
        dlx = self.exchange(ch, "direct")
        by_cc, by_key = self.bound_queue(ch, dlx, "copy"), self.bound_queue(ch, dlx, "dead")
        own = self.queue(ch, x_dead_letter_exchange=dlx)
        self.publish(ch, own, "m", headers={"CC": ["copy"]})
        self.reject(ch, own)
        _, properties, _ = self.get(ch, by_cc)
        self.assertEqual(properties.headers["CC"], ["copy"])
        self.assertEqual(properties.headers["x-death"][0]["routing-keys"], [own, "copy"])
        given = self.queue(ch, x_dead_letter_exchange=dlx, x_dead_letter_routing_key="dead")
        self.publish(ch, given, "m", headers={"CC": ["copy"]})
        self.reject(ch, given)
        _, properties, _ = self.get(ch, by_key)
        self.assertNotIn("CC", properties.headers)
        self.assertEqual(self.drain(ch, by_cc), [])

    def test_counts_rise_and_the_newest_death_comes_first(self):
        ch = self.channel(confirm=True)
        first, second = self.name() + "-1", self.name() + "-2"
        self.queue(ch, first, x_dead_letter_exchange="", x_dead_letter_routing_key=second)
        self.queue(ch, second, x_dead_letter_exchange="", x_dead_letter_routing_key=first)
        self.publish(ch, first, "m")
        for queue in (first, second, first):
            self.reject(ch, queue)
        deaths = self.get(ch, second)[1].headers["x-death"]
        self.assertEqual([(death["queue"], death["count"], death["reason"]) for death in deaths],
                         [(first, 2, "rejected"), (second, 1, "rejected")])

    def test_one_queue_may_have_deaths_of_several_reasons(self):
        self.only_sluice("3.x keeps those of a queue together")
        ch = self.channel(confirm=True)
        dead = self.name()
        queue = self.queue(ch, x_dead_letter_exchange="", x_dead_letter_routing_key=dead)
        self.queue(ch, dead, x_dead_letter_exchange="", x_dead_letter_routing_key=queue)
        self.publish(ch, queue, "m", expiration="50")
        self.reject(ch, dead)
        self.reject(ch, queue)
        deaths = self.get(ch, dead)[1].headers["x-death"]
        self.assertEqual([(death["queue"], death["reason"]) for death in deaths],
                         [(queue, "rejected"), (dead, "rejected"), (queue, "expired")])

    def test_a_cycle_without_rejection_ends(self):
        ch = self.channel(confirm=True)
        queue = self.name()
        self.queue(ch, queue, x_message_ttl=20, x_dead_letter_exchange="", x_dead_letter_routing_key=queue)
        self.publish(ch, queue, "m")
        self.until_ready(ch, queue, 0)
        ch.basic_qos(prefetch_count=1)
        self.assertEqual(self.drain(ch, queue), [])

    def test_a_retry_queue_brings_it_back(self):
        ch = self.channel(confirm=True)
        work, retry = self.name() + "-work", self.name() + "-retry"
        self.queue(ch, work, x_dead_letter_exchange="", x_dead_letter_routing_key=retry)
        self.queue(ch, retry, x_message_ttl=50, x_dead_letter_exchange="", x_dead_letter_routing_key=work)
        self.publish(ch, work, "m")
        for round_ in range(3):
            properties, _ = self.reject(ch, work)
            count = {(d["queue"], d["reason"]): d["count"] for d in (properties.headers or {}).get("x-death", [])}
            self.assertEqual(count.get((work, "rejected"), 0), round_)
        self.assertEqual(self.take(ch, work, 1), ["m"])

    def test_a_missing_exchange_drops(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_dead_letter_exchange="missing")
        self.publish(ch, queue, "a", "b")
        self.reject(ch, queue)
        self.assertEqual(self.drain(ch, queue), ["b"])

    def test_dead_letters_reach_several_queues(self):
        ch = self.channel(confirm=True)
        dlx = self.exchange(ch, "fanout")
        dead = [self.bound_queue(ch, dlx) for _ in range(3)]
        queue = self.queue(ch, x_dead_letter_exchange=dlx)
        self.publish(ch, queue, "m")
        self.reject(ch, queue)
        for name in dead:
            self.assertEqual(self.take(ch, name, 1), ["m"])

    def test_a_key_needs_an_exchange(self):
        with self.refused(406, "invalid arg 'x-dead-letter-routing-key' for queue '.*' in vhost '/': "):
            self.channel().queue_declare(self.name(), durable=True, arguments={"x-dead-letter-routing-key": "k"})

    def test_values_are_checked(self):
        for key, text in (("x-dead-letter-exchange", "invalid type 'signedint' for arg 'x-dead-letter-exchange' in"),
                          ("x-dead-letter-routing-key", "invalid arg 'x-dead-letter-routing-key' for")):
            with self.refused(406, f"^PRECONDITION_FAILED - {text} queue '.*' in vhost '/'"):
                self.channel().queue_declare(self.name(), durable=True, arguments={"x-dead-letter-exchange": "x", key: 5})

    def test_a_death_published_by_a_client_counts_for_nothing(self):
        self.only_sluice("3.x counts on with it")
        ch = self.channel(confirm=True)
        queue, dead = self.pair(ch)
        self.publish(ch, queue, "m", headers={"x-death": [{"queue": queue, "reason": "rejected", "count": 41}]})
        self.reject(ch, queue)
        self.assertEqual(self.get(ch, dead)[1].headers["x-death"][0]["count"], 1)

    def test_the_message_leaves_when_its_copy_is_safe(self):
        ch = self.channel(confirm=True)
        queue, dead = self.pair(ch)
        self.publish(ch, queue, *(str(n) for n in range(200)))
        consumer = Consumer(ch, queue, lambda c, method, *_: c.basic_nack(method.delivery_tag, requeue=False))
        consumer.wait(200)
        self.assertEqual(self.take(ch, dead, 200), [str(n) for n in range(200)])
        until("nothing is left", lambda: self.ready(ch, queue) == 0)


if __name__ == "__main__":
    main()
