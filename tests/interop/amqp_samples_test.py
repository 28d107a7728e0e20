# SPDX-License-Identifier: Apache-2.0
"""What handbooks show, as they show it, with pika: worker pools, event buses with dead letters, retries with a header,
batches, shards, priorities by name, sagas, CloudEvents, connection pools (reference features.md, EXCH, QUEUE, REL and
CLIENT rows that the themed tests do not already play)."""
import gzip
import hashlib
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, Consumer, main, pika, until


class Samples(AmqpCase):
    def named(self, *words):
        """Names of the sample, made unique; they are deleted afterwards."""
        suffix = self.name()[-8:]
        return [f"{word}.{suffix}" for word in words]

    def test_task_queue_with_several_workers(self):
        [task_queue] = self.named("task_queue")
        ch = self.channel()
        self.queue(ch, task_queue)
        done = []

        def work(channel, method, _, body):
            done.append(json.loads(body)["task_id"])
            channel.basic_ack(delivery_tag=method.delivery_tag)
        workers = []
        for _ in range(3):
            channel = self.channel(connection=self.connect())
            channel.queue_declare(queue=task_queue, durable=True)
            channel.basic_qos(prefetch_count=1)
            workers.append(Consumer(channel, task_queue, work, auto_ack=False))
        for number in range(30):
            ch.basic_publish(exchange="", routing_key=task_queue, body=json.dumps({"task_id": number}),
                             properties=pika.BasicProperties(delivery_mode=2))
        until("all is done", lambda: [w.channel.connection.process_data_events(0.005) for w in workers]
              and len(done) == 30)
        self.assertEqual(sorted(done), list(range(30)))

    def test_event_bus_with_queues_for_services(self):
        bus, dlx, dead, orders, analytics = self.named("ecommerce.events", "dlx.ecommerce", "dead.letter.queue",
                                                       "order-service.queue", "analytics.queue")
        ch = self.channel(confirm=True)
        for exchange in (bus, dlx):
            ch.exchange_declare(exchange=exchange, exchange_type="topic", durable=True)
            self.made.append(("exchange", exchange))
        self.queue(ch, dead)
        ch.queue_bind(exchange=dlx, queue=dead, routing_key="#")
        arguments = {"x_dead_letter_exchange": dlx, "x_message_ttl": 300000}
        for name, patterns in ((orders, ["order.*", "payment.completed"]), (analytics, ["order.#", "user.*.signup"])):
            self.queue(ch, name, **arguments)
            for pattern in patterns:
                ch.queue_bind(exchange=bus, queue=name, routing_key=pattern)
        for key in ("order.created", "payment.completed", "user.email.signup", "payment.failed", "order.item.added"):
            ch.basic_publish(exchange=bus, routing_key=key, body=json.dumps({"event": key}),
                             properties=pika.BasicProperties(delivery_mode=2, content_type="application/json"))
        self.assertEqual([json.loads(body)["event"] for body in self.drain(ch, orders)],
                         ["order.created", "payment.completed"])
        method, _, _ = self.get(ch, analytics, auto_ack=False)
        ch.basic_nack(delivery_tag=method.delivery_tag, requeue=False)
        method, properties, _ = self.get(ch, dead)
        self.assertEqual((method.routing_key, properties.headers["x-death"][0]["queue"]), ("order.created", analytics))

    def test_retries_counted_in_a_header(self):
        work, retry, failed = self.named("work", "retry.messages", "failed-messages")
        ch = self.channel(confirm=True)
        for name in (work, failed):
            self.queue(ch, name)
        self.queue(ch, retry, x_message_ttl=30, x_dead_letter_exchange="", x_dead_letter_routing_key=work)

        def handle(channel, method, properties, body):
            count = (properties.headers or {}).get("x-retry-count", 0)
            target = retry if count < 3 else failed
            channel.basic_publish("", target, body, pika.BasicProperties(headers={"x-retry-count": count + 1}))
            channel.basic_ack(method.delivery_tag)
        consumer = Consumer(self.channel(), work, handle)
        self.publish(ch, work, "never works")
        consumer.wait(4)
        self.assertEqual(self.get(ch, failed)[1].headers["x-retry-count"], 4)

    def test_batches_of_publishes_and_acks(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        for start in range(0, 500, 100):
            self.publish(ch, queue, *(str(n) for n in range(start, start + 100)), delivery_mode=2)
        reader, batch = self.channel(), []
        reader.basic_qos(prefetch_count=100)
        for method, _, body in reader.consume(queue, inactivity_timeout=5):
            batch.append(int(body))
            if len(batch) % 100 == 0:
                reader.basic_ack(delivery_tag=method.delivery_tag, multiple=True)
            if len(batch) == 500:
                break
        self.assertEqual(reader.cancel(), 0)
        self.assertEqual(batch, list(range(500)))

    def test_shards_by_md5(self):
        shards = self.named(*(f"orders_shard_{n}" for n in range(4)))
        ch = self.channel(confirm=True)
        for shard in shards:
            self.queue(ch, shard, x_queue_type="quorum", x_max_length=100000)
        for number in range(60):
            key = f"customer-{number % 12}"
            shard = shards[int(hashlib.md5(key.encode()).hexdigest(), 16) % 4]
            self.publish(ch, shard, f"{key}:{number}", delivery_mode=2)
        seen = {}
        for shard in shards:
            for body in self.drain(ch, shard):
                key, number = body.split(":")
                self.assertLess(seen.get(key, -1), int(number), "order is kept for each key")
                seen[key] = int(number)
        self.assertEqual(len(seen), 12)

    def test_notifications_with_priorities_by_name(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_priority=10)
        for name, priority in (("low", 1), ("medium", 5), ("high", 10), ("none", None)):
            ch.basic_publish("", queue, name, pika.BasicProperties(priority=priority, delivery_mode=2))
        self.assertEqual(self.take(ch, queue, 4), ["high", "medium", "low", "none"])

    def test_a_saga_over_a_topic_exchange(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "topic")
        completed = self.bound_queue(ch, exchange, "saga.*")
        steps = ["inventory", "payment", "shipping"]
        participants = []
        for step in steps:
            channel = self.channel()
            queue = self.bound_queue(channel, exchange, f"{step}.execute")

            def run(c, method, properties, body, step=step):
                following = steps.index(step) + 1
                key = f"{steps[following]}.execute" if following < len(steps) else "saga.completed"
                c.basic_publish(exchange, key, body, pika.BasicProperties(correlation_id=properties.correlation_id))
                c.basic_ack(method.delivery_tag)
            participants.append(Consumer(channel, queue, run))
        self.publish(ch, "inventory.execute", "order", exchange=exchange, correlation_id="saga-1")
        for participant in participants:
            participant.wait(1)
        method, properties, _ = self.get(ch, completed)
        self.assertEqual((method.routing_key, properties.correlation_id), ("saga.completed", "saga-1"))

    def test_cloud_events_compression_and_trace_headers(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "topic")
        queue = self.bound_queue(ch, exchange, "cloudevents.#")
        headers = {"ce-type": "com.company.order.created", "ce-source": "/orders", "ce-subject": "42",
                   "ce-specversion": "1.0", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        body = gzip.compress(json.dumps({"order": "주문 42"}).encode())
        ch.basic_publish(exchange, "cloudevents.com.company.order.created", body, pika.BasicProperties(
            content_type="application/json", content_encoding="gzip", headers=headers, timestamp=int(time.time() * 1000)))
        _, properties, got = self.get(ch, queue)
        self.assertEqual((properties.headers, properties.content_encoding), (headers, "gzip"))
        self.assertEqual(json.loads(gzip.decompress(got)), {"order": "주문 42"})

    def test_a_pool_of_connections_with_a_channel_for_each_publish(self):
        ch = self.channel()
        queue = self.queue(ch)
        pool = [self.connect(heartbeat=600, blocked_connection_timeout=300) for _ in range(10)]
        for number in range(100):
            channel = pool[number % 10].channel()
            channel.basic_publish("", queue, str(number), pika.BasicProperties(delivery_mode=2))
            channel.close()
        self.until_ready(ch, queue, 100)

    def test_an_exclusive_queue_with_a_name(self):
        connection = self.connect()
        ch = connection.channel()
        [queue] = self.named("inventory_events")
        ch.queue_declare(queue=queue, exclusive=True)
        ch.exchange_declare(exchange="amq.topic", passive=True)
        ch.queue_bind(exchange="amq.topic", queue=queue, routing_key="inventory.checked")
        self.publish(ch, "inventory.checked", "m", exchange="amq.topic")
        self.assertEqual(self.take(ch, queue, 1), ["m"])
        connection.close()
        self.until_gone(queue)

    def test_event_sourcing_with_a_stream(self):
        ch = self.channel(confirm=True)
        [events] = self.named("order_events")
        self.queue(ch, events, x_queue_type="stream", x_max_length_bytes=20_000_000_000, x_max_age="7D")
        for kind in ("created", "paid", "shipped"):
            self.publish(ch, events, json.dumps({"order": 1, "type": kind}))
        for _ in range(2):  # any number of projections, each from the first event on
            reader = self.channel()
            reader.basic_qos(prefetch_count=100)
            consumer = Consumer(reader, events, arguments={"x-stream-offset": "first"})
            self.assertEqual([json.loads(body)["type"] for body in consumer.wait(3)], ["created", "paid", "shipped"])

    def test_the_last_words_of_a_consumer_that_dies(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_queue_type="quorum", x_single_active_consumer=True)
        self.publish(ch, queue, *"abc", delivery_mode=2)
        dying = self.connect()
        first = Consumer(dying.channel(), queue)
        first.wait(3)
        dying.close()
        second = Consumer(self.channel(), queue)
        self.assertEqual(second.wait(3), list("abc"))
        self.assertTrue(all(method.redelivered for method, _, _ in second.got))


if __name__ == "__main__":
    main()
