# SPDX-License-Identifier: Apache-2.0
"""Policies and operator policies set through sluicectl and seen through pika: which one applies, how they merge with
arguments, that changes reach queues that are already there (reference queues-and-amqp.md, section 6.2). Against the
peer this needs SLUICE_PEER_DIR and takes a while."""
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, pika, until


class Policies(AmqpCase):
    def prefixed(self):
        """A prefix for queue names and the pattern that matches just them."""
        prefix = self.name()
        return prefix, f"^{re.escape(prefix)}"

    def test_it_reaches_queues_that_are_there(self):
        ch = self.channel(confirm=True)
        prefix, pattern = self.prefixed()
        queue, other = self.queue(ch, prefix), self.queue(ch)
        for name in (queue, other):
            self.publish(ch, name, *"abcde")
        policy = self.policy(pattern, '{"max-length": 2}', apply_to="queues")
        until("the policy cuts the queue", lambda: self.ready(ch, queue) <= 2
              or self.publish(ch, queue, "push"))  # some brokers look at the length at the next publish
        self.assertEqual(self.ready(ch, other), 5)
        self.ctl("clear_policy", policy)
        self.publish(ch, queue, *"fghi")
        self.assertEqual(self.ready(ch, queue), 6)

    def test_it_reaches_queues_that_come_later(self):
        prefix, pattern = self.prefixed()
        self.policy(pattern, '{"message-ttl": 100}')
        ch = self.channel(confirm=True)
        queue = self.queue(ch, prefix + ".q")
        self.publish(ch, queue, "m")
        self.until_ready(ch, queue, 0)

    def test_the_highest_priority_wins_alone(self):
        prefix, pattern = self.prefixed()
        self.policy(pattern, '{"max-length": 1}', priority=1)
        self.policy(pattern, '{"max-length-bytes": 3}', priority=5)
        ch = self.channel(confirm=True)
        queue = self.queue(ch, prefix)
        self.publish(ch, queue, *"abcde")
        self.assertEqual(self.drain(ch, queue), list("cde"), "no merging between two policies")

    def test_dead_letters_and_delivery_limit_as_in_the_handbook(self):
        prefix, _ = self.prefixed()
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "direct")
        dead = self.bound_queue(ch, exchange, "dead")
        queue = self.queue(ch, f"{prefix}.orders.queue", x_queue_type="quorum")
        self.policy(rf"{prefix}\.orders\.queue", json.dumps({
            "dead-letter-exchange": exchange, "dead-letter-routing-key": "dead", "delivery-limit": 2,
            "message-ttl": 60000}))
        self.publish(ch, queue, "m")
        consumer = Consumer(ch, queue, lambda c, method, *_: c.basic_reject(method.delivery_tag, requeue=True))
        consumer.wait(3)
        self.assertEqual(self.get(self.channel(), dead)[2], b"m")

    def test_the_smaller_of_argument_and_policy(self):
        prefix, pattern = self.prefixed()
        self.policy(pattern, '{"max-length": 3}')
        ch = self.channel(confirm=True)
        small, large = self.queue(ch, prefix + "-small", x_max_length=2), self.queue(ch, prefix + "-large", x_max_length=9)
        for queue in (small, large):
            self.publish(ch, queue, *"abcdefghij")
        self.assertEqual((self.ready(ch, small), self.ready(ch, large)), (2, 3))

    def test_the_argument_wins_for_where_dead_letters_go(self):
        prefix, pattern = self.prefixed()
        ch = self.channel(confirm=True)
        by_argument, by_policy = self.queue(ch), self.queue(ch)
        self.policy(pattern, json.dumps({"dead-letter-exchange": "", "dead-letter-routing-key": by_policy,
                                         "message-ttl": 50}))
        own = self.queue(ch, prefix + "-own", x_dead_letter_exchange="", x_dead_letter_routing_key=by_argument)
        none = self.queue(ch, prefix + "-none")
        self.publish(ch, own, "own")
        self.publish(ch, none, "none")
        self.assertEqual((self.take(ch, by_argument, 1), self.take(ch, by_policy, 1)), (["own"], ["none"]))

    def test_operator_policies_are_merged_in(self):
        prefix, pattern = self.prefixed()
        self.policy(pattern, '{"max-length": 5, "message-ttl": 600000}')
        self.policy(pattern, '{"max-length": 3}', operator=True, apply_to="queues")
        ch = self.channel(confirm=True)
        queue = self.queue(ch, prefix)
        self.publish(ch, queue, *"abcdefg")
        self.assertEqual(self.ready(ch, queue), 3)

    def test_it_applies_to_what_it_says(self):
        self.only_sluice("classic_queues and the like came with 3.12")
        prefix, pattern = self.prefixed()
        self.policy(pattern, '{"max-length": 2}', apply_to="quorum_queues")
        ch = self.channel(confirm=True)
        classic = self.queue(ch, prefix + "-classic")
        quorum = self.queue(ch, prefix + "-quorum", x_queue_type="quorum")
        for queue in (classic, quorum):
            self.publish(ch, queue, *"abcde")
        self.assertEqual((self.ready(ch, classic), self.ready(ch, quorum)), (5, 2))

    def test_an_alternate_exchange_by_policy(self):
        prefix, pattern = self.prefixed()
        ch = self.channel(confirm=True)
        alternate = self.exchange(ch, "fanout")
        rest = self.bound_queue(ch, alternate)
        ch.exchange_declare(prefix, "direct", durable=True)
        self.made.append(("exchange", prefix))
        self.policy(pattern, json.dumps({"alternate-exchange": alternate}), apply_to="exchanges")
        self.publish(ch, "nowhere", "m", exchange=prefix)
        self.assertEqual(self.take(ch, rest, 1), ["m"])

    def test_expiry_by_policy(self):
        prefix, pattern = self.prefixed()
        queue = self.queue(self.channel(), prefix)
        self.policy(pattern, '{"expires": 200}', apply_to="queues")
        self.until_expired(queue)

    def test_overflow_by_policy(self):
        prefix, pattern = self.prefixed()
        ch = self.channel(confirm=True)
        queue = self.queue(ch, prefix)
        self.policy(pattern, '{"max-length": 1, "overflow": "reject-publish"}', apply_to="queues")
        self.publish(ch, queue, "a")
        with self.assertRaises(pika.exceptions.NackError):
            self.publish(ch, queue, "b")

    def test_lists(self):
        prefix, pattern = self.prefixed()
        name = self.policy(pattern, '{"max-length": 5}', priority=3)
        listed = self.ctl("list_policies")
        self.assertRegex(listed, f"(?m)^/\t{name}\t{re.escape(pattern)}\tall\t.*max-length.*\t3$")
        self.ctl("clear_policy", name)
        self.assertNotIn(name, self.ctl("list_policies"))

    def test_wrong_definitions_are_refused(self):
        for definition in ('{"max-length": -1}', '{"message-ttl": "long"}', '{"no-such-key": 1}', "{}", "[]", "nonsense",
                           '{"overflow": "reject_publish"}', '{"max-age": "7 days"}', '{"queue-version": 3}',
                           '{"dead-letter-strategy": "always"}', '{"queue-leader-locator": 1}'):
            with self.subTest(definition), self.assertRaises(AssertionError):
                self.policy("^nothing$", definition)


if __name__ == "__main__":
    main()
