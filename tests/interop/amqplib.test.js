// SPDX-License-Identifier: Apache-2.0
// The JavaScript client amqplib against the broker, with promises and with callbacks: the tutorial patterns, errors,
// settling, dead letters, streams.
const { after, before, describe, test } = require("node:test")
const assert = require("node:assert/strict")
const { promisify } = require("node:util")
const amqp = require("amqplib")
const callbacks = require("amqplib/callback_api")
const { Broker, fresh, until } = require("./support/broker")

describe("amqplib", () => {
  const broker = new Broker()
  let connection, url
  before(async () => {
    await broker.start()
    url = `amqp://guest:guest@127.0.0.1:${broker.amqp_port}/%2F`
    connection = await amqp.connect(url)
  })
  after(async () => {
    await connection?.close()
    await broker.stop()
  })

  // A queue with a fresh name that goes with its connection, and what a consumer of it gets.
  async function collect(channel, queue, options = {}, handle = () => {}) {
    const got = []
    const { consumerTag } = await channel.consume(queue, (message) => {
      got.push(message)
      if (message) handle(message)
    }, options)
    return { got, tag: consumerTag, texts: () => got.map((message) => message.content.toString()),
      has: (count) => until(`${count} messages came`, () => got.length >= count) }
  }
  const own = async (channel, options = {}) => (await channel.assertQueue("", { exclusive: true, ...options })).queue

  // The error with which the broker closes a channel.
  async function closes(act) {
    const channel = await connection.createChannel()
    const error = new Promise((done) => channel.on("error", done))
    await Promise.resolve(act(channel)).catch(() => {})
    return await error
  }

  test("hello", async () => {
    const channel = await connection.createChannel()
    const { queue } = await channel.assertQueue(fresh("hello"), { durable: false })
    channel.sendToQueue(queue, Buffer.from("Hello World!"))
    const consumer = await collect(channel, queue, { noAck: true })
    await consumer.has(1)
    assert.deepEqual(consumer.texts(), ["Hello World!"])
    assert.deepEqual(await channel.deleteQueue(queue), { messageCount: 0 })
    await channel.close()
  })

  test("work queue: fair, acknowledged, durable", async () => {
    const publisher = await connection.createChannel()
    const { queue } = await publisher.assertQueue(fresh("task_queue"), { durable: true })
    const workers = []
    for (let number = 0; number < 2; ++number) {
      const channel = await connection.createChannel()
      await channel.prefetch(1)
      workers.push(await collect(channel, queue, {}, (message) => setImmediate(() => channel.ack(message))))
    }
    for (let number = 0; number < 20; ++number) {
      publisher.sendToQueue(queue, Buffer.from(String(number)), { persistent: true })
    }
    await until("all came", () => workers[0].got.length + workers[1].got.length === 20)
    assert.deepEqual(workers.flatMap((worker) => worker.texts()).map(Number).sort((a, b) => a - b), [...Array(20).keys()])
    assert.ok(workers.every((worker) => worker.got.length > 0))
    await publisher.deleteQueue(queue)
  })

  test("publish and subscribe", async () => {
    const channel = await connection.createChannel()
    const { exchange } = await channel.assertExchange(fresh("logs"), "fanout", { durable: false })
    const subscribers = []
    for (let number = 0; number < 3; ++number) {
      const queue = await own(channel)
      await channel.bindQueue(queue, exchange, "")
      subscribers.push(await collect(channel, queue, { noAck: true }))
    }
    channel.publish(exchange, "", Buffer.from("info: this is a log"))
    for (const subscriber of subscribers) {
      await subscriber.has(1)
      assert.deepEqual(subscriber.texts(), ["info: this is a log"])
    }
    await channel.deleteExchange(exchange)
    await channel.close()
  })

  test("routing, topics, headers", async () => {
    const channel = await connection.createChannel()
    for (const [type, bind, publish] of [
      ["direct", ["error"], [["info"], ["error"]]],
      ["topic", ["kern.*"], [["cron.warning"], ["kern.critical"]]],
      ["headers", ["", { "x-match": "all", format: "pdf", pages: 3 }],
        [["", { headers: { format: "pdf" } }], ["", { headers: { format: "pdf", pages: 3 } }]]],
    ]) {
      const { exchange } = await channel.assertExchange(fresh(type), type, { autoDelete: true })
      const queue = await own(channel)
      await channel.bindQueue(queue, exchange, ...bind)
      const consumer = await collect(channel, queue, { noAck: true })
      publish.forEach(([key, options], number) => channel.publish(exchange, key, Buffer.from(String(number)), options))
      await consumer.has(1)
      assert.deepEqual(consumer.texts(), ["1"], type)
      assert.equal(consumer.got[0].fields.exchange, exchange)
    }
    await channel.close()
  })

  test("RPC over a reply queue and over direct reply-to", async () => {
    const server = await connection.createChannel()
    const { queue } = await server.assertQueue(fresh("rpc_queue"), { durable: false })
    await server.prefetch(1)
    const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2))
    await server.consume(queue, (message) => {
      if (!message) return // the queue was deleted
      const { replyTo, correlationId } = message.properties
      server.sendToQueue(replyTo, Buffer.from(String(fib(Number(message.content)))), { correlationId })
      server.ack(message)
    })
    const channel = await connection.createChannel()
    for (const replyTo of [await own(channel), "amq.rabbitmq.reply-to"]) {
      const replies = await collect(channel, replyTo, { noAck: true })
      channel.sendToQueue(queue, Buffer.from("20"), { correlationId: "id", replyTo })
      await replies.has(1)
      assert.deepEqual(replies.texts(), ["6765"])
      assert.equal(replies.got[0].properties.correlationId, "id")
    }
    await server.deleteQueue(queue)
    await channel.close()
  })

  test("publisher confirms, nacks and returns", async () => {
    const channel = await connection.createConfirmChannel()
    const queue = await own(channel, { maxLength: 50, arguments: { "x-overflow": "reject-publish" } })
    for (let number = 0; number < 50; ++number) channel.sendToQueue(queue, Buffer.from("m"), { persistent: true })
    await channel.waitForConfirms()
    await assert.rejects(promisify((done) => channel.sendToQueue(queue, Buffer.from("too many"), {}, done))())
    const returned = new Promise((done) => channel.on("return", done))
    channel.publish("", "no-such-queue", Buffer.from("back"), { mandatory: true })
    assert.equal((await returned).fields.replyText, "NO_ROUTE")
    await channel.close()
  })

  test("the callback interface", async () => {
    const open = await promisify(callbacks.connect)(url)
    const channel = await promisify(open.createChannel.bind(open))()
    const { queue } = await promisify(channel.assertQueue.bind(channel))("", { exclusive: true })
    const message = await new Promise((done) => {
      channel.consume(queue, done, { noAck: true })
      channel.sendToQueue(queue, Buffer.from("called back"))
    })
    assert.equal(message.content.toString(), "called back")
    await promisify(open.close.bind(open))()
  })

  test("errors close the channel with code and text", async () => {
    const name = fresh("q")
    const channel = await connection.createChannel()
    await channel.assertQueue(name, { durable: true, messageTtl: 1000 })
    const inequivalent = await closes((other) => other.assertQueue(name, { durable: true, messageTtl: 2000 }))
    assert.equal(inequivalent.code, 406)
    assert.match(inequivalent.message, new RegExp(`PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue ` +
      `'${name}' in vhost '/': received '2000' but current is '1000'`))
    assert.equal((await closes((other) => other.checkQueue("missing"))).code, 404)
    assert.equal((await closes((other) => other.publish("missing", "", Buffer.from("")))).code, 404)
    assert.equal((await closes((other) => other.ack({ fields: { deliveryTag: 9 } }))).code, 406)
    await channel.deleteQueue(name)
    await channel.close()
  })

  test("nack, requeue, dead letters", async () => {
    const channel = await connection.createChannel()
    const dead = await own(channel)
    const queue = await own(channel, { deadLetterExchange: "", deadLetterRoutingKey: dead })
    const letters = await collect(channel, dead, { noAck: true })
    await collect(channel, queue, {}, (message) => channel.nack(message, false, !message.fields.redelivered))
    channel.sendToQueue(queue, Buffer.from("m"), { headers: { number: 5, text: "t", list: [1, "a", { deep: true }] } })
    await letters.has(1)
    const { headers } = letters.got[0].properties
    assert.deepEqual([headers.number, headers.text, headers.list], [5, "t", [1, "a", { deep: true }]])
    assert.deepEqual([headers["x-death"][0].reason, headers["x-death"][0].count, headers["x-death"][0].queue],
      ["rejected", 1, queue])
    await channel.close()
  })

  test("get, purge, cancel, priorities", async () => {
    const channel = await connection.createConfirmChannel()
    const queue = await own(channel, { maxPriority: 10 })
    assert.equal(await channel.get(queue), false)
    for (const priority of [1, 9, 5]) channel.sendToQueue(queue, Buffer.from(String(priority)), { priority })
    await channel.waitForConfirms()
    const first = await channel.get(queue)
    assert.deepEqual([first.content.toString(), first.fields.messageCount], ["9", 2])
    channel.nackAll(true)
    assert.deepEqual(await channel.purgeQueue(queue), { messageCount: 3 })
    const consumer = await collect(channel, queue, { noAck: true })
    await channel.cancel(consumer.tag)
    channel.sendToQueue(queue, Buffer.from("stays"))
    await channel.waitForConfirms()
    assert.equal((await channel.checkQueue(queue)).messageCount, 1)
    await channel.close()
  })

  test("a deleted queue cancels its consumer", async () => {
    const channel = await connection.createChannel()
    const { queue } = await channel.assertQueue(fresh("deleted"))
    const consumer = await collect(channel, queue)
    await channel.deleteQueue(queue)
    await consumer.has(1)
    assert.equal(consumer.got[0], null)
    await channel.close()
  })

  test("streams", async () => {
    const channel = await connection.createConfirmChannel()
    const { queue } = await channel.assertQueue(fresh("stream"), { durable: true,
      arguments: { "x-queue-type": "stream", "x-max-length-bytes": 20_000_000_000 } })
    for (let number = 0; number < 100; ++number) channel.sendToQueue(queue, Buffer.from(String(number)))
    await channel.waitForConfirms()
    await channel.prefetch(10)
    const consumer = await collect(channel, queue, { arguments: { "x-stream-offset": 40 } }, (message) => channel.ack(message))
    await consumer.has(60)
    assert.deepEqual(consumer.texts(), Array.from({ length: 60 }, (_, number) => String(40 + number)))
    assert.equal(consumer.got[5].properties.headers["x-stream-offset"], 45)
    await channel.deleteQueue(queue)
    await channel.close()
  })

  test("large bodies and many channels", async () => {
    const body = Buffer.alloc(5 << 20, "0123456789abcdef")
    const channels = await Promise.all(Array.from({ length: 50 }, () => connection.createChannel()))
    const queue = await own(channels[0])
    channels[1].sendToQueue(queue, body)
    const consumer = await collect(channels[2], queue, { noAck: true })
    await consumer.has(1)
    assert.ok(consumer.got[0].content.equals(body))
    await Promise.all(channels.map((channel) => channel.close()))
  })
})
