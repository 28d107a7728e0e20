// SPDX-License-Identifier: Apache-2.0
// The published JavaScript client against the broker: publishing, confirms, consuming from every kind of offset,
// stored offsets, deduplication, sub-entry batches.
const { after, before, describe, test } = require("node:test")
const assert = require("node:assert/strict")
const { CompressionType } = require("rabbitmq-stream-js-client/dist/compression")
const { Broker, collector, fresh, publish, rabbit, sleep, until } = require("./support/broker")

const { Offset } = rabbit
const numbers = (from, to) => Array.from({ length: to - from }, (_, index) => String(from + index))

describe("streams", () => {
  const broker = new Broker()
  let client
  before(async () => {
    await broker.start()
    client = await broker.connect()
  })
  after(async () => {
    await client.close()
    await broker.stop()
  })

  async function new_stream(options) {
    const stream = fresh("stream")
    await client.createStream({ stream, arguments: options })
    return stream
  }

  async function consume(stream, offset, more = {}) {
    const got = collector()
    const consumer = await client.declareConsumer({ stream, offset, ...more }, got.handle)
    return { ...got, consumer, close: () => client.closeConsumer(consumer.extendedId) }
  }

  test("what is published and confirmed is consumed in order with its offsets", async () => {
    const stream = await new_stream()
    const texts = numbers(0, 5000)
    await publish(client, stream, texts)
    const consumer = await consume(stream, Offset.first())
    await until("all came", () => consumer.messages.length >= 5000)
    assert.deepEqual(consumer.texts(), texts)
    const first = consumer.messages[0].offset
    consumer.messages.forEach((message, index) => assert.equal(message.offset, first + BigInt(index)))
    await consumer.close()
  })

  test("properties, application properties and annotations arrive as they were sent", async () => {
    const stream = await new_stream()
    const creation = new Date(1700000000000)
    await publish(client, stream, ["body"], {
      options: () => ({
        messageProperties: { messageId: "id-1", subject: "weather", contentType: "text/plain", creationTime: creation,
          groupId: "g", groupSequence: 7 },
        applicationProperties: { country: "KR", temp: 31 },
        messageAnnotations: { note: "a" },
      }),
    })
    const consumer = await consume(stream, Offset.first())
    await until("it came", () => consumer.messages.length === 1)
    const [message] = consumer.messages
    assert.equal(message.content.toString(), "body")
    assert.equal(message.messageProperties.messageId, "id-1")
    assert.equal(message.messageProperties.subject, "weather")
    assert.equal(message.messageProperties.groupSequence, 7)
    assert.deepEqual({ ...message.applicationProperties }, { country: "KR", temp: 31 })
    assert.equal(message.messageAnnotations.note, "a")
    await consumer.close()
  })

  test("offset next gets only what comes later", async () => {
    const stream = await new_stream()
    await publish(client, stream, ["old"])
    const consumer = await consume(stream, Offset.next())
    await publish(client, stream, ["new"])
    await until("it came", () => consumer.messages.length > 0)
    assert.deepEqual(consumer.texts(), ["new"])
    await consumer.close()
  })

  test("offset last gets the last chunk and what follows", async () => {
    const stream = await new_stream()
    await publish(client, stream, ["old"])
    await publish(client, stream, ["last"])
    const consumer = await consume(stream, Offset.last())
    await publish(client, stream, ["new"])
    await until("both came", () => consumer.messages.length >= 2)
    assert.deepEqual(consumer.texts(), ["last", "new"])
    await consumer.close()
  })

  test("a numeric offset starts exactly there", async () => {
    const stream = await new_stream()
    await publish(client, stream, numbers(0, 250))
    for (const start of [0, 1, 99, 100, 101, 249]) {
      const consumer = await consume(stream, Offset.offset(BigInt(start)))
      await until("all came", () => consumer.messages.length >= 250 - start)
      assert.deepEqual(consumer.texts(), numbers(start, 250))
      await consumer.close()
    }
  })

  test("a timestamp starts at the first chunk that is not older", async () => {
    const stream = await new_stream()
    await publish(client, stream, ["old"])
    await sleep(30)
    const now = new Date()
    await sleep(30)
    await publish(client, stream, ["new"])
    const consumer = await consume(stream, Offset.timestamp(now))
    await until("it came", () => consumer.messages.length > 0)
    assert.deepEqual(consumer.texts(), ["new"])
    await consumer.close()
  })

  test("a stored offset is queried by another connection", async () => {
    const stream = await new_stream()
    await publish(client, stream, numbers(0, 50))
    const consumer = await consume(stream, Offset.first(), { consumerRef: "app" })
    await until("all came", () => consumer.messages.length >= 50)
    await consumer.consumer.storeOffset(41n)
    const other = await broker.connect()
    await until("the offset is stored", async () => {
      try {
        return (await other.queryOffset({ reference: "app", stream })) === 41n
      } catch {
        return false
      }
    })
    await assert.rejects(other.queryOffset({ reference: "nobody", stream }), /code 19/)
    await other.close()
    await consumer.close()
  })

  test("a publisher with a reference does not store an id twice", async () => {
    const stream = await new_stream()
    const ref = fresh("writer")
    const options = (text) => ({ publishingId: BigInt(text.split(" ")[0]) })
    await publish(client, stream, ["1 a", "2 a", "3 a"], { ref, options })
    await publish(client, stream, ["2 b", "3 b", "4 b"], { ref, options })
    const consumer = await consume(stream, Offset.first())
    await until("all came", () => consumer.messages.length >= 4)
    assert.deepEqual(consumer.texts(), ["1 a", "2 a", "3 a", "4 b"])
    const publisher = await client.declarePublisher({ stream, publisherRef: ref })
    assert.equal(await publisher.getLastPublishingId(), 4n)
    const { publishingId } = await publisher.send(Buffer.from("next"))
    assert.equal(publishingId, 5n)
    await publisher.flush()
    await until("the next came", () => consumer.messages.length >= 5)
    await consumer.close()
  })

  for (const [name, type] of [["none", CompressionType.None], ["gzip", CompressionType.Gzip]]) {
    test(`a sub-entry batch with compression ${name}`, async () => {
      const stream = await new_stream()
      const publisher = await client.declarePublisher({ stream })
      const consumer = await consume(stream, Offset.first())
      const texts = numbers(0, 100)
      await publisher.sendSubEntries(texts.map((text) => ({ content: Buffer.from(text) })), type)
      await until("all came", () => consumer.messages.length >= 100)
      assert.deepEqual(consumer.texts(), texts)
      await consumer.close()
    })
  }

  test("a custom compression is passed through untouched", async () => {
    const flip = (data) => Buffer.from(data).map((byte) => byte ^ 0x55)
    const codec = { getType: () => CompressionType.Zstd, compress: flip, decompress: flip }
    const own = await broker.connect()
    const stream = await new_stream()
    const publisher = await own.declarePublisher({ stream })
    const got = collector()
    await own.declareConsumer({ stream, offset: Offset.first() }, got.handle)
    for (const { connection } of [...own.publishers.values(), ...own.consumers.values()]) {
      connection.registerCompression(codec)
    }
    await publisher.sendSubEntries([{ content: Buffer.from("a") }, { content: Buffer.from("b") }], CompressionType.Zstd)
    await until("both came", () => got.messages.length >= 2)
    assert.deepEqual(got.texts(), ["a", "b"])
    await own.close()
  })

  test("large messages up to the frame limit", async () => {
    const stream = await new_stream()
    const text = "x".repeat(1000000)
    // One at a time: the client does not split what exceeds a frame together.
    for (const one of [text, "small", text]) await publish(client, stream, [one])
    const consumer = await consume(stream, Offset.first())
    await until("all came", () => consumer.messages.length >= 3)
    assert.deepEqual(consumer.messages.map((message) => message.content.length), [1000000, 5, 1000000])
    await consumer.close()
  })

  test("statistics count chunks and the committed offset", async () => {
    const stream = await new_stream()
    await publish(client, stream, ["a"])
    await publish(client, stream, ["b"])
    if (broker.is_peer) return
    const stats = await client.streamStatsRequest(stream)
    assert.equal(stats.firstChunkId, 0n)
    assert.equal(stats.committedChunkId, stats.lastChunkId)
  })
})
