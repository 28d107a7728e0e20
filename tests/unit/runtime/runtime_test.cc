// SPDX-License-Identifier: Apache-2.0
// Sessions over real sockets: echo, large files, slow readers, back-pressure, many connections, mail.
#include "runtime/runtime.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "runtime/disk.h"
#include "support/temp_directory.h"

using namespace sluice;
using Closing = base::Session::Closing;

namespace {

class QuietLogger final : public base::Logger {
 public:
  bool enabled(base::LogLevel) const override { return false; }
  void write(base::LogLevel, std::string_view, std::string_view,
             std::initializer_list<base::LogField>) override {}
};

// Lines: "f" sends the file, "q" closes after flush, "n" closes now, "m1" moves to shard 1, anything else is
// echoed. A line must be complete to be used up.
class LineSession final : public base::Session {
 public:
  LineSession(base::Transport& transport, std::shared_ptr<base::File> file, std::size_t file_bytes)
      : transport_(&transport), file_(std::move(file)), file_bytes_(file_bytes) {}

  std::size_t on_bytes(base::ByteView input) override {
    std::size_t used = 0;
    while (reading() && !moving_) {
      const std::string_view text = base::as_text(input.subspan(used));
      const auto end = text.find('\n');
      if (end == std::string_view::npos) break;
      on_line(text.substr(0, end));
      used += end + 1;
    }
    return used;
  }
  void on_drained() override { send_files(); }
  void on_tick(std::int64_t) override {}
  void on_closed() override {}
  bool reading() const override { return files_ == 0 && !transport_->outbox().above_high_water(); }
  Closing closing() const override { return closing_; }
  void on_moved(base::ShardId shard, base::Transport& transport) override {
    moving_ = false;
    transport_ = &transport;
    transport_->outbox().write(base::as_bytes("on " + std::to_string(shard.value) + "\n"));
  }

 private:
  void on_line(std::string_view line) {
    if (line.starts_with("m")) {
      moving_ = transport_->move_to(base::ShardId{static_cast<std::uint32_t>(line[1] - '0')});
      return;
    }
    if (line == "q") {
      closing_ = Closing::after_flush;
    } else if (line == "n") {
      closing_ = Closing::now;
    } else if (line.starts_with("f")) {
      files_ += std::stoi(std::string(line.substr(1)));
      send_files();
    } else {
      transport_->outbox().write(base::as_bytes(line));
      transport_->outbox().write(base::as_bytes("\n"));
    }
  }
  // Small pieces and large ones, with bytes between.
  void send_files() {
    while (files_ > 0 && !transport_->outbox().above_high_water()) {
      --files_;
      const std::size_t half = file_bytes_ / 2;
      transport_->outbox().write_file(file_, 0, half);
      transport_->outbox().write(base::as_bytes("-"));
      for (std::size_t at = half; at < file_bytes_; at += 1000) {
        transport_->outbox().write_file(file_, at, std::min<std::size_t>(1000, file_bytes_ - at));
        transport_->outbox().write(base::as_bytes("+"));
      }
    }
  }

  base::Transport* transport_;
  std::shared_ptr<base::File> file_;
  std::size_t file_bytes_;
  int files_ = 0;
  bool moving_ = false;
  Closing closing_ = Closing::no;
};

struct World {
  static constexpr std::size_t file_bytes = 300'000;
  test::TempDirectory dir;
  runtime::RealDisk disk;
  QuietLogger logger;
  std::shared_ptr<base::File> file;
  runtime::Runtime runtime;
  std::uint16_t port = 0;

  explicit World(std::uint32_t shards = 2, std::uint32_t connections_max = 0)
      : runtime({.shards = shards, .pin = false, .background_threads = 1}, disk, logger) {
    file = *disk.open(dir.file("f"), base::Disk::Mode::create);
    std::string text(file_bytes, 'x');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
    const base::ByteView part = base::as_bytes(text);
    REQUIRE(file->append({&part, 1}));
    const auto factory = [this](base::Transport& transport, base::Shard&) {
      return std::make_unique<LineSession>(transport, file, file_bytes);
    };
    const auto at = runtime.listen({"test", {"127.0.0.1", 0}, {}, connections_max, factory});
    REQUIRE(at);
    port = at->port;
    runtime.start();
  }
  std::string file_reply() const {
    std::string out;
    for (std::size_t i = 0; i < file_bytes; ++i) {
      if (i == file_bytes / 2) out += '-';
      out += static_cast<char>('a' + i % 23);
      if (i >= file_bytes / 2 && ((i - file_bytes / 2) % 1000 == 999 || i + 1 == file_bytes)) out += '+';
    }
    return out;
  }
};

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      REQUIRE(n > 0);
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  std::string receive(std::size_t size) const {  // shorter at the end of the stream
    std::string out(size, 0);
    std::size_t got = 0;
    while (got < size) {
      const ssize_t n = ::recv(fd_, out.data() + got, size - got, 0);
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    out.resize(got);
    return out;
  }
  void end() const { ::shutdown(fd_, SHUT_WR); }
  int descriptor() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

TEST_CASE("a session gets bytes in any cut and answers") {
  World world;
  const Client client(world.port);
  client.send("hel");
  client.send("lo\nwor");
  CHECK(client.receive(6) == "hello\n");
  client.send("ld\n");
  CHECK(client.receive(6) == "world\n");
  const std::string longest(3'000'000, 'y');  // more than scratch memory holds
  client.send(longest + "\nq\n");
  CHECK((client.receive(longest.size() + 100) == longest + "\n"));
}

TEST_CASE("file ranges and bytes go out in order to a slow reader") {
  World world;
  const Client client(world.port);
  const int small = 128 << 10;
  ::setsockopt(client.descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  constexpr int times = 30;
  client.send("f" + std::to_string(times) + "\nq\n");
  const std::string wanted = world.file_reply();
  for (int i = 0; i < times; ++i) REQUIRE((client.receive(wanted.size()) == wanted));
  CHECK(client.receive(1).empty());
}

TEST_CASE("a client that does not read stops being read") {
  World world;
  const Client client(world.port);
  const std::string line(100'000, 'z');
  timeval soon{0, 200'000};
  ::setsockopt(client.descriptor(), SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
  std::size_t sent = 0;
  constexpr std::size_t enough = 200 << 20;
  std::string out = line + "\n";
  while (sent < enough) {
    const ssize_t n = ::send(client.descriptor(), out.data() + sent % out.size(),
                             out.size() - sent % out.size(), MSG_NOSIGNAL);
    if (n <= 0) break;  // back-pressure has reached us
    sent += static_cast<std::size_t>(n);
  }
  CHECK(sent < enough);
  // Everything whole comes back once we read.
  const std::size_t whole = sent / out.size() * out.size();
  std::size_t got = 0;
  while (got < whole) {
    const std::string part = client.receive(std::min<std::size_t>(out.size(), whole - got));
    REQUIRE_FALSE(part.empty());
    got += part.size();
  }
  CHECK(got == whole);
}

TEST_CASE("half-closed clients still get their answers") {
  World world;
  const Client client(world.port);
  client.send("f3\n");
  client.end();
  const std::string wanted = world.file_reply();
  std::string all = client.receive(3 * wanted.size() + 10);
  CHECK((all == wanted + wanted + wanted));
}

TEST_CASE("closing now and closing with unread input") {
  World world;
  const Client now(world.port);
  now.send("n\n");
  CHECK(now.receive(1).empty());
  // The last words arrive although the server leaves input unread.
  const Client later(world.port);
  later.send("bye\nq\n" + std::string(100'000, 'w'));
  CHECK(later.receive(100) == "bye\n");
}

TEST_CASE("many connections at once, and the limit") {
  World world;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(std::make_unique<Client>(world.port));
  for (const auto& client : clients) client->send("ping\n");
  for (const auto& client : clients) REQUIRE(client->receive(5) == "ping\n");

  World limited(2, 3);
  std::vector<std::unique_ptr<Client>> few;
  for (int i = 0; i < 3; ++i) {
    few.push_back(std::make_unique<Client>(limited.port));
    few.back()->send("a\n");
    REQUIRE(few.back()->receive(2) == "a\n");
  }
  const Client refused(limited.port);
  CHECK(refused.receive(1).empty());
}

TEST_CASE("a port in use is refused, also for a second server with the same option set") {
  World world;
  runtime::Runtime second({.shards = 2, .pin = false, .background_threads = 1}, world.disk, world.logger);
  const auto at = second.listen({"stream", {"127.0.0.1", world.port}, {}, 0, {}});
  REQUIRE_FALSE(at);
  CHECK(at.error().text.find("Address already in use; stop the server there") != std::string::npos);
}

TEST_CASE("mail between running shards and background work keep their order and thread") {
  World world(3);
  constexpr int rounds = 20'000;
  std::atomic<int> back{0};
  bool in_order = true;  // written on shard 2 only
  int expected = 0;
  for (int i = 0; i < rounds; ++i) {
    world.runtime.run_on(1, [&, i] {
      world.runtime.shard(1).mail.send(base::ShardId{2}, [&, i] {
        in_order = in_order && expected++ == i;
        world.runtime.shard(2).mail.send(base::ShardId{1}, [&] { back.fetch_add(1); });
      });
    });
  }
  int synced = 0;
  world.runtime.run_on_and_wait(0, [&] {
    for (int i = 0; i < 50; ++i) world.runtime.shard(0).background.run([] {}, [&] { ++synced; });
  });
  world.runtime.stop(20'000);
  CHECK(in_order);
  CHECK(back.load() == rounds);
  CHECK(synced == 50);
}

TEST_CASE("a connection moves between shards with all it has read and queued") {
  World world(3);
  const Client client(world.port);
  std::string sent, wanted;
  // Somewhere it is already on the shard it asks for, and then nothing happens: both answers are right.
  client.send("m0\nwhere\n");
  std::string first = client.receive(6);
  if (first == "on 0\nw") first = client.receive(5);
  for (int round = 0; round < 50; ++round) {
    const std::string shard = std::to_string((round + 1) % 3);
    sent += "f1\na" + std::to_string(round) + "\nm" + shard + "\nb" + std::to_string(round) + "\n";
    wanted += world.file_reply() + "a" + std::to_string(round) + "\non " + shard + "\nb" +
              std::to_string(round) + "\n";
  }
  client.send(sent);
  CHECK((client.receive(wanted.size()) == wanted));
  client.send("q\n");
  CHECK(client.receive(1).empty());
}
