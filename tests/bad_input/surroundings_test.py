# SPDX-License-Identifier: Apache-2.0
"""Surroundings that do not fit: the broker says what is wrong and exits with a code, or, when the disk fills up while
it runs, refuses what it cannot keep and loses nothing it confirmed.
"""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from broker import Broker, StartError, scaled, until
from stream_wire import FIRST, OK, PUBLISH_CONFIRM, PUBLISH_ERROR, Closed, Connection, Reader


class Refusals(unittest.TestCase):
    def refused(self, broker, *words):
        """Starting must fail with a code above 0 and say all of the words; returns what it printed."""
        self.addCleanup(broker.remove)
        with self.assertRaises(StartError) as caught:
            broker.start(timeout=15)
            broker.kill()
        text = str(caught.exception)
        self.assertNotIn("does not say", text)
        self.assertNotIn("code 0", text)
        self.assertNotRegex(text, r"code -\d", "it was ended by a signal")
        for word in words:
            self.assertIn(word, text)
        return text

    def test_port_in_use(self):
        broker = Broker()
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", broker.port))
            holder.listen()
            self.refused(broker, str(broker.port))

    def test_metrics_port_in_use(self):
        broker = Broker()
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", broker.metrics_port))
            holder.listen()
            self.refused(broker, str(broker.metrics_port))

    def test_two_brokers_on_one_directory(self):
        with Broker() as first:
            second = Broker(data_dir=first.data_dir)
            self.refused(second, str(first.data_dir))
            with Connection(first.port) as connection:
                self.assertEqual(connection.create("still-there"), OK)

    @unittest.skipIf(os.getuid() == 0 and not shutil.which("setpriv"), "root may write everywhere and setpriv is missing")
    def test_a_directory_that_may_not_be_written(self):
        parent = tempfile.mkdtemp(prefix="sluice-readonly-")
        self.addCleanup(shutil.rmtree, parent)
        data = pathlib.Path(parent, "data")
        data.mkdir()
        os.chmod(parent, 0o755)
        os.chmod(data, 0o555)
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"] if os.getuid() == 0 else []
        broker = Broker(data_dir=data, prefix=prefix)
        os.chmod(broker.own_dir, 0o755)
        self.refused(broker, str(data))

    def test_a_data_directory_that_is_a_file(self):
        broker = Broker()
        self.addCleanup(broker.remove)
        broker.data_dir.write_text("not a directory")
        done = subprocess.run(broker.command(), capture_output=True, text=True, timeout=scaled(20))
        self.assertGreater(done.returncode, 0)
        self.assertIn(str(broker.data_dir), done.stdout + done.stderr)

    def test_a_data_directory_of_another_version(self):
        with Broker() as broker:
            with Connection(broker.port) as connection:
                connection.create("s")
            self.assertEqual(broker.stop(), 0)
            marks = [path for path in broker.data_dir.iterdir() if path.is_file() and "version" in path.name.lower()]
            self.assertEqual(len(marks), 1, f"no version file in {list(broker.data_dir.iterdir())}")
            kept = marks[0].read_bytes()
            marks[0].write_text("999999\n")
            with self.assertRaises(StartError) as caught:
                broker.start()
            self.assertRegex(str(caught.exception), r"code [1-9]")
            self.assertIn("999999", str(caught.exception))
            marks[0].write_bytes(kept)
            broker.start()

    def test_wrong_configuration_is_told_all_at_once_with_lines(self):
        broker = Broker(options={"no.such.key": "1", "stream.initial_credits": "many", "stream.frame_max": "-3"})
        text = self.refused(broker, "no.such.key", "stream.initial_credits", "stream.frame_max")
        self.assertRegex(text, r"sluice\.conf:\d+")

    def test_a_configuration_file_that_is_not_there(self):
        broker = Broker()
        self.addCleanup(broker.remove)
        command = broker.command()
        pathlib.Path(command[command.index("--config") + 1]).unlink()
        done = subprocess.run(command, capture_output=True, text=True, timeout=scaled(20))
        self.assertGreater(done.returncode, 0)
        self.assertIn("sluice.conf", done.stdout + done.stderr)

    def test_a_configuration_file_that_is_a_directory(self):
        broker = Broker()
        self.addCleanup(broker.remove)
        command = broker.command()
        command[command.index("--config") + 1] = str(broker.own_dir)
        done = subprocess.run(command, capture_output=True, text=True, timeout=scaled(20))
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn(f"cannot read the configuration file {broker.own_dir}: Is a directory", done.stderr)

    def test_unknown_flags(self):
        broker = Broker()
        self.addCleanup(broker.remove)
        done = subprocess.run([*broker.command(), "--no-such-flag"], capture_output=True, text=True, timeout=scaled(20))
        self.assertGreater(done.returncode, 0)
        self.assertIn("no-such-flag", done.stdout + done.stderr)


class FullDisk(unittest.TestCase):
    SIZE_MIB = 96

    def setUp(self):
        if os.getuid() != 0:
            self.skipTest("mounting a small disk needs root")
        self.mount = tempfile.mkdtemp(prefix="sluice-disk-")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE_MIB}m", "tmpfs", self.mount],
                              capture_output=True, text=True)
        if done.returncode != 0:
            os.rmdir(self.mount)
            self.skipTest(f"mounting a small disk is not allowed here: {done.stderr.strip()}")

    def tearDown(self):
        with contextlib.suppress(FileNotFoundError):
            subprocess.run(["umount", self.mount], check=False)
            os.rmdir(self.mount)

    def test_what_was_confirmed_survives_a_full_disk(self):
        # The alarm is off, so that the disk really fills up under the writes.
        broker = Broker(data_dir=pathlib.Path(self.mount, "data"), options={"disk_free_limit.absolute": "1"})
        with broker:
            confirmed, refused = self.fill(broker.port)
            self.assertGreater(len(confirmed), 100)
            self.assertTrue(refused, "the disk never got full")
            self.assertTrue(broker.is_running())
            with Connection(broker.port) as connection:
                connection.metadata("full")
            self.assertTrue(broker.log_text().strip())
            broker.kill()
            # Room again: everything confirmed is there, in order, and publishing works.
            subprocess.run(["mount", "-o", f"remount,size={self.SIZE_MIB * 3}m", self.mount], check=True)
            broker.start()
            with Connection(broker.port) as connection:
                self.assertEqual(connection.subscribe(1, "full", FIRST, credit=50), OK)
                code, stats = connection.stats("full")
                self.assertEqual(code, OK)
                got = connection.read(1, stats["committed_offset"] + 1)
                numbers = [int(message.data.split(b" ")[0]) for message in got]
                self.assertEqual(numbers, sorted(set(numbers)))
                self.assertLessEqual(set(confirmed), set(numbers))
                connection.publish_and_wait("full", [b"%d after" % (max(numbers) + 1)])

    def fill(self, port):
        """Publishes until something is refused: (confirmed ids, True when it came to that)."""
        confirmed, next_id, refused = [], 1, False
        with Connection(port) as connection:
            self.assertEqual(connection.create("full"), OK)
            self.assertEqual(connection.declare(1, "full"), OK)
            try:
                while not refused and next_id < 40 * self.SIZE_MIB * 4:
                    connection.publish(1, [b"%d " % number + b"x" * 50000 for number in range(next_id, next_id + 10)],
                                       first_id=next_id)
                    waiting, next_id = 10, next_id + 10
                    while waiting > 0:
                        got = connection.next(PUBLISH_CONFIRM, PUBLISH_ERROR, timeout=5)
                        reader = Reader(got.body)
                        reader.u8()
                        if got.key == PUBLISH_CONFIRM:
                            ids = reader.list(reader.u64)
                            confirmed += ids
                            waiting -= len(ids)
                        else:
                            waiting -= len(reader.list(lambda r=reader: (r.u64(), r.u16())))
                            refused = True
            except (TimeoutError, Closed, OSError):
                refused = True
        return confirmed, refused

    def test_below_the_free_space_limit_publishers_wait_and_readers_go_on(self):
        broker = Broker(data_dir=pathlib.Path(self.mount, "data"), options={"disk_free_limit.absolute": "64MB"})
        with broker, Connection(broker.port) as connection:
            self.assertEqual(connection.create("alarmed"), OK)
            connection.publish_and_wait("alarmed", [b"x" * 1000] * 100)
            ballast = pathlib.Path(self.mount, "ballast")
            ballast.write_bytes(bytes(50 << 20))

            def alarmed():
                code = connection.declare(1, "alarmed")
                if code == OK:
                    self.assertEqual(connection.delete_publisher(1), OK)
                return code == 17
            until("declaring a publisher is refused under a disk alarm", alarmed, 15)
            self.assertEqual(connection.subscribe(1, "alarmed"), OK)
            self.assertEqual(len(connection.read(1, 100)), 100)
            ballast.unlink()
            until("the alarm is lifted", lambda: connection.declare(1, "alarmed") == OK, 15)


if __name__ == "__main__":
    unittest.main()
