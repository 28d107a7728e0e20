# SPDX-License-Identifier: Apache-2.0
"""The disk gets full under AMQP queues: publishers get nacks, consumers a cancel, whoever asks a refusal, the log says
what to do, and after the restart everything that was confirmed is there."""
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import surroundings_test
from amqp_wire import Connection
from broker import Broker, scaled

PERSISTENT = {"delivery_mode": 2}


class FullDisk(unittest.TestCase):
    SIZE_MIB = 96
    setUp, tearDown = surroundings_test.FullDisk.setUp, surroundings_test.FullDisk.tearDown

    def connect(self, broker):
        connection = Connection(broker.amqp_port, capabilities=("consumer_cancel_notify",))
        self.addCleanup(connection.close)
        connection.open_channel()
        return connection

    def fill(self, broker):
        """Publishes until the first nack; the numbers that were confirmed."""
        publisher, confirmed = self.connect(broker), set()
        publisher.call(1, "confirm.select")
        for first in range(1, 40 * self.SIZE_MIB, 10):
            numbers = range(first, first + 10)
            publisher.send_raw(b"".join(publisher.publish_bytes(1, "", "full", b"%d " % number + b"x" * 50000, PERSISTENT)
                                        for number in numbers))
            waiting = set(numbers)
            while waiting:
                answer = publisher.next("basic.ack", "basic.nack", timeout=20)
                tags = {tag for tag in waiting if tag == answer.delivery_tag
                        or (answer.multiple and tag <= answer.delivery_tag)}
                waiting -= tags
                if answer.name == "basic.nack":
                    return confirmed
                confirmed |= tags
        return self.fail("the disk never got full")

    def test_nothing_confirmed_is_lost_and_everybody_hears_of_it(self):
        # The alarm is off, so that the disk really fills up under the writes.
        broker = Broker(data_dir=pathlib.Path(self.mount, "data"), options={"disk_free_limit.absolute": "1"})
        with broker:
            reader = self.connect(broker)
            reader.call(1, "queue.declare", queue="full", durable=True)
            reader.call(1, "basic.qos", prefetch_count=1)
            reader.call(1, "basic.consume", queue="full", consumer_tag="c")
            confirmed = self.fill(broker)
            self.assertGreater(len(confirmed), 100)
            self.assertEqual(reader.next("basic.deliver").body[:2], b"1 ")
            self.assertEqual(reader.next("basic.cancel").consumer_tag, "c")
            reader.send(1, "basic.get", queue="full")
            closed = reader.closed_with()
            self.assertEqual(closed[:2], ("channel", 404), closed)
            self.assertIn("is down: the journal it is stored in failed", closed[2])
            self.assertTrue(broker.is_running())
            self.assertIn("make room on the disk or repair it, then restart the broker", broker.log_text())
            broker.kill()
            subprocess.run(["mount", "-o", f"remount,size={self.SIZE_MIB * 3}m", self.mount], check=True)
            broker.start()
            again = self.connect(broker)
            again.call(1, "basic.consume", queue="full", no_ack=True)
            got = []
            while not confirmed <= set(got):
                got.append(int(again.next("basic.deliver", timeout=scaled(20)).body.split(b" ")[0]))
            self.assertEqual(got, sorted(set(got)))
            publisher = self.connect(broker)
            publisher.call(1, "confirm.select")
            publisher.publish(1, "", "full", b"0 after", PERSISTENT)
            self.assertEqual(publisher.next("basic.ack", timeout=scaled(20)).delivery_tag, 1)


if __name__ == "__main__":
    unittest.main()
