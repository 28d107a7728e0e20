# SPDX-License-Identifier: Apache-2.0
"""sluicectl against a real server: every command, both formats, exit codes; and the metrics page as a whole."""
import json
import os
import pathlib
import re
import socket
import stat
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from broker import BIN, scaled
from case import BrokerCase
from stream_wire import OK


def run(data_dir, *words):
    return subprocess.run([BIN / "sluicectl", *words], env={**os.environ, "SLUICE_DATA_DIR": str(data_dir)},
                          capture_output=True, text=True, timeout=scaled(30))


class Ctl(BrokerCase):
    options = {"stream.heartbeat": 30, "log.console.level": "debug"}

    def setUp(self):
        self.only_sluice("sluicectl speaks to sluice only")

    def ctl(self, *words, code=0):
        done = run(self.broker.data_dir, *words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def rows(self, *words):
        return json.loads(self.ctl(*words, "--formatter", "json"))

    def test_status_version_ping(self):
        status = self.rows("status")
        self.assertEqual(status["pid"], self.broker.process.pid)
        self.assertEqual(status["data_dir"], str(self.broker.data_dir))
        self.assertIn(f"stream 127.0.0.1:{self.broker.port}", status["listeners"])
        self.assertGreater(status["memory_bytes"], 1 << 20)
        self.assertEqual(self.ctl("ping"), "Ping succeeded\n")
        self.assertEqual(self.ctl("ping", "-q"), "")
        self.assertRegex(self.ctl("version"), r"^\d+\.\d+\.\d+\n$")
        self.assertGreater(status["memory_limit_bytes"], 1 << 20)
        self.assertEqual((status["memory_alarm"], status["disk_alarm"]), (False, False))

    def test_environment_shows_values_and_their_sources(self):
        settings = {row["key"]: row for row in self.rows("environment")}
        heartbeat = settings["stream.heartbeat"]
        self.assertEqual((heartbeat["value"], heartbeat["default"]), ("30", "60"))
        self.assertRegex(heartbeat["source"], r"sluice\.conf:\d+$")
        self.assertEqual(settings["default_pass"]["value"], "(hidden)")

    def test_streams_are_added_listed_and_deleted(self):
        stream = self.name()
        self.assertEqual(self.ctl("add_stream", stream, "--max-age", "7D"), f"Adding stream {stream} ...\n")
        with self.subTest("twice"):
            self.assertIn("exists", self.ctl("add_stream", stream, "--max-age", "8D", code=65))
        connection = self.connect()
        connection.publish_and_wait(stream, [b"x" * 10] * 50)
        row = next(row for row in self.rows("list_streams") if row["name"] == stream)
        self.assertEqual((row["messages"], row["segments"], row["state"]), (50, 1, "running"))
        self.assertEqual(row["arguments"]["max-age"], "7D")
        lines = self.ctl("list_streams", "name", "messages").splitlines()
        self.assertEqual(lines[:2], ["Listing streams ...", "name\tmessages"])
        self.assertIn(f"{stream}\t50", lines)
        status, = self.rows("stream_status", stream)
        self.assertEqual((status["committed_offset"], status["first_offset"], status["role"]), (49, 0, "leader"))
        self.ctl("delete_stream", stream, "-q")
        self.assertNotIn(stream, self.ctl("list_streams"))
        self.assertIn("not found", self.ctl("delete_stream", stream, code=65))

    def test_super_streams(self):
        name = self.name()
        self.ctl("add_super_stream", name, "--partitions", "2")
        names = [row["name"] for row in self.rows("list_streams")]
        self.assertIn(f"{name}-0", names)
        self.assertIn(f"{name}-1", names)
        self.assertNotIn(f"{name}-2", names)
        self.ctl("delete_super_stream", name)
        self.assertNotIn(f"{name}-0", self.ctl("list_streams"))
        self.ctl("add_super_stream", name, "--binding-keys", "kr,jp")
        self.assertIn(f"{name}-kr", self.ctl("list_streams"))
        self.ctl("add_super_stream", name + "x", "--partitions", "2", "--binding-keys", "a", code=65)

    def test_connections_publishers_consumers_and_tracking(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        connection.publish_and_wait(stream, [b"m"] * 10, reference="writer-1")
        self.assertEqual(connection.declare(7, stream, "writer-2"), OK)
        self.assertEqual(connection.subscribe(3, stream, credit=5), OK)
        connection.store_offset("reader-1", stream, 4)
        self.assertEqual(connection.query_offset("reader-1", stream), (OK, 4))
        ours = [row for row in self.rows("list_stream_connections") if row["publishers"] == 1]
        self.assertEqual((ours[0]["user"], ours[0]["vhost"], ours[0]["subscriptions"]), ("guest", "/", 1))
        publisher = next(row for row in self.rows("list_stream_publishers") if row["stream"] == stream)
        self.assertEqual((publisher["publisher_id"], publisher["reference"]), (7, "writer-2"))
        consumer = next(row for row in self.rows("list_stream_consumers") if row["stream"] == stream)
        self.assertEqual((consumer["subscription_id"], consumer["active"]), (3, True))
        tracking = self.rows("list_stream_tracking", stream)
        self.assertIn({"type": "offset", "name": "reader-1", "tracking_value": 4}, tracking)
        self.assertIn("writer-1", [row["name"] for row in tracking if row["type"] == "writer"])
        self.assertEqual(self.rows("stream_status", stream, "--tracking", "--offset"),
                         [row for row in tracking if row["type"] == "offset"])
        self.ctl("reset_offset", "--stream", stream, "--reference", "reader-1")
        self.assertEqual(connection.query_offset("reader-1", stream), (OK, 0))

    def test_consumer_groups(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        for number in (1, 2):
            self.assertEqual(connection.subscribe(number, stream, name="group-1", single_active_consumer="true"), OK)
        group = next(row for row in self.rows("list_stream_consumer_groups") if row["stream"] == stream)
        self.assertEqual((group["reference"], group["consumers"], group["partition_index"]), ("group-1", 2, -1))
        members = self.rows("list_stream_group_consumers", "--stream", stream, "--reference", "group-1")
        self.assertEqual(len(members), 2)
        self.assertEqual(sum(member["state"].startswith("active") for member in members), 1)

    def test_mistakes_have_their_exit_codes(self):
        self.assertIn("Command 'lst' not found", self.ctl("lst", code=64))
        self.assertIn("Did you mean 'list_queues'?", self.ctl("list_queus", code=64))
        self.assertIn("<stream> is missing", self.ctl("add_stream", code=64))
        self.assertIn("--reference is missing", self.ctl("reset_offset", "--stream", "s", code=64))
        self.assertIn("Info key(s) colour are not supported", self.ctl("list_streams", "colour", code=64))
        self.assertIn("'xml' is no formatter", self.ctl("list_streams", "--formatter", "xml", code=64))
        self.assertIn("whole number", self.ctl("add_super_stream", "s", "--partitions", "two", code=64))
        text = self.ctl("purge_queue", "a", "b", code=64)
        self.assertIn("Error (argument validation): too many arguments: 'b'", text)
        self.assertIn("Usage\n\nsluicectl purge_queue <queue> [options]", text)
        self.ctl("stream_status", "nobody", code=65)
        with tempfile.TemporaryDirectory() as empty:
            done = run(empty, "status")
            self.assertEqual(done.returncode, 69)
            self.assertIn(f"no server answers at {empty}/sluice.sock", done.stderr)

    def test_help_names_every_command_and_column(self):
        text = self.ctl("help")
        for command in re.findall(r"^  (\w+) ", text.split("Commands:")[1], re.MULTILINE):
            self.assertIn("Usage:", self.ctl("help", command))
        self.assertIn("offset_lag *", self.ctl("list_stream_consumers", "--help"))

    def test_only_the_owner_may_use_the_socket(self):
        mode = os.stat(self.broker.data_dir / "sluice.sock").st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_nonsense_on_the_socket_is_answered(self):
        for text, status in ((b"nonsense\r\n\r\n", b" 400 "), (b"GET /api/command/ping HTTP/1.1\r\n\r\n", b" 405 "),
                             (b"POST /api/command/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b" 404 "),
                             (b"POST /api/command/list_streams HTTP/1.1\r\nContent-Length: 3\r\n\r\n{x}", b" 400 "),
                             (b"POST /api/command/add_stream HTTP/1.1\r\nContent-Length: 11\r\n\r\n{\"strm\":\"\"}",
                              b" 400 ")):
            with self.subTest(text=text), socket.socket(socket.AF_UNIX) as client:
                client.settimeout(scaled(5))
                client.connect(str(self.broker.data_dir / "sluice.sock"))
                client.sendall(text)
                self.assertIn(status, client.recv(4096).split(b"\r\n")[0] + b" ")

    def test_the_metrics_page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.broker.metrics_port}/metrics", timeout=10) as answer:
            self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
            text = answer.read().decode()
        families = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
        self.assertEqual(len(families), len({name for name, _ in families}), "each family stands once")
        samples = [line.rsplit(" ", 1)[0] for line in text.splitlines() if line and line[0] != "#"]
        self.assertEqual(len(samples), len(set(samples)), "each sample stands once")
        for name in ("rabbitmq_identity_info", "rabbitmq_build_info", "rabbitmq_process_resident_memory_bytes",
                     "rabbitmq_process_open_fds", "rabbitmq_disk_space_available_bytes",
                     "rabbitmq_erlang_uptime_seconds", "rabbitmq_global_messages_received_total",
                     "rabbitmq_global_publishers", "sluice_bytes_sent_total"):
            self.assertTrue(any(sample.split("{")[0] == name for sample in samples), name)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{self.broker.metrics_port}/nothing", timeout=10)
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()


if __name__ == "__main__":
    unittest.main()
