# SPDX-License-Identifier: Apache-2.0
"""What the AMQP crash test knows about a queue, and how it compares that with what the broker holds after a restart.

Every message says who wrote it and its number. A QueueModel knows what was sent, confirmed, delivered and settled, and
what the last check found; `check` takes everything that is in the queue now and demands: each confirmed and unsettled
message once and in its place; nothing that was seen to be gone comes back; what somebody may have got before is flagged.
"""
import threading


def body(writer, number):
    """The message of a number. Sizes differ: mostly small, some of several frames."""
    size = number * 7919 % 150 if number % 151 else 200000 if number % 302 else 5000
    return b"%s %d " % (writer.encode(), number) + b"." * size


def parse(data):
    writer, number, _ = data.split(b" ", 2)
    writer, number = writer.decode(), int(number)
    if data != body(writer, number):
        raise AssertionError(f"message {writer} {number} came back changed")
    return writer, number


class Writer:
    """What one publisher sent to an exchange, and what was confirmed. Numbers start at 1 and are never sent twice."""

    def __init__(self, name, exchange, key, queues, persistent=True):
        self.name, self.exchange, self.key, self.queues, self.persistent = name, exchange, key, queues, persistent
        self.sent = 0

    def take_number(self):
        self.sent += 1
        for queue in self.queues:
            queue.on_sent((self.name, self.sent), self.persistent)
        return self.sent

    def confirm(self, number):
        for queue in self.queues:
            queue.on_confirmed((self.name, number))


class QueueModel:
    def __init__(self, name, **arguments):
        self.name = name
        self.arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.lock = threading.Lock()
        self.open = {}  # message -> None; sent and not yet seen to be gone; in the order of sending
        self.confirmed, self.delivered, self.settled, self.transient = set(), set(), set(), set()
        self.surely_settled = set()  # the broker had the time to write the settlement down
        self.order = []  # what the last check found
        self.highest = {}  # writer -> highest number up to which everything is decided
        self.must_move = set()  # rejected, with dead lettering that loses nothing

    def on_sent(self, message, persistent):
        with self.lock:
            self.open[message] = None
            if not persistent:
                self.transient.add(message)

    def on_confirmed(self, message):
        with self.lock:
            self.confirmed.add(message)

    def on_delivered(self, message, redelivered):
        """A consumer got it."""
        with self.lock:
            assert message in self.open, f"{self.name}: {message} is delivered although it was seen to be gone"
            if message in self.delivered:
                assert redelivered, f"{self.name}: {message} is delivered again without the flag"
            self.delivered.add(message)

    def on_settled(self, messages, moved=False):
        with self.lock:
            self.settled.update(messages)
            if moved:
                self.must_move.update(messages)

    def on_surely_settled(self):
        """All that was settled so far may not come back."""
        with self.lock:
            self.surely_settled |= self.settled

    def check(self, found):
        """found: [(message, redelivered)] in the order of delivery, everything that the queue holds."""
        present = [message for message, _ in found]
        have = set(present)
        assert len(have) == len(present), f"{self.name}: twice: {[m for m in have if present.count(m) > 1][:5]}"
        for message, redelivered in found:
            assert message in self.open, f"{self.name}: {message} is back although it was seen to be gone"
            assert redelivered or message not in self.delivered, \
                f"{self.name}: {message} was delivered before, now it comes without the flag"
        lost = [m for m in self.open if m in self.confirmed and m not in self.settled and m not in self.transient
                and m not in have]
        assert not lost, f"{self.name}: confirmed, unsettled and gone: {lost[:5]} ({len(lost)})"
        wrong = have & self.transient
        assert not wrong, f"{self.name}: transient messages survived: {sorted(wrong)[:5]}"
        back = have & self.surely_settled
        assert not back, f"{self.name}: settled for certain and still there: {sorted(back)[:5]} ({len(back)})"
        newest = {}
        for writer, number in present:
            assert newest.get(writer, 0) < number, f"{self.name}: {writer} {number} comes after {newest[writer]}"
            newest[writer] = number
        before = [m for m in self.order if m in have]
        known = set(self.order)
        now = [m for m in present if m in known]
        assert before == now, f"{self.name}: the order changed: {before[:5]} is now {now[:5]}"
        moved = self.must_move - have
        # From here on only what is there counts.
        self.open = dict.fromkeys(present)
        self.order = present
        self.delivered = set(present)
        self.confirmed &= have
        self.settled.clear()
        self.surely_settled.clear()
        self.transient.clear()
        self.must_move.clear()
        return moved
