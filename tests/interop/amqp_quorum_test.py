# SPDX-License-Identifier: Apache-2.0
"""What quorum queues do differently, with pika: delivery counts and limits, refused flags and arguments, at-least-once
dead lettering, delayed retry, consumer timeouts (reference queues-and-amqp.md, sections 5 and 6)."""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, pika, until
from amqp_wire import Connection


class Quorum(AmqpCase):
    def quorum(self, ch, **arguments):
        return self.queue(ch, x_queue_type="quorum", **arguments)

    def test_the_flags_it_needs(self):
        for flags, text in [({"durable": False}, "invalid property 'non-durable' for queue '.*' in vhost '/'"),
                            ({"durable": True, "exclusive": True}, "invalid property 'exclusive-owner' for queue '.*'"),
                            ({"durable": True, "auto_delete": True}, "invalid property 'auto-delete' for queue '.*'")]:
            with self.subTest(flags), self.refused(406, "^PRECONDITION_FAILED - " + text):
                self.channel().queue_declare(self.name(), arguments={"x-queue-type": "quorum"}, **flags)
        with self.refused(406, "^PRECONDITION_FAILED - "):
            self.channel().queue_declare("", durable=True, arguments={"x-queue-type": "quorum"})

    def test_the_count_of_deliveries(self):
        ch = self.channel(confirm=True)
        queue = self.quorum(ch)
        self.publish(ch, queue, "m", headers={"mine": 1})
        method, properties, _ = self.get(ch, queue, auto_ack=False)
        self.assertEqual(properties.headers.get("x-delivery-count", 0), 0)  # 3.10 sends the 0
        self.assertFalse(method.redelivered)
        for count in (1, 2, 3):
            ch.basic_reject(method.delivery_tag, requeue=True)
            method, properties, _ = self.get(ch, queue, auto_ack=False)
            self.assertTrue(method.redelivered)
            self.assertEqual((properties.headers["x-delivery-count"], properties.headers["mine"]), (count, 1))

    def test_a_nack_is_no_failed_delivery(self):
        self.only_sluice("4.3")
        ch = self.channel(confirm=True)
        queue = self.quorum(ch, x_delivery_limit=2)
        self.publish(ch, queue, "m")
        for count in range(10):
            method, properties, _ = self.get(ch, queue, auto_ack=False)
            self.assertEqual(method.redelivered, count > 0)
            self.assertNotIn("x-delivery-count", properties.headers or {})
            ch.basic_nack(method.delivery_tag, requeue=True)
        self.assertEqual(self.get(ch, queue)[1].headers["x-acquired-count"], 10)

    def test_a_lost_consumer_counts_as_failed_delivery(self):
        ch = self.channel(confirm=True)
        queue = self.quorum(ch)
        self.publish(ch, queue, "m")
        other = self.channel()
        self.get(other, queue, auto_ack=False)
        other.close()
        self.assertEqual(self.get(ch, queue)[1].headers["x-delivery-count"], 1)

    def test_beyond_the_limit_it_is_dead_lettered(self):
        ch = self.channel(confirm=True)
        dead = self.queue(ch)
        queue = self.quorum(ch, x_delivery_limit=2, x_dead_letter_exchange="", x_dead_letter_routing_key=dead)
        self.publish(ch, queue, "m")
        consumer = Consumer(ch, queue, lambda c, method, *_: c.basic_reject(method.delivery_tag, requeue=True))
        consumer.wait(3)
        _, properties, body = self.get(self.channel(), dead)
        self.assertEqual((body, properties.headers["x-death"][0]["reason"]), (b"m", "delivery_limit"))
        self.assertEqual(consumer.settled_at(3), ["m"] * 3)

    def test_the_default_limit_is_twenty(self):
        self.only_sluice("4.0")
        ch = self.channel(confirm=True)
        queue = self.quorum(ch)
        self.publish(ch, queue, "m")
        consumer = Consumer(ch, queue, lambda c, method, *_: c.basic_reject(method.delivery_tag, requeue=True))
        consumer.settled_at(21)
        self.assertEqual(self.ready(self.channel(), queue), 0)

    def test_a_negative_limit_is_none(self):
        self.only_sluice("4.0")
        ch = self.channel(confirm=True)
        queue = self.quorum(ch, x_delivery_limit=-1)
        self.publish(ch, queue, "m")
        consumer = Consumer(ch, queue, lambda c, method, *_: c.basic_reject(method.delivery_tag, requeue=True))
        consumer.wait(60)

    def test_arguments_of_other_types_are_refused(self):
        for kind, key, value in [("quorum", "x-max-priority", 5), ("quorum", "x-max-age", "1h"),
                                 ("classic", "x-delivery-limit", 5), ("classic", "x-max-age", "1h"),
                                 ("stream", "x-message-ttl", 5), ("stream", "x-expires", 5000),
                                 ("stream", "x-dead-letter-exchange", "x"), ("stream", "x-max-length", 5),
                                 ("stream", "x-single-active-consumer", True)]:
            name = self.name()
            with self.subTest(key, kind=kind), self.refused(
                    406, f"^PRECONDITION_FAILED - invalid arg '{key}' for queue '{re.escape(name)}' in vhost '/' of queue "
                         f"type (rabbit_{kind}_queue|{kind})$"):
                self.channel().queue_declare(name, durable=True, arguments={"x-queue-type": kind, key: value})

    def test_unknown_types_are_refused(self):
        for value in ("funny", "", 5):
            with self.subTest(value), self.refused(406, "^PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue "):
                self.channel().queue_declare(self.name(), durable=True, arguments={"x-queue-type": value})

    def test_arguments_a_cluster_needs_are_accepted(self):
        ch = self.channel(confirm=True)
        queue = self.quorum(ch, x_quorum_initial_group_size=3, x_queue_leader_locator="balanced",
                            x_max_in_memory_length=10, x_delivery_limit=5, x_max_length=1000)
        self.publish(ch, queue, "m")
        self.assertEqual(self.take(ch, queue, 1), ["m"])
        for key, value in (("x-quorum-initial-group-size", 0), ("x-queue-leader-locator", "moon"),
                           ("x-dead-letter-strategy", "maybe")):
            with self.subTest(key), self.refused(406, f"'{key}'"):
                self.channel().queue_declare(self.name(), durable=True, arguments={"x-queue-type": "quorum", key: value})

    def test_global_prefetch_is_not_implemented(self):
        ch = self.channel()
        queue = self.quorum(ch)
        ch.basic_qos(prefetch_count=5, global_qos=True)
        with self.hung_up(540, "^NOT_IMPLEMENTED - queue '.*' in vhost '/' does not support global qos$"):
            Consumer(ch, queue)

    def test_at_least_once_dead_lettering(self):
        ch = self.channel(confirm=True)
        dead = self.quorum(ch)
        queue = self.quorum(ch, x_dead_letter_exchange="", x_dead_letter_routing_key=dead, x_overflow="reject-publish",
                            x_dead_letter_strategy="at-least-once", x_message_ttl=50)
        self.publish(ch, queue, *"abc")
        self.assertEqual(self.take(ch, dead, 3), list("abc"))
        death = None
        self.publish(ch, queue, "d")
        death = self.get(ch, dead)[1].headers["x-death"][0]
        self.assertEqual((death["queue"], death["reason"]), (queue, "expired"))

    def test_at_least_once_waits_for_a_route(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "fanout")
        queue = self.quorum(ch, x_dead_letter_exchange=exchange, x_overflow="reject-publish",
                            x_dead_letter_strategy="at-least-once")
        self.publish(ch, queue, "m")
        method, _, _ = self.get(ch, queue, auto_ack=False)
        ch.basic_reject(method.delivery_tag, requeue=False)
        dead = self.bound_queue(ch, exchange)
        self.only_sluice("the peer tries again after three minutes")
        self.assertEqual(self.take(ch, dead, 1, timeout=30), ["m"])

    def test_transient_messages_are_kept_too(self):
        self.only_sluice("restarts the broker")
        ch = self.channel(confirm=True)
        queue = self.quorum(ch)
        self.publish(ch, queue, "m", delivery_mode=1)
        self.restart()
        self.assertEqual(self.take(self.channel(), queue, 1), ["m"])


class ConsumerTimeout(AmqpCase):
    def test_a_consumer_that_never_settles_is_cancelled(self):
        self.only_sluice("4.3: per queue")
        ch, other = self.channel(confirm=True), self.channel()
        queue = self.queue(ch, x_queue_type="quorum", x_consumer_timeout=300)
        self.publish(ch, queue, "m")
        cancelled = []
        other.add_on_cancel_callback(cancelled.append)
        consumer = Consumer(other, queue)
        consumer.wait(1)
        until("the cancel comes", lambda: other.connection.process_data_events(0.01) or cancelled, timeout=30)
        self.assertEqual(cancelled[0].method.consumer_tag, consumer.tag)
        self.assertEqual(self.take(ch, queue, 1), ["m"])


    def test_the_time_a_consumer_asks_for(self):
        self.only_sluice("4.3: per consumer")
        ch, quick, slow = (self.channel(confirm=number == 0) for number in range(3))
        queue = self.queue(ch, x_queue_type="quorum", x_consumer_timeout=60000)
        cancelled = []
        quick.add_on_cancel_callback(cancelled.append)
        consumer = Consumer(quick, queue, arguments={"x-consumer-timeout": 300})
        self.publish(ch, queue, "m")
        consumer.wait(1)
        patient = Consumer(slow, queue, arguments={"x-consumer-timeout": 60000})
        until("the cancel comes", lambda: ch.connection.process_data_events(0.01) or cancelled, timeout=30)
        self.assertEqual(cancelled[0].method.consumer_tag, consumer.tag)
        self.assertEqual(patient.wait(1), ["m"])
        self.assertTrue(patient.got[0][0].redelivered)
        quick.basic_cancel(consumer.tag)  # is gone: nothing happens
        self.assertTrue(quick.is_open)

    def test_a_client_that_knows_no_cancel_loses_its_channel(self):
        self.only_sluice("4.3")
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_queue_type="quorum")
        self.publish(ch, queue, "m")
        with Connection(self.amqp_port) as raw:  # without the capability
            raw.open_channel()
            raw.call(1, "basic.consume", queue=queue, arguments={"x-consumer-timeout": 300})
            raw.next("basic.deliver")
            scope, code, text, *_ = raw.closed_with(timeout=30)
            self.assertEqual((scope, code), ("channel", 406))
            self.assertRegex(text, "^PRECONDITION_FAILED - ")
        self.assertEqual(self.take(ch, queue, 1), ["m"])

    def test_what_the_argument_takes(self):
        self.only_sluice("4.3")
        ch = self.channel()
        queue, classic = self.queue(ch, x_queue_type="quorum"), self.queue(ch)
        for wrong in ("long", -1, True):
            with self.subTest(wrong), self.refused(406, "^PRECONDITION_FAILED - "):
                Consumer(self.channel(), queue, arguments={"x-consumer-timeout": wrong})
        with self.refused(406, "^PRECONDITION_FAILED - "):
            Consumer(self.channel(), classic, arguments={"x-consumer-timeout": 1000})

    def test_by_policy(self):
        self.only_sluice("4.3")
        ch, other = self.channel(confirm=True), self.channel()
        queue = self.queue(ch, x_queue_type="quorum", x_consumer_timeout=60000)
        self.policy(f"^{queue}$", '{"consumer-timeout": 300}', apply_to="quorum_queues")
        self.publish(ch, queue, "m")
        cancelled = []
        other.add_on_cancel_callback(cancelled.append)
        Consumer(other, queue).wait(1)
        until("the smaller of both holds", lambda: other.connection.process_data_events(0.01) or cancelled, timeout=30)


class DelayedRetry(AmqpCase):
    def test_by_policy_and_operator_policy(self):
        self.only_sluice("4.3")
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_queue_type="quorum")
        pattern = f"^{queue}$"
        self.policy(pattern, '{"delayed-retry-type": "all", "delayed-retry-min": 1}', apply_to="quorum_queues")
        self.policy(pattern, '{"delayed-retry-min": 250}', apply_to="queues", operator=True)
        self.publish(ch, queue, "m")
        method, _, _ = self.get(ch, queue, auto_ack=False)
        start = time.monotonic()
        ch.basic_nack(method.delivery_tag, requeue=True)
        self.get(ch, queue)
        self.assertGreaterEqual(time.monotonic() - start, 0.24, "the operator says how short it may be")

    def test_policies_that_make_no_sense_are_refused(self):
        self.only_sluice("4.3")
        for definition, text in (
                ('{"delayed-retry-type": "all"}', "delayed-retry-min is required when delayed-retry-type is all"),
                ('{"delayed-retry-min": 200, "delayed-retry-max": 100}',
                 r"delayed-retry-max \(100\) must not be smaller than delayed-retry-min \(200\)"),
                ('{"delayed-retry-type": "sometimes", "delayed-retry-min": 5}', "disabled all failed returned"),
                ('{"delayed-retry-min": 0}', "delayed-retry-min"), ('{"delayed-retry-max": "1s"}', "delayed-retry-max")):
            for operator in (False, True):
                with self.subTest(definition), self.assertRaisesRegex(AssertionError, text):
                    self.policy("^nothing$", definition, operator=operator)
        self.policy("^nothing$", '{"delayed-retry-type": "disabled"}')


    def test_returned_messages_wait(self):
        self.only_sluice("4.3")
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_queue_type="quorum", x_delayed_retry_type="all", x_delayed_retry_min=200,
                           x_delayed_retry_max=300)
        self.publish(ch, queue, "m")
        method, _, _ = self.get(ch, queue, auto_ack=False)
        start = time.monotonic()
        ch.basic_reject(method.delivery_tag, requeue=True)
        method, _, _ = self.get(ch, queue, auto_ack=False)
        self.assertGreaterEqual(time.monotonic() - start, 0.19)
        start = time.monotonic()
        ch.basic_reject(method.delivery_tag, requeue=True)
        self.get(ch, queue)
        self.assertGreaterEqual(time.monotonic() - start, 0.29, "twice the minimum, at most the maximum")

    def test_its_type_is_checked(self):
        self.only_sluice("4.3")
        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as caught:
            self.channel().queue_declare(self.name(), durable=True, arguments={
                "x-queue-type": "quorum", "x-delayed-retry-type": "sometimes"})
        self.assertEqual(caught.exception.reply_code, 406)


if __name__ == "__main__":
    main()
