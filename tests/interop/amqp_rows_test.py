# SPDX-License-Identifier: Apache-2.0
"""Rows of reference queues-and-amqp.md that no other test looks at: methods and flags without effect, arguments that only
must be accepted, superstreams and message ids through AMQP, what is left when a vhost goes."""
import pathlib
import socket
import sys
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main
from amqp_wire import PROTOCOL_HEADER, Connection
from broker import scaled


class Connections(AmqpCase):
    def raw(self, **arguments):
        raw = Connection(self.amqp_port, **arguments)
        self.addCleanup(raw.close)
        return raw

    def test_other_protocol_headers_are_told_which_one_is_spoken(self):
        self.only_sluice("it speaks AMQP 1.0, too")
        for header in (b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00", b"AMQP\x01\x01\x08\x00", b"GET / HT"):
            with socket.create_connection(("127.0.0.1", self.amqp_port), timeout=scaled(10)) as plain:
                plain.sendall(header)
                said = b""
                while chunk := plain.recv(100):
                    said += chunk
            self.assertEqual(said, PROTOCOL_HEADER, header)

    def test_anonymous_is_guest_when_nothing_else_is_said(self):
        self.only_sluice()
        raw = self.raw(mechanism="ANONYMOUS", response="")
        raw.open_channel()
        raw.call(1, "queue.declare", exclusive=True)
        self.assertRegex(self.ctl("list_connections", "-q", "user", "auth_mechanism"), r"(?m)^guest\tANONYMOUS$")

    def test_a_deleted_vhost_takes_its_connections_with_it(self):
        vhost = self.name()
        self.ctl("add_vhost", vhost)
        self.ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
        raw = self.raw(vhost=vhost)
        raw.open_channel()
        raw.call(1, "queue.declare", queue="q", durable=True)
        self.ctl("delete_vhost", vhost)
        self.assertEqual(raw.next("connection.close").reply_code, 320)
        self.ctl("add_vhost", vhost)
        self.addCleanup(self.ctl, "delete_vhost", vhost)
        self.ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
        with self.refused(404, "^NOT_FOUND - no queue 'q' in vhost "):
            self.connect(virtual_host=vhost).channel().queue_declare("q", passive=True)

    def test_a_tag_of_the_server_s_making(self):
        raw = self.raw()
        raw.open_channel()
        queue = raw.call(1, "queue.declare", exclusive=True).queue
        self.assertRegex(queue, r"^amq\.gen-[A-Za-z0-9_-]{22}$")
        self.assertRegex(raw.call(1, "basic.consume", queue=queue).consumer_tag, r"^amq\.ctag-[A-Za-z0-9_-]{22}$")

    def test_names_lose_their_line_ends(self):
        raw, name = self.raw(), self.name()
        raw.open_channel()
        self.assertEqual(raw.call(1, "queue.declare", queue=f"{name}\r\n", exclusive=True).queue, name)
        raw.call(1, "exchange.declare", exchange=f"{name}\n", type="fanout", auto_delete=True)
        raw.call(1, "queue.bind", queue=f"{name}\r", exchange=f"{name}\r\n")
        raw.call(1, "basic.consume", queue=name, no_ack=True)
        raw.publish(1, name, "", b"m")
        self.assertEqual(raw.next("basic.deliver").body, b"m")

    def test_recover_async_gives_back_and_is_not_answered(self):
        raw = self.raw()
        raw.open_channel()
        queue = raw.call(1, "queue.declare", exclusive=True).queue
        raw.publish(1, "", queue, b"m")
        raw.call(1, "basic.consume", queue=queue, consumer_tag="t")
        self.assertFalse(raw.next("basic.deliver").redelivered)
        raw.send(1, "basic.recover-async", requeue=True)
        again = raw.next("basic.deliver")
        self.assertTrue(again.redelivered)
        raw.call(1, "basic.cancel", consumer_tag="t")  # the next answer is this one's
        raw.send(1, "basic.recover-async", requeue=False)
        self.assertEqual(raw.closed_with()[1], 540)

    def test_no_local_has_no_effect(self):
        raw = self.raw()
        raw.open_channel()
        queue = raw.call(1, "queue.declare", exclusive=True).queue
        raw.call(1, "basic.consume", queue=queue, no_local=True, no_ack=True)
        raw.publish(1, "", queue, b"mine")
        self.assertEqual(raw.next("basic.deliver").body, b"mine")


class Bindings(AmqpCase):
    def test_the_queue_of_direct_replies_is_not_bound(self):
        self.only_sluice()
        for name in ("amq.rabbitmq.reply-to", "amq.rabbitmq.reply-to.somebody"):
            for call in ("queue_bind", "queue_unbind"):
                with self.refused(403, r"cannot bind or unbind to a volatile \(direct reply-to\) queue$"):
                    getattr(self.channel(), call)(name, "amq.direct", "key")

    def test_unbinding_where_nothing_is(self):
        ch = self.channel()
        queue, nowhere = self.queue(ch), self.name()
        for source, destination in (("amq.direct", queue), ("amq.direct", nowhere), (nowhere, queue), (nowhere, nowhere)):
            ch.queue_unbind(destination, source, "key")
        ch.exchange_unbind("amq.direct", nowhere, "key")


class Arguments(AmqpCase):
    def test_arguments_that_only_need_to_be_accepted(self):
        ch = self.channel()
        self.queue(ch, x_queue_master_locator="min-masters")
        self.queue(ch, x_never_heard_of=["anything", {"at": "all"}])
        self.only_sluice()
        self.queue(ch, x_queue_leader_locator="balanced")
        self.queue(ch, x_queue_type="quorum", x_max_in_memory_length=10, x_max_in_memory_bytes=1000)
        self.queue(ch, x_queue_type="quorum", x_consumer_disconnected_timeout=1000, x_consumer_timeout=0)
        self.queue(ch, x_queue_type="stream", x_initial_cluster_size=3, x_queue_leader_locator="client-local")
        for arguments in ({"x_queue_master_locator": "nowhere"}, {"x_queue_leader_locator": 5},
                          {"x_queue_type": "stream", "x_initial_cluster_size": 0},
                          {"x_queue_type": "stream", "x_queue_master_locator": "min-masters"},
                          {"x_queue_type": "quorum", "x_consumer_timeout": -1},
                          {"x_consumer_disconnected_timeout": 5}):
            with self.refused(406, "^PRECONDITION_FAILED - invalid arg"):
                self.queue(self.channel(), **arguments)

    def test_a_stream_with_segments_of_no_size(self):
        self.only_sluice("it takes the argument and never confirms")
        ch = self.channel(confirm=True)
        stream = self.queue(ch, x_queue_type="stream", x_stream_max_segment_size_bytes=0)
        self.publish(ch, stream, *(str(n) for n in range(30)))
        ch.basic_qos(prefetch_count=100)
        self.assertEqual(Consumer(ch, stream, arguments={"x-stream-offset": "first"}).wait(30), [str(n) for n in range(30)])

    def test_a_consumer_timeout_of_nothing(self):
        self.only_sluice()
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_queue_type="quorum", x_consumer_timeout=0)
        raw = Connection(self.amqp_port, capabilities=("consumer_cancel_notify",))
        self.addCleanup(raw.close)
        raw.open_channel()
        raw.call(1, "basic.consume", queue=queue, consumer_tag="slow")
        self.publish(ch, queue, "m")
        got = {method.name for method in (raw.next("basic.deliver", "basic.cancel") for _ in range(2))}
        self.assertEqual(got, {"basic.deliver", "basic.cancel"})
        self.assertEqual(self.take(ch, queue, 1), ["m"])

    def test_headers_with_a_void_argument_ask_for_the_key_alone(self):
        ch = self.channel()
        queue = self.bound_queue(ch, "amq.headers", arguments={"x-match": "all", "there": None, "n": 5})
        for body, headers in (("yes", {"there": "anything", "n": 5}), ("no", {"n": 5}), ("yes, too", {"there": [], "n": 5}),
                              ("nor this", {"there": 1, "n": 6})):
            self.publish(ch, "", body, exchange="amq.headers", headers=headers)
        self.assertEqual(self.take(ch, queue, 2), ["yes", "yes, too"])
        self.assertEqual(self.drain(ch, queue), [])


class Streams(AmqpCase):
    def test_a_superstream_made_with_amqp(self):
        self.only_sluice()
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "direct", arguments={"x-super-stream": True})
        partitions = [self.bound_queue(ch, exchange, key, arguments={"x-stream-partition-order": order},
                                       name=f"{exchange}-{key}", x_queue_type="stream")
                      for order, key in enumerate(("amer", "emea"))]
        from stream_wire import Connection as StreamConnection
        connection = StreamConnection(self.port)
        self.addCleanup(connection.close)
        self.assertEqual(connection.partitions(exchange)[1], partitions)
        self.publish(ch, "emea", "m", exchange=exchange, mandatory=True)
        self.until_ready(ch, partitions[1], 1)
        self.assertEqual(self.ready(ch, partitions[0]), 0)

    def through_a_stream(self, **properties):
        ch = self.channel(confirm=True)
        stream = self.queue(ch, x_queue_type="stream")
        self.publish(ch, stream, "m", **properties)
        ch.basic_qos(prefetch_count=10)
        consumer = Consumer(ch, stream, arguments={"x-stream-offset": "first"})
        consumer.wait(1)
        return consumer.got[0][1]

    def test_ids_that_are_uuids_come_back_as_they_went(self):
        one = f"urn:uuid:{uuid.uuid4()}"
        got = self.through_a_stream(message_id=one, correlation_id="urn:uuid:no-such")
        self.assertEqual((got.message_id, got.correlation_id), (one, "urn:uuid:no-such"))

    def test_properties_through_a_stream(self):
        got = self.through_a_stream(content_type="text/plain", content_encoding="gzip", app_id="app", user_id="guest",
                                    type="kind", timestamp=1_700_000_000, priority=7, delivery_mode=1, reply_to="back/to me")
        self.assertEqual((got.content_type, got.content_encoding, got.app_id, got.user_id, got.type, got.timestamp,
                          got.priority, got.reply_to),
                         ("text/plain", "gzip", "app", "guest", "kind", 1_700_000_000, 7, "back/to me"))

    def test_unfiltered_messages_come_along_when_asked_for(self):
        ch = self.channel(confirm=True)
        stream = self.queue(ch, x_queue_type="stream")
        for body, value in (("a", "red"), ("b", None), ("c", "blue"), ("d", "red")):
            self.publish(ch, stream, body, **({"headers": {"x-stream-filter-value": value}} if value else {}))
        ch.basic_qos(prefetch_count=10)
        consumer = Consumer(ch, stream, arguments={"x-stream-offset": "first", "x-stream-filter": ["red"],
                                                   "x-stream-match-unfiltered": True})
        self.assertEqual([body for body in consumer.wait(3) if body != "c"], ["a", "b", "d"])
        self.assertEqual(consumer.got[0][1].headers["x-stream-filter-value"], "red")


if __name__ == "__main__":
    main()
