# SPDX-License-Identifier: Apache-2.0
"""What becomes of rights that change while a connection is open, and which questions need which right (reference
queues-and-amqp.md, sections 1 and 3; RabbitMQ 4.3's rabbit_channel where that is newer)."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, until
from amqp_wire import Connection


class Rights(AmqpCase):
    def allow(self, configure=".*", write=".*", read=".*"):
        self.addCleanup(self.ctl, "set_permissions", "guest", ".*", ".*", ".*")
        self.ctl("set_permissions", "guest", configure, write, read)

    def raw(self, capabilities=("consumer_cancel_notify",)):
        raw = Connection(self.amqp_port, capabilities=capabilities)
        self.addCleanup(raw.close)
        raw.open_channel()
        return raw

    def renew(self, raw):
        raw.send(0, "connection.update-secret", new_secret="guest", reason="it was time")

    def test_a_new_secret_cancels_consumers_of_what_may_no_longer_be_read(self):
        self.only_sluice()
        ch = self.channel()
        mine, yours = self.queue(ch, f"mine-{self.name()}"), self.queue(ch, f"yours-{self.name()}")
        raw = self.raw()
        for queue in (mine, yours):
            raw.call(1, "basic.consume", queue=queue, consumer_tag=queue)
        self.publish(ch, yours, "held")
        held = raw.next("basic.deliver")
        self.allow(read="^mine-")
        self.renew(raw)
        got = {method.name: method for method in (raw.next("basic.cancel", "connection.update-secret-ok")
                                                  for _ in range(2))}
        self.assertEqual(got["basic.cancel"].consumer_tag, yours)
        raw.send(1, "basic.ack", delivery_tag=held.delivery_tag)  # what it holds it may still settle
        self.publish(ch, mine, "still")
        self.assertEqual(raw.next("basic.deliver").body, b"still")
        self.publish(ch, yours, "not for you")
        until("nobody consumes", lambda: self.consumers(ch, yours) == 0)
        self.ctl("set_permissions", "guest", ".*", ".*", ".*")
        self.assertEqual(self.take(ch, yours, 1), ["not for you"])

    def test_streams_and_consumers_without_the_capability(self):
        self.only_sluice()
        ch = self.channel()
        stream = self.queue(ch, f"yours-{self.name()}", x_queue_type="stream")
        queue = self.queue(ch, f"yours-{self.name()}")
        raw = self.raw(capabilities=())
        raw.call(1, "basic.qos", prefetch_count=10)
        for name in (stream, queue):
            raw.call(1, "basic.consume", queue=name, consumer_tag=name)
        self.allow(read="^mine-")
        self.renew(raw)
        raw.next("connection.update-secret-ok")
        self.ctl("set_permissions", "guest", ".*", ".*", ".*")
        for name in (stream, queue):
            until("nobody consumes", lambda name=name: self.consumers(ch, name) == 0)
        self.publish(ch, queue, "m")
        self.assertEqual(self.take(ch, queue, 1), ["m"])
        raw.call(1, "basic.consume", queue=queue, consumer_tag="again")  # nothing was said, the channel is open

    def test_asking_for_an_exchange_takes_any_right(self):
        self.only_sluice()
        exchange = self.exchange(self.channel(), "fanout")
        for rights in ({"configure": ".*"}, {"write": ".*"}, {"read": ".*"}):
            self.allow(**{"configure": "^$", "write": "^$", "read": "^$", **rights})
            self.channel().exchange_declare(exchange, passive=True)
        self.allow("^$", "^$", "^$")
        with self.refused(403, f"configure access to exchange '{exchange}' in vhost '/' refused for user 'guest'"):
            self.channel().exchange_declare(exchange, passive=True)

    def test_unbinding_what_is_not_bound_from_anothers_exclusive_queue(self):
        owner = self.channel(connection=self.connect())
        queue = owner.queue_declare("", exclusive=True).method.queue
        self.channel().queue_unbind(queue, "amq.direct", "never bound")
        owner.queue_bind(queue, "amq.direct", "bound")
        with self.refused(405, "cannot obtain exclusive access to locked queue"):
            self.channel().queue_unbind(queue, "amq.direct", "bound")
        with self.refused(405, "cannot obtain exclusive access to locked queue"):
            self.channel().queue_bind(queue, "amq.direct", "another")


class Listings(AmqpCase):
    def test_a_consumer_without_acknowledgements_shows_its_prefetch(self):
        ch = self.channel()
        queue = self.queue(ch)
        ch.basic_qos(prefetch_count=7)
        Consumer(ch, queue, auto_ack=True)
        rows = self.ctl("list_consumers", "-q", "queue_name", "ack_required", "prefetch_count")
        self.assertRegex(rows, rf"(?m)^{queue}\tfalse\t7$")

    def test_a_quorum_queue_with_one_active_consumer_counts_that_one(self):
        for kind, count in (("quorum", 1), ("classic", 3)):
            ch = self.channel()
            queue = self.queue(ch, x_queue_type=kind, x_single_active_consumer=True)
            self.assertEqual(self.consumers(ch, queue), 0)
            for _ in range(3):
                Consumer(ch, queue)
            self.assertEqual(self.consumers(ch, queue), count)
            again = ch.queue_declare(queue, durable=True, arguments={
                "x-queue-type": kind, "x-single-active-consumer": True})
            self.assertEqual(again.method.consumer_count, count)


if __name__ == "__main__":
    main()
