// SPDX-License-Identifier: Apache-2.0
#include "http/prometheus.h"

#include <fmt/format.h>

#include <map>

namespace sluice::http {
namespace {

// A label's value or a help text: the format escapes backslash, quote and newline.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || c == '"') out.push_back('\\');
      out.push_back(c);
    }
  }
  return out;
}

class Text {
 public:
  void family(std::string_view name, std::string_view kind, std::string_view help) {
    out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind);
  }
  template <class Value>
  void sample(std::string_view name, std::string_view labels, Value value) {
    if (labels.empty()) {
      out_ += fmt::format("{} {}\n", name, value);
    } else {
      out_ += fmt::format("{}{{{}}} {}\n", name, labels, value);
    }
  }
  template <class Value>
  void gauge(std::string_view name, std::string_view help, Value value) {
    family(name, "gauge", help);
    sample(name, {}, value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void write_registry(Text& text, const base::MetricsRegistry& registry) {
  // Samples of one name must stand together; their first registration gives the order.
  const std::vector<base::MetricSample> samples = registry.collect();
  std::map<std::string_view, std::vector<const base::MetricSample*>> by_name;
  for (const base::MetricSample& each : samples) by_name[each.name].push_back(&each);
  for (const base::MetricSample& first : samples) {
    const auto found = by_name.find(first.name);
    if (found == by_name.end()) continue;
    text.family(first.name, first.kind == base::MetricKind::counter ? "counter" : "gauge", first.help);
    for (const base::MetricSample* each : found->second) text.sample(each->name, each->labels, each->value);
    by_name.erase(found);
  }
}

}  // namespace

std::string prometheus_text(const Node& node) {
  Text text;
  const NodeUsage usage = node.usage();
  text.family("rabbitmq_identity_info", "untyped", "RabbitMQ node & cluster identity info");
  text.sample("rabbitmq_identity_info",
              fmt::format("rabbitmq_node=\"{}\",rabbitmq_cluster=\"{}\",rabbitmq_cluster_permanent_id=\"{}\","
                          "rabbitmq_endpoint=\"aggregated\"",
                          escaped(node.name), escaped(node.cluster), escaped(node.cluster)),
              1);
  text.family("rabbitmq_build_info", "untyped", "RabbitMQ & Erlang/OTP version info");
  text.sample("rabbitmq_build_info",
              fmt::format("rabbitmq_version=\"{0}\",prometheus_plugin_version=\"{0}\","
                          "prometheus_client_version=\"{0}\",erlang_version=\"none\",product_name=\"Sluice\","
                          "product_version=\"{0}\"",
                          escaped(node.version)),
              1);
  text.gauge("rabbitmq_process_resident_memory_bytes", "Memory used in bytes", usage.resident_bytes);
  text.gauge("rabbitmq_process_open_fds", "Open file descriptors", usage.open_files);
  text.gauge("rabbitmq_process_max_fds", "Open file descriptors limit", usage.open_files_max);
  text.gauge("rabbitmq_erlang_uptime_seconds", "Node uptime", usage.uptime_seconds);
  text.family("sluice_process_cpu_seconds_total", "counter", "CPU time of the process, all threads");
  text.sample("sluice_process_cpu_seconds_total", {}, usage.cpu_seconds);
  if (node.registry != nullptr) write_registry(text, *node.registry);
  return text.take();
}

Handler metrics_handler(const Node& node) {
  return [&node](const Request& request, Answer answer) {
    if (request.path != "/metrics" && request.path != "/") {
      return answer(error_response(404, "not_found", "there is /metrics"));
    }
    if (request.method != "GET") return answer(error_response(405, "method_not_allowed", "use GET"));
    if (request.path == "/") {
      return answer({200, "text/html; charset=utf-8",
                     "<html><head><title>Sluice metrics</title></head><body><a href=\"/metrics\">metrics</a>"
                     "</body></html>\n"});
    }
    answer({200, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(node)});
  };
}

}  // namespace sluice::http
