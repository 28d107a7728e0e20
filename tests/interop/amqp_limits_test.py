# SPDX-License-Identifier: Apache-2.0
"""Limits and defaults an operator sets, seen by stock clients: the time of a handshake, channels and connections of the
node, consumers of a channel, the prefetch of who sets none, tags and rights of the first user (reference
queues-and-amqp.md, 1, 2 and 4). Each class starts a broker with its options; the peer has others and is left out."""
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, pika, until
from amqp_wire import PROTOCOL_HEADER, Closed, Connection
from broker import scaled


class LimitsCase(AmqpCase):
    def setUp(self):
        super().setUp()
        self.only_sluice("starts a broker with options")


class HandshakeTimeout(LimitsCase):
    options = {"handshake_timeout": "400ms"}

    def until_cut(self, connection, timeout=10):
        """How long the broker keeps a connection that says nothing more."""
        start = time.monotonic()
        try:
            while True:
                connection.receive(len(connection.data) + 1, start + scaled(timeout))
        except Closed:
            return time.monotonic() - start

    def half_way(self, step):
        """A connection that stopped after so many steps of the handshake."""
        connection = Connection(self.amqp_port, handshake=False)
        self.addCleanup(connection.close)
        if step == 1:
            connection.send_raw(PROTOCOL_HEADER[:5])
        elif step == 2:
            connection.send_raw(PROTOCOL_HEADER)
            connection.next("connection.start")
        elif step >= 3:
            tune = connection.until_tune()
            if step == 4:
                connection.send(0, "connection.tune-ok", channel_max=tune.channel_max, frame_max=tune.frame_max)
        return connection

    def test_whoever_stops_is_cut(self):
        for step, where in enumerate(("silent", "half a header", "header", "start-ok", "tune-ok")):
            with self.subTest(where):
                kept = self.until_cut(self.half_way(step))
                self.assertGreater(kept, 0.3)
                self.assertLess(kept, scaled(3))

    def test_slow_bytes_do_not_prolong_it(self):
        connection, start = Connection(self.amqp_port, handshake=False), time.monotonic()
        self.addCleanup(connection.close)
        with self.assertRaises((Closed, OSError)):
            for byte in PROTOCOL_HEADER * 20:  # wrong from the ninth on, but it does not get so far
                connection.send_raw(bytes([byte]))
                connection.socket.settimeout(scaled(0.15))
                try:
                    if not connection.socket.recv(1):
                        raise Closed()
                except socket.timeout:
                    pass
        self.assertLess(time.monotonic() - start, scaled(3))

    def test_who_is_through_stays(self):
        connection = self.connect(heartbeat=0)
        quiet = self.connect(heartbeat=0)
        connection.process_data_events(scaled(1.2))
        self.assertTrue(self.channel(connection=quiet).is_open)

    def test_places_are_free_again(self):
        silent = [self.half_way(step % 5) for step in range(50)]
        for connection in silent:
            self.until_cut(connection)
        until("the connections are gone", lambda: "connections 0" in self.ctl("-q", "status").replace(":", "")
              or self.ctl("-q", "--no-table-headers", "list_connections", "pid").strip() == "")
        self.channel()


class NodeLimits(LimitsCase):
    options = {"connection_max": 3, "channel_max_per_node": 4}

    def test_connections(self):
        open_ones = [self.connect() for _ in range(3)]
        with self.assertRaises(pika.exceptions.ProbableAccessDeniedError) as caught:
            self.connect()
        self.assertEqual(str(caught.exception), "ConnectionClosedByBroker: (530) 'NOT_ALLOWED - connection refused: node "
                                                "connection limit (3) is reached'")
        open_ones.pop().close()

        def another():
            try:
                return self.connect()
            except pika.exceptions.ProbableAccessDeniedError:
                return None
        until("there is a place again", another)

    def test_channels_of_all_connections(self):
        first, second = self.connect(), self.connect()
        channels = [first.channel(), first.channel(), second.channel(), second.channel()]
        with self.hung_up(530, r"^NOT_ALLOWED - number of channels opened on node '[^']+' has reached the maximum allowed "
                               r"limit of \(4\)$"):
            second.channel()
        self.assertTrue(channels[0].is_open, "only the connection that wanted too much is closed")

        def two_more():  # the two of the closed connection are free again
            third = self.connect()
            try:
                return third.channel() and third.channel()
            except pika.exceptions.ConnectionClosedByBroker:
                return None
        until("the channels are free", two_more)


class ChannelDefaults(LimitsCase):
    options = {"consumer_max_per_channel": 2, "default_consumer_prefetch": 3}

    def test_consumers_of_a_channel(self):
        ch = self.channel()
        queue = self.queue(ch)
        first = Consumer(ch, queue)
        Consumer(ch, queue)
        self.assertEqual(self.consumers(ch, queue), 2)
        first.cancel()
        Consumer(ch, queue)
        Consumer(self.channel(), queue)  # another channel counts for itself
        with self.hung_up(530, r"^NOT_ALLOWED - reached maximum \(2\) of consumers per channel$"):
            Consumer(ch, queue)

    def test_one_for_replies_counts(self):
        ch = self.channel()
        queue = self.queue(ch)
        Consumer(ch, queue)
        Consumer(ch, "amq.rabbitmq.reply-to", auto_ack=True)
        with self.hung_up(530, "of consumers per channel"):
            Consumer(ch, queue)
        ch = self.channel()
        Consumer(ch, queue)
        Consumer(ch, queue)
        with self.hung_up(530, "of consumers per channel"):
            Consumer(ch, "amq.rabbitmq.reply-to", auto_ack=True)

    def test_the_prefetch_of_who_sets_none(self):
        publisher = self.channel(confirm=True)
        queue = self.queue(publisher)
        self.publish(publisher, queue, *"abcdefgh")
        ch = self.channel(connection=self.connect())
        consumer = Consumer(ch, queue)
        self.assertEqual(consumer.settled_at(3), list("abc"))
        ch.basic_ack(consumer.tags()[0])
        self.assertEqual(consumer.settled_at(4), list("abcd"))
        consumer.cancel()
        ch.close()
        self.until_ready(publisher, queue, 7)
        for wanted, got in ((0, 7), (2, 2)):  # zero said is no limit
            ch = self.channel(connection=self.connect())
            ch.basic_qos(prefetch_count=wanted)
            Consumer(ch, queue).settled_at(got)
            ch.close()
            self.until_ready(publisher, queue, 7)


class Impersonator(LimitsCase):
    options = {"default_user": "gateway", "default_pass": "secret", "default_user_tags.impersonator": "true",
               "default_user_tags.administrator": "false"}

    def connect(self, **arguments):
        return super().connect(**{"user": "gateway", "password": "secret", **arguments})

    def test_it_may_say_that_somebody_else_publishes(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        for user in ("gateway", "somebody"):
            self.publish(ch, queue, "m", user_id=user)
            self.assertEqual(self.get(ch, queue)[1].user_id, user)
        self.assertRegex(self.ctl("list_users"), r"(?m)^gateway\t\[impersonator\]$")

    def test_a_dead_letter_keeps_the_name(self):
        ch = self.channel(confirm=True)
        dead = self.queue(ch)
        queue = self.queue(ch, x_dead_letter_exchange="", x_dead_letter_routing_key=dead, x_message_ttl=0)
        self.publish(ch, queue, "m", user_id="somebody")
        self.assertEqual(self.get(ch, dead)[1].user_id, "somebody")

    def test_guest_is_not_there(self):
        with self.assertRaises(pika.exceptions.ProbableAuthenticationError):
            super().connect(user="guest", password="guest")


class FewRights(LimitsCase):
    """The first user may read only; queues and exchanges of others are made by rights it is given for a moment."""
    options = {"default_permissions.configure": "^mine-", "default_permissions.write": "^$",
               "default_permissions.read": "^seen-"}

    def rights(self, configure, write, read):
        self.ctl("set_permissions", "guest", configure, write, read)

    def made_by_others(self):
        """A queue and an exchange made with full rights, which then are taken away."""
        self.rights(".*", ".*", ".*")
        ch = self.channel(connection=self.connect())
        queue, exchange = self.queue(ch, "theirs-" + self.name()), self.exchange(ch, "fanout")
        self.rights("^mine-", "^$", "^seen-")
        return queue, exchange

    def delete_made(self):
        self.rights(".*", ".*", ".*")
        super().delete_made()
        self.rights("^mine-", "^$", "^seen-")

    def test_a_passive_declare_of_a_queue_needs_any_right(self):
        queue, _ = self.made_by_others()
        with self.refused(403, f"^ACCESS_REFUSED - configure access to queue '{queue}' in vhost '/' refused for user "
                               "'guest'$"):
            self.channel().queue_declare(queue, passive=True)
        for one in range(3):
            self.rights(*("^theirs-" if number == one else "^$" for number in range(3)))
            answer = self.channel().queue_declare(queue, passive=True).method
            self.assertEqual((answer.queue, answer.message_count, answer.consumer_count), (queue, 0, 0))
            with self.refused(404, "^NOT_FOUND - no queue 'theirs-missing' in vhost '/'$"):
                self.channel().queue_declare("theirs-missing", passive=True)

    def test_everything_else_needs_its_own(self):
        queue, exchange = self.made_by_others()
        text = "^ACCESS_REFUSED - {} access to {} '{}' in vhost '/' refused for user 'guest'$"
        for verb, kind, name, act in (
                ("configure", "queue", queue, lambda ch: ch.queue_declare(queue, durable=True)),
                ("configure", "queue", "new", lambda ch: ch.queue_declare("new")),
                ("configure", "queue", queue, lambda ch: ch.queue_delete(queue)),
                ("configure", "exchange", "new", lambda ch: ch.exchange_declare("new", "fanout")),
                ("configure", "exchange", exchange, lambda ch: ch.exchange_delete(exchange)),
                ("read", "queue", queue, lambda ch: ch.basic_consume(queue, print)),
                ("read", "queue", queue, lambda ch: ch.basic_get(queue)),
                ("read", "queue", queue, lambda ch: ch.queue_purge(queue)),
                ("write", "queue", queue, lambda ch: ch.queue_bind(queue, exchange)),
                ("write", "exchange", "amq.default", lambda ch: self.publish(ch, queue, "m")),
                ("write", "exchange", exchange, lambda ch: ch.exchange_bind(exchange, "amq.fanout"))):
            with self.subTest(verb=verb, kind=kind, name=name), self.refused(403, text.format(verb, kind, name)):
                act(self.channel(confirm=True))

    def test_its_own_things_are_its_own(self):
        ch = self.channel()
        queue = self.queue(ch, "mine-" + self.name())
        with self.refused(403, "^ACCESS_REFUSED - read access to queue "):
            self.channel().basic_get(queue)


if __name__ == "__main__":
    main()
