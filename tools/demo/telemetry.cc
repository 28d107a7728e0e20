// SPDX-License-Identifier: Apache-2.0
#include "telemetry.h"

#include <cmath>
#include <fstream>
#include <stdexcept>

namespace sluice::demo {

namespace {

// SplitMix64: spreads a number over 64 bits, the same on every machine.
std::uint64_t spread(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

}  // namespace

std::vector<City> read_cities(const std::string& path) {
  std::ifstream in(path);
  std::vector<City> cities;
  City city;
  std::string latitude;
  while (std::getline(in, city.id, '\t') && std::getline(in, city.name, '\t') &&
         std::getline(in, city.country, '\t') && std::getline(in, latitude)) {
    city.latitude = std::strtod(latitude.c_str(), nullptr);
    cities.push_back(city);
  }
  if (cities.empty()) throw std::runtime_error("no cities in " + path);
  return cities;
}

Reading Readings::at(std::uint64_t number) const {
  const std::uint64_t round = number / cities_.size();
  const std::uint64_t place = number % cities_.size();
  // A walk through all cities in steps that have no factor in common with their number visits each once.
  const std::uint64_t count = cities_.size();
  std::uint64_t step = spread(round) % count | 1;
  const auto common = [](std::uint64_t a, std::uint64_t b) {
    while (b != 0) a = std::exchange(b, a % b);
    return a;
  };
  while (common(step, count) != 1) step += 2;
  const std::uint64_t index = (spread(round + 1000) % count + place * step) % count;
  const City& city = cities_[index];
  const std::uint64_t chance = spread(index * 1000 + round);
  const double warm = 32 - std::abs(city.latitude) * 0.55;
  const auto temp_c = static_cast<std::int64_t>(warm + static_cast<double>(chance % 25) - 8);
  // Never 0: the JavaScript client refuses a property of that value.
  return {.city = &city,
          .round = round,
          .temp_c = temp_c == 0 ? 1 : temp_c,
          .humidity_percent = 1 + static_cast<std::int64_t>(chance / 25 % 100)};
}

base::ByteBuffer encode(const Reading& reading) {
  client::Message message;
  message.application_properties = {{"country", reading.city->country},
                                    {"city", reading.city->name},
                                    {"temp", reading.temp_c},
                                    {"humidity", reading.humidity_percent}};
  const std::string text = "{\"station\":" + reading.city->id +
                           ",\"round\":" + std::to_string(reading.round) +
                           ",\"temp\":" + std::to_string(reading.temp_c) +
                           ",\"humidity\":" + std::to_string(reading.humidity_percent) + "}";
  const base::ByteView body = base::as_bytes(text);
  message.body.assign(body.begin(), body.end());
  return client::encode(message);
}

bool Query::wants(base::ByteView body) const {
  const auto message = client::decode(body);
  if (!message) return false;
  const client::Value* in = client::find(message->application_properties, "country");
  const client::Value* temp = client::find(message->application_properties, "temp");
  const auto* degrees = temp != nullptr ? std::get_if<std::int64_t>(temp) : nullptr;
  return (country.empty() || (in != nullptr && *in == client::Value(country))) && degrees != nullptr &&
         *degrees > temp_above;
}

const std::vector<Query>& queries() {
  static const std::vector<Query> all{{.name = "everything", .country = "", .expression = ""},
                                      {.name = "country=US", .country = "US", .expression = ""},
                                      {.name = "country=JP", .country = "JP", .expression = ""},
                                      {.name = "country=KR", .country = "KR", .expression = ""},
                                      {.name = "country=IS", .country = "IS", .expression = ""},
                                      {.name = "country=VA", .country = "VA", .expression = ""},
                                      {.name = "country = 'KR' AND temp > 25",
                                       .country = "KR",
                                       .expression = "country = 'KR' AND temp > 25",
                                       .temp_above = 25}};
  return all;
}

}  // namespace sluice::demo
