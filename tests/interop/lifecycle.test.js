// SPDX-License-Identifier: Apache-2.0
// The published JavaScript client against the broker: connecting, being refused, creating and deleting streams.
const { after, before, describe, test } = require("node:test")
const assert = require("node:assert/strict")
const { spawn } = require("node:child_process")
const path = require("node:path")
const { Broker, collector, fresh, publish, rabbit, until } = require("./support/broker")

const { Offset } = rabbit

describe("lifecycle", () => {
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

  // The client raises a refused login where no caller can catch it, so it runs in a process of its own.
  async function refused(options) {
    const script = `require("rabbitmq-stream-js-client").connect(${JSON.stringify({ hostname: "127.0.0.1",
      port: broker.port, username: "guest", password: "guest", vhost: "/", ...options })})
      .then(() => { console.log("CONNECTED"); process.exit(0) }, (error) => { console.log(String(error)); process.exit(3) })`
    const child = spawn(process.execPath, ["-e", script], { cwd: path.resolve(__dirname), stdio: ["ignore", "pipe", "pipe"] })
    let text = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => { text += data })
    const code = await new Promise((done) => child.on("exit", done))
    return { code, text }
  }

  test("several connections with names and heartbeats", async () => {
    const clients = await Promise.all([1, 2, 3, 4, 5].map((number) =>
      broker.connect({ connectionName: `client ${number}`, heartbeat: 1 })))
    const stream = fresh("stream")
    await clients[0].createStream({ stream })
    await publish(clients[1], stream, ["hello"])
    const got = collector()
    await clients[2].declareConsumer({ stream, offset: Offset.first() }, got.handle)
    await until("it came", () => got.messages.length === 1)
    for (const one of clients) await one.close()
  })

  test("wrong credentials are refused", async () => {
    const { code, text } = await refused({ password: "wrong" })
    assert.notEqual(code, 0)
    assert.match(text, /Unable Authenticate -> 8/)
  })

  test("an unknown virtual host is refused", async () => {
    const { code, text } = await refused({ vhost: "/nowhere" })
    assert.notEqual(code, 0)
    assert.doesNotMatch(text, /CONNECTED/)
  })

  test("creating is idempotent, other arguments are refused", async () => {
    const stream = fresh("stream")
    await client.createStream({ stream, arguments: { "max-age": "1h", "max-length-bytes": 1000000 } })
    await client.createStream({ stream, arguments: { "max-age": "1h", "max-length-bytes": 1000000 } })
    await assert.rejects(client.createStream({ stream, arguments: { "max-age": "2h" } }), /code 17/)
    await client.deleteStream({ stream })
    await assert.rejects(client.deleteStream({ stream }), /code 2/)
  })

  test("publishing to or consuming from a stream that is not there is refused", async () => {
    const stream = fresh("missing")
    await assert.rejects(client.declarePublisher({ stream }))
    await assert.rejects(client.declareConsumer({ stream, offset: Offset.first() }, () => {}))
  })

  test("metadata names the leader", async () => {
    const stream = fresh("stream")
    await client.createStream({ stream })
    const [known, unknown] = await client.queryMetadata({ streams: [stream, "no such stream"] })
    assert.equal(known.streamName, stream)
    assert.equal(known.leader.port, broker.port)
    assert.equal(unknown.responseCode, 2)
  })

  test("deleting a stream tells its publisher and its consumer", async () => {
    const other = await broker.connect()
    const stream = fresh("stream")
    await client.createStream({ stream })
    let told = 0
    const publisher = await other.declarePublisher({ stream })
    publisher.on("metadata_update", (update) => {
      assert.equal(update.metadataInfo.stream, stream)
      assert.equal(update.metadataInfo.code, 6)
      told += 1
    })
    let closed = 0
    await other.declareConsumer({ stream, offset: Offset.first(), connectionClosedListener: () => { closed += 1 } },
      () => {})
    await client.deleteStream({ stream })
    await until("both are told", () => told > 0 && closed > 0)
    await until("the client has forgotten both", () => other.publisherCounts() === 0 && other.consumerCounts() === 0)
    await other.close()
  })

  test("a stream with retention keeps what is new", async () => {
    const stream = fresh("stream")
    await client.createStream({ stream, arguments: { "max-length-bytes": 100000, "stream-max-segment-size-bytes": 20000 } })
    for (let round = 0; round < 15; ++round) {
      await publish(client, stream, Array.from({ length: 20 }, (_, index) => `${round * 20 + index}`.padEnd(1000, ".")))
    }
    await until("the oldest are gone", async () => (await client.streamStatsRequest(stream)).firstChunkId > 100n)
    const got = collector()
    const consumer = await client.declareConsumer({ stream, offset: Offset.first() }, got.handle)
    await until("the newest came", () => got.messages.some((message) => message.content.toString().startsWith("299.")))
    assert.ok(got.messages[0].offset > 100n, `first offset ${got.messages[0].offset}`)
    got.messages.forEach((message) => assert.ok(message.content.toString().startsWith(`${message.offset}.`)))
    await client.closeConsumer(consumer.extendedId)
  })
})
