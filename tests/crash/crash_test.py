# SPDX-License-Identifier: Apache-2.0
"""Kills the broker at random moments while it is written to, and checks what is there after each restart.

  crash_test.py [--kills N] [--seconds S] [--seed N] [--keep]

Without arguments it runs for about 25 seconds, as part of tools/test. One data directory lives through all kills.
Publishers with and without references, in sub-batches, with filter values, into plain streams, a superstream, a
stream of small segments with retention, each with durability written and synced; a consumer stores its offset.
Sometimes the kill comes during start-up, sometimes a clean stop instead, and sometimes the tail of a log gets the
torn remains of a write. What is demanded after each restart stands in model.py. A failure prints the seed and keeps
the directory.
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
from broker import Broker, scaled
from model import StreamModel, Writer, body, filter_value, parse
from stream_wire import NO_OFFSET, OK, PUBLISH_CONFIRM, Closed, Connection, Reader, at_offset, simple_entry, sub_batch

IN_FLIGHT_MAX = 4


def build_world():
    """The streams and their writers: [(how to create, StreamModel)]."""
    world = []
    for durability in ("written", "synced"):
        mark = durability[0]
        plain, batched = f"plain-{durability}", f"batched-{durability}"
        world.append(({"durability": durability}, StreamModel(plain, [
            Writer(f"{mark}exact", plain, filtered=True), Writer(f"{mark}other", plain),
            Writer(f"{mark}loose", plain, exact=False)])))
        world.append(({"durability": durability, "stream-max-segment-size-bytes": "200000"},
                      StreamModel(batched, [Writer(f"{mark}batch", batched, batch=5),
                                            Writer(f"{mark}filtered", batched, filtered=True)])))
        small = f"small-{durability}"
        world.append(({"durability": durability, "stream-max-segment-size-bytes": "50000",
                       "max-length-bytes": "400000"},
                      StreamModel(small, [Writer(f"{mark}small", small, filtered=True)], retained=True)))
    for number in range(3):
        partition = f"fleet-{number}"
        world.append((None, StreamModel(partition, [Writer(f"fleet{number}", partition, filtered=True)])))
    return world


def create_world(connection, world):
    for arguments, model in world:
        if arguments is not None:
            assert connection.create(model.name, **arguments) == OK, model.name
    partitions = [model.name for arguments, model in world if arguments is None]
    assert connection.create_super_stream("fleet", partitions, ["0", "1", "2"], durability="written") == OK


class Publishing(threading.Thread):
    """Writes for one writer over its own connection until the broker is gone."""

    def __init__(self, port, writer, seed):
        super().__init__(daemon=True)
        self.port, self.writer, self.random = port, writer, random.Random(seed)
        self.error = None
        self.confirms = 0
        self.leave = threading.Event()

    def run(self):
        try:
            with Connection(self.port) as connection:
                self.publish(connection)
        except (Closed, OSError):
            pass
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            self.error = error

    def publish(self, connection):
        writer = self.writer
        reference = writer.name if writer.exact else ""
        code = connection.declare(1, writer.stream, reference)
        assert code == OK, f"{writer.name}: declare answers {code}"
        # An exact writer sends again from the first unconfirmed number on; the other never sends one twice.
        next_id = (writer.confirmed if writer.exact else writer.sent) // writer.batch + 1
        if writer.exact:
            code, sequence = connection.query_sequence(reference, writer.stream)
            assert code == OK and sequence * writer.batch >= writer.confirmed, \
                f"{writer.name}: sequence {sequence}, but {writer.confirmed} was confirmed"
            if self.random.random() < 0.5:
                next_id = sequence + 1  # as a client that asks does; the numbers up to there must be stored
                writer.confirm(sequence * writer.batch)
        waiting = 0
        while not self.leave.is_set():
            count = self.random.choice((1, 1, 3, 20, 60))
            entries = [self.entry(number) for number in range(next_id, next_id + count)]
            next_id += count
            writer.sent = max(writer.sent, (next_id - 1) * writer.batch)
            connection.send_raw(connection.publish_frame(1, entries, 2 if writer.filtered else 1))
            waiting += count
            while waiting > IN_FLIGHT_MAX * 60 or (waiting and self.random.random() < 0.5):
                waiting -= self.take_confirms(connection)
        while waiting:
            waiting -= self.take_confirms(connection)

    def entry(self, number):
        writer = self.writer
        if writer.batch > 1:
            first = (number - 1) * writer.batch + 1
            return number, sub_batch([body(writer.name, first + index) for index in range(writer.batch)])
        data = simple_entry(body(writer.name, number))
        return (number, filter_value(number), data) if writer.filtered else (number, data)

    def take_confirms(self, connection):
        reader = Reader(connection.next(PUBLISH_CONFIRM, timeout=20).body)
        reader.u8()
        ids = reader.list(reader.u64)
        for number in ids:
            self.writer.confirm(number * self.writer.batch)
        self.confirms += len(ids)
        return len(ids)


class Consuming(threading.Thread):
    """Reads one stream from its end and stores its place, until the broker is gone."""

    def __init__(self, port, model, tracking):
        super().__init__(daemon=True)
        self.port, self.model, self.tracking = port, model, tracking
        self.read, self.error = [], None

    def run(self):
        try:
            with Connection(self.port, deliver_v2=True) as connection:
                assert connection.subscribe(1, self.model.name, at_offset(self.model.end), name="app") == OK
                while True:
                    chunk = connection.deliver(timeout=30)
                    self.read += [(message.offset, parse(message.data)) for message in chunk.messages()]
                    connection.credit(1)
                    offset = self.read[-1][0]
                    self.tracking["sent"] = offset
                    connection.store_offset("app", self.model.name, offset)
                    code, stored = connection.query_offset("app", self.model.name)
                    if code == OK:
                        self.tracking["known"] = max(self.tracking["known"], stored)
        except (Closed, OSError):
            pass
        except BaseException as error:  # noqa: BLE001
            self.error = error


class CrashTest:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.broker = Broker()
        self.world = build_world()
        self.models = [model for _, model in self.world]
        self.tracking = {model.name: {"sent": -1, "known": -1, "kept": -1} for model in self.models}
        self.kills = self.stops = self.torn = self.early = self.confirms = self.checked = 0

    def round(self):
        """Publishes for a moment, ends the broker somehow, starts it again."""
        broker, seed = self.broker, self.random.getrandbits(32)
        writers = [writer for model in self.models for writer in model.writers.values()]
        publishing = [Publishing(broker.port, writer, seed + index)
                      for index, writer in enumerate(self.random.sample(writers, 5))]
        consuming = [Consuming(broker.port, model, self.tracking[model.name])
                     for model in self.random.sample([m for m in self.models if not m.retained], 2)]
        for thread in publishing + consuming:
            thread.start()
        time.sleep(self.random.uniform(0.005, 0.12))
        if self.random.random() < 0.08:
            code = broker.stop()
            assert code == 0, f"a clean stop ended with {code}"
            self.stops += 1
        else:
            broker.kill()
            self.kills += 1
        for thread in publishing + consuming:
            thread.join(scaled(30))
            assert not thread.is_alive(), "a client hangs although the broker is gone"
            if thread.error is not None:
                raise thread.error
        self.confirms += sum(thread.confirms for thread in publishing)
        for thread in consuming:
            for offset, entry in thread.read:
                thread.model.learn(offset, entry)
        for tracking in self.tracking.values():
            # StoreOffset has no answer, so a kill may take the newest; but what a query has told is there for good.
            tracking["kept"] = max(tracking["kept"], tracking["known"])
        if self.random.random() < 0.15:
            self.tear()
        while self.random.random() < 0.1:
            self.kill_while_starting()
        broker.start()

    def tear(self):
        """Leaves behind a log what a write cut short by a crash may leave: the beginning of a chunk, or noise."""
        newest = {}
        for path in self.broker.data_dir.rglob("*.log"):
            if len(path.stem) == 20 and path.stem.isdigit() and path.stat().st_size > 0:
                newest[path.parent] = max(newest.get(path.parent, path), path)
        if newest:
            path = self.random.choice(sorted(newest.values()))
            data = path.read_bytes()
            start = self.random.randrange(len(data))
            piece = self.random.choice((data[-200:-1], data[start:start + 300], self.random.randbytes(100), b"\0" * 64,
                                        b"\x50\x00\x00\x01" + bytes(30)))
            with open(path, "ab") as file:
                file.write(piece)
            self.torn += 1

    def kill_while_starting(self):
        with open(self.broker.log_path, "ab") as log:
            process = subprocess.Popen(self.broker.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        time.sleep(self.random.uniform(0, 0.08))
        process.kill()
        process.wait()
        self.early += 1

    def check(self, full=False):
        with Connection(self.broker.port, deliver_v2=True) as connection:
            for model in self.models:
                self.checked += model.check(connection, full)
                code, offset = connection.query_offset("app", model.name)
                tracking = self.tracking[model.name]
                stored = offset if code == OK else -1
                assert code in (OK, NO_OFFSET)
                assert stored >= tracking["kept"], f"{model.name}: offset {tracking['kept']} was kept, now {stored}"
                assert stored <= tracking["sent"]
                tracking["known"] = tracking["kept"] = stored
            if full:
                for model in self.models:
                    model.check_filter(connection)
                assert connection.partitions("fleet") == (OK, [f"fleet-{number}" for number in range(3)])
        memory = self.broker.rss_bytes()
        assert memory < 500e6, f"the broker takes {memory / 1e6:.0f} MB"

    def run(self, kills, seconds):
        self.broker.start()
        with Connection(self.broker.port) as connection:
            create_world(connection, self.world)
        end = time.monotonic() + seconds
        while self.kills < kills and time.monotonic() < end:
            self.round()
            self.check(full=self.kills % 25 == 24)
            if sys.stdout.isatty():
                print(f"\r{self.kills} kills, {self.confirms} confirmed ", end="", flush=True)
        self.check(full=True)
        assert self.confirms > 0, "nothing was ever confirmed"
        assert self.broker.stop() == 0


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, help="how many; without it as many as fit in --seconds")
    options.add_argument("--seconds", type=float, help="at most so long (25 without --kills)")
    options.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    options.add_argument("--keep", action="store_true", help="keep the data directory")
    options = options.parse_args()
    kills = options.kills or 10 ** 9
    seconds = options.seconds or (25 if options.kills is None else 10 ** 9)
    test = CrashTest(options.seed)
    try:
        test.run(kills, seconds)
    except BaseException:
        test.broker.kill()
        print(f"seed {options.seed}; data and log are in {test.broker.own_dir} after {test.kills} kills\n"
              + test.broker.log_text()[-4000:], file=sys.stderr)
        raise
    print(f"{test.kills} kills ({test.early} more during start-up), {test.stops} clean stops, {test.torn} torn tails: "
          f"{test.confirms} confirms held, {test.checked} messages checked, seed {options.seed}")
    if not options.keep:
        test.broker.remove()


if __name__ == "__main__":
    main()
