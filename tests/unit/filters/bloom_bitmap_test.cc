// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <string>

#include "filters/bitmap.h"
#include "filters/bloom.h"

using namespace sluice;
using namespace sluice::filters;

TEST_CASE("a Bloom filter never says no wrongly and is as good as its size allows") {
  struct Row {
    std::size_t bytes, values;
    double wrong_max;  // share of absent values answered maybe
  };
  for (const Row row : {Row{16, 1, 0.001}, Row{16, 10, 0.01}, Row{16, 30, 0.2}, Row{255, 200, 0.03}}) {
    base::ByteBuffer bytes(row.bytes);
    BloomWriter writer(bytes, row.values);
    for (std::size_t i = 0; i < row.values; ++i) writer.add("value-" + std::to_string(i));
    const BloomView view(bytes);
    CHECK_FALSE(view.may_have_unfiltered());
    for (std::size_t i = 0; i < row.values; ++i) CHECK(view.may_contain("value-" + std::to_string(i)));
    int wrong = 0;
    for (int i = 0; i < 20'000; ++i) wrong += view.may_contain("absent-" + std::to_string(i));
    CHECK(wrong / 20'000.0 <= row.wrong_max);
    writer.set_unfiltered();
    CHECK(BloomView(bytes).may_have_unfiltered());
  }
}

TEST_CASE("a Bloom filter that cannot be read answers maybe") {
  CHECK(BloomView().may_contain("x"));
  CHECK(BloomView(base::ByteBuffer(15)).may_contain("x"));
  CHECK(BloomView(base::ByteBuffer(16)).may_contain("x"));  // no probes
  CHECK(BloomView(base::ByteBuffer(16)).may_have_unfiltered());
}

TEST_CASE("a bitmap is a set") {
  std::mt19937_64 random(2);
  for (const std::uint32_t spread : {100U, 70'000U, 4'000'000U}) {
    std::set<std::uint32_t> a_truth, b_truth;
    Bitmap a, b;
    for (int i = 0; i < 20'000; ++i) {
      const auto x = static_cast<std::uint32_t>(random() % spread);
      const auto y = static_cast<std::uint32_t>(random() % spread);
      a_truth.insert(x);
      a.add(x);
      b_truth.insert(y);
      b.add(y);
    }
    a.add_range(10, 50);
    for (std::uint32_t i = 10; i < 50; ++i) a_truth.insert(i);
    CHECK(a.to_vector() == std::vector(a_truth.begin(), a_truth.end()));
    std::vector<std::uint32_t> walked;
    for (auto at = a.first_from(0); at; at = a.first_from(*at + 1)) walked.push_back(*at);
    CHECK(walked == a.to_vector());

    base::ByteBuffer bytes;
    a.serialize(bytes);
    const auto again = Bitmap::parse(bytes);
    REQUIRE(again.has_value());
    CHECK(*again == a);
    for (std::size_t cut = 0; cut < bytes.size(); cut += bytes.size() / 97 + 1)
      CHECK_FALSE(Bitmap::parse(base::ByteView(bytes).first(cut)).has_value());
    bytes.push_back(0);
    CHECK_FALSE(Bitmap::parse(bytes).has_value());

    Bitmap both = a;
    both.intersect(b);
    std::vector<std::uint32_t> common;
    std::ranges::set_intersection(a_truth, b_truth, std::back_inserter(common));
    CHECK(both.to_vector() == common);
    a.unite(b);
    a_truth.insert(b_truth.begin(), b_truth.end());
    CHECK(a.count() == a_truth.size());
  }
}

TEST_CASE("damaged containers of a bitmap are refused") {
  Bitmap bitmap;
  for (const std::uint32_t member : {1U, 5U, 9U}) bitmap.add(member);
  base::ByteBuffer bytes;
  bitmap.serialize(bytes);
  bytes[bytes.size() - 6] = 7;  // 7, 5, 9: not ascending
  CHECK_FALSE(Bitmap::parse(bytes).has_value());
}
