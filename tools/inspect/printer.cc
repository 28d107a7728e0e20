// SPDX-License-Identifier: Apache-2.0
// Both printers append to a string that the program writes out between items, so memory does not grow with
// the file.
#include "inspect/printer.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace sluice::inspect {
namespace {

std::string to_text(const Value& value) {
  return std::visit([](const auto& each) { return fmt::format("{}", each); }, value);
}

class TextPrinter final : public Printer {
 public:
  TextPrinter(std::string& out, bool hex) : out_(out), hex_(hex) {}

  void begin_file(const std::string& path, std::string_view kind, std::uint64_t bytes) override {
    add("{}: {}, {} bytes\n", path, kind, bytes);
  }
  void item(const Item& item) override {
    add("{:>10}  {}", item.position, item.kind);
    if (hex_ && !item.raw.empty()) {
      out_ += '\n';
      print_bytes(item);
      return;
    }
    for (const auto& field : item.fields) add(" {}={}", field.name, to_text(field.value));
    out_ += '\n';
  }
  void problem(std::uint64_t position, const std::string& text) override {
    add("{:>10}  PROBLEM {}\n", position, text);
  }
  void end_file() override {}
  void finish() override {}

 private:
  static constexpr std::size_t bytes_per_line = 16;

  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  // Each field with its bytes; long ones take several lines. Derived fields stand on the last line alone.
  void print_bytes(const Item& item) {
    std::size_t at = 0;
    for (const auto& field : item.fields) {
      auto bytes = item.raw.subspan(std::min(at, item.raw.size()));
      bytes = bytes.first(std::min(field.bytes, bytes.size()));
      at += field.bytes;
      std::string hex;
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i > 0 && i % bytes_per_line == 0) add("{:12}{}\n", "", hex), hex.clear();
        hex += fmt::format("{}{:02x}", hex.empty() ? "" : " ", bytes[i]);
      }
      add("{:12}{:<{}} {} = {}\n", "", hex, bytes_per_line * 3 - 1, field.name, to_text(field.value));
    }
  }

  std::string& out_;
  bool hex_;
};

class JsonPrinter final : public Printer {
 public:
  explicit JsonPrinter(std::string& out) : out_(out) { out_ += '['; }

  void begin_file(const std::string& path, std::string_view kind, std::uint64_t bytes) override {
    out_ += first_file_ ? "\n" : ",\n";
    first_file_ = false;
    boost::json::object head{{"path", path}, {"kind", kind}, {"bytes", bytes}};
    auto text = boost::json::serialize(head);
    text.pop_back();
    out_ += text + ",\"items\":[";
    first_item_ = true;
    problems_.clear();
  }
  void item(const Item& item) override {
    boost::json::object object{{"kind", item.kind}, {"position", item.position}};
    for (const auto& field : item.fields)
      std::visit([&](const auto& value) { object[field.name] = value; }, field.value);
    out_ += first_item_ ? "\n" : ",\n";
    first_item_ = false;
    out_ += boost::json::serialize(object);
  }
  void problem(std::uint64_t position, const std::string& text) override {
    problems_.push_back(boost::json::object{{"position", position}, {"text", text}});
  }
  void end_file() override { out_ += "\n],\"problems\":" + boost::json::serialize(problems_) + "}"; }
  void finish() override { out_ += "\n]\n"; }

 private:
  std::string& out_;
  bool first_file_ = true, first_item_ = true;
  boost::json::array problems_;
};

}  // namespace

std::unique_ptr<Printer> make_text_printer(std::string& out, bool hex) {
  return std::make_unique<TextPrinter>(out, hex);
}
std::unique_ptr<Printer> make_json_printer(std::string& out) {
  return std::make_unique<JsonPrinter>(out);
}

std::string hex32(std::uint32_t value) {
  return fmt::format("0x{:08x}", value);
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= ' ' && c < 0x7f && c != '\\')
      out += c;
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace sluice::inspect
