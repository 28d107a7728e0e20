# SPDX-License-Identifier: Apache-2.0
"""Kills the broker at random moments while AMQP clients publish to it and consume, and checks its queues after each
restart.

  amqp_crash_test.py [--kills N] [--seconds S] [--seed N] [--keep]

Without arguments it runs for about 25 seconds, as part of tools/test. One data directory lives through all kills.
Writers with confirms publish to classic and quorum queues directly, through a topic exchange and through a fanout;
consumers settle one by one, in groups, give back, reject into a dead-letter queue, or hold what they have; meanwhile
queues and bindings come and go. Sometimes the kill comes during start-up, sometimes a clean stop instead. Before each
start the size of journal files is drawn anew, mostly so small that files are compacted, given up and written over all
the time. What is demanded after each restart stands in amqp_model.py. A failure prints the seed and keeps the directory.
"""
import argparse
import pathlib
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from amqp_model import QueueModel, Writer, body, parse
from amqp_wire import Closed, Connection
from broker import Broker, scaled

UNCONFIRMED_MAX = 200
KEPT_MAX = 2000  # messages of a queue after a check; more are purged, so that checks stay quick
# What the test says it has met; read before some kills.
COUNTED = {"compacted": "sluice_journal_compacted_messages_total", "files reused": "sluice_journal_files_reused_total"}
JOURNAL_FILE_BYTES = ("64KiB", "64KiB", "300000", "2MiB", "64MiB")


class World:
    """Queues, the exchanges in front of them, and who writes."""

    def __init__(self):
        quorum = {"x_queue_type": "quorum", "x_delivery_limit": -1}
        plain, second = QueueModel("plain"), QueueModel("second", x_queue_type="classic")
        replicated, topic = QueueModel("replicated", **quorum), QueueModel("by-topic")
        fans = [QueueModel(f"fan-{n}", **(quorum if n == 2 else {})) for n in range(4)]
        self.hot = QueueModel("hot", **quorum, x_dead_letter_exchange="", x_dead_letter_routing_key="dead",
                              x_dead_letter_strategy="at-least-once", x_overflow="reject-publish")
        self.queues = [plain, second, replicated, topic, *fans, self.hot]
        self.exchanges = {"topics": "topic", "fan": "fanout"}
        self.bindings = [(topic, "topics", "a.*"), (replicated, "topics", "#.r"), *((fan, "fan", "") for fan in fans)]
        self.writers = [Writer("w-plain", "", "plain", [plain]), Writer("w-other", "", "plain", [plain]),
                        Writer("w-passing", "", "plain", [plain], persistent=False),
                        Writer("w-second", "", "second", [second]),
                        Writer("w-replicated", "", "replicated", [replicated]),
                        Writer("w-topic", "topics", "a.r", [topic, replicated]),
                        Writer("w-fan", "fan", "", fans), Writer("w-fan-too", "fan", "x", fans),
                        Writer("w-hot", "", "hot", [self.hot])]

    def declare(self, connection):
        """Also after each restart: then it must be there with the same arguments."""
        connection.open_channel()
        for name, kind in self.exchanges.items():
            connection.call(1, "exchange.declare", exchange=name, type=kind, durable=True)
        for queue in self.queues:
            connection.call(1, "queue.declare", queue=queue.name, durable=True, arguments=queue.arguments)
        connection.call(1, "queue.declare", queue="dead", durable=True, arguments={"x-queue-type": "quorum"})

    def bind(self, connection):
        for queue, exchange, key in self.bindings:
            connection.call(1, "queue.bind", queue=queue.name, exchange=exchange, routing_key=key)


class Client(threading.Thread):
    """Works over its own connection until the broker is gone."""

    def __init__(self, port, seed):
        super().__init__(daemon=True)
        self.port, self.random, self.error = port, random.Random(seed), None
        self.leave = threading.Event()

    def run(self):
        try:
            with Connection(self.port) as connection:
                connection.open_channel()
                self.work(connection)
        except (Closed, OSError):
            pass
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            self.error = error


class Publishing(Client):
    def __init__(self, port, seed, writer):
        super().__init__(port, seed)
        self.writer, self.numbers, self.first, self.confirms = writer, [], 1, 0

    def work(self, connection):
        writer, waiting = self.writer, 0
        connection.call(1, "confirm.select")
        while not self.leave.is_set():
            batch = b""
            for _ in range(self.random.choice((1, 1, 3, 20, 60))):
                number = writer.take_number()
                self.numbers.append(number)
                batch += connection.publish_bytes(1, writer.exchange, writer.key, body(writer.name, number),
                                                  {"delivery_mode": 2 if writer.persistent else 1})
                waiting += 1
            connection.send_raw(batch)
            while waiting > UNCONFIRMED_MAX or (waiting and self.random.random() < 0.5):
                waiting -= self.take_confirms(connection)
        while waiting:
            waiting -= self.take_confirms(connection)

    def take_confirms(self, connection):
        ack = connection.next("basic.ack", timeout=30)
        tags = range(self.first, ack.delivery_tag + 1) if ack.multiple else [ack.delivery_tag]
        confirmed = [tag for tag in tags if self.numbers[tag - 1] is not None]
        for tag in confirmed:
            self.writer.confirm(self.numbers[tag - 1])
            self.numbers[tag - 1] = None
        while self.first <= len(self.numbers) and self.numbers[self.first - 1] is None:
            self.first += 1
        self.confirms += len(confirmed)
        return len(confirmed)


class Consuming(Client):
    def __init__(self, port, seed, queue, rejects):
        super().__init__(port, seed)
        self.queue, self.rejects, self.settled = queue, rejects, 0

    def work(self, connection):
        prefetch = self.random.choice((1, 5, 50, 300))
        style = self.random.choice(("each", "groups", "mixed", "holds"))
        connection.call(1, "basic.qos", prefetch_count=prefetch)
        connection.call(1, "basic.consume", queue=self.queue.name)
        held = []
        while not self.leave.is_set():
            try:
                delivery = connection.next("basic.deliver", timeout=0.05)
            except TimeoutError:
                if held:
                    self.settle(connection, held, style)
                continue
            message = parse(delivery.body)
            self.queue.on_delivered(message, delivery.redelivered)
            held.append((delivery.delivery_tag, message))
            if len(held) >= prefetch or style == "each" or self.random.random() < 0.1:
                self.settle(connection, held, style)
        # A last question: its answer says that all settlements have arrived.
        connection.send(1, "basic.qos")
        while connection.read().name != "basic.qos-ok":
            pass

    def settle(self, connection, held, style):
        if style == "holds" and self.random.random() < 0.9 and len(held) < 300:
            return
        if style == "mixed" and self.random.random() < 0.3:
            tag, message = held.pop(self.random.randrange(len(held)))
            if self.rejects and self.random.random() < 0.7:
                self.queue.on_settled([message], moved=True)
                connection.send(1, "basic.reject", delivery_tag=tag)
            else:
                connection.send(1, "basic.nack", delivery_tag=tag, requeue=True)
            return
        if style == "groups" or self.random.random() < 0.2:
            self.queue.on_settled([message for _, message in held])
            connection.send(1, "basic.ack", delivery_tag=held[-1][0], multiple=True)
        else:
            self.random.shuffle(held)
            for tag, message in held:
                self.queue.on_settled([message])
                connection.send(1, "basic.ack", delivery_tag=tag)
        self.settled += len(held)
        held.clear()


class Changing(Client):
    """Declares, binds and deletes queues; knows of each whether it must be there."""

    def __init__(self, port, seed, states):
        super().__init__(port, seed)
        self.states = states  # name -> "there", "bound", "gone" or None while nobody knows

    def work(self, connection):
        connection.call(1, "queue.declare", queue=f"passing-{self.random.getrandbits(32)}")
        while not self.leave.is_set():
            name = f"meta-{self.random.randrange(40)}"
            state, self.states[name] = self.states.get(name), None
            if state in (None, "gone"):
                connection.call(1, "queue.declare", queue=name, durable=True, arguments={"x-max-length": 10})
                self.states[name] = "there"
            elif state == "there":
                connection.call(1, "queue.bind", queue=name, exchange="topics", routing_key=f"meta.{name}")
                self.states[name] = "bound"
            else:
                connection.call(1, "queue.delete", queue=name)
                self.states[name] = "gone"


class CrashTest:
    def __init__(self, seed):
        self.random, self.seed = random.Random(seed), seed
        self.broker, self.world, self.states, self.dead = Broker(), World(), {}, set()
        self.kills = self.stops = self.early = self.confirms = self.settled = self.checked = self.moved = self.purged = 0
        self.counted = dict.fromkeys(COUNTED, 0)
        self.draw_file_size()

    def draw_file_size(self):
        self.broker.options["journal.file_size_bytes"] = self.random.choice(JOURNAL_FILE_BYTES)

    def round(self):
        broker, seed = self.broker, self.random.getrandbits(32)
        publishing = [Publishing(broker.amqp_port, seed + n, writer)
                      for n, writer in enumerate(self.random.sample(self.world.writers, 4))]
        consuming = [Consuming(broker.amqp_port, seed + 100 + n, queue, queue is self.world.hot)
                     for n, queue in enumerate(self.random.sample(self.world.queues, 4))]
        clients = publishing + consuming + [Changing(broker.amqp_port, seed + 200, self.states)]
        for client in clients:
            client.start()
        if self.random.random() < 0.6:
            time.sleep(self.random.uniform(0.005, 0.25))
        else:
            time.sleep(self.random.uniform(0.3, 1.5))  # a file goes some tenths of a second after its last message
            for word, metric in COUNTED.items():
                self.counted[word] += int(broker.metric(metric))
        fate = self.random.random()
        if fate < 0.1:
            # Settled, answered and left alone for a while: that must be written down.
            for client in clients:
                client.leave.set()
            self.join(clients)
            for queue in self.world.queues:
                queue.on_surely_settled()
            if fate < 0.05:
                assert broker.stop() == 0
                self.stops += 1
            else:
                time.sleep(0.5)
                broker.kill()
                self.kills += 1
        else:
            broker.kill()
            self.kills += 1
            self.join(clients)
        self.confirms += sum(client.confirms for client in publishing)
        self.settled += sum(client.settled for client in consuming)
        self.draw_file_size()
        while self.random.random() < 0.1:
            self.kill_while_starting()
        broker.start()

    @staticmethod
    def join(clients):
        for client in clients:
            client.join(scaled(40))
            assert not client.is_alive(), f"a client hangs: {type(client).__name__}"
            if client.error is not None:
                raise client.error

    def kill_while_starting(self):
        with open(self.broker.log_path, "ab") as log:
            process = subprocess.Popen(self.broker.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        time.sleep(self.random.uniform(0, 0.1))
        process.kill()
        process.wait()
        self.early += 1

    def check(self):
        with Connection(self.broker.amqp_port) as connection:
            self.world.declare(connection)
            self.check_changes(connection)
        for queue in self.world.queues:
            moved = queue.check(self.read(queue.name))
            if queue is self.world.hot:
                self.check_moved(moved)
            if len(queue.open) > KEPT_MAX:
                self.purge(queue)

    def purge(self, queue):
        with Connection(self.broker.amqp_port) as connection:
            connection.open_channel()
            count = connection.call(1, "queue.purge", queue=queue.name).message_count
            assert count == len(queue.open), f"{queue.name}: {count} purged of {len(queue.open)}"
            queue.on_settled(list(queue.open))
        self.purged += count

    def read(self, name):
        """Everything in a queue, left unsettled: it goes back when the connection ends."""
        with Connection(self.broker.amqp_port) as connection:
            connection.open_channel()
            count = connection.call(1, "queue.declare", queue=name, passive=True).message_count
            found = []
            connection.call(1, "basic.consume", queue=name, consumer_tag="check")
            while len(found) < count:
                delivery = connection.next("basic.deliver", timeout=20)
                found.append((parse(delivery.body), delivery.redelivered))
            connection.send(1, "basic.cancel", consumer_tag="check")
            while (method := connection.next("basic.deliver", "basic.cancel-ok")).name == "basic.deliver":
                found.append((parse(method.body), method.redelivered))
            # A proper end, so that the messages are back when the next one looks.
            connection.call(1, "channel.close", reply_code=200)
            connection.call(0, "connection.close", reply_code=200)
        self.checked += len(found)
        return found

    def check_moved(self, moved):
        """What was rejected and is gone must be among the dead letters, by and by."""
        self.moved += len(moved)
        with Connection(self.broker.amqp_port) as connection:
            connection.open_channel()
            connection.call(1, "basic.consume", queue="dead", no_ack=True)
            missing = set(moved) - self.dead
            while missing:
                try:
                    message = parse(connection.next("basic.deliver", timeout=20).body)
                except TimeoutError:
                    raise AssertionError(f"rejected and lost: {sorted(missing)[:5]} ({len(missing)})") from None
                self.dead.add(message)
                missing.discard(message)

    def check_changes(self, connection):
        connection.open_channel(2)
        for name, state in sorted(self.states.items()):
            connection.send(2, "queue.declare", queue=name, passive=True)
            answer = connection.next("queue.declare-ok", "channel.close")
            if answer.name == "channel.close":
                assert answer.reply_code == 404 and state in ("gone", None), f"{name} should be {state}: {answer}"
                connection.send(2, "channel.close-ok")
                connection.open_channel(2)
                self.states[name] = "gone"
                continue
            assert state != "gone", f"{name} is back"
            connection.publish(2, "topics", f"meta.{name}", b"m", mandatory=True)
            connection.send(2, "basic.qos")
            returned = connection.next("basic.qos-ok", "basic.return").name == "basic.return"
            if returned:
                connection.next("basic.qos-ok")
            assert state is None or returned == (state == "there"), f"{name} should be {state}"
            self.states[name] = "there" if returned else "bound"

    def run(self, kills, seconds):
        self.broker.start()
        with Connection(self.broker.amqp_port) as connection:
            self.world.declare(connection)
            self.world.bind(connection)
        end = time.monotonic() + seconds
        while self.kills < kills and time.monotonic() < end:
            self.round()
            self.check()
            if sys.stdout.isatty():
                print(f"\r{self.kills} kills, {self.confirms} confirmed ", end="", flush=True)
        assert self.confirms > 0 and self.settled > 0, "nothing was ever confirmed or settled"
        memory = self.broker.rss_bytes()
        assert memory < 500e6, f"the broker takes {memory / 1e6:.0f} MB"
        assert self.broker.stop() == 0


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, help="how many; without it as many as fit in --seconds")
    options.add_argument("--seconds", type=float, help="at most so long (25 without --kills)")
    options.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    options.add_argument("--keep", action="store_true", help="keep the data directory")
    options = options.parse_args()
    test = CrashTest(options.seed)
    try:
        test.run(options.kills or 10 ** 9, options.seconds or (25 if options.kills is None else 10 ** 9))
    except BaseException:
        test.broker.kill()
        print(f"seed {options.seed}; data and log are in {test.broker.own_dir} after {test.kills} kills\n"
              + test.broker.log_text()[-4000:], file=sys.stderr)
        raise
    print(f"{test.kills} kills ({test.early} more during start-up), {test.stops} clean stops: {test.confirms} confirms "
          f"held, {test.settled} settled, {test.moved} dead-lettered, {test.purged} purged, {test.checked} messages checked; at least "
          + ", ".join(f"{count} {word}" for word, count in test.counted.items()) + f"; seed {options.seed}")
    if not options.keep:
        test.broker.remove()


if __name__ == "__main__":
    main()
