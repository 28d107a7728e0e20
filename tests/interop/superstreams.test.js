// SPDX-License-Identifier: Apache-2.0
// The published JavaScript client against the broker: superstreams, and consumers of which one is active.
const { after, before, describe, test } = require("node:test")
const assert = require("node:assert/strict")
const { Broker, collector, fresh, publish, rabbit, until } = require("./support/broker")

const { Offset } = rabbit

describe("superstreams and groups", { skip: Boolean(process.env.SLUICE_PEER_PORT) && "newer than the peer" }, () => {
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

  async function new_super_stream(keys, count) {
    const name = fresh("super")
    await client.createSuperStream({ streamName: name }, keys, count)
    return name
  }

  async function publish_to(name, count, start = 0, routingStrategy = "hash", key = (number) => `key-${number}`) {
    const publisher = await client.declareSuperStreamPublisher({ superStream: name, routingStrategy },
      (_, more) => more.messageProperties.messageId)
    for (let number = start; number < start + count; ++number) {
      await publisher.send(Buffer.from(String(number)), { messageProperties: { messageId: key(number) } })
    }
    for (const one of publisher.publishers.values()) await one.flush()
    return publisher
  }

  const sorted = (texts) => texts.map(Number).sort((one, other) => one - other)
  const numbers = (from, to) => Array.from({ length: to - from }, (_, index) => from + index)

  test("partitions are listed in order and hold everything published by hash", async () => {
    const name = await new_super_stream(undefined, 4)
    assert.deepEqual(await client.queryPartitions({ superStream: name }), [0, 1, 2, 3].map((n) => `${name}-${n}`))
    await publish_to(name, 1000)
    const got = collector()
    const consumer = await client.declareSuperStreamConsumer({ superStream: name }, got.handle)
    await until("all came", () => got.messages.length >= 1000)
    assert.deepEqual(sorted(got.texts()), numbers(0, 1000))
    await consumer.close()
  })

  test("key routing asks the broker for the partition", async () => {
    const name = await new_super_stream(["east", "west"])
    assert.deepEqual(await client.routeQuery({ routingKey: "west", superStream: name }), [`${name}-west`])
    await publish_to(name, 10, 0, "key", (number) => (number % 2 ? "east" : "west"))
    const got = collector()
    await client.declareConsumer({ stream: `${name}-west`, offset: Offset.first() }, got.handle)
    await until("all came", () => got.messages.length >= 5)
    assert.deepEqual(got.texts(), ["0", "2", "4", "6", "8"])
  })

  test("creating twice is fine, deleting removes the partitions", async () => {
    const name = await new_super_stream(undefined, 2)
    await client.createSuperStream({ streamName: name }, undefined, 2)
    await client.deleteSuperStream({ streamName: name })
    await assert.rejects(client.queryPartitions({ superStream: name }), /code 2/)
    const [gone] = await client.queryMetadata({ streams: [`${name}-0`] })
    assert.equal(gone.responseCode, 2)
    await assert.rejects(client.deleteSuperStream({ streamName: name }), /code 2/)
  })

  test("of a group of three consumers one is active, and the next takes over where it stopped", async () => {
    const stream = fresh("stream")
    await client.createStream({ stream })
    const members = []
    for (let number = 0; number < 3; ++number) {
      const own = await broker.connect()
      const got = collector()
      let last = -1n
      const consumer = await own.declareConsumer({
        stream, offset: Offset.first(), singleActive: true, consumerRef: "app",
        consumerUpdateListener: async (reference, name) => {
          try {
            return Offset.offset((await own.queryOffset({ reference, stream: name })) + 1n)
          } catch {
            return Offset.first()
          }
        },
      }, (message) => {
        got.handle(message)
        last = message.offset
      })
      members.push({ own, got, consumer, last: () => last })
    }
    let published = 0
    for (const member of members) {
      await publish(client, stream, numbers(published, published + 100).map(String))
      published += 100
      const place = members.indexOf(member)
      const expected = numbers(published - 100, published).map(String)
      await until(`member ${place} has its hundred`, () => member.got.messages.length >= 100)
      assert.deepEqual(member.got.texts(), expected)
      for (const other of members.slice(place + 1)) assert.equal(other.got.messages.length, 0)
      await member.consumer.storeOffset(member.last())
      await until("the offset is stored", async () => (await client.queryOffset({ reference: "app", stream })
        .catch(() => -1n)) === member.last())
      await member.own.close()
    }
  })

  test("two applications share the partitions, and one takes all when the other leaves", async () => {
    const name = await new_super_stream(undefined, 2)
    const members = []
    const join = async () => {
      const own = await broker.connect()
      const got = collector()
      const consumer = await own.declareSuperStreamConsumer({ superStream: name, consumerRef: "app" }, got.handle)
      members.push({ own, got, consumer })
    }
    await join()
    await publish_to(name, 100)
    await until("the first has all", () => members[0].got.messages.length >= 100)
    await join()
    // Partition 1 has moved to the second once something new reaches it.
    let sent = 100
    await until("the second gets its share", async () => {
      await publish_to(name, 20, sent)
      sent += 20
      return members[1].got.messages.some((message) => Number(message.content) >= sent - 40)
    })
    await members[1].own.close()
    const before_count = members[0].got.messages.length
    await publish_to(name, 100, sent)
    await until("the first has the last hundred", () => {
      const have = new Set(members[0].got.texts().slice(before_count).map(Number))
      return numbers(sent, sent + 100).every((number) => have.has(number))
    })
    const all = new Set([...members[0].got.texts(), ...members[1].got.texts()].map(Number))
    assert.deepEqual([...all].sort((one, other) => one - other), numbers(0, sent + 100))
    await members[0].own.close()
  })
})
