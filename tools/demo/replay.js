// SPDX-License-Identifier: Apache-2.0
// The JavaScript half of `tools/run demo`: reads all partitions of a superstream from the first offset with the
// published client, unmodified, and filters by one value:
//   node replay.js PORT SUPERSTREAM COUNTRY-OR-EMPTY WANTED
// Writes the same lines as sluice-demo: "progress DONE OF" and "result {json}".
const path = require("node:path")
const packages = path.resolve(__dirname, "../../tests/interop/node_modules")
const rabbit = require(path.join(packages, "rabbitmq-stream-js-client"))
const { creditsOnChunkReceived } = require(path.join(packages, "rabbitmq-stream-js-client/dist/consumer_credit_policy"))

const [port, superStream, country, wanted_text] = process.argv.slice(2)
const wanted = Number(wanted_text)

async function main() {
  const client = await rabbit.connect({ hostname: "127.0.0.1", port: Number(port), username: "guest",
    password: "guest", vhost: "/" })
  const partitions = await client.queryPartitions({ superStream })
  let received = 0
  let matched = 0
  let told = 0
  let finish
  const finished = new Promise((done) => { finish = done })
  const count = () => {
    if (++matched === wanted) finish()
    if (matched - told >= 20000 || matched === wanted) {
      told = matched
      console.log(`progress ${matched} ${wanted}`)
    }
  }
  const start = process.hrtime.bigint()
  for (const stream of partitions) {
    const filter = country && {
      values: [country],
      matchUnfiltered: false,
      postFilterFunc: (message) => {
        received += 1
        return message.applicationProperties.country === country
      },
    }
    await client.declareConsumer({ stream, offset: rabbit.Offset.first(), filter: filter || undefined,
      creditPolicy: creditsOnChunkReceived(10, 1) }, () => {
      if (!country) received += 1
      count()
    })
  }
  const limit = setTimeout(() => {
    console.error(`replay.js: ${matched} of ${wanted} came in time`)
    process.exit(1)
  }, 180000)
  if (wanted > 0) await finished
  clearTimeout(limit)
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  // The library does not count bytes; the sockets below it do.
  const sockets = new Set([client.locatorConnection, ...client.getConsumers().map(({ connection }) => connection)]
    .map((connection) => connection.socket))
  let wire_bytes = 0
  for (const socket of sockets) wire_bytes += socket.bytesRead
  console.log(`result ${JSON.stringify({ matched, received, wire_bytes, seconds })}`)
  await client.close()
}

main().then(() => process.exit(0), (error) => {
  console.error(error)
  process.exit(1)
})
