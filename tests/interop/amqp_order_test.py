# SPDX-License-Identifier: Apache-2.0
"""Queues with an order or a rule about who consumes, with pika: priorities and single active consumers (reference
queues-and-amqp.md, sections 5 and 6.3)."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main
from amqp_wire import Connection


class Priorities(AmqpCase):
    def test_higher_first_and_in_order_within(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_priority=10)
        for number, priority in enumerate((1, 5, None, 10, 5, 0, 200, 1)):
            self.publish(ch, queue, f"{number}", priority=priority)
        # 200 counts as 10, none as 0.
        self.assertEqual(self.take(ch, queue, 8), ["3", "6", "1", "4", "0", "7", "2", "5"])

    def test_the_property_stays_as_sent(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_priority=3)
        self.publish(ch, queue, "m", priority=200)
        self.assertEqual(self.get(ch, queue)[1].priority, 200)

    def test_a_requeued_one_keeps_its_priority(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_priority=5)
        self.publish(ch, queue, "low", priority=1)
        self.publish(ch, queue, "high", priority=5)
        self.publish(ch, queue, "high too", priority=5)
        tag = self.get(ch, queue, auto_ack=False)[0].delivery_tag
        ch.basic_nack(tag, requeue=True)
        self.until_ready(ch, queue, 3)
        self.assertEqual(self.take(ch, queue, 3), ["high", "high too", "low"])

    def test_without_the_argument_it_plays_no_part(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        for number, priority in enumerate((0, 9, 5)):
            self.publish(ch, queue, str(number), priority=priority)
        self.assertEqual(self.take(ch, queue, 3), ["0", "1", "2"])

    def test_drop_head_drops_the_highest(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_priority=5, x_max_length=2)
        for priority in (1, 5, 3):
            self.publish(ch, queue, str(priority), priority=priority)
        self.assertEqual(self.ready(ch, queue), 2)

    def test_the_head_that_expires_is_the_highest(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_priority=2)
        self.publish(ch, queue, "goes", priority=2, expiration="50")
        self.publish(ch, queue, "behind the head", priority=1, expiration="600000")
        self.until_ready(ch, queue, 1)
        self.assertEqual(self.take(ch, queue, 1), ["behind the head"])

    def test_each_priority_of_a_quorum_queue_expires_by_itself(self):
        self.only_sluice("4.3")
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_queue_type="quorum")
        self.publish(ch, queue, "stays", priority=9)
        self.publish(ch, queue, "goes", priority=1, expiration="50")
        self.until_ready(ch, queue, 1)
        self.assertEqual(self.take(ch, queue, 1), ["stays"])

    def test_values_are_checked(self):
        for value, text in ((256, "max_value_exceeded"), (-1, "value_negative"), ("5", "expected integer, got longstr")):
            with self.refused(406, f"^PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue '.*' in vhost '/': "
                                   f".*{text}"):
                self.channel().queue_declare(self.name(), durable=True, arguments={"x-max-priority": value})
        self.queue(self.channel(), x_max_priority=255)
        with self.refused(406, "x-max-priority"):
            self.channel().queue_declare(self.name(), durable=True,
                                         arguments={"x-max-priority": 5, "x-queue-type": "quorum"})

    def test_quorum_queues_have_them_always(self):
        self.only_sluice("4.3: strict, 0..31, default 4")
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_queue_type="quorum")
        for number, priority in enumerate((None, 3, 5, 31, 255, 0, 4)):
            self.publish(ch, queue, str(number), priority=priority)
        self.assertEqual(self.take(ch, queue, 7), ["3", "4", "2", "0", "6", "1", "5"])


class SingleActiveConsumer(AmqpCase):
    def test_one_consumes_and_the_next_takes_over(self):
        for kind in ("classic", "quorum"):
            with self.subTest(kind):
                ch = self.channel(confirm=True)
                queue = self.queue(ch, x_single_active_consumer=True, x_queue_type=kind)
                channels = [self.channel() for _ in range(3)]
                first, second, third = (Consumer(channel, queue, auto_ack=True) for channel in channels)
                self.publish(ch, queue, "a", "b")
                self.assertEqual(first.settled_at(2), ["a", "b"])
                self.assertEqual((second.got, third.got), ([], []))
                first.cancel()
                self.publish(ch, queue, "c")
                self.assertEqual(second.wait(1), ["c"])
                channels[1].close()
                self.publish(ch, queue, "d")
                self.assertEqual(third.settled_at(1), ["d"])

    def test_what_the_old_one_held_comes_first(self):
        for kind in ("classic", "quorum"):
            with self.subTest(kind):
                ch = self.channel(confirm=True)
                queue = self.queue(ch, x_single_active_consumer=True, x_queue_type=kind)
                self.publish(ch, queue, *"abcdef")
                two = self.channel()
                with Connection(self.amqp_port) as one:
                    one.open_channel()
                    one.call(1, "basic.qos", prefetch_count=3)
                    one.call(1, "basic.consume", queue=queue)
                    second = Consumer(two, queue)
                    for _ in range(3):
                        one.next("basic.deliver")
                    one.send(1, "basic.ack", delivery_tag=1)
                    self.assertEqual(one.next("basic.deliver").body, b"d")
                self.assertEqual(second.wait(5), list("bcdef"))
                self.assertEqual([method.redelivered for method, _, _ in second.got], [True] * 3 + [False] * 2)

    def test_a_higher_priority_takes_over_on_quorum(self):
        self.only_sluice("4.0")
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_single_active_consumer=True, x_queue_type="quorum")
        low, high = self.channel(), self.channel()
        first = Consumer(low, queue)
        self.publish(ch, queue, "a")
        first.wait(1)
        second = Consumer(high, queue, arguments={"x-priority": 5}, auto_ack=True)
        self.publish(ch, queue, "b")
        self.assertEqual((len(first.got), second.got), (1, []), "not before the first has settled what it holds")
        low.basic_ack(first.tags()[0])
        self.assertEqual(second.wait(1), ["b"])

    def test_exclusive_consumers_are_refused(self):
        queue = self.queue(self.channel(), x_single_active_consumer=True)
        with self.refused(403, f"^ACCESS_REFUSED - queue '{re.escape(queue)}' in vhost '/' in exclusive use$"):
            Consumer(self.channel(), queue, exclusive=True)

    def test_quorum_queues_take_exclusive_consumers_and_no_gets(self):
        queue = self.queue(self.channel(), x_single_active_consumer=True, x_queue_type="quorum")
        Consumer(self.channel(), queue, exclusive=True)
        with self.refused(405, f"^RESOURCE_LOCKED - cannot obtain access to locked queue '{re.escape(queue)}' in vhost '/'. "
                               "basic.get operations are not supported by quorum queues with single active consumer$"):
            self.channel().basic_get(queue)

    def test_the_flag_must_be_a_bool(self):
        with self.refused(406, "invalid arg 'x-single-active-consumer' for queue '.*' in vhost '/': "):
            self.channel().queue_declare(self.name(), durable=True, arguments={"x-single-active-consumer": "yes"})

    def test_order_holds_over_a_failover(self):
        ch = self.channel()
        queue = self.queue(ch, x_single_active_consumer=True)
        self.publish(ch, queue, *(str(n) for n in range(300)))
        with Connection(self.amqp_port) as one, Connection(self.amqp_port) as two, Connection(self.amqp_port) as three:
            seen = []
            for connection in (one, two, three):
                connection.open_channel()
                connection.call(1, "basic.qos", prefetch_count=10)
                connection.call(1, "basic.consume", queue=queue)
            for connection, count in ((one, 100), (two, 50), (three, 150)):
                for _ in range(count):
                    delivery = connection.next("basic.deliver")
                    connection.send(1, "basic.ack", delivery_tag=delivery.delivery_tag)
                    seen.append(int(delivery.body))
                connection.send(1, "basic.qos")  # its answer says that the acks have arrived
                while connection.read().name != "basic.qos-ok":
                    pass
                connection.close()
        self.assertEqual(seen, list(range(300)))


if __name__ == "__main__":
    main()
