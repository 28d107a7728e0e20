// SPDX-License-Identifier: Apache-2.0
// The published JavaScript client against the broker: server-side filters. The client filters again by itself, so
// tests also count what reached that second filter: where few of a chunk's messages match, nothing unwanted does
// (where many do, the broker may send the whole chunk, as RabbitMQ would).
const { after, before, describe, test } = require("node:test")
const assert = require("node:assert/strict")
const { Broker, collector, fresh, publish, rabbit, until } = require("./support/broker")

const { Offset } = rabbit
const tag = (message) => message.applicationProperties?.country
const options = (text) => {
  const country = text.split(" ")[0]
  return country === "-" ? {} : { applicationProperties: { country } }
}

describe("filters", { skip: Boolean(process.env.SLUICE_PEER_PORT) && "newer than the peer" }, () => {
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

  // KR and JP are one in a hundred each, DE every other one.
  const country_of = (index) => (index % 100 === 37 ? "KR" : index % 100 === 73 ? "JP" : index % 2 ? "FR" : "DE")
  // Long enough that what lies between two matches costs more than a frame of its own.
  const texts = Array.from({ length: 6000 }, (_, index) => `${country_of(index)} ${index} `.padEnd(500, "."))

  async function filled() {
    const stream = fresh("stream")
    await client.createStream({ stream })
    await publish(client, stream, texts, { filter: tag, options })
    return stream
  }

  async function filtered(stream, values, { wanted = values, matchUnfiltered = false, offset = Offset.first() } = {}) {
    const got = collector()
    const seen = []
    const consumer = await client.declareConsumer({
      stream, offset,
      filter: {
        values, matchUnfiltered,
        postFilterFunc: (message) => {
          seen.push(message)
          return wanted.includes(tag(message)) || (matchUnfiltered && tag(message) === undefined)
        },
      },
    }, got.handle)
    return { ...got, seen, close: () => client.closeConsumer(consumer.extendedId) }
  }

  test("one value of many mixed in every chunk is delivered exactly", async () => {
    const stream = await filled()
    const consumer = await filtered(stream, ["KR"])
    const expected = texts.filter((text) => text.startsWith("KR"))
    await until("all came", () => consumer.messages.length >= expected.length)
    assert.deepEqual(consumer.texts(), expected)
    assert.equal(consumer.seen.length, expected.length, "something unwanted was sent")
    await consumer.close()
  })

  test("offsets of filtered messages are those of the unfiltered stream", async () => {
    const stream = await filled()
    const consumer = await filtered(stream, ["DE"])
    await until("all came", () => consumer.messages.length >= 3000)
    for (const message of consumer.messages) {
      assert.equal(texts[Number(message.offset)], message.content.toString())
    }
    await consumer.close()
  })

  test("several values are a union, in order", async () => {
    const stream = await filled()
    const consumer = await filtered(stream, ["JP", "KR"])
    const expected = texts.filter((text) => /^(JP|KR)/.test(text))
    await until("all came", () => consumer.messages.length >= expected.length)
    assert.deepEqual(consumer.texts(), expected)
    assert.equal(consumer.seen.length, expected.length)
    await consumer.close()
  })

  test("a value nobody wrote delivers nothing, and what comes later is found", async () => {
    const stream = await filled()
    const consumer = await filtered(stream, ["SE"])
    await publish(client, stream, ["KR late", "SE late"], { filter: tag, options })
    await until("it came", () => consumer.messages.length >= 1)
    assert.deepEqual(consumer.texts(), ["SE late"])
    assert.ok(consumer.seen.length <= 2)
    await consumer.close()
  })

  test("match unfiltered adds the messages without a value", async () => {
    const stream = fresh("stream")
    await client.createStream({ stream })
    await publish(client, stream, ["KR 1", "- 2", "JP 3", "- 4", "KR 5"], { filter: tag, options })
    await publish(client, stream, ["- 6"])
    const both = await filtered(stream, ["KR"], { matchUnfiltered: true })
    await until("all came", () => both.messages.length >= 5)
    assert.deepEqual(both.texts(), ["KR 1", "- 2", "- 4", "KR 5", "- 6"])
    await both.close()
    const only = await filtered(stream, ["KR"])
    await until("all came", () => only.messages.length >= 2)
    assert.deepEqual(only.texts(), ["KR 1", "KR 5"])
    await only.close()
  })

  test("a filter works from an offset in the middle", async () => {
    const stream = await filled()
    const consumer = await filtered(stream, ["KR"], { offset: Offset.offset(1501n) })
    const expected = texts.slice(1501).filter((text) => text.startsWith("KR"))
    await until("all came", () => consumer.messages.length >= expected.length)
    assert.deepEqual(consumer.texts(), expected)
    await consumer.close()
  })

  test("a thousand values, one wanted", async () => {
    const stream = fresh("stream")
    await client.createStream({ stream })
    const many = Array.from({ length: 20000 }, (_, index) => `city${index % 1000} ${index}`)
    await publish(client, stream, many, { filter: tag, options })
    const consumer = await filtered(stream, ["city737"])
    await until("all came", () => consumer.messages.length >= 20)
    assert.deepEqual(consumer.texts(), many.filter((text) => text.startsWith("city737 ")))
    assert.equal(consumer.seen.length, 20)
    await consumer.close()
  })
})
