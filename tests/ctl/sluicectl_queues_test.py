# SPDX-License-Identifier: Apache-2.0
"""sluicectl's commands for queues, exchanges, connections, policies and vhosts against a real server that pika uses."""
import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from broker import BIN, scaled
from amqp_case import AmqpCase, ChannelClosedByBroker, Consumer, pika, until


class Queues(AmqpCase):
    def setUp(self):
        super().setUp()
        self.only_sluice("sluicectl speaks to sluice only")

    def ctl(self, *words, code=0):
        done = subprocess.run([BIN / "sluicectl", *words], capture_output=True, text=True, timeout=scaled(30),
                              env={**os.environ, "SLUICE_DATA_DIR": str(self.broker.data_dir)})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def rows(self, *words):
        return json.loads(self.ctl(*words, "--formatter", "json"))

    def row(self, queue, *words):
        return next(row for row in self.rows("list_queues", *words) if row["name"] == queue)

    def test_list_queues_as_rabbitmqctl_prints_them(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_length=10, x_single_active_consumer=True)
        self.publish(ch, queue, "a", "b")
        ch.basic_get(queue)
        lines = self.ctl("list_queues").splitlines()
        self.assertEqual(lines[:3], ["Timeout: 60.0 seconds ...", "Listing queues for vhost / ...", "name\tmessages"])
        self.assertIn(f"{queue}\t2", lines)
        lines = self.ctl("list_queues", "-q", "name", "arguments", "durable", "messages_ready", "type").splitlines()
        self.assertIn(f'{queue}\t[{{"x-max-length",10}},{{"x-single-active-consumer",true}},'
                      '{"x-queue-type","classic"}]\ttrue\t1\tclassic', lines)
        row = self.row(queue)
        self.assertEqual((row["messages"], row["messages_ready"], row["messages_unacknowledged"]), (2, 1, 1))
        self.assertEqual(row["arguments"]["x-max-length"], 10)
        self.assertEqual((row["state"], row["vhost"], row["exclusive"]), ("running", "/", False))
        self.assertEqual((row["messages_persistent"], row["messages_ram"], row["leader"]), (0, 0, ""))
        self.assertGreater(row["memory"], 100)
        self.assertIn("Info key(s) no_such_column", self.ctl("list_queues", "no_such_column", code=64))
        self.assertIn("Virtual host 'nope' does not exist", self.ctl("list_queues", "-p", "nope", code=65))

    def test_the_formats_of_rabbitmqctl(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch, x_max_length=10)
        self.publish(ch, queue, "a")
        ask = ("list_queues", "name", "arguments", "messages")
        self.assertIn(f'"{queue}","[{{""x-max-length"",10}},{{""x-queue-type"",""classic""}}]","1"',
                      self.ctl(*ask, "--formatter", "csv").splitlines())
        self.assertEqual(self.ctl(*ask, "--formatter=csv").splitlines()[0], '"name","arguments","messages"')
        self.assertIn(f'[{{name,<<"{queue}">>}},{{messages,1}}]',
                      self.ctl("list_queues", "--formatter", "erlang", "name", "messages"))
        self.assertRegex(self.ctl("list_queues", "--formatter", "pretty_table"), f"│ {queue} +│ 1 +│\n")
        for words in (["-q", "list_queues"], ["list_queues", "--quiet"]):
            self.assertEqual(self.ctl(*words).splitlines()[0], "name\tmessages")
        for words in (["-s", "list_queues"], ["list_queues", "-q", "--no-table-headers"]):
            self.assertIn("\t", self.ctl(*words).splitlines()[0])
            self.assertNotIn("name\tmessages", self.ctl(*words))
        self.assertIn(queue, self.ctl("list_queues", "--online", "--local"))
        self.assertNotIn(queue, self.ctl("list_queues", "--offline"))

    def test_what_rabbitmqctl_tells_of_queues_consumers_and_owners(self):
        connection = self.connect()
        ch = self.channel(connection=connection, confirm=True)
        owned, alone, durable = self.queue(ch, exclusive=True), self.queue(ch), self.queue(ch)
        for n in range(3):
            self.publish(ch, durable, "12345", delivery_mode=1 + n % 2)
        consumer = Consumer(ch, alone, exclusive=True)
        channel = next(row for row in self.rows("list_channels") if row["consumer_count"] == 1)
        self.assertEqual(self.row(owned)["owner_pid"], channel["connection"])
        row = self.row(alone)
        self.assertEqual((row["exclusive_consumer_tag"], row["exclusive_consumer_pid"]), (consumer.tag, channel["pid"]))
        row = self.row(durable)
        self.assertEqual((row["messages_persistent"], row["message_bytes_persistent"], row["message_bytes"]), (1, 5, 15))
        row = self.row(self.queue(ch, x_queue_type="quorum"))
        self.assertEqual((row["members"], row["online"]), ([row["leader"]], [row["leader"]]))
        asked = "name durable auto_delete arguments policy pid owner_pid exclusive exclusive_consumer_pid " \
                "exclusive_consumer_tag messages_ready messages_unacknowledged messages messages_ready_ram " \
                "messages_unacknowledged_ram messages_ram messages_persistent message_bytes message_bytes_ready " \
                "message_bytes_unacknowledged message_bytes_ram message_bytes_persistent head_message_timestamp " \
                "disk_reads disk_writes consumers consumer_utilisation consumer_capacity memory state type leader " \
                "members online effective_policy_definition operator_policy"
        self.assertEqual(self.ctl("list_queues", "-q", *asked.split()).splitlines()[0], asked.replace(" ", "\t"))
        self.ctl("delete_queue", owned)

    def test_one_of_the_consumers_is_active(self):
        ch = self.channel()
        queue = self.queue(ch, x_single_active_consumer=True)
        first, second = Consumer(ch, queue), Consumer(ch, queue)

        def states():
            rows = [row for row in self.rows("list_consumers") if row["queue_name"] == queue]
            return {row["consumer_tag"]: (row["active"], row["activity_status"]) for row in rows}
        self.assertEqual(states(), {first.tag: (True, "single_active"), second.tag: (False, "waiting")})
        self.assertEqual(self.row(queue)["single_active_consumer_tag"], first.tag)
        first.cancel()
        until("the second takes over", lambda: states() == {second.tag: (True, "single_active")})

    def test_quorum_queues_and_streams_are_queues_too(self):
        ch = self.channel(confirm=True)
        for kind in ("quorum", "stream"):
            queue = self.queue(ch, x_queue_type=kind)
            self.publish(ch, queue, "a")
            until("the message is counted", lambda: self.row(queue, "name", "messages")["messages"] == 1)
            self.assertEqual(self.row(queue)["type"], kind)

    def test_exchanges_and_bindings(self):
        ch = self.channel()
        exchange = self.exchange(ch, "headers", arguments={"alternate-exchange": "amq.fanout"})
        queue = self.bound_queue(ch, exchange, "key", {"x-match": "any", "a": 1})
        ch.exchange_bind("amq.topic", exchange, "to")
        lines = self.ctl("list_exchanges").splitlines()
        self.assertEqual(lines[:2], ["Listing exchanges for vhost / ...", "name\ttype"])
        for line in ("\tdirect", "amq.rabbitmq.trace\ttopic", f"{exchange}\theaders"):
            self.assertIn(line, lines)
        lines = self.ctl("list_bindings").splitlines()
        self.assertEqual(lines[1], "source_name\tsource_kind\tdestination_name\tdestination_kind\trouting_key\targuments")
        self.assertIn(f"\texchange\t{queue}\tqueue\t{queue}\t[]", lines)
        self.assertIn(f'{exchange}\texchange\t{queue}\tqueue\tkey\t[{{"a",1}},{{"x-match","any"}}]', lines)
        self.assertIn(f"{exchange}\texchange\tamq.topic\texchange\tto\t[]", lines)

    def test_connections_channels_and_consumers(self):
        connection = self.connect(client_properties={"connection_name": "mine"})
        ch = self.channel(connection=connection)
        queue = self.queue(ch)
        ch.basic_qos(prefetch_count=7)
        consumer = Consumer(ch, queue, arguments={"x-priority": 5})
        mine = next(row for row in self.rows("list_connections") if row["user_provided_name"] == "mine")
        self.assertEqual((mine["user"], mine["protocol"], mine["channels"]), ("guest", "AMQP 0-9-1", 1))
        self.assertIn("guest\t127.0.0.1\t", self.ctl("list_connections"))
        channel = next(row for row in self.rows("list_channels") if row["connection"] == mine["name"])
        self.assertEqual((channel["number"], channel["consumer_count"], channel["prefetch_count"]), (1, 1, 7))
        found = next(row for row in self.rows("list_consumers") if row["queue_name"] == queue)
        self.assertEqual((found["consumer_tag"], found["ack_required"], found["prefetch_count"], found["active"]),
                         (consumer.tag, True, 7, True))
        self.assertEqual((found["channel_pid"], found["arguments"]), (channel["pid"], {"x-priority": 5}))
        self.ctl("close_connection", mine["pid"], "maintenance")

        def closed():
            try:
                connection.process_data_events(0.01)
                return not connection.is_open
            except pika.exceptions.ConnectionClosedByBroker as error:
                self.assertEqual(error.reply_code, 320)
                self.assertIn("maintenance", error.reply_text)
                return True
        until("the connection is closed", closed)
        self.assertIn("no connection", self.ctl("close_connection", mine["pid"], "again", code=69))

    def test_all_connections_of_a_vhost_are_closed(self):
        vhost = self.name()
        self.ctl("add_vhost", vhost)
        self.addCleanup(self.ctl, "delete_vhost", vhost)
        self.ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
        here, there = self.connect(), self.connect(virtual_host=vhost)
        self.assertIn("Closed 1 connections", self.ctl("close_all_connections", "bye", "--vhost", vhost))
        with self.assertRaises(pika.exceptions.ConnectionClosedByBroker):
            there.process_data_events(scaled(10))
        here.process_data_events(0)
        self.assertIn("Closed 0 connections", self.ctl("close_all_user_connections", "nobody", "bye"))

    def test_delayed_messages_are_listed_and_cancelled(self):
        ch = self.channel(confirm=True)
        exchange = self.exchange(ch, "x-delayed-message", arguments={"x-delayed-type": "direct"})
        queue = self.bound_queue(ch, exchange, "key")
        for delay in (3_600_000, 60_000_000):
            ch.basic_publish(exchange, "key", b"later", pika.BasicProperties(headers={"x-delay": delay}))
        rows = [row for row in self.rows("list_delayed_messages") if row["exchange"] == exchange]
        self.assertEqual([(row["routing_key"], row["message_bytes"]) for row in rows], [("key", 5)] * 2)
        self.assertEqual(rows[0]["due_at"] - rows[0]["received_at"], 3_600_000)
        for row in rows:
            self.ctl("cancel_delayed_message", row["id"])
        self.assertNotIn(exchange, self.ctl("list_delayed_messages"))
        self.assertIn("no delayed message", self.ctl("cancel_delayed_message", rows[0]["id"], code=65))
        self.assertEqual(self.ready(ch, queue), 0)

    def test_limits_of_memory_and_disk_are_moved(self):
        before = self.rows("status")
        self.addCleanup(self.ctl, "set_vm_memory_high_watermark", "0.6")
        self.addCleanup(self.ctl, "set_disk_free_limit", str(before["disk_free_limit_bytes"]))
        self.ctl("set_vm_memory_high_watermark", "absolute", "1MiB")
        until("the alarm is on", lambda: self.rows("status")["memory_alarm"])
        self.assertEqual(self.rows("status")["memory_limit_bytes"], 1 << 20)
        self.ctl("set_vm_memory_high_watermark", "0.6")
        until("the alarm is off", lambda: not self.rows("status")["memory_alarm"])
        self.ctl("set_disk_free_limit", "9000TB")
        until("the alarm is on", lambda: self.rows("status")["disk_alarm"])
        self.ctl("set_disk_free_limit", "mem_relative", "0.000001")
        until("the alarm is off", lambda: not self.rows("status")["disk_alarm"])
        for wrong in (["set_vm_memory_high_watermark", "2"], ["set_vm_memory_high_watermark", "absolute", "x"],
                      ["set_disk_free_limit", "x"], ["set_disk_free_limit", "mem_relative", "x"]):
            self.ctl(*wrong, code=65)
        for short in (["set_disk_free_limit"], ["set_disk_free_limit", "mem_relative"],
                      ["set_vm_memory_high_watermark", "absolute"]):
            self.ctl(*short, code=64)

    def test_users_and_permissions_are_listed(self):
        self.assertIn("guest\t[administrator]", self.ctl("list_users").splitlines())
        self.assertIn("guest\t.*\t.*\t.*", self.ctl("list_permissions").splitlines())
        self.assertIn("User nobody does not exist", self.ctl("set_permissions", "nobody", ".*", ".*", ".*", code=67))

    def test_purge_and_delete(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, "a", "b")
        self.assertIn("not empty", self.ctl("delete_queue", queue, "-e", code=64))
        self.assertEqual(self.ctl("purge_queue", queue), f"Purging queue '{queue}' in vhost '/' ...\n")
        self.assertEqual(self.ready(ch, queue), 0)
        consumer = Consumer(ch, queue)
        self.assertIn("in use", self.ctl("delete_queue", queue, "--if-unused", code=64))
        consumer.cancel()
        self.publish(ch, queue, "a")
        self.assertEqual(self.ctl("delete_queue", queue, "-u"),
                         f"Deleting queue '{queue}' on vhost '/' if queue is unused ...\n"
                         "Queue was successfully deleted with 1 ready messages\n")
        self.assertIn("no queue", self.ctl("delete_queue", queue, code=64))
        self.assertIn("no queue", self.ctl("purge_queue", queue, code=69))
        with self.assertRaises(ChannelClosedByBroker):
            ch.queue_declare(queue, passive=True)

    def test_policies(self):
        ch = self.channel()
        queue, name = self.queue(ch), self.name()
        said = self.ctl("set_policy", name, f"^{queue}$", '{"max-length":5}', "--priority", "3", "--apply-to", "queues")
        self.assertEqual(said, f'Setting policy "{name}" for pattern "^{queue}$" to "{{"max-length":5}}" '
                               'with priority "3" for vhost "/" ...\n')
        self.addCleanup(self.ctl, "clear_policy", name)
        self.assertIn(f'/\t{name}\t^{queue}$\tqueues\t{{"max-length":5}}\t3', self.ctl("list_policies").splitlines())
        self.ctl("set_operator_policy", name, f"^{queue}$", '{"max-length":2}')
        self.addCleanup(self.ctl, "clear_operator_policy", name)
        row = self.row(queue)
        self.assertEqual((row["policy"], row["operator_policy"], row["effective_policy_definition"]),
                         (name, name, {"max-length": 2}))
        for wrong in (["(", '{"max-length":5}'], [".*", '{"max-length":"x"}'], [".*", '{"foo":1}'], [".*", "[]"],
                      [".*", "{"], [".*", '{"max-length":5}', "--apply-to", "nobody"]):
            self.ctl("set_policy", name + "-wrong", *wrong, code=69)
        self.assertIn("no policy", self.ctl("clear_policy", name + "-wrong", code=69))
        self.ctl("set_policy", name, ".*", '{"max-length":5}', "-p", "nope", code=65)
        policy, = (row for row in self.rows("list_policies") if row["name"] == name)
        self.assertEqual((policy["definition"], policy["priority"]), ('{"max-length":5}', 3))

    def test_vhosts_and_permissions(self):
        vhost = self.name()
        self.assertEqual(self.ctl("add_vhost", vhost, "--default-queue-type", "quorum"), f'Adding vhost "{vhost}" ...\n')
        self.assertIn({"name": vhost, "description": "", "default_queue_type": "quorum"}, self.rows("list_vhosts"))
        self.ctl("set_permissions", "-p", vhost, "guest", "^mine", "^(mine|amq\\.default)", ".*")
        connection = self.connect(virtual_host=vhost)
        ch = connection.channel()
        ch.queue_declare("mine", durable=True)
        self.assertEqual([row["type"] for row in self.rows("list_queues", "-p", vhost)], ["quorum"])
        with self.assertRaises(ChannelClosedByBroker) as refused:
            ch.queue_declare("other", durable=True)
        self.assertEqual((refused.exception.reply_code, refused.exception.reply_text),
                         (403, f"ACCESS_REFUSED - configure access to queue 'other' in vhost '{vhost}' "
                               "refused for user 'guest'"))
        self.ctl("delete_vhost", vhost)
        self.assertNotIn(vhost, self.ctl("list_vhosts"))


if __name__ == "__main__":
    unittest.main()
