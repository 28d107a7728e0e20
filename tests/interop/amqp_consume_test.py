# SPDX-License-Identifier: Apache-2.0
"""Consuming with pika: prefetch, ack, nack, reject, recover, order after a requeue, get, cancel, exclusive consumers,
what happens when a channel or connection goes (reference queues-and-amqp.md, section 5)."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, until
from amqp_wire import Connection


class Prefetch(AmqpCase):
    def test_no_more_than_the_prefetch_are_unsettled(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, *"abcdefg")
        ch.basic_qos(prefetch_count=2)
        consumer = Consumer(ch, queue)
        self.assertEqual(consumer.settled_at(2), ["a", "b"])
        ch.basic_ack(consumer.tags()[1])  # the second one only
        self.assertEqual(consumer.settled_at(3), ["a", "b", "c"])
        ch.basic_ack(consumer.tags()[2], multiple=True)
        self.assertEqual(consumer.settled_at(5), list("abcde"))
        self.assertEqual(self.ready(ch, queue), 2)

    def test_it_counts_for_each_consumer(self):
        ch = self.channel(confirm=True)
        queues = [self.queue(ch), self.queue(ch)]
        for queue in queues:
            self.publish(ch, queue, *"abcde")
        ch.basic_qos(prefetch_count=2)
        first = Consumer(ch, queues[0])
        ch.basic_qos(prefetch_count=3)  # for consumers from now on
        second = Consumer(ch, queues[1])
        self.assertEqual((first.settled_at(2), second.settled_at(3)), (list("ab"), list("abc")))

    def test_global_is_shared_by_the_channel(self):
        ch = self.channel(confirm=True)
        queues = [self.queue(ch), self.queue(ch)]
        for queue in queues:
            self.publish(ch, queue, *"abcde")
        ch.basic_qos(prefetch_count=3, global_qos=True)
        consumers = [Consumer(ch, queue) for queue in queues]
        until("three came", lambda: ch.connection.process_data_events(0.01) or sum(len(c.got) for c in consumers) >= 3)
        ch.connection.process_data_events(0.2)
        self.assertEqual(sum(len(c.got) for c in consumers), 3)
        ch.basic_ack(0, multiple=True)
        until("three more came", lambda: ch.connection.process_data_events(0.01)
              or sum(len(c.got) for c in consumers) == 6)

    def test_no_ack_ignores_it(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, *"abcde")
        ch.basic_qos(prefetch_count=1)
        self.assertEqual(Consumer(ch, queue, auto_ack=True).wait(5), list("abcde"))
        self.assertEqual(self.ready(ch, queue), 0)

    def test_a_prefetch_size_is_not_implemented(self):
        with self.hung_up(540, r"^NOT_IMPLEMENTED - prefetch_size!=0 \(\d+\)$"):
            self.channel().basic_qos(prefetch_size=1000)

    def test_consumers_take_turns(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        consumers = [Consumer(self.channel(), queue, auto_ack=True) for _ in range(3)]
        self.publish(ch, queue, *(str(n) for n in range(30)))
        for consumer in consumers:
            self.assertEqual(len(consumer.wait(10)), 10)
        self.assertEqual(sorted(sum((c.bodies() for c in consumers), []), key=int), [str(n) for n in range(30)])

    def test_a_busy_worker_gets_no_more(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        slow, fast = self.channel(), self.channel()
        slow.basic_qos(prefetch_count=1)
        fast.basic_qos(prefetch_count=1)
        busy = Consumer(slow, queue)
        quick = Consumer(fast, queue, lambda c, method, *_: c.basic_ack(method.delivery_tag))
        self.publish(ch, queue, *(str(n) for n in range(20)))
        quick.wait(19)
        self.assertEqual(len(busy.got), 1)


class Settling(AmqpCase):
    def filled(self, *bodies, **arguments):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, **arguments)
        self.publish(ch, queue, *bodies)
        return ch, queue

    def test_requeued_ones_go_back_to_their_place(self):
        ch, queue = self.filled(*"abcde")
        first, second, third = (self.get(ch, queue, auto_ack=False)[0].delivery_tag for _ in range(3))
        ch.basic_nack(second, requeue=True)
        ch.basic_reject(third, requeue=True)
        ch.basic_nack(first, requeue=True)
        self.until_ready(ch, queue, 5)
        got = [self.get(ch, queue) for _ in range(5)]
        self.assertEqual([body for _, _, body in got], [b"a", b"b", b"c", b"d", b"e"])
        self.assertEqual([method.redelivered for method, _, _ in got], [True, True, True, False, False])

    def test_nack_many_at_once(self):
        ch, queue = self.filled(*"abcde")
        tags = [self.get(ch, queue, auto_ack=False)[0].delivery_tag for _ in range(4)]
        ch.basic_nack(tags[2], multiple=True, requeue=True)
        self.until_ready(ch, queue, 4)
        self.assertEqual(self.take(ch, queue, 4), list("abce"))
        ch.basic_nack(0, multiple=True, requeue=False)
        ch.close()
        self.assertEqual(self.drain(self.channel(), queue), [])

    def test_nack_without_requeue_drops(self):
        ch, queue = self.filled(*"abc")
        ch.basic_nack(self.get(ch, queue, auto_ack=False)[0].delivery_tag, requeue=False)
        ch.basic_reject(self.get(ch, queue, auto_ack=False)[0].delivery_tag, requeue=False)
        self.assertEqual(self.drain(ch, queue), ["c"])
        self.assertEqual(self.ready(ch, queue), 0)

    def test_unknown_tags_are_refused(self):
        for call in (lambda c: c.basic_ack(1), lambda c: c.basic_ack(7, multiple=True), lambda c: c.basic_nack(3),
                     lambda c: c.basic_reject(3)):
            ch = self.channel()
            with self.refused(406, r"^PRECONDITION_FAILED - unknown delivery tag \d$", ch):
                call(ch)

    def test_acking_twice_is_refused(self):
        ch, queue = self.filled("a", "b")
        tag = self.get(ch, queue, auto_ack=False)[0].delivery_tag
        ch.basic_ack(tag)
        with self.refused(406, f"^PRECONDITION_FAILED - unknown delivery tag {tag}$", ch):
            ch.basic_ack(tag)

    def test_tag_zero_with_nothing_open(self):
        ch = self.channel()
        ch.basic_ack(0, multiple=True)
        ch.basic_qos(prefetch_count=1)

    def test_tags_count_for_each_channel(self):
        ch, queue = self.filled(*"abc")
        other = self.channel()
        self.assertEqual([self.get(c, queue, auto_ack=False)[0].delivery_tag for c in (ch, other, ch)], [1, 1, 2])

    def test_recover_gives_them_again(self):
        ch, queue = self.filled(*"abc")
        consumer = Consumer(ch, queue)
        consumer.wait(3)
        ch.basic_recover(requeue=True)
        self.assertEqual(consumer.wait(6), list("abcabc"))
        self.assertEqual([method.redelivered for method, _, _ in consumer.got], [False] * 3 + [True] * 3)
        with self.hung_up(540, "^NOT_IMPLEMENTED - requeue=false$"):
            ch.basic_recover(requeue=False)

    def test_a_closed_channel_returns_what_is_unsettled(self):
        ch, queue = self.filled(*"abcd")
        other = self.channel()
        consumer = Consumer(other, queue)
        consumer.wait(4)
        other.basic_ack(consumer.tags()[1])
        other.close()
        self.until_ready(ch, queue, 3)
        got = [self.get(ch, queue) for _ in range(3)]
        self.assertEqual([(body, method.redelivered) for method, _, body in got],
                         [(b"a", True), (b"c", True), (b"d", True)])

    def test_a_lost_connection_returns_what_is_unsettled(self):
        ch, queue = self.filled(*"abc")
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            raw.call(1, "basic.consume", queue=queue)
            for _ in range(3):
                raw.next("basic.deliver")
        self.until_ready(ch, queue, 3)
        self.assertEqual(self.take(ch, queue, 3), list("abc"))

    def test_cancelling_keeps_what_is_unsettled(self):
        ch, queue = self.filled(*"abc")
        ch.basic_qos(prefetch_count=2)
        consumer = Consumer(ch, queue)
        consumer.wait(2)
        with Connection(self.amqp_port) as raw:  # pika would nack for us
            raw.open_channel()
            raw.call(1, "basic.qos", prefetch_count=1)
            raw.call(1, "basic.consume", queue=queue, consumer_tag="t")
            delivery = raw.next("basic.deliver")
            raw.call(1, "basic.cancel", consumer_tag="t")
            self.assertEqual(self.ready(ch, queue), 0)
            raw.send(1, "basic.ack", delivery_tag=delivery.delivery_tag)
            raw.call(1, "channel.close", reply_code=200)
        self.assertEqual(self.ready(ch, queue), 0)

    def test_an_error_on_the_channel_returns_what_is_unsettled(self):
        ch, queue = self.filled("a")
        other = self.channel()
        self.get(other, queue, auto_ack=False)
        with self.refused(404):
            other.queue_declare("missing", passive=True)
        self.until_ready(ch, queue, 1)


class Get(AmqpCase):
    def test_get_tells_what_is_left(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.assertEqual(ch.basic_get(queue), (None, None, None))
        self.publish(ch, queue, *"abc")
        self.assertEqual([ch.basic_get(queue, auto_ack=True)[0].message_count for _ in range(3)], [2, 1, 0])
        with self.refused(404, "^NOT_FOUND - no queue 'missing' in vhost '/'$"):
            ch.basic_get("missing")

    def test_get_works_on_quorum_queues(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_queue_type="quorum")
        self.publish(ch, queue, "a", "b")
        method, _, body = self.get(ch, queue, auto_ack=False)
        self.assertEqual((body, method.message_count), (b"a", 1))
        ch.basic_ack(method.delivery_tag)
        self.assertEqual(self.take(ch, queue, 1), ["b"])


class Consumers(AmqpCase):
    def test_tags_are_made_up_or_taken(self):
        ch = self.channel()
        queue = self.queue(ch)
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            tags = [raw.call(1, "basic.consume", queue=queue).consumer_tag for _ in range(2)]
            self.assertRegex(tags[0], r"^amq\.ctag-[A-Za-z0-9_-]{22}$")
            self.assertNotEqual(*tags)
            self.assertEqual(raw.call(1, "basic.consume", queue=queue, consumer_tag="mine").consumer_tag, "mine")
            raw.open_channel(2)
            raw.call(2, "basic.consume", queue=queue, consumer_tag="mine")  # another channel, another space
            raw.send(1, "basic.consume", queue=queue, consumer_tag="mine")
            scope, code, text, *_ = raw.closed_with()
            self.assertEqual((scope, code), ("connection", 530))
            self.assertEqual(text, "NOT_ALLOWED - attempt to reuse consumer tag 'mine'")

    def test_cancelling_an_unknown_tag_succeeds(self):
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            self.assertEqual(raw.call(1, "basic.cancel", consumer_tag="nobody").consumer_tag, "nobody")

    def test_nowait_has_no_answer(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, "m")
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            raw.send(1, "basic.consume", queue=queue, consumer_tag="t", nowait=True, no_ack=True)
            self.assertEqual(raw.next("basic.deliver").body, b"m")
            raw.send(1, "basic.cancel", consumer_tag="t", nowait=True)
            raw.call(1, "basic.qos", prefetch_count=1)
        self.assertEqual(self.consumers(ch, queue), 0)

    def test_an_exclusive_consumer_is_alone(self):
        ch = self.channel()
        queue = self.queue(ch)
        first = Consumer(ch, queue, exclusive=True)
        text = f"^ACCESS_REFUSED - queue '{re.escape(queue)}' in vhost '/' in exclusive use$"
        for exclusive in (False, True):
            with self.refused(403, text):
                Consumer(self.channel(), queue, exclusive=exclusive)
        first.cancel()
        other = self.channel()
        Consumer(other, queue)
        with self.refused(403, text):
            Consumer(ch, queue, exclusive=True)

    def test_consuming_from_a_missing_queue(self):
        with self.refused(404, "^NOT_FOUND - no queue 'missing' in vhost '/'$"):
            Consumer(self.channel(), "missing")

    def test_a_deleted_queue_cancels_its_consumers(self):
        ch, other = self.channel(), self.channel()
        queue = self.queue(ch)
        cancelled = []
        other.add_on_cancel_callback(cancelled.append)
        consumer = Consumer(other, queue)
        ch.queue_delete(queue)
        until("the cancel comes", lambda: other.connection.process_data_events(0.01) or cancelled)
        self.assertEqual(cancelled[0].method.consumer_tag, consumer.tag)

    def test_without_the_capability_no_cancel_is_sent(self):
        ch = self.channel()
        queue = self.queue(ch)
        with Connection(self.amqp_port) as raw:
            raw.open_channel()
            raw.call(1, "basic.consume", queue=queue)
            ch.queue_delete(queue)
            raw.call(1, "basic.qos", prefetch_count=1)

    def test_what_is_published_while_consuming_comes_in_order(self):
        ch, other = self.channel(), self.channel()
        queue = self.queue(ch)
        consumer = Consumer(other, queue, auto_ack=True)
        count = 2000
        self.publish(ch, queue, *(str(n) for n in range(count)))
        self.assertEqual(consumer.wait(count), [str(n) for n in range(count)])

    def test_higher_priorities_are_served_first(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        low, high = self.channel(), self.channel()
        for channel in (low, high):
            channel.basic_qos(prefetch_count=2)
        second = Consumer(low, queue)
        first = Consumer(high, queue, arguments={"x-priority": 10})
        self.publish(ch, queue, *"abc")
        self.assertEqual(first.settled_at(2), ["a", "b"])
        self.assertEqual(second.settled_at(1), ["c"], "who has no room is skipped")
        high.basic_ack(0, multiple=True)
        self.publish(ch, queue, "d")
        self.assertEqual(first.wait(3), ["a", "b", "d"])

    def test_wrong_priorities_are_refused(self):
        ch = self.channel()
        queue = self.queue(ch)
        with self.refused(406, "^PRECONDITION_FAILED - invalid arg 'x-priority' for queue '.*' in vhost '/': "
                               '"expected integer, got longstr"$'):
            Consumer(ch, queue, arguments={"x-priority": "high"})

    def test_arguments_of_other_types_are_refused(self):
        for kind in ("classic", "quorum"):
            queue = self.queue(self.channel(), x_queue_type=kind)
            with self.refused(406, f"^PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '{queue}' in vhost "
                                   f"'/' of queue type rabbit_{kind}_queue$"):
                Consumer(self.channel(), queue, arguments={"x-stream-offset": "first"})
            Consumer(self.channel(), queue, arguments={"x-unheard-of": 1})
        self.only_sluice()
        Consumer(self.channel(), queue, arguments={"x-cancel-on-ha-failover": True})
        queue = self.queue(self.channel())
        with self.refused(406, "invalid arg 'x-consumer-timeout' for queue .* of queue type rabbit_classic_queue$"):
            Consumer(self.channel(), queue, arguments={"x-consumer-timeout": 1000})


if __name__ == "__main__":
    main()
