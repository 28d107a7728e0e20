# SPDX-License-Identifier: Apache-2.0
"""Declaring queues with pika: names, flags, equivalence on redeclaration, delete and purge; each refusal with its
code and text (reference queues-and-amqp.md, sections 2 and 6)."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main
from amqp_wire import Connection, Typed


class Declare(AmqpCase):
    def test_declare_ok_tells_name_and_counts(self):
        ch = self.channel()
        name = self.queue(ch)
        self.publish(ch, name, "a", "b")
        Consumer(self.channel(), name, auto_ack=False)
        self.until_ready(ch, name, 0)
        answer = ch.queue_declare(name, durable=True).method
        self.assertEqual((answer.queue, answer.message_count, answer.consumer_count), (name, 0, 1))

    def test_a_second_declare_with_the_same_arguments_succeeds(self):
        ch = self.channel()
        name = self.queue(ch, x_message_ttl=60000, x_max_length=10)
        for _ in range(2):
            self.queue(ch, name, x_message_ttl=60000, x_max_length=10)

    def test_each_different_flag_is_refused_with_both_values(self):
        ch = self.channel()
        name = self.queue(ch)
        with self.refused(406, "^PRECONDITION_FAILED - inequivalent arg 'durable' for queue "
                               f"'{re.escape(name)}' in vhost '/': received 'false' but current is 'true'$"):
            self.channel().queue_declare(name, durable=False)
        with self.refused(406, "^PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue "
                               f"'{re.escape(name)}' in vhost '/': received 'true' but current is 'false'$"):
            self.channel().queue_declare(name, durable=True, auto_delete=True)
        with self.refused(405, f"^RESOURCE_LOCKED - cannot obtain exclusive access to locked queue "
                               f"'{re.escape(name)}' in vhost '/'"):
            self.channel().queue_declare(name, durable=True, exclusive=True)

    def test_each_different_argument_is_refused(self):
        cases = [("x-message-ttl", 100, 200), ("x-expires", 60000, 70000), ("x-max-length", 1, 2),
                 ("x-max-length-bytes", 1000, 2000), ("x-dead-letter-exchange", "a", "b"),
                 ("x-overflow", "drop-head", "reject-publish"), ("x-max-priority", 3, 4),
                 ("x-single-active-consumer", True, False)]
        for key, one, other in cases:
            with self.subTest(key):
                ch = self.channel()
                name = self.name()
                ch.queue_declare(name, durable=True, arguments={key: one})
                self.made.append(("queue", name))

                def shown(value):
                    return f"'{str(value).lower()}'"
                with self.refused(406, f"^PRECONDITION_FAILED - inequivalent arg '{key}' for queue '{re.escape(name)}' "
                                       f"in vhost '/': received {shown(other)} but current is {shown(one)}$"):
                    self.channel().queue_declare(name, durable=True, arguments={key: other})
                with self.refused(406, f"^PRECONDITION_FAILED - inequivalent arg '{key}' for queue '{re.escape(name)}' "
                                       f"in vhost '/': received none but current is the value {shown(one)} of type "
                                       "'(long|signedint|longstr|bool)'$"):
                    self.channel().queue_declare(name, durable=True)

    def test_an_argument_that_was_not_there_before_is_refused(self):
        ch = self.channel()
        name = self.queue(ch)
        with self.refused(406, f"^PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '{re.escape(name)}' "
                               "in vhost '/': received the value '5' of type '(long|signedint)' but current is none$"):
            self.channel().queue_declare(name, durable=True, arguments={"x-message-ttl": 5})

    def test_integers_of_another_width_are_equal(self):
        ch = self.channel()
        name = self.queue(ch, x_message_ttl=60000)
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            for code in "lIiu":
                raw.call(1, "queue.declare", queue=name, durable=True, arguments={"x-message-ttl": Typed(code, 60000)})

    def test_unknown_arguments_are_accepted_and_not_compared(self):
        ch = self.channel()
        name = self.name()
        self.made.append(("queue", name))
        for arguments in ({"x-whatever": 1}, {"x-whatever": "2", "other": [1, {"a": None}]}, {}):
            ch.queue_declare(name, durable=True, arguments=arguments)

    def test_another_type_is_refused(self):
        ch = self.channel()
        name = self.queue(ch, x_queue_type="classic")
        self.queue(ch, name)  # no type means the default, classic
        with self.refused(406, f"inequivalent arg 'x-queue-type' for queue '{re.escape(name)}' in vhost '/': received "
                               "'quorum' but current is 'classic'"):
            self.channel().queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})

    def test_passive_finds_or_refuses(self):
        ch = self.channel()
        name = self.queue(ch, x_max_length=5)
        self.assertEqual(ch.queue_declare(name, passive=True).method.queue, name)
        with self.refused(404, "^NOT_FOUND - no queue 'missing-.*' in vhost '/'$"):
            self.channel().queue_declare("missing-" + self.name(), passive=True)

    def test_the_server_makes_up_a_name(self):
        ch = self.channel()
        first, second = (self.queue(ch, "", durable=False, exclusive=True) for _ in range(2))
        self.assertRegex(first, r"^amq\.gen-[A-Za-z0-9_-]{22}$")
        self.assertNotEqual(first, second)
        # The empty name stands for the last one declared on the channel.
        self.publish(ch, second, "x")
        self.assertEqual(self.take(ch, "", 1), ["x"])
        ch.queue_bind("", "amq.fanout")
        ch.queue_purge("")
        self.assertEqual(ch.queue_delete("").method.message_count, 0)
        with self.refused(404, "no queue '' in vhost '/'"):
            ch.queue_declare("", passive=True)

    def test_the_server_takes_a_prefix_for_the_name(self):
        self.only_sluice()
        ch = self.channel()
        first, second = (ch.queue_declare("", exclusive=True, arguments={"x-name-prefix": "orders"}).method.queue
                         for _ in range(2))
        self.assertRegex(first, "^orders-[A-Za-z0-9_-]{22}$")
        self.assertNotEqual(first, second)
        with self.refused(406, f"^PRECONDITION_FAILED - Queue name prefix '{'p' * 65}' exceeds the 64-byte limit$"):
            self.channel().queue_declare("", exclusive=True, arguments={"x-name-prefix": "p" * 65})

    def test_the_empty_name_before_any_declare_is_refused(self):
        for call in (lambda ch: ch.queue_purge(""), lambda ch: ch.queue_bind("", "amq.fanout"),
                     lambda ch: ch.basic_consume("", lambda *_: None), lambda ch: ch.queue_delete("")):
            with self.refused(404, "no previously declared queue"):
                call(self.channel())

    def test_reserved_names_are_refused(self):
        name = "amq." + self.name()
        with self.refused(403, f"^ACCESS_REFUSED - queue name '{re.escape(name)}' contains reserved prefix "
                               r"'amq\.\*'$"):
            self.channel().queue_declare(name, durable=True)
        with self.refused(404):
            self.channel().queue_declare(name, passive=True)

    def test_names_may_hold_anything_up_to_255_bytes(self):
        ch = self.channel()
        for name in ("order.processing.queue", "kürbis 南瓜", "a/b%2F#*?&" + self.name(), "x" * 255):
            self.assertEqual(self.queue(ch, name), name)
            self.publish(ch, name, "m")
            self.assertEqual(self.take(ch, name, 1), ["m"])

    def test_line_ends_are_taken_out_of_names(self):
        name = self.name()
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            answer = raw.call(1, "queue.declare", queue=f"{name[:4]}\r\n{name[4:]}\n", exclusive=True)
        self.assertEqual(answer.queue, name)

    def test_deleting_tells_how_many_messages_went(self):
        ch = self.channel()
        name = self.queue(ch)
        self.publish(ch, name, "a", "b", "c")
        self.until_ready(ch, name, 3)
        self.assertEqual(ch.queue_delete(name).method.message_count, 3)
        self.assertFalse(self.exists(name))
        self.assertEqual(ch.queue_delete(name).method.message_count, 0, "deleting what is not there succeeds")

    def test_delete_keeps_to_its_conditions(self):
        ch = self.channel()
        name = self.queue(ch)
        self.publish(ch, name, "a")
        self.until_ready(ch, name, 1)
        with self.refused(406, f"^PRECONDITION_FAILED - queue '{re.escape(name)}' in vhost '/' not empty$"):
            self.channel().queue_delete(name, if_empty=True)
        consumer = Consumer(ch, name)
        with self.refused(406, f"^PRECONDITION_FAILED - queue '{re.escape(name)}' in vhost '/' in use$"):
            self.channel().queue_delete(name, if_unused=True)
        consumer.wait(1)
        ch.basic_ack(0, multiple=True)
        consumer.cancel()
        ch.queue_delete(name, if_unused=True, if_empty=True)

    def test_purge_takes_the_ready_ones_only(self):
        ch = self.channel()
        name = self.queue(ch)
        self.publish(ch, name, *"abcde")
        self.get(ch, name, auto_ack=False)
        self.until_ready(ch, name, 4)
        self.assertEqual(ch.queue_purge(name).method.message_count, 4)
        ch.basic_nack(1, requeue=True)
        self.assertEqual(self.take(ch, name, 1), ["a"])
        with self.refused(404, "^NOT_FOUND - no queue 'missing' in vhost '/'$"):
            self.channel().queue_purge("missing")

    def test_transient_queues_of_the_tutorials_are_accepted(self):
        ch = self.channel()
        name = self.queue(ch, durable=False)
        self.publish(ch, name, "Hello World!")
        self.assertEqual(self.take(ch, name, 1), ["Hello World!"])

    def test_lazy_queues_are_accepted(self):
        ch = self.channel()
        name = self.queue(ch, x_queue_mode="lazy", x_queue_version=2)
        self.publish(ch, name, "m")
        self.assertEqual(self.take(ch, name, 1), ["m"])
        self.queue(ch, x_queue_mode="default")


class Exclusive(AmqpCase):
    def test_only_its_connection_may_use_it(self):
        ch = self.channel()
        name = self.queue(ch, durable=False, exclusive=True)
        self.publish(ch, name, "m")
        other = self.connect()
        # A reply text has room for 255 bytes; what does not fit ends in dots.
        text = (f"^RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{re.escape(name)}' in vhost '/'"
                r"\. It could be originally declared on another connection or the exclusive property value does not "
                r"match that of the original decl.*\.")
        for call in (lambda ch: ch.queue_declare(name, passive=True), lambda ch: ch.queue_declare(name, exclusive=True),
                     lambda ch: ch.basic_get(name), lambda ch: ch.basic_consume(name, lambda *_: None),
                     lambda ch: ch.queue_purge(name), lambda ch: ch.queue_delete(name),
                     lambda ch: ch.queue_bind(name, "amq.fanout")):
            with self.refused(405, text):
                call(other.channel())
        # Publishing to it is open to all.
        self.publish(other.channel(), name, "from the other")
        self.assertEqual(self.take(ch, name, 2), ["m", "from the other"])

    def test_it_goes_with_its_connection(self):
        for durable in (False, True):
            connection = self.connect()
            name = self.queue(connection.channel(), durable=durable, exclusive=True)
            self.assertTrue(self.lives(name))
            connection.close()
            self.until_gone(name)

    def test_the_next_connection_may_declare_it_at_once(self):
        name = "again-and-again"
        for _ in range(20):
            connection = self.connect()
            connection.channel().queue_declare(name, exclusive=True)
            connection.close()

    def lives(self, name):
        with self.refused(405):
            self.channel().queue_declare(name, passive=True)
        return True

    def test_redeclaring_without_the_flag_is_refused(self):
        ch = self.channel()
        name = self.queue(ch, durable=False, exclusive=True)
        self.queue(ch, name, durable=False, exclusive=True)
        with self.refused(405):
            self.channel().queue_declare(name)

    def test_a_connection_lost_without_close_takes_it_along(self):
        name = self.name()
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            raw.call(1, "queue.declare", queue=name, exclusive=True)
        self.until_gone(name)


class AutoDelete(AmqpCase):
    def test_it_goes_with_its_last_consumer(self):
        ch = self.channel()
        name = self.queue(ch, auto_delete=True)
        first, second = Consumer(ch, name), Consumer(ch, name)
        first.cancel()
        self.assertEqual(self.consumers(ch, name), 1)
        second.cancel()
        self.until_gone(name)

    def test_it_stays_while_it_never_had_a_consumer(self):
        ch = self.channel()
        name = self.queue(ch, auto_delete=True)
        self.publish(ch, name, "m")
        self.assertEqual(self.take(ch, name, 1), ["m"], "a get is no consumer")
        self.assertTrue(self.exists(name))

    def test_a_closed_channel_counts_as_cancel(self):
        name = self.queue(self.channel(), auto_delete=True)
        ch = self.channel()
        Consumer(ch, name)
        ch.close()
        self.until_gone(name)


class Limits(AmqpCase):
    options = {"cluster_exchange_limit": 8, "cluster_queue_limit": 2,
               "quorum_queue.property_equivalence.relaxed_checks_on_redeclaration": "true"}

    def setUp(self):
        super().setUp()
        self.only_sluice("a broker with options of its own")

    def test_exchanges_are_counted(self):
        first = self.exchange(self.channel(), "fanout")  # beside the seven that are there from the start
        with self.refused(406, "^PRECONDITION_FAILED - cannot declare exchange '.*' in vhost '/': exchange limit of 8 is "
                               "reached$"):
            self.channel().exchange_declare(self.name(), "fanout")
        self.channel().exchange_declare(first, "fanout", durable=True)

    def test_queues_are_counted(self):
        first = self.queue(self.channel())
        self.queue(self.channel())
        with self.refused(406, r"^PRECONDITION_FAILED - cannot declare queue '\S+': queue limit in cluster \(2\) is reached$"):
            self.queue(self.channel())
        self.channel().queue_declare(first, durable=True)

    def test_a_quorum_queue_may_be_declared_as_classic(self):
        queue = self.queue(self.channel(), x_queue_type="quorum", x_max_length=5, x_delivery_limit=3)
        self.channel().queue_declare(queue, durable=True, auto_delete=True, arguments={"x-max-length": 5})
        with self.refused(406, "inequivalent arg 'x-max-length' for queue "):
            self.channel().queue_declare(queue, durable=True, arguments={"x-max-length": 6})
        with self.refused(406, "inequivalent arg 'x-queue-type' for queue "):
            self.channel().queue_declare(queue, durable=True, arguments={"x-queue-type": "stream"})


if __name__ == "__main__":
    main()
