# SPDX-License-Identifier: Apache-2.0
# The tutorial patterns and some features with bunny; run by ruby_client_test.py: bunny.rb PATTERN URL.
require "bunny"
require "securerandom"
require "timeout"

ID = ENV.fetch("SLUICE_TEST_ID")
PATTERN, URL = ARGV
LIMIT = 10 * Float(ENV.fetch("SLUICE_TEST_SLOWNESS", "1"))

def check(what, got, wanted)
  raise "#{what}: got #{got.inspect} instead of #{wanted.inspect}" unless got == wanted
end

def collect(count, from)
  Timeout.timeout(LIMIT) { Array.new(count) { from.pop } }
end

# Subscribes and gives a thread queue with what comes.
def collector(queue, **options)
  got = Queue.new
  queue.subscribe(**options) { |delivery, properties, body| got << (block_given? ? yield(delivery, properties, body) : body) }
  got
end

def hello(connection)
  ch = connection.create_channel
  q = ch.queue("#{ID}.hello")
  ch.default_exchange.publish("Hello World!", routing_key: q.name)
  check "the message", collect(1, collector(q)), ["Hello World!"]
  q.delete
end

def work_queue(connection)
  ch = connection.create_channel
  q = ch.queue("#{ID}.task_queue", durable: true)
  got = [[], []]
  workers = Array.new(2) do |number|
    channel = connection.create_channel
    channel.prefetch(1)
    collector(channel.queue(q.name, durable: true), manual_ack: true) do |delivery, _, body|
      got[number] << body
      channel.ack(delivery.delivery_tag)
      body
    end
  end
  20.times { |n| q.publish(n.to_s, persistent: true) }
  Timeout.timeout(LIMIT) { sleep 0.01 until got.sum(&:size) == 20 }
  check "all tasks", got.flatten.map(&:to_i).sort, (0...20).to_a
  raise "a worker had nothing to do" if got.any?(&:empty?)
  raise "tasks came twice" unless workers.sum(&:size) == 20
  q.delete
end

def publish_subscribe(connection)
  ch = connection.create_channel
  x = ch.fanout("#{ID}.logs")
  subscribers = Array.new(3) { collector(ch.queue("", exclusive: true).bind(x)) }
  x.publish("one")
  x.publish("two")
  subscribers.each { |got| check "the logs", collect(2, got), %w[one two] }
  x.delete
end

def routing(connection)
  ch = connection.create_channel
  x = ch.direct("#{ID}.direct_logs")
  errors = collector(ch.queue("", exclusive: true).bind(x, routing_key: "error"))
  all = ch.queue("", exclusive: true)
  %w[info warning error].each { |severity| all.bind(x, routing_key: severity) }
  everything = collector(all)
  %w[info error warning].each { |severity| x.publish(severity, routing_key: severity) }
  check "errors", collect(1, errors), ["error"]
  check "everything", collect(3, everything), %w[info error warning]
  x.delete
end

def topics(connection)
  ch = connection.create_channel
  x = ch.topic("#{ID}.topic_logs")
  kern = collector(ch.queue("", exclusive: true).bind(x, routing_key: "kern.*"))
  critical = collector(ch.queue("", exclusive: true).bind(x, routing_key: "*.critical"))
  all = collector(ch.queue("", exclusive: true).bind(x, routing_key: "#"))
  %w[kern.info kern.critical cron.critical a.b.c].each { |key| x.publish(key, routing_key: key) }
  check "kern", collect(2, kern), %w[kern.info kern.critical]
  check "critical", collect(2, critical), %w[kern.critical cron.critical]
  check "all", collect(4, all).size, 4
  x.delete
end

def headers(connection)
  ch = connection.create_channel
  x = ch.headers("#{ID}.headers")
  all = collector(ch.queue("", exclusive: true).bind(x, arguments: { "os" => "linux", "cores" => 8, "x-match" => "all" }))
  any = collector(ch.queue("", exclusive: true).bind(x, arguments: { "os" => "osx", "cores" => 4, "x-match" => "any" }))
  x.publish("8/linux", headers: { "os" => "linux", "cores" => 8 })
  x.publish("8/osx", headers: { "os" => "osx", "cores" => 8 })
  x.publish("4/linux", headers: { "os" => "linux", "cores" => 4 })
  check "all", collect(1, all), ["8/linux"]
  check "any", collect(2, any), ["8/osx", "4/linux"]
  x.delete
end

def rpc(connection)
  server = connection.create_channel
  requests = server.queue("#{ID}.rpc_queue")
  fib = ->(n) { n < 2 ? n : fib.call(n - 1) + fib.call(n - 2) }
  requests.subscribe do |_, properties, body|
    server.default_exchange.publish(fib.call(body.to_i).to_s, routing_key: properties.reply_to,
                                                              correlation_id: properties.correlation_id)
  end
  ch = connection.create_channel
  replies = ch.queue("", exclusive: true)
  got = collector(replies) { |_, properties, body| [properties.correlation_id, body] }
  id = SecureRandom.uuid
  ch.default_exchange.publish("20", routing_key: requests.name, correlation_id: id, reply_to: replies.name)
  check "the answer", collect(1, got), [[id, "6765"]]
  direct = connection.create_channel
  got = collector(direct.queue("amq.rabbitmq.reply-to", no_declare: true)) { |_, properties, body| [properties.correlation_id, body] }
  direct.default_exchange.publish("10", routing_key: requests.name, correlation_id: "d", reply_to: "amq.rabbitmq.reply-to")
  check "the direct answer", collect(1, got), [%w[d 55]]
  requests.delete
end

def confirms(connection)
  ch = connection.create_channel
  ch.confirm_select
  q = ch.queue("#{ID}.confirms", durable: true)
  100.times { |n| q.publish(n.to_s, persistent: true) }
  check "all confirmed", ch.wait_for_confirms, true
  check "the count", q.message_count, 100
  returned = Queue.new
  x = ch.default_exchange
  x.on_return { |info, _, body| returned << [info.reply_code, info.reply_text, body] }
  x.publish("nobody", routing_key: "#{ID}.no-queue", mandatory: true)
  check "unroutable is confirmed", ch.wait_for_confirms, true
  check "the return", collect(1, returned), [[312, "NO_ROUTE", "nobody"]]
  q.delete
end

# -- features

def errors(connection)
  [[Bunny::NotFound, ->(ch) { ch.queue("#{ID}.missing", passive: true) }],
   [Bunny::AccessRefused, ->(ch) { ch.queue("amq.#{ID}") }],
   [Bunny::PreconditionFailed, lambda { |ch|
     ch.queue("#{ID}.q", durable: true)
     ch.connection.create_channel.queue("#{ID}.q", durable: false)
   }]].each do |kind, call|
    call.call(connection.create_channel)
    raise "no #{kind}"
  rescue kind
    nil
  end
  connection.create_channel.queue_delete("#{ID}.q")
end

def dead_letters(connection)
  ch = connection.create_channel
  dlx = ch.fanout("#{ID}.dlx")
  dead = ch.queue("", exclusive: true).bind(dlx)
  q = ch.queue("#{ID}.ttl", arguments: { "x-dead-letter-exchange" => dlx.name, "x-message-ttl" => 50 })
  q.publish("m", headers: { "mine" => 1 })
  got = collect(1, collector(dead) { |_, properties, body| [body, properties.headers["x-death"][0]["reason"], properties.headers["mine"]] })
  check "the dead letter", got, [["m", "expired", 1]]
  [q, dlx].each(&:delete)
end

def pop_and_priorities(connection)
  ch = connection.create_channel
  q = ch.queue("#{ID}.priorities", arguments: { "x-max-priority" => 10 })
  [1, 9, 5].each { |priority| q.publish(priority.to_s, priority: priority) }
  Timeout.timeout(LIMIT) { sleep 0.01 until q.message_count == 3 }
  check "by priority", Array.new(3) { q.pop[2] }, %w[9 5 1]
  check "empty", q.pop[2], nil
  q.delete
end

connection = Bunny.new(URL, automatically_recover: false)
connection.start
send(PATTERN, connection)
connection.close
