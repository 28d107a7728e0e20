# SPDX-License-Identifier: Apache-2.0
"""Limits of a vhost: max-queues and max-connections, as set_vhost_limits sets them, with RabbitMQ's codes and texts. They
hold from the moment they are set on, for what comes then, and survive a restart."""
import contextlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from amqp_case import AmqpCase, main, pika, until
from amqp_wire import Connection


class VhostLimits(AmqpCase):
    def vhost(self, **limits):
        name = self.name()
        self.ctl("add_vhost", name)
        self.addCleanup(self.ctl, "delete_vhost", name)
        self.ctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        if limits:
            self.limit(name, **limits)
        return name

    def limit(self, vhost, **limits):
        self.ctl("set_vhost_limits", "-p", vhost, json.dumps({key.replace("_", "-"): limits[key] for key in limits}))

    def declares(self, vhost):
        connection = self.connect(virtual_host=vhost)
        return connection.channel()

    def test_queues_of_any_kind_count(self):
        vhost = self.vhost(max_queues=3)
        ch = self.declares(vhost)
        ch.queue_declare("classic", durable=True)
        ch.queue_declare("stream", durable=True, arguments={"x-queue-type": "stream"})
        ch.queue_declare("", exclusive=True)
        ch.queue_declare("classic", durable=True)  # is there already
        with self.refused(406, rf"^PRECONDITION_FAILED - cannot declare queue 'fourth': queue limit in vhost '{vhost}' "
                               r"\(3\) is reached$"):
            ch.queue_declare("fourth", durable=True)
        self.declares(self.vhost()).queue_declare("elsewhere", durable=True)
        ch = self.declares(vhost)
        ch.queue_delete("classic")
        ch.queue_declare("fourth", durable=True)
        self.limit(vhost, max_queues=-1)
        ch.queue_declare("fifth", durable=True)

    def test_no_queue_at_all(self):
        ch = self.declares(self.vhost(max_queues=0))
        with self.refused(406, r"\(0\) is reached$"):
            ch.queue_declare("any", durable=True)

    def test_the_limit_may_be_below_what_is_there(self):
        vhost = self.vhost()
        ch = self.declares(vhost)
        for name in "abc":
            ch.queue_declare(name, durable=True)
        self.limit(vhost, max_queues=1)
        ch.queue_declare("a", durable=True)
        with self.refused(406, r"\(1\) is reached$"):
            ch.queue_declare("d", durable=True)

    def test_connections_count(self):
        vhost = self.vhost(max_connections=2)
        first, second = (self.connect(virtual_host=vhost) for _ in range(2))
        with self.assertRaisesRegex(pika.exceptions.AMQPError, rf"\(530\).*NOT_ALLOWED - access to vhost '{vhost}' refused for "
                                                               r"user 'guest': connection limit \(2\) is reached"):
            self.connect(virtual_host=vhost)
        self.connect().close()  # another vhost
        second.close()

        def again():
            with contextlib.suppress(Exception):
                return self.connect(virtual_host=vhost)
        until("a place is free", again)
        self.assertTrue(first.is_open)
        self.ctl("clear_vhost_limits", "-p", vhost)
        self.connect(virtual_host=vhost)

    def test_a_lost_connection_counts_no_more(self):
        self.only_sluice("it lets the place go only much later")
        vhost = self.vhost(max_connections=1)
        Connection(self.amqp_port, vhost=vhost).close()  # no goodbye

        def again():
            with contextlib.suppress(Exception):
                return self.connect(virtual_host=vhost)
        until("a place is free", again)

    def test_no_connection_at_all(self):
        vhost = self.vhost(max_connections=0)
        with self.assertRaisesRegex(pika.exceptions.AMQPError, r"connection limit \(0\) is reached"):
            self.connect(virtual_host=vhost)

    def test_listing_clearing_and_what_is_refused(self):
        self.only_sluice("texts of another version")
        vhost = self.vhost()
        self.assertEqual(self.ctl("list_vhost_limits", "-q", "-p", vhost), "\n")
        self.limit(vhost, max_queues=3, max_connections=1000)
        self.assertEqual(json.loads(self.ctl("list_vhost_limits", "-q", "-p", vhost)),
                         {"max-connections": 1000, "max-queues": 3})
        self.limit(vhost, max_queues=4)  # in place of both
        self.assertEqual(self.ctl("list_vhost_limits", "-q", "-p", vhost), '{"max-queues":4}\n')
        self.assertRegex(self.ctl("list_vhost_limits", "--global", "-q"),
                         rf'(?s)^vhost\tlimits\n.*{vhost}\t\{{"max-queues":4\}}\n')
        self.ctl("clear_vhost_limits", "-p", vhost)
        self.assertNotIn(vhost, self.ctl("list_vhost_limits", "--global"))
        for definition in ('{"max-queues":"x"}', '{"foo":3}', '{"max-', "[]", '{"max-queues":1.5}'):
            with self.assertRaisesRegex(AssertionError, "69 != 0"):
                self.ctl("set_vhost_limits", "-p", vhost, definition)
        for words in (["set_vhost_limits", "-p", "nope", '{"max-queues":3}'], ["list_vhost_limits", "-p", "nope"]):
            with self.assertRaisesRegex(AssertionError, "(?s)65 != 0.*'nope' does not exist"):
                self.ctl(*words)

    def test_limits_survive_a_restart(self):
        self.only_sluice("its processes are not ours to end")
        vhost = self.vhost(max_queues=1)
        self.declares(vhost).queue_declare("one", durable=True)
        self.restart()
        with self.refused(406, r"\(1\) is reached$"):
            self.declares(vhost).queue_declare("two", durable=True)


if __name__ == "__main__":
    main()
