// SPDX-License-Identifier: Apache-2.0
// Any bytes, and any order of well-formed methods, as a client of AMQP 0-9-1, before and after Open, in
// pieces, with events of the broker in between. Whatever comes in: nothing crashes, the session uses up no
// more than it was given, what it sends is well-formed frames, and a connection that is over stays over.
#include "amqp/session.h"
#include "base/check.h"
#include "support/fake_broker.h"
#include "support/fake_messaging.h"
#include "support/fed_session.h"
#include "support/test_shard.h"

using namespace sluice;
using namespace sluice::amqp;
using namespace sluice::amqp::wire;

namespace {

// Reads choices from the fuzzer's bytes; zeros at the end.
class Choices {
 public:
  explicit Choices(base::ByteView bytes) : bytes_(bytes) {}
  bool left() const { return !bytes_.empty(); }
  std::uint8_t next() {
    if (bytes_.empty()) return 0;
    const std::uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  base::ByteView take(std::size_t size) {
    const base::ByteView part = bytes_.first(std::min(size, bytes_.size()));
    bytes_ = bytes_.subspan(part.size());
    return part;
  }

 private:
  base::ByteView bytes_;
};

constexpr std::string_view names[] = {
    "", "q", "r", "absent", "amq.direct", "amq.rabbitmq.reply-to", "amq.rabbitmq.reply-to.opaque1", "tag"};

class World {
 public:
  World() { messaging_.add_queue("q"); }

  void open() {
    base::ByteBuffer bytes(std::begin(protocol_header), std::end(protocol_header));
    base::FieldTable table, capabilities;
    capabilities.set("consumer_cancel_notify", true);
    capabilities.set("connection.blocked", true);
    table.set("capabilities", capabilities);
    base::ByteBuffer encoded;
    base::ByteWriter writer(encoded);
    base::write_field_table(writer, table);
    const base::FieldTableView properties(base::ByteView(encoded).subspan(4));
    write_method(0, ConnectionStartOk{properties, "PLAIN", {"\0guest\0guest", 12}, "en_US"}, bytes);
    write_method(0, ConnectionTuneOk{8, 8'192, 10}, bytes);
    write_method(0, ConnectionOpen{"/", "", false}, bytes);
    write_method(1, ChannelOpen{}, bytes);
    feed(bytes);
    INVARIANT(feeder_.all_used() && messaging_.client != nullptr, "not open");
  }

  void feed(base::ByteView piece) {
    feeder_.feed(piece);
    drain();
  }

  // A well-formed method with arguments that mean something.
  void method(Choices& choices) {
    const std::uint8_t which = choices.next();
    const auto channel = static_cast<std::uint16_t>(choices.next() % 4);
    std::uint8_t index = 0;
    base::ByteBuffer bytes;
    Methods::for_each([&]<class M>(std::type_identity<M>) {
      if (index++ != which % 67) return;
      M made;
      base::for_each_field(made, [&](const auto&, auto& member) {
        using Member = std::remove_cvref_t<decltype(member)>;
        const std::uint8_t choice = choices.next();
        if constexpr (std::is_same_v<Member, bool>) {
          member = (choice & 1) != 0;
        } else if constexpr (std::is_integral_v<Member>) {
          member = static_cast<Member>(choice % 8);
        } else if constexpr (std::is_same_v<Member, std::string_view>) {
          member = names[choice % std::size(names)];
        }
      });
      write_method(channel, made, bytes);
    });
    if (which % 4 == 0) publish(channel, choices, bytes);
    feed(bytes);
  }

  void event(std::uint8_t what) {
    const bool over = feeder_.is_over();
    const std::uint16_t channel = static_cast<std::uint16_t>(1 + (what >> 4) % 3);
    broker::QueueClient* const client = broker_.client != nullptr ? messaging_.client : nullptr;
    switch (what % 16) {
      case 0:
        messaging_.hold_answers = true;
        break;
      case 1:
        messaging_.hold_answers = false;
        messaging_.answer_held();
        break;
      case 2:
        if (client != nullptr) client->on_consumer_cancelled(channel, "tag");
        break;
      case 3:
        if (client != nullptr) client->on_channel_refused(channel, {406, "timed out", false});
        break;
      case 4:
        if (client != nullptr) client->on_blocked("low on memory");
        break;
      case 5:
        if (client != nullptr) client->on_blocked(std::nullopt);
        break;
      case 6:
        if (client != nullptr) client->on_flow((what & 16) != 0);
        break;
      case 7:
        messaging_.next_refusal = broker::Refusal{406, "as the fuzzer says", (what & 32) != 0};
        break;
      case 8:
        messaging_.accept_publishes = (what & 16) != 0;
        break;
      case 9:
        if (client != nullptr && what == 0xF9) broker_.client->on_close_requested("operator");
        break;
      case 10:
        shard_.clock.advance(100 * what);
        session_.on_tick(shard_.clock.monotonic_ms());
        break;
      default:
        if (client != nullptr) messaging_.turn();
        feed({});
    }
    drain();
    if (over) INVARIANT(feeder_.is_over(), "came back");
    std::vector<broker::ChannelRow> rows;
    if (broker_.client != nullptr) {
      broker_.client->list_channels(rows);
      static_cast<void>(broker_.client->describe());
    }
  }

 private:
  static void publish(std::uint16_t channel, Choices& choices, base::ByteBuffer& bytes) {
    write_method(channel, BasicPublish{0, "", names[choices.next() % std::size(names)], true, false}, bytes);
    static constexpr std::uint8_t reply_to[] = {2,   0,   21,  'a', 'm', 'q', '.', 'r', 'a', 'b', 'b', 'i',
                                                't', 'm', 'q', '.', 'r', 'e', 'p', 'l', 'y', '-', 't', 'o'};
    static constexpr std::uint8_t none[] = {0, 0};
    const std::uint8_t how = choices.next();
    const base::ByteView body = choices.take(how % 32);
    write_content(channel, (how & 64) != 0 ? base::ByteView(reply_to) : base::ByteView(none), body,
                  (how & 128) != 0 ? 9 : 0, bytes);
  }

  void drain() {
    const base::ByteBuffer output = wire_.take_sent();
    base::ByteView rest(output);
    if (rest.size() == 8 && rest[0] == 'A') return;  // our protocol header
    FrameReader reader(rest);
    Frame frame;
    while (reader.next(131'072, frame) == FrameReader::Status::frame) {
    }
    INVARIANT(reader.used_bytes() == output.size(), "an outbox that is not frames");
  }

  test::TestShard shard_;
  test::FakeBroker broker_;
  test::FakeMessaging messaging_;
  Node node_{{}, "fuzz", "0"};
  Metrics metrics_;
  Context context_{shard_.shard, broker_, messaging_, node_, metrics_};
  test::FakeTransport wire_;
  Session session_{context_, wire_};
  test::Feeder feeder_{session_};
};

}  // namespace

// First byte: bit 0 opens the connection first. Then steps: a byte that says what, and what it needs - a
// method made of the next bytes, an event of the broker, or so many raw bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  World world;
  if ((data[0] & 1) != 0) world.open();
  Choices choices(base::ByteView(data + 1, size - 1));
  while (choices.left()) {
    const std::uint8_t step = choices.next();
    if (step < 0xA0) {
      world.method(choices);
    } else if (step < 0xE0) {
      world.event(choices.next());
    } else {
      world.feed(choices.take(step == 0xFF ? size : step - 0xDF));
    }
  }
  for (std::uint8_t what = 0; what < 16; ++what) world.event(what);
  return 0;
}
