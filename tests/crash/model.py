# SPDX-License-Identifier: Apache-2.0
"""What the crash test knows about a stream, and how it compares that with what the broker serves.

Every message says who wrote it and its number, "name number ....", so whatever is read back can be judged by
itself. A stream's model holds what was confirmed and what was ever read at which offset; `check` reads the stream
again and demands: everything confirmed is there, once, in order of its writer, and every offset still holds what it
held.
"""
import random

from stream_wire import OK, at_offset

OVERLAP = 300  # offsets read again at each check; everything at a full one


def body(name, number):
    """The message of a number. Sizes differ: mostly small, some of several pages."""
    size = number * 7919 % 150 if number % 97 else 20000
    return b"%s %d " % (name.encode(), number) + b"." * size


def parse(data):
    name, number, _ = data.split(b" ", 2)
    name, number = name.decode(), int(number)
    if data != body(name, number):
        raise AssertionError(f"message {name} {number} came back changed")
    return name, number


def filter_value(number):
    return f"f{number % 7}"


class Writer:
    """What one publisher sent and what of it was confirmed. Numbers start at 1.

    exact: writes with a reference and sends again, after a crash, all that was not confirmed: nothing may be missing
    and nothing twice. Otherwise unconfirmed messages are not sent again: each is there or not.
    """

    def __init__(self, name, stream, exact=True, batch=1, filtered=False):
        self.name, self.stream, self.exact, self.batch, self.filtered = name, stream, exact, batch, filtered
        self.sent = 0       # the highest number sent
        self.confirmed = 0  # all up to here are confirmed (exact)
        self.unseen = set()  # confirmed numbers that no check has seen yet (not exact)
        self.seen = 0       # the highest number read back

    def confirm(self, number):
        if self.exact:
            self.confirmed = max(self.confirmed, number)
        else:
            self.unseen.add(number)


class StreamModel:
    def __init__(self, name, writers, retained=False):
        self.name, self.retained = name, retained
        self.writers = {writer.name: writer for writer in writers}
        self.held = {}  # offset -> (writer, number)
        self.end = 0    # the offset after the last one known

    def learn(self, offset, entry):
        """Something was read: the offset must hold what it held before."""
        known = self.held.get(offset)
        if known is None:
            self.held[offset] = entry
        elif known != entry:
            raise AssertionError(f"{self.name}: offset {offset} held {known} and now holds {entry}")

    def read(self, connection, spec, filters=None):
        """Everything from there to the committed end, as [(offset, (writer, number))]."""
        code, stats = connection.stats(self.name)
        assert code == OK, f"{self.name}: statistics answer {code}"
        last = stats["committed_offset"]
        if last < 0 or (spec[0] == 4 and spec[1] > last):
            return [], last
        code = connection.subscribe_with(1, self.name, spec, 50, filters or {})
        assert code == OK, f"{self.name}: subscribe answers {code}"
        got = []
        if filters:
            # A filtered read ends with the first message that the filter lets pass behind the end known here.
            end = self.marker(connection)
            while not got or got[-1][1] != ("marker", end):
                got += self.take(connection)
            got = [item for item in got if item[0] <= last]
        else:
            while not got or got[-1][0] < last:
                got += self.take(connection)
        assert connection.unsubscribe(1) == OK
        connection.waiting.clear()
        offsets = [offset for offset, _ in got]
        assert offsets == sorted(set(offsets)), f"{self.name}: offsets are not increasing"
        return [item for item in got if spec[0] != 4 or item[0] >= spec[1]], last

    def marker(self, connection):
        number = random.getrandbits(40)
        self.markers = getattr(self, "markers", set()) | {number}
        assert connection.declare(250, self.name) == OK
        connection.publish(250, [body("marker", number)], first_id=1, filter_value="f3")
        connection.confirms(1)
        assert connection.delete_publisher(250) == OK
        return number

    @staticmethod
    def take(connection):
        chunk = connection.deliver()
        connection.credit(1)
        return [(message.offset, parse(message.data)) for message in chunk.messages()]

    def check(self, connection, full=False):
        """Compares with what the broker serves now; returns how many messages were read."""
        start = 0 if full else max(0, self.end - OVERLAP)
        got, last = self.read(connection, at_offset(start))
        if self.held:
            newest = max(self.held)
            assert last >= newest, f"{self.name}: {newest} was delivered before, now the stream ends at {last}"
        first = got[0][0] if got else 0
        if not self.retained:
            have = {offset for offset, _ in got}
            missing = sorted(offset for offset in self.held if start <= offset <= last and offset not in have)
            assert not missing, f"{self.name}: offsets {missing[:5]} were delivered before and are gone"
        for offset, entry in got:
            self.learn(offset, entry)
        self.check_writers([item for item in got if item[0] >= self.end], first)
        self.end = max(self.end, last + 1)
        if full:
            self.check_writers_whole(got)
        return len(got)

    def check_writers(self, fresh, first):
        # Retention may have dropped what no check has seen: then each writer starts anew, once.
        jumps = set(self.writers) if self.retained and first >= self.end else set()
        for offset, (name, number) in fresh:
            if name == "marker":
                continue
            writer = self.writers[name]
            assert number > writer.seen, f"{self.name}: {name} {number} at {offset} comes after {writer.seen}"
            if writer.exact and name not in jumps:
                assert number == writer.seen + 1, f"{self.name}: {name} {number} at {offset} follows {writer.seen}"
            assert number <= writer.sent, f"{self.name}: {name} {number} was never sent"
            jumps.discard(name)
            writer.seen = number
            writer.unseen.discard(number)
        for writer in self.writers.values():
            if writer.exact:
                assert writer.seen >= writer.confirmed, \
                    f"{self.name}: {writer.name} {writer.confirmed} was confirmed, only {writer.seen} is there"
            elif not self.retained:
                assert not writer.unseen, \
                    f"{self.name}: confirmed and gone: {writer.name} {sorted(writer.unseen)[:10]}"

    def check_writers_whole(self, got):
        """Over the whole stream: each number at most once, exact writers without a gap."""
        numbers = {}
        for _, (name, number) in got:
            numbers.setdefault(name, []).append(number)
        for name, have in numbers.items():
            if name == "marker":
                continue
            assert have == sorted(set(have)), f"{self.name}: {name} is doubled or out of order"
            if self.writers[name].exact:
                assert have == list(range(have[0], have[-1] + 1)), f"{self.name}: {name} has gaps"
                assert self.retained or have[0] == 1

    def check_filter(self, connection):
        """A filtered read gets what the unfiltered one would, and nothing else of it."""
        everything, last = self.read(connection, (1, None))
        filtered, _ = self.read(connection, (1, None), {"filter.0": "f3"})
        first = everything[0][0] if everything else 0
        wanted = [item for item in everything if item[0] <= last and self.passes(*item[1])]
        got = [item for item in filtered if first <= item[0] <= last and self.passes(*item[1])]
        assert got == wanted, f"{self.name}: the filter gave {len(got)} messages instead of {len(wanted)}"
        for offset, entry in got:
            self.learn(offset, entry)

    def passes(self, name, number):
        if name == "marker":
            return True
        return self.writers[name].filtered and filter_value(number) == "f3"
