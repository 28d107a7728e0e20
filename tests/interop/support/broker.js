// SPDX-License-Identifier: Apache-2.0
// One broker for the tests of a file: own ports, own data directory; and the client library connected to it.
// SLUICE_PEER_PORT runs the same tests against a broker that is already there.
const { spawn } = require("node:child_process")
const fs = require("node:fs")
const net = require("node:net")
const os = require("node:os")
const path = require("node:path")
const rabbit = require("rabbitmq-stream-js-client")

const top = path.resolve(__dirname, "../../..")
const bin = process.env.SLUICE_BIN ?? path.join(top, "build/release/bin")

const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

// Waits until the predicate holds; fails with the description after the limit.
async function until(description, predicate, limit_ms = 10000) {
  const slowness = Number(process.env.SLUICE_TEST_SLOWNESS ?? 1)
  for (const end = Date.now() + limit_ms * slowness; Date.now() < end; await sleep(5)) {
    if (await predicate()) return
  }
  throw new Error(`waited too long until ${description}`)
}

async function free_port() {
  for (;;) {
    const port = 15000 + Math.floor(Math.random() * 17000)
    const free = await new Promise((done) => {
      const probe = net.createServer().once("error", () => done(false))
      probe.listen(port, "127.0.0.1", () => probe.close(() => done(true)))
    })
    if (free) return port
  }
}

class Broker {
  async start() {
    if (process.env.SLUICE_PEER_PORT) {
      this.port = Number(process.env.SLUICE_PEER_PORT)
      this.amqp_port = this.port + 1
      this.is_peer = true
      // RabbitMQ before 3.11 closes the connection on a command that came with 3.11.
      require("rabbitmq-stream-js-client/dist/connection").Connection.prototype.exchangeCommandVersions = async () => {}
      return this
    }
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-interop-"))
    this.port = await free_port()
    this.amqp_port = await free_port()
    this.metrics_port = await free_port()
    const config = path.join(this.directory, "sluice.conf")
    fs.writeFileSync(config, `stream.listeners.tcp.default = 127.0.0.1:${this.port}\n` +
      `listeners.tcp.default = 127.0.0.1:${this.amqp_port}\n` +
      `prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = ${this.metrics_port}\n`)
    this.log = ""
    this.process = spawn(path.join(bin, "sluice"), ["--config", config, "--data-dir", path.join(this.directory, "data")],
      { stdio: ["ignore", "pipe", "pipe"] })
    this.ended = new Promise((done) => this.process.on("exit", (code, signal) => done(code ?? signal)))
    this.ended.then((code) => { this.code = code })
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on("data", (data) => { this.log += data })
    }
    await until("the broker serves", () => {
      if (this.code !== undefined) throw new Error(`the broker ended with ${this.code}:\n${this.log}`)
      return /\bserv(es|ing)\b/i.test(this.log)
    }, 20000)
    return this
  }

  async stop() {
    if (this.is_peer) return
    this.process.kill("SIGTERM")
    const code = await this.ended
    fs.rmSync(this.directory, { recursive: true, force: true })
    if (code !== 0) throw new Error(`the broker ended with ${code}:\n${this.log.slice(-8000)}`)
  }

  connect(more = {}) {
    return rabbit.connect({ hostname: "127.0.0.1", port: this.port, username: "guest", password: "guest", vhost: "/",
      ...more })
  }
}

let counter = 0
const fresh = (word) => `${word}-${process.pid}-${Date.now()}-${++counter}`

// Collects the texts a consumer gets.
function collector() {
  const messages = []
  const handle = (message) => { messages.push(message) }
  return { messages, handle, texts: () => messages.map((message) => message.content.toString()) }
}

// Publishes texts and waits for their confirms.
async function publish(client, stream, texts, { ref, filter, options = () => ({}) } = {}) {
  const publisher = await client.declarePublisher({ stream, publisherRef: ref }, filter)
  const confirmed = new Set()
  publisher.on("publish_confirm", (error, ids) => {
    if (error === null) ids.forEach((id) => confirmed.add(id))
  })
  const sent = []
  for (const text of texts) {
    const { publishingId } = await publisher.send(Buffer.from(text), options(text))
    sent.push(publishingId)
  }
  await publisher.flush()
  await until("all messages are confirmed", () => sent.every((id) => confirmed.has(id)))
  await client.deletePublisher(publisher.extendedId)
  return sent
}

module.exports = { Broker, collector, fresh, publish, rabbit, sleep, until }
