# SPDX-License-Identifier: Apache-2.0
"""Request and reply with pika: a reply queue as in the tutorial, and direct reply-to with its rules (reference
queues-and-amqp.md, section 5)."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, pika, until
from amqp_wire import Connection

DIRECT = "amq.rabbitmq.reply-to"


class ReplyTo(AmqpCase):
    def serve(self):
        """A server on its own connection that answers with the square; returns queue and connection."""
        connection = self.connect()
        channel = connection.channel()
        queue = self.queue(channel)

        def answer(c, method, properties, body):
            c.basic_publish("", properties.reply_to, str(int(body) ** 2),
                            pika.BasicProperties(correlation_id=properties.correlation_id))
            c.basic_ack(method.delivery_tag)
        channel.basic_qos(prefetch_count=1)
        return queue, Consumer(channel, queue, answer)

    def ask(self, channel, queue, replies, server, numbers, reply_to):
        for number in numbers:
            self.publish(channel, queue, str(number), reply_to=reply_to, correlation_id=str(number))
        server.wait(len(server.got) + len(numbers))
        replies.wait(len(numbers))
        return {properties.correlation_id: body for _, properties, body in replies.got}

    def test_a_reply_queue_as_in_the_tutorial(self):
        queue, server = self.serve()
        ch = self.channel()
        answers = self.queue(ch, "", durable=False, exclusive=True)
        replies = Consumer(ch, answers, auto_ack=True)
        self.assertEqual(self.ask(ch, queue, replies, server, [3, 4], answers), {"3": b"9", "4": b"16"})

    def test_direct_reply_to(self):
        queue, server = self.serve()
        ch = self.channel()
        replies = Consumer(ch, DIRECT, auto_ack=True)
        self.assertEqual(self.ask(ch, queue, replies, server, [3, 4, 5], DIRECT), {"3": b"9", "4": b"16", "5": b"25"})
        address = server.got[0][1].reply_to
        self.assertRegex(address, r"^amq\.rabbitmq\.reply-to\.\S+$")
        method = replies.got[0][0]
        self.assertEqual((method.exchange, method.routing_key), ("", address))

    def test_many_requesters_at_once(self):
        queue, server = self.serve()
        requesters = []
        for number in range(5):
            ch = self.channel(connection=self.connect())
            requesters.append((number, ch, Consumer(ch, DIRECT, auto_ack=True)))
        for number, ch, _ in requesters:
            self.publish(ch, queue, str(number), reply_to=DIRECT, correlation_id=str(number))
        server.wait(5)
        for number, _, replies in requesters:
            self.assertEqual(replies.settled_at(1), [str(number ** 2)])

    def test_the_consumer_must_not_ack(self):
        with self.refused(406, "^PRECONDITION_FAILED - reply consumer cannot acknowledge$"):
            Consumer(self.channel(), DIRECT)

    def test_one_consumer_for_each_channel(self):
        ch = self.channel()
        Consumer(ch, DIRECT, auto_ack=True)
        with self.refused(406, "^PRECONDITION_FAILED - reply consumer already set$"):
            Consumer(ch, DIRECT, auto_ack=True)

    def test_requests_need_the_consumer_on_their_channel(self):
        queue, _ = self.serve()
        Consumer(self.channel(), DIRECT, auto_ack=True)
        ch = self.channel()
        with self.refused(406, "^PRECONDITION_FAILED - fast reply consumer does not exist$", ch):
            self.publish(ch, queue, "1", reply_to=DIRECT)

    def test_a_passive_declare_tells_whether_the_requester_lives(self):
        queue, server = self.serve()
        requester = self.connect()
        ch = requester.channel()
        replies = Consumer(ch, DIRECT, auto_ack=True)
        self.ask(ch, queue, replies, server, [1], DIRECT)
        address = server.got[0][1].reply_to
        other = self.channel()
        answer = other.queue_declare(address, passive=True).method
        self.assertEqual((answer.queue, answer.message_count, answer.consumer_count), (address, 0, 1))
        requester.close()

        def is_gone():
            channel = self.channel()
            try:
                channel.queue_declare(address, passive=True)
                channel.close()
            except pika.exceptions.ChannelClosedByBroker as error:
                self.assertEqual(error.reply_code, 404)
                return True
        until("the requester is gone", is_gone)
        self.publish(self.channel(confirm=True), address, "a late answer is dropped")

    def test_after_a_cancel_it_may_be_consumed_again(self):
        queue, server = self.serve()
        ch = self.channel()
        Consumer(ch, DIRECT, auto_ack=True).cancel()
        replies = Consumer(ch, DIRECT, auto_ack=True)
        self.assertEqual(self.ask(ch, queue, replies, server, [7], DIRECT), {"7": b"49"})

    def test_the_name_itself_may_be_declared(self):
        ch = self.channel()
        self.assertEqual(ch.queue_declare(DIRECT, passive=True).method.queue, DIRECT)
        ch.queue_declare(DIRECT, durable=True)  # some libraries declare whatever they consume

    def test_it_may_not_be_bound(self):
        self.only_sluice("3.10: 404")
        with self.refused(403):
            self.channel().queue_bind(DIRECT, "amq.fanout")

    def test_answers_of_other_properties_arrive_whole(self):
        with Connection(self.amqp_port) as asking, Connection(self.amqp_port) as answering:
            asking.open_channel()
            tag = asking.call(1, "basic.consume", queue=DIRECT, no_ack=True).consumer_tag
            answering.open_channel()
            queue = answering.call(1, "queue.declare", exclusive=True).queue
            asking.publish(1, "", queue, b"ask", {"reply_to": DIRECT, "headers": {"a": 1}, "message_id": "7"})
            answering.call(1, "basic.consume", queue=queue, no_ack=True)
            request = answering.next("basic.deliver")
            self.assertEqual((request.properties["headers"], request.properties["message_id"]), ({"a": 1}, "7"))
            body = bytes(300000)
            answering.publish(1, "", request.properties["reply_to"], body, {"priority": 3, "headers": {"b": None}})
            delivery = asking.next("basic.deliver")
            self.assertEqual((delivery.consumer_tag, delivery.body, delivery.properties, delivery.redelivered),
                             (tag, body, {"priority": 3, "headers": {"b": None}}, False))


if __name__ == "__main__":
    main()
