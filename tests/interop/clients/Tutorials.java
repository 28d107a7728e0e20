// SPDX-License-Identifier: Apache-2.0
// The tutorial patterns and some features with the Java client; built and run by java_client_test.py: PATTERN URL.
import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

public class Tutorials {
  static final String ID = System.getenv("SLUICE_TEST_ID");
  static final int LIMIT_S = 10;

  static class Message {
    Envelope envelope;
    AMQP.BasicProperties properties;
    String body;
  }

  // Takes what a queue delivers; acknowledges when told to.
  static class Collector extends DefaultConsumer {
    final BlockingQueue<Message> got = new LinkedBlockingQueue<>();
    final boolean acks;

    Collector(Channel channel, String queue, boolean acks) throws IOException {
      super(channel);
      this.acks = acks;
      channel.basicConsume(queue, !acks, this);
    }

    @Override
    public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body)
        throws IOException {
      Message message = new Message();
      message.envelope = envelope;
      message.properties = properties;
      message.body = new String(body, "UTF-8");
      got.add(message);
      if (acks) getChannel().basicAck(envelope.getDeliveryTag(), false);
    }

    Message next() throws Exception {
      Message message = got.poll(LIMIT_S, TimeUnit.SECONDS);
      if (message == null) throw new AssertionError("no message came");
      return message;
    }

    List<String> texts(int count) throws Exception {
      List<String> all = new ArrayList<>();
      while (all.size() < count) all.add(next().body);
      return all;
    }
  }

  static void check(String what, Object got, Object wanted) {
    if (!got.equals(wanted)) throw new AssertionError(what + ": got " + got + " instead of " + wanted);
  }

  static void publish(Channel channel, String exchange, String key, String body, AMQP.BasicProperties properties)
      throws IOException {
    channel.basicPublish(exchange, key, properties, body.getBytes("UTF-8"));
  }

  static Collector bound(Channel channel, String exchange, String key, Map<String, Object> arguments)
      throws IOException {
    String queue = channel.queueDeclare().getQueue();
    channel.queueBind(queue, exchange, key, arguments);
    return new Collector(channel, queue, false);
  }

  static void hello(Connection connection) throws Exception {
    Channel channel = connection.createChannel();
    String queue = channel.queueDeclare(ID + ".hello", false, false, false, null).getQueue();
    publish(channel, "", queue, "Hello World!", null);
    check("the message", new Collector(channel, queue, false).texts(1), Arrays.asList("Hello World!"));
    channel.queueDelete(queue);
  }

  static void work_queue(Connection connection) throws Exception {
    Channel channel = connection.createChannel();
    String queue = channel.queueDeclare(ID + ".task_queue", true, false, false, null).getQueue();
    List<Collector> workers = new ArrayList<>();
    for (int n = 0; n < 2; ++n) {
      Channel worker = connection.createChannel();
      worker.basicQos(1);
      workers.add(new Collector(worker, queue, true));
    }
    for (int n = 0; n < 20; ++n) publish(channel, "", queue, "" + n, MessageProperties.PERSISTENT_TEXT_PLAIN);
    long end = System.nanoTime() + LIMIT_S * 1000000000L;
    while (workers.get(0).got.size() + workers.get(1).got.size() < 20 && System.nanoTime() < end) Thread.sleep(5);
    List<String> all = new ArrayList<>();
    for (Collector worker : workers) all.addAll(worker.texts(worker.got.size()));
    Collections.sort(all, (a, b) -> Integer.parseInt(a) - Integer.parseInt(b));
    check("the tasks", all.toString(), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]");
    channel.queueDelete(queue);
  }

  static void publish_subscribe(Connection connection) throws Exception {
    Channel channel = connection.createChannel();
    channel.exchangeDeclare(ID + ".logs", "fanout");
    List<Collector> all = new ArrayList<>();
    for (int n = 0; n < 3; ++n) all.add(bound(channel, ID + ".logs", "", null));
    publish(channel, ID + ".logs", "", "one", null);
    publish(channel, ID + ".logs", "", "two", null);
    for (Collector one : all) check("the logs", one.texts(2), Arrays.asList("one", "two"));
    channel.exchangeDelete(ID + ".logs");
  }

  static void routing(Connection connection) throws Exception {
    Channel channel = connection.createChannel();
    channel.exchangeDeclare(ID + ".direct", "direct", true);
    Collector errors = bound(channel, ID + ".direct", "error", null);
    for (String key : Arrays.asList("info", "error", "error.more")) publish(channel, ID + ".direct", key, key, null);
    check("errors", errors.texts(1), Arrays.asList("error"));
    channel.exchangeDelete(ID + ".direct");
  }

  static void topics(Connection connection) throws Exception {
    Channel channel = connection.createChannel();
    channel.exchangeDeclare(ID + ".topic", "topic", true);
    Collector kern = bound(channel, ID + ".topic", "kern.*", null);
    Collector all = bound(channel, ID + ".topic", "#", null);
    for (String key : Arrays.asList("kern.info", "cron.info", "kern.critical", "kern")) {
      publish(channel, ID + ".topic", key, key, null);
    }
    check("kern", kern.texts(2), Arrays.asList("kern.info", "kern.critical"));
    check("all", all.texts(4).size(), 4);
    channel.exchangeDelete(ID + ".topic");
  }

  static void headers(Connection connection) throws Exception {
    Channel channel = connection.createChannel();
    channel.exchangeDeclare(ID + ".headers", "headers");
    Map<String, Object> wanted = new HashMap<>();
    wanted.put("x-match", "all");
    wanted.put("format", "pdf");
    wanted.put("type", "report");
    Collector reports = bound(channel, ID + ".headers", "", wanted);
    for (String type : Arrays.asList("log", "report")) {
      Map<String, Object> headers = new HashMap<>();
      headers.put("format", "pdf");
      headers.put("type", type);
      publish(channel, ID + ".headers", "", type, new AMQP.BasicProperties.Builder().headers(headers).build());
    }
    check("reports", reports.texts(1), Arrays.asList("report"));
    channel.exchangeDelete(ID + ".headers");
  }

  static int fib(int n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
  }

  static void rpc(Connection connection) throws Exception {
    Channel server = connection.createChannel();
    String queue = server.queueDeclare(ID + ".rpc_queue", false, false, false, null).getQueue();
    server.basicConsume(queue, false, new DefaultConsumer(server) {
      @Override
      public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body)
          throws IOException {
        publish(server, "", properties.getReplyTo(), "" + fib(Integer.parseInt(new String(body))),
            new AMQP.BasicProperties.Builder().correlationId(properties.getCorrelationId()).build());
        server.basicAck(envelope.getDeliveryTag(), false);
      }
    });
    Channel channel = connection.createChannel();
    for (String reply : Arrays.asList(channel.queueDeclare().getQueue(), "amq.rabbitmq.reply-to")) {
      Collector answers = new Collector(channel, reply, false);
      publish(channel, "", queue, "20", new AMQP.BasicProperties.Builder().replyTo(reply).correlationId("c").build());
      Message answer = answers.next();
      check("the answer", answer.body + answer.properties.getCorrelationId(), "6765c");
    }
    channel.queueDelete(queue);
  }

  static void confirms(Connection connection) throws Exception {
    Channel channel = connection.createChannel();
    channel.confirmSelect();
    String queue = channel.queueDeclare(ID + ".confirms", true, false, false, null).getQueue();
    for (int n = 0; n < 100; ++n) publish(channel, "", queue, "m", MessageProperties.PERSISTENT_BASIC);
    channel.waitForConfirmsOrDie(LIMIT_S * 1000);
    check("the count", channel.messageCount(queue), 100L);
    BlockingQueue<String> returned = new LinkedBlockingQueue<>();
    channel.addReturnListener((code, text, exchange, key, properties, body) -> returned.add(code + " " + text));
    channel.basicPublish("", ID + ".no-queue", true, null, "back".getBytes());
    channel.waitForConfirmsOrDie(LIMIT_S * 1000);
    check("the return", returned.poll(LIMIT_S, TimeUnit.SECONDS), "312 NO_ROUTE");
    channel.queueDelete(queue);
  }

  // Headers of the types that Java has, and what a queue was declared with.
  static void tables(Connection connection) throws Exception {
    Channel channel = connection.createChannel();
    Map<String, Object> arguments = new HashMap<>();
    arguments.put("x-queue-type", "stream");
    arguments.put("x-max-length-bytes", 20_000_000_000L);
    channel.queueDeclare(ID + ".stream", true, false, false, arguments);
    channel.queueDeclare(ID + ".stream", true, false, false, arguments);
    channel.queueDelete(ID + ".stream");
    String queue = channel.queueDeclare().getQueue();
    Map<String, Object> headers = new HashMap<>();
    headers.put("int", 5);
    headers.put("long", 1L << 40);
    headers.put("double", 2.5);
    headers.put("bool", true);
    headers.put("date", new Date(1700000000000L));
    headers.put("short", (short) -3);
    headers.put("list", Arrays.asList(1, 2L, true));
    headers.put("map", Collections.singletonMap("a", 1));
    publish(channel, "", queue, "m", new AMQP.BasicProperties.Builder().headers(headers).priority(3).build());
    check("headers", new Collector(channel, queue, false).next().properties.getHeaders(), headers);
  }

  static void errors(Connection connection) throws Exception {
    try {
      connection.createChannel().queueDeclarePassive(ID + ".missing");
      throw new AssertionError("no error");
    } catch (IOException error) {
      AMQP.Channel.Close close = (AMQP.Channel.Close) ((ShutdownSignalException) error.getCause()).getReason();
      check("the code", close.getReplyCode(), 404);
      check("the text", close.getReplyText(), "NOT_FOUND - no queue '" + ID + ".missing' in vhost '/'");
    }
    connection.createChannel().queueDeclare();
  }

  public static void main(String[] arguments) throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setUri(arguments[1]);
    Connection connection = factory.newConnection();
    try {
      Tutorials.class.getDeclaredMethod(arguments[0], Connection.class).invoke(null, connection);
    } catch (Throwable error) {
      error.printStackTrace();
      System.exit(1);
    }
    connection.close();
  }
}
