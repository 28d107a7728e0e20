# SPDX-License-Identifier: Apache-2.0
"""Where messages go, with pika: the default exchange, direct, fanout, topic, headers, bindings between exchanges,
alternate exchanges, CC and BCC (reference queues-and-amqp.md, section 3)."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, main
from amqp_wire import Connection as RawConnection, Typed


class Routing(AmqpCase):
    def reaches(self, ch, exchange, queues, key="", **properties):
        """Which of the queues get a message published so."""
        self.publish(ch, key, "m", exchange=exchange, **properties)
        return sorted(label for label, name in queues.items() if self.drain(ch, name) == ["m"])


class BasicTypes(Routing):
    def test_the_default_exchange_routes_by_queue_name(self):
        ch = self.channel(confirm=True)
        a, b = self.queue(ch), self.queue(ch)
        self.publish(ch, a, "to a")
        self.publish(ch, "nobody-" + a, "dropped")
        self.assertEqual((self.drain(ch, a), self.drain(ch, b)), (["to a"], []))

    def test_direct_compares_the_whole_key(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "direct")
        queues = {"black": self.bound_queue(ch, exchange, "black"), "empty": self.bound_queue(ch, exchange, ""),
                  "both": self.bound_queue(ch, exchange, "black")}
        ch.queue_bind(queues["both"], exchange, "green")
        self.assertEqual(self.reaches(ch, exchange, queues, "black"), ["black", "both"])
        self.assertEqual(self.reaches(ch, exchange, queues, "green"), ["both"])
        self.assertEqual(self.reaches(ch, exchange, queues, ""), ["empty"])
        self.assertEqual(self.reaches(ch, exchange, queues, "blac"), [])
        self.assertEqual(self.reaches(ch, exchange, queues, "Black"), [])

    def test_fanout_ignores_keys(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "fanout")
        queues = {"a": self.bound_queue(ch, exchange), "b": self.bound_queue(ch, exchange, "key"),
                  "none": self.queue(ch)}
        for key in ("", "key", "other"):
            self.assertEqual(self.reaches(ch, exchange, queues, key), ["a", "b"])

    def test_topic_patterns(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "topic")
        patterns = ["kern.*", "*.critical", "#", "lazy.#", "*.orange.*", "*.*.rabbit", "#.end", "a.#.z", "order.#",
                    "*", "", "#.#", "*.#", "plain.key", "user.*.name"]
        queues = {pattern: self.bound_queue(ch, exchange, pattern) for pattern in patterns}
        every = {"#", "#.#"}
        for key, wanted in {
                "kern.critical": {"kern.*", "*.critical", "*.#"},
                "quick.orange.rabbit": {"*.orange.*", "*.*.rabbit", "*.#"},
                "lazy": {"lazy.#", "*", "*.#"},
                "lazy.pink.rabbit": {"lazy.#", "*.*.rabbit", "*.#"},
                "lazy.orange.new.rabbit": {"lazy.#", "*.#"},
                "end": {"#.end", "*", "*.#"},
                "x.y.end": {"#.end", "*.#"},
                "a.z": {"a.#.z", "*.#"}, "a.b.c.z": {"a.#.z", "*.#"}, "a.b.c": {"*.#"},
                "order.created": {"order.#", "*.#"},
                "": {""},
                "plain.key": {"plain.key", "*.#"},
                "user..name": {"user.*.name", "*.#"},
                "*.critical": {"*.critical", "*.#"},
        }.items():
            with self.subTest(key):
                self.assertEqual(self.reaches(ch, exchange, queues, key), sorted(wanted | every))

    def test_headers_with_every_match(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "headers")
        pair = {"format": "pdf", "type": "report"}
        queues = {"default": self.bound_queue(ch, exchange, arguments=pair),
                  "all": self.bound_queue(ch, exchange, arguments={**pair, "x-match": "all"}),
                  "any": self.bound_queue(ch, exchange, arguments={**pair, "x-match": "any"}),
                  "number": self.bound_queue(ch, exchange, arguments={"n": 5}),
                  "present": self.bound_queue(ch, exchange, arguments={"n": None}),
                  "nothing": self.bound_queue(ch, exchange, arguments={}),
                  "x": self.bound_queue(ch, exchange, arguments={"x-a": 1, "type": "x"})}
        for headers, wanted in [
                ({"format": "pdf", "type": "report", "more": 1}, ["all", "any", "default", "nothing"]),
                ({"format": "pdf", "type": "log"}, ["any", "nothing"]), ({"format": "PDF"}, ["nothing"]),
                ({"n": 5}, ["nothing", "number", "present"]), ({"n": 6}, ["nothing", "present"]),
                ({"n": "5"}, ["nothing", "present"]), ({"n": None}, ["nothing", "present"]), ({}, ["nothing"]),
                ({"type": "x"}, ["nothing", "x"])]:
            with self.subTest(headers):
                self.assertEqual(self.reaches(ch, exchange, queues, headers=headers), wanted)
        self.assertEqual(self.reaches(ch, exchange, queues), ["nothing"])

    def test_headers_with_x_counted(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "headers")
        queues = {match: self.bound_queue(ch, exchange, arguments={"x-a": 1, "b": 2, "x-match": match})
                  for match in ("all-with-x", "any-with-x", "all", "any")}
        for headers, wanted in [({"x-a": 1, "b": 2}, ["all", "all-with-x", "any", "any-with-x"]),
                                ({"x-a": 1}, ["any-with-x"]), ({"b": 2}, ["all", "any", "any-with-x"])]:
            self.assertEqual(self.reaches(ch, exchange, queues, headers=headers), wanted)

    def test_headers_compare_values_and_not_widths(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "headers")
        queues = {name: self.bound_queue(ch, exchange, arguments={name: value})
                  for name, value in (("whole", 1), ("wide", 2**40), ("text", "1"))}
        for headers, wanted in [({"whole": 1}, ["whole"]), ({"whole": "1"}, []), ({"wide": 2**40}, ["wide"]),
                                ({"text": 1}, [])]:
            self.assertEqual(self.reaches(ch, exchange, queues, headers=headers), wanted, headers)
        with RawConnection(self.amqp_port) as raw:
            raw.open_channel()
            for body, value in ((b"byte", Typed("b", 1)), (b"long", Typed("l", 1)), (b"unsigned", Typed("u", 1))):
                raw.publish(1, exchange, "", body, {"headers": {"whole": value}})
                self.assertEqual(self.get(ch, queues["whole"])[2], body)
            real = self.queue(ch)
            raw.call(1, "queue.bind", queue=real, exchange=exchange, arguments={"real": Typed("d", 1.5)})
            raw.publish(1, exchange, "", b"float", {"headers": {"real": Typed("f", 1.5)}})
            self.assertEqual(self.get(ch, real)[2], b"float")

    def test_a_wrong_x_match_is_refused(self):
        ch = self.channel()
        exchange, queue = self.exchange(ch, "headers"), self.queue(ch)
        for value, text in [("some", "value <<\"some\">>; expected all, any, all-with-x, or any-with-x"),
                            (1, "type signedint \\(value 1\\); expected longstr")]:
            with self.refused(406, "PRECONDITION_FAILED - Invalid x-match field " + text):
                self.channel().queue_bind(queue, exchange, "", {"x-match": value})

    def test_the_exchanges_that_are_there_from_the_start(self):
        ch = self.channel(confirm=True)
        key = self.name()
        for exchange in ("amq.direct", "amq.fanout", "amq.topic"):
            queue = self.bound_queue(ch, exchange, key)
            self.assertEqual(self.reaches(ch, exchange, {"q": queue}, key), ["q"])
        for exchange in ("amq.headers", "amq.match"):
            queue = self.bound_queue(ch, exchange, arguments={key: 1})
            self.assertEqual(self.reaches(ch, exchange, {"q": queue}, headers={key: 1}), ["q"])


class Bindings(Routing):
    def test_a_queue_gets_one_copy_however_many_bindings_match(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "topic")
        queue = self.bound_queue(ch, exchange, "a.#")
        for key in ("a.*", "#", "a.b", "a.b"):
            ch.queue_bind(queue, exchange, key)
        self.publish(ch, "a.b", "once", exchange=exchange)
        self.assertEqual(self.drain(ch, queue), ["once"])

    def test_bindings_with_other_arguments_are_other_bindings(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "direct")
        queue = self.bound_queue(ch, exchange, "k", {"a": 1})
        ch.queue_bind(queue, exchange, "k", {"a": 2})
        ch.queue_unbind(queue, exchange, "k", {"a": 1})
        self.assertEqual(self.reaches(ch, exchange, {"q": queue}, "k"), ["q"])
        ch.queue_unbind(queue, exchange, "k", {"a": 2})
        self.assertEqual(self.reaches(ch, exchange, {"q": queue}, "k"), [])

    def test_unbinding_what_is_not_bound_succeeds(self):
        ch = self.channel()
        exchange, queue = self.exchange(ch, "direct"), self.queue(ch)
        ch.queue_unbind(queue, exchange, "never")
        for there in ((queue, "missing"), ("missing", exchange)):
            ch.queue_unbind(*there, "k")

    def test_routing_changes_while_messages_flow(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "direct")
        a, b = self.bound_queue(ch, exchange, "k"), self.queue(ch)
        for number in range(20):
            self.publish(ch, "k", str(number), exchange=exchange)
            if number == 9:
                ch.queue_bind(b, exchange, "k")
                ch.queue_unbind(a, exchange, "k")
        self.assertEqual(self.drain(ch, a), [str(n) for n in range(10)])
        self.assertEqual(self.drain(ch, b), [str(n) for n in range(10, 20)])

    def test_a_deleted_queue_takes_its_bindings_along(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "fanout")
        queue = self.bound_queue(ch, exchange)
        ch.queue_delete(queue)
        self.queue(ch, queue)
        self.assertEqual(self.reaches(ch, exchange, {"q": queue}), [])

    def test_exchanges_bound_to_exchanges(self):
        ch = self.channel(confirm=True)
        source, middle = self.exchange(ch, "topic"), self.exchange(ch, "direct", internal=True)
        queue = self.bound_queue(ch, middle, "a.b")
        ch.exchange_bind(middle, source, "a.*")
        self.assertEqual(self.reaches(ch, source, {"q": queue}, "a.b"), ["q"])
        self.assertEqual(self.reaches(ch, source, {"q": queue}, "a.c"), [])
        ch.exchange_unbind(middle, source, "a.*")
        self.assertEqual(self.reaches(ch, source, {"q": queue}, "a.b"), [])

    def test_a_ring_of_exchanges_gives_one_copy(self):
        ch = self.channel(confirm=True)
        ring = [self.exchange(ch, "fanout") for _ in range(3)]
        queues = [self.bound_queue(ch, exchange) for exchange in ring]
        for index, exchange in enumerate(ring):
            ch.exchange_bind(ring[(index + 1) % 3], exchange)
            ch.queue_bind(queues[0], exchange)
        self.publish(ch, "", "m", exchange=ring[1])
        self.assertEqual([self.drain(ch, queue) for queue in queues], [["m"]] * 3)

    def test_deliveries_name_the_first_exchange_and_key(self):
        ch = self.channel(confirm=True)
        source, middle = self.exchange(ch, "fanout"), self.exchange(ch, "fanout")
        queue = self.bound_queue(ch, middle)
        ch.exchange_bind(middle, source)
        self.publish(ch, "some.key", "m", exchange=source)
        method, _, _ = self.get(ch, queue)
        self.assertEqual((method.exchange, method.routing_key), (source, "some.key"))


class AlternateExchange(Routing):
    def test_what_finds_no_queue_goes_to_the_alternate(self):
        ch = self.channel(confirm=True)
        alternate = self.exchange(ch, "fanout")
        rest = self.bound_queue(ch, alternate)
        exchange = self.exchange(ch, "direct", arguments={"alternate-exchange": alternate})
        queue = self.bound_queue(ch, exchange, "known")
        queues = {"queue": queue, "rest": rest}
        self.assertEqual(self.reaches(ch, exchange, queues, "known"), ["queue"])
        self.assertEqual(self.reaches(ch, exchange, queues, "unknown"), ["rest"])
        self.publish(ch, "unknown", "m", exchange=exchange, mandatory=True)  # not returned: it found a queue
        method, _, _ = self.get(ch, rest)
        self.assertEqual((method.exchange, method.routing_key), (exchange, "unknown"))

    def test_chains_and_rings_of_alternates_end(self):
        ch = self.channel(confirm=True)
        names = [self.name() + str(number) for number in range(3)]
        for index, name in enumerate(names):
            ch.exchange_declare(name, "direct", durable=True,
                                arguments={"alternate-exchange": names[(index + 1) % 3]})
            self.made.append(("exchange", name))
        queue = self.bound_queue(ch, names[2], "k")
        self.assertEqual(self.reaches(ch, names[0], {"q": queue}, "k"), ["q"])
        self.assertEqual(self.reaches(ch, names[0], {"q": queue}, "nowhere"), [])

    def test_a_missing_alternate_drops(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "direct", arguments={"alternate-exchange": "missing"})
        self.publish(ch, "k", "m", exchange=exchange)


class SenderSelected(Routing):
    def test_cc_and_bcc_add_keys(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "direct")
        queues = {key: self.bound_queue(ch, exchange, key) for key in ("main", "cc", "bcc", "none")}
        self.publish(ch, "main", "m", exchange=exchange, headers={"CC": ["cc", "cc"], "BCC": ["bcc"], "other": 1})
        for key in ("main", "cc", "bcc"):
            method, properties, _ = self.get(ch, queues[key])
            self.assertEqual(method.routing_key, "main")
            self.assertEqual(properties.headers, {"CC": ["cc", "cc"], "other": 1}, "BCC is taken out")
        self.assertEqual(self.drain(ch, queues["none"]), [])

    def test_other_values_are_refused(self):
        for value, kind in (("text", "longstr"), (5, "signedint")):
            ch = self.channel()
            with self.refused(406, "^PRECONDITION_FAILED - invalid message: "
                                   f"{{unacceptable_type_in_header,\"CC\",{kind}}}$", ch):
                self.publish(ch, "k", "m", exchange="amq.direct", headers={"CC": value})


if __name__ == "__main__":
    main()
