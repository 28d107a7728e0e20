# SPDX-License-Identifier: Apache-2.0
"""Declaring, binding and deleting exchanges with pika: equivalence, refusals and their texts, internal and auto-delete
exchanges, those that are there from the start (reference queues-and-amqp.md, sections 2 and 3)."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, main

BUILT_IN = {"amq.direct": "direct", "amq.fanout": "fanout", "amq.topic": "topic", "amq.headers": "headers",
            "amq.match": "headers"}


class Exchanges(AmqpCase):
    def has_exchange(self, name):
        ch = self.channel()
        try:
            ch.exchange_declare(name, passive=True)
            return True
        except Exception as error:
            self.assertIn("no exchange", str(error))
            return False

    def test_a_second_declare_with_the_same_arguments_succeeds(self):
        ch = self.channel()
        for kind in ("direct", "fanout", "topic", "headers"):
            name = self.exchange(ch, kind)
            ch.exchange_declare(name, kind, durable=True)
            ch.exchange_declare(name, passive=True)

    def test_each_difference_is_refused(self):
        ch = self.channel()
        name = self.exchange(ch, "fanout", arguments={"alternate-exchange": "amq.fanout", "ignored": 1})
        same = {"exchange_type": "fanout", "durable": True, "arguments": {"alternate-exchange": "amq.fanout"}}
        ch.exchange_declare(name, **same)  # other arguments are not compared

        def text(argument, received, current):
            return (f"^PRECONDITION_FAILED - inequivalent arg '{argument}' for exchange '{re.escape(name)}' in vhost "
                    f"'/': received '{received}' but current is '{current}'$")
        for change, wanted in [({"exchange_type": "topic"}, text("type", "topic", "fanout")),
                               ({"durable": False}, text("durable", "false", "true")),
                               ({"auto_delete": True}, text("auto_delete", "true", "false")),
                               ({"internal": True}, text("internal", "true", "false")),
                               ({"arguments": {"alternate-exchange": "x"}}, text("alternate-exchange", "x", "amq.fanout")),
                               ({"arguments": None}, f"inequivalent arg 'alternate-exchange' for exchange "
                                                     f"'{re.escape(name)}' in vhost '/': received none but current is "
                                                     "the value 'amq.fanout' of type 'longstr'$")]:
            with self.subTest(change), self.refused(406, wanted):
                self.channel().exchange_declare(name, **{**same, **change})

    def test_unknown_types_are_refused(self):
        self.only_sluice("3.x closes the connection with 503")
        with self.refused(406, "^PRECONDITION_FAILED - unknown exchange type 'x-nothing'$"):
            self.channel().exchange_declare(self.name(), "x-nothing")

    def test_reserved_names_are_refused(self):
        name = "amq." + self.name()
        with self.refused(403, f"^ACCESS_REFUSED - exchange name '{re.escape(name)}' contains reserved prefix "
                               r"'amq\.\*'$"):
            self.channel().exchange_declare(name, "direct")
        ch = self.channel()
        for built_in, kind in BUILT_IN.items():
            ch.exchange_declare(built_in, kind, durable=True)
            ch.exchange_declare(built_in, passive=True)

    def test_passive_finds_or_refuses(self):
        with self.refused(404, "^NOT_FOUND - no exchange 'missing' in vhost '/'$"):
            self.channel().exchange_declare("missing", passive=True)

    def test_the_default_exchange_is_not_to_be_touched(self):
        ch = self.channel()
        queue, exchange = self.queue(ch), self.exchange(ch, "fanout")
        text = "^ACCESS_REFUSED - operation not permitted on the default exchange$"
        for call in (lambda c: c.queue_bind(queue, "", "k"), lambda c: c.queue_unbind(queue, "", "k"),
                     lambda c: c.exchange_bind(exchange, "", "k"), lambda c: c.exchange_bind("", exchange, "k"),
                     lambda c: c.exchange_unbind(exchange, "", "k"), lambda c: c.exchange_delete(""),
                     lambda c: c.exchange_declare("", "direct", durable=True)):
            with self.refused(403, text):
                call(self.channel())

    def test_built_in_exchanges_stay(self):
        for name in BUILT_IN:
            with self.refused(403, f"^ACCESS_REFUSED - deletion of system exchange '{re.escape(name)}' in vhost '/' "
                                   "not allowed$"):
                self.channel().exchange_delete(name)

    def test_deleting(self):
        ch = self.channel()
        name = self.exchange(ch, "fanout")
        self.bound_queue(ch, name)
        with self.refused(406, f"^PRECONDITION_FAILED - exchange '{re.escape(name)}' in vhost '/' in use$"):
            self.channel().exchange_delete(name, if_unused=True)
        ch.exchange_delete(name)
        self.assertFalse(self.has_exchange(name))
        ch.exchange_delete(name)  # what is not there may be deleted
        name = self.exchange(ch, "fanout")
        ch.exchange_delete(name, if_unused=True)

    def test_missing_ends_of_a_binding(self):
        ch = self.channel()
        queue, exchange = self.queue(ch), self.exchange(ch, "fanout")
        for call, text in [(lambda c: c.queue_bind(queue, "missing"), "no exchange 'missing'"),
                           (lambda c: c.queue_bind("missing", exchange), "no queue 'missing'"),
                           (lambda c: c.exchange_bind("missing", exchange), "no exchange 'missing'"),
                           (lambda c: c.exchange_bind(exchange, "missing"), "no exchange 'missing'")]:
            with self.refused(404, f"^NOT_FOUND - {text} in vhost '/'$"):
                call(self.channel())

    def test_publishing_to_a_missing_exchange(self):
        ch = self.channel()
        with self.refused(404, "^NOT_FOUND - no exchange 'missing' in vhost '/'$", ch):
            self.publish(ch, "k", "m", exchange="missing")

    def test_nobody_publishes_to_an_internal_exchange(self):
        ch = self.channel()
        name = self.exchange(ch, "fanout", internal=True)
        with self.refused(403, f"^ACCESS_REFUSED - cannot publish to internal exchange '{re.escape(name)}' in vhost "
                               "'/'$", ch):
            self.publish(ch, "k", "m", exchange=name)

    def test_auto_delete_goes_with_the_last_binding(self):
        ch = self.channel()
        name = self.exchange(ch, "fanout", auto_delete=True)
        first, second = self.bound_queue(ch, name), self.bound_queue(ch, name)
        ch.queue_unbind(first, name, "")
        self.assertTrue(self.has_exchange(name))
        ch.queue_delete(second)
        self.assertFalse(self.has_exchange(name))

    def test_auto_delete_follows_through_exchanges(self):
        ch = self.channel()
        source, target = self.exchange(ch, "fanout", auto_delete=True), self.exchange(ch, "fanout", auto_delete=True)
        ch.exchange_bind(target, source)
        queue = self.bound_queue(ch, target)
        ch.queue_delete(queue)
        self.assertFalse(self.has_exchange(target))
        self.assertFalse(self.has_exchange(source), "its only binding went with its destination")

    def test_being_a_destination_does_not_delete(self):
        ch = self.channel()
        source, target = self.exchange(ch, "fanout"), self.exchange(ch, "fanout", auto_delete=True)
        ch.exchange_bind(target, source)
        ch.exchange_unbind(target, source)
        self.assertTrue(self.has_exchange(target))

    def test_many_bindings_of_one_topic_exchange(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "topic")
        queues = [self.queue(ch) for _ in range(10)]
        for number in range(2000):
            ch.queue_bind(queues[number % 10], exchange, f"area{number % 7}.device{number}.*")
        self.publish(ch, "area5.device1202.temperature", "m", exchange=exchange)
        self.assertEqual([self.drain(ch, queue) for queue in queues], [[], [], ["m"]] + [[]] * 7)

    def test_queues_refuse_wrong_bindings_of_wrong_arguments(self):
        ch = self.channel()
        with self.refused(406, "alternate-exchange"):
            ch.exchange_declare(self.name(), "direct", arguments={"alternate-exchange": 5})


if __name__ == "__main__":
    main()
