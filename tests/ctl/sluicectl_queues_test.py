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
        self.assertEqual(lines[:2], ["Listing queues for vhost / ...", "name\tmessages"])
        self.assertIn(f"{queue}\t2", lines)
        lines = self.ctl("list_queues", "-q", "name", "arguments", "durable", "messages_ready", "type").splitlines()
        self.assertIn(f'{queue}\t[{{"x-max-length",10}},{{"x-single-active-consumer",true}},'
                      '{"x-queue-type","classic"}]\ttrue\t1\tclassic', lines)
        row = self.row(queue)
        self.assertEqual((row["messages"], row["messages_ready"], row["messages_unacknowledged"]), (2, 1, 1))
        self.assertEqual(row["arguments"]["x-max-length"], 10)
        self.assertEqual((row["state"], row["vhost"], row["exclusive"]), ("running", "/", False))
        self.ctl("list_queues", "no_such_column", code=64)
        self.assertIn("no vhost", self.ctl("list_queues", "-p", "nope", code=65))

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
        self.assertIn("no connection", self.ctl("close_connection", mine["pid"], "again", code=65))

    def test_purge_and_delete(self):
        ch = self.channel(confirm=True)
        queue = self.queue(ch)
        self.publish(ch, queue, "a", "b")
        self.assertIn("not empty", self.ctl("delete_queue", queue, "-e", code=65))
        self.assertEqual(self.ctl("purge_queue", queue), f"Purging queue '{queue}' in vhost '/' ...\n")
        self.assertEqual(self.ready(ch, queue), 0)
        consumer = Consumer(ch, queue)
        self.assertIn("in use", self.ctl("delete_queue", queue, "--if-unused", code=65))
        consumer.cancel()
        self.assertTrue(self.ctl("delete_queue", queue).startswith(f"Deleting queue '{queue}' on vhost '/' ...\n"))
        self.assertIn("no queue", self.ctl("delete_queue", queue, code=65))
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
            self.ctl("set_policy", name + "-wrong", *wrong, code=65)
        self.assertIn("no policy", self.ctl("clear_policy", name + "-wrong", code=65))

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
