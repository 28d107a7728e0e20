// SPDX-License-Identifier: Apache-2.0
// What this machine can do with no broker at all; bench/compare prints it beside the brokers, so that a ratio
// has a floor to stand on. Each measurement is one process in the broker's place, whose CPU time counts, and
// a child process in the client's place at the other end of a loopback TCP connection.
//
//   tcp          receive and forget
//   append-100b  receive Publish frames of 100-byte messages, CRC-32 them, append them to a file in the page
//   cache append-1k    the same with 1,000-byte messages sendfile     page cache -> loopback socket by
//   sendfile, 1 MiB at a time pread-send   the same by pread of 256 KiB and send
//
// One JSON line each: bytes, seconds, cpu_s, bytes_per_cpu_s, and for append messages_per_cpu_s.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <isa-l/crc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t receive_bytes = 256 * 1024;
constexpr std::size_t sendfile_bytes = 1024 * 1024;
constexpr std::size_t message_overhead_bytes = 8 + 4;  // publishing id, length
constexpr std::size_t file_bytes = 128 * 1024 * 1024;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "bench_limits: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

double now_s() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

double cpu_s() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

struct Pair {
  int ours = -1;
  int theirs = -1;
};

Pair loopback_pair() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0) die("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 1) != 0)
    die("listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  Pair pair;
  pair.theirs = socket(AF_INET, SOCK_STREAM, 0);
  if (pair.theirs < 0) die("socket");
  if (connect(pair.theirs, reinterpret_cast<sockaddr*>(&address), size) != 0) die("connect");
  pair.ours = accept(listener, nullptr, nullptr);
  if (pair.ours < 0) die("accept");
  close(listener);
  const int yes = 1;
  setsockopt(pair.ours, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return pair;
}

// A child that sends `pattern` over and over until the other end closes, or reads until then.
pid_t start_sender(Pair pair, std::size_t block_bytes) {
  const pid_t child = fork();
  if (child != 0) return close(pair.theirs), child;
  close(pair.ours);
  const std::vector<char> block(block_bytes, 'x');
  while (send(pair.theirs, block.data(), block.size(), MSG_NOSIGNAL) > 0) {
  }
  std::_Exit(0);
}

pid_t start_reader(Pair pair) {
  const pid_t child = fork();
  if (child != 0) return close(pair.theirs), child;
  close(pair.ours);
  std::vector<char> block(1024 * 1024);
  while (recv(pair.theirs, block.data(), block.size(), 0) > 0) {
  }
  std::_Exit(0);
}

void report(const std::string& name, double bytes, double seconds, double cpu, double message_bytes) {
  fmt::print(
      "{{\"limit\":\"{}\",\"bytes\":{:.0f},\"seconds\":{:.3f},\"cpu_s\":{:.3f},\"bytes_per_cpu_s\":{:.6g}",
      name, bytes, seconds, cpu, bytes / cpu);
  if (message_bytes > 0) fmt::print(",\"messages_per_cpu_s\":{:.6g}", bytes / message_bytes / cpu);
  fmt::print("}}\n");
  std::fflush(stdout);
}

void finish(int socket, pid_t child) {
  close(socket);
  waitpid(child, nullptr, 0);
}

void measure_tcp(double seconds) {
  const Pair pair = loopback_pair();
  const pid_t child = start_sender(pair, receive_bytes);
  std::vector<char> buffer(receive_bytes);
  double bytes = 0;
  const double began = now_s();
  const double cpu = cpu_s();
  while (now_s() - began < seconds) {
    const ssize_t size = recv(pair.ours, buffer.data(), buffer.size(), 0);
    if (size <= 0) die("recv");
    bytes += static_cast<double>(size);
  }
  report("tcp", bytes, now_s() - began, cpu_s() - cpu, 0);
  finish(pair.ours, child);
}

// The file is begun anew now and then, as a broker's segments are, so that it stays in the page cache.
void measure_append(const std::string& name, const std::string& path, double message_bytes, double seconds) {
  const Pair pair = loopback_pair();
  // A hundred messages to a frame and ten frames to a send, as the load generator does at full window.
  const pid_t child =
      start_sender(pair, static_cast<std::size_t>(1000 * (message_bytes + message_overhead_bytes)));
  std::vector<unsigned char> buffer(receive_bytes);
  int file = open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) die("open");
  double bytes = 0;
  std::size_t in_file = 0;
  std::uint32_t crc = 0;
  double began = now_s();
  double cpu = cpu_s();
  bool measuring = false;  // from the second file on, as a broker's steady state
  while (!measuring || now_s() - began < seconds) {
    const ssize_t size = recv(pair.ours, buffer.data(), buffer.size(), 0);
    if (size <= 0) die("recv");
    crc = crc32_gzip_refl(crc, buffer.data(), static_cast<std::uint64_t>(size));
    if (write(file, buffer.data(), static_cast<std::size_t>(size)) != size) die("write");
    bytes += static_cast<double>(size);
    in_file += static_cast<std::size_t>(size);
    if (in_file < file_bytes) continue;
    close(file);
    file = open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    in_file = 0;
    if (std::exchange(measuring, true)) continue;
    began = now_s();
    cpu = cpu_s();
    bytes = 0;
  }
  report(name, bytes, now_s() - began, cpu_s() - cpu, message_bytes + message_overhead_bytes);
  if (crc == 1) std::fputs("", stderr);  // keeps the CRC alive
  close(file);
  finish(pair.ours, child);
}

void measure_from_file(const std::string& name, const std::string& path, bool with_sendfile, double seconds) {
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
  std::vector<char> buffer(receive_bytes, 'x');
  for (std::size_t at = 0; at < file_bytes; at += buffer.size()) {
    if (write(file, buffer.data(), buffer.size()) < 0) die("write");
  }
  const Pair pair = loopback_pair();
  const pid_t child = start_reader(pair);
  double bytes = 0;
  off_t at = 0;
  const double began = now_s();
  const double cpu = cpu_s();
  while (now_s() - began < seconds) {
    if (static_cast<std::size_t>(at) >= file_bytes) at = 0;
    ssize_t size = 0;
    if (with_sendfile) {
      size = sendfile(pair.ours, file, &at, sendfile_bytes);
    } else {
      size = pread(file, buffer.data(), buffer.size(), at);
      if (size > 0) size = send(pair.ours, buffer.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
      at += size;
    }
    if (size <= 0) die("send");
    bytes += static_cast<double>(size);
  }
  report(name, bytes, now_s() - began, cpu_s() - cpu, 0);
  close(file);
  finish(pair.ours, child);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs(
        "bench_limits DIR [SECONDS]: what the machine can do with no broker; DIR on the disk of the "
        "brokers\n",
        stderr);
    return 2;
  }
  const std::string path = std::string(argv[1]) + "/limits.tmp";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 2;
  measure_tcp(seconds);
  measure_append("append-100b", path, 100, seconds);
  measure_append("append-1k", path, 1000, seconds);
  measure_from_file("sendfile", path, true, seconds);
  measure_from_file("pread-send", path, false, seconds);
  unlink(path.c_str());
  return 0;
}
