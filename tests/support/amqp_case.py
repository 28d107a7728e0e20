# SPDX-License-Identifier: Apache-2.0
"""The base of the AMQP 0-9-1 tests: pika (Debian's python3-pika) connected to one broker for a test class.

Names are fresh for every test; what a test declares is deleted after it. Nothing sleeps for a fixed time: `until`
polls with a limit, a Consumer waits for a count. SLUICE_PEER_PORT=15553 (bench/peer.sh) runs the same tests against
Debian's RabbitMQ 3.10.8; where the reference is newer than that, a test says only_sluice(why).
"""
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
import unittest
import uuid

from broker import BIN, TOP, scaled, until
from case import BrokerCase

try:
    import pika
except ImportError:
    if os.path.realpath(sys.executable) != os.path.realpath("/usr/bin/python3") and not os.environ.get("SLUICE_NO_EXEC"):
        # pika comes from Debian, which only Debian's own python sees.
        os.execve("/usr/bin/python3", ["/usr/bin/python3", *sys.orig_argv[1:]], {**os.environ, "SLUICE_NO_EXEC": "1"})
    sys.exit("python3-pika is missing: run tools/setup clients")

from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

logging.getLogger("pika").setLevel(logging.CRITICAL + 1)
TRANSIENT, PERSISTENT = 1, 2


class Consumer:
    """A consumer of one queue that keeps what it got, in order."""

    def __init__(self, channel, queue, handle=None, **arguments):
        self.channel, self.got, self.handle = channel, [], handle
        self.tag = channel.basic_consume(queue, self.take, **arguments)

    def take(self, channel, method, properties, body):
        self.got.append((method, properties, body))
        if self.handle:
            self.handle(channel, method, properties, body)

    def wait(self, count, timeout=10):
        """Until `count` messages came in all; returns their bodies."""
        end = time.monotonic() + scaled(timeout)
        while len(self.got) < count:
            if time.monotonic() > end:
                raise AssertionError(f"got {len(self.got)} messages instead of {count}: {self.bodies()}")
            self.channel.connection.process_data_events(0.01)
        return self.bodies()

    def settled_at(self, count, quiet=0.15):
        """`count` messages came and no more follow within a moment."""
        self.wait(count)
        self.channel.connection.process_data_events(scaled(quiet))
        if len(self.got) != count:
            raise AssertionError(f"got {len(self.got)} messages instead of {count}: {self.bodies()}")
        return self.bodies()

    def bodies(self):
        return [body.decode("latin-1") for _, _, body in self.got]

    def tags(self):
        return [method.delivery_tag for method, _, _ in self.got]

    def cancel(self):
        self.channel.basic_cancel(self.tag)


class AmqpCase(BrokerCase):
    @classmethod
    def tearDownClass(cls):
        signal.setitimer(signal.ITIMER_REAL, 0)
        super().tearDownClass()

    time_limit = 40  # seconds for one test: pika waits for ever for an answer that does not come

    def setUp(self):
        self.connection = None
        self.made = []
        self.addCleanup(self.delete_made)
        signal.signal(signal.SIGALRM, self.hangs)
        signal.setitimer(signal.ITIMER_REAL, scaled(self.time_limit))
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, scaled(20))  # for what the other cleanups do

    @staticmethod
    def hangs(*_):
        raise AssertionError("the test takes too long: an answer does not come")

    # -- connections

    def connect(self, **arguments):
        user, password = arguments.pop("user", "guest"), arguments.pop("password", "guest")
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", self.amqp_port, credentials=pika.PlainCredentials(user, password),
            **{"socket_timeout": scaled(10), "stack_timeout": scaled(15), **arguments}))
        self.addCleanup(self.close_connection, connection)
        return connection

    @staticmethod
    def close_connection(connection):
        with contextlib.suppress(pika.exceptions.AMQPError):  # its broker may have been killed
            connection.close()

    def channel(self, confirm=False, connection=None):
        """A channel, on the test's first connection when none is named."""
        if connection is None and (self.connection is None or not self.connection.is_open):
            self.connection = self.connect()
        channel = (connection or self.connection).channel()
        if confirm:
            channel.confirm_delivery()
        return channel

    def restart(self, kill=True):
        """Ends the broker as a crash or cleanly and starts it again; connections are lost."""
        if kill:
            self.broker.kill()
        else:
            self.assertEqual(self.broker.stop(), 0)
        self.broker.start()
        self.connection = None

    # -- names

    def queue(self, channel, name=None, durable=True, **arguments):
        """Declares a queue; keywords beside exclusive and auto_delete are arguments (x_message_ttl=5)."""
        name = self.name() if name is None else name
        flags = {key: arguments.pop(key) for key in ("exclusive", "auto_delete") if key in arguments}
        table = {key.replace("_", "-"): value for key, value in arguments.items()}
        name = channel.queue_declare(name, durable=durable, arguments=table, **flags).method.queue
        self.made.append(("queue", name))
        return name

    def bound_queue(self, channel, exchange, key="", arguments=None, **more):
        name = self.queue(channel, **more)
        channel.queue_bind(name, exchange, key, arguments)
        return name

    def exchange(self, channel, kind, durable=True, arguments=None, **flags):
        name = self.name()
        channel.exchange_declare(name, kind, durable=durable, arguments=arguments, **flags)
        self.made.append(("exchange", name))
        return name

    def delete_made(self):
        if not self.made or (self.broker is not None and not self.broker.is_running()):
            return
        with contextlib.suppress(Exception):
            connection = self.connect()
            channel = connection.channel()
            for kind, name in self.made:
                with contextlib.suppress(ChannelClosedByBroker):
                    channel = channel if channel.is_open else connection.channel()
                    (channel.queue_delete if kind == "queue" else channel.exchange_delete)(name)
            connection.close()

    # -- messages

    def publish(self, channel, queue, *bodies, exchange="", mandatory=False, **properties):
        for body in bodies:
            channel.basic_publish(exchange, queue, body, pika.BasicProperties(**properties), mandatory=mandatory)

    def get(self, channel, queue, auto_ack=True, timeout=10):
        """Waits for a message in the queue and takes it: (method, properties, body)."""
        def take():
            got = channel.basic_get(queue, auto_ack=auto_ack)
            return got if got[0] is not None else None
        return until(f"a message is in {queue}", take, timeout)

    def take(self, channel, queue, count, **arguments):
        """The bodies of the next `count` messages."""
        return [self.get(channel, queue, **arguments)[2].decode("latin-1") for _ in range(count)]

    def drain(self, channel, queue):
        """All that is ready now."""
        bodies = []
        while True:
            method, _, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                return bodies
            bodies.append(body.decode("latin-1"))

    def ready(self, channel, queue):
        return channel.queue_declare(queue, passive=True).method.message_count

    def consumers(self, channel, queue):
        return channel.queue_declare(queue, passive=True).method.consumer_count

    def until_ready(self, channel, queue, count, timeout=10):
        until(f"{count} messages are ready in {queue}", lambda: self.ready(channel, queue) == count, timeout)

    def exists(self, queue):
        channel = self.channel()
        try:
            channel.queue_declare(queue, passive=True)
            channel.close()
            return True
        except ChannelClosedByBroker as error:
            self.assertEqual(error.reply_code, 404, error)
            return False

    def until_gone(self, queue, timeout=10):
        until(f"{queue} is gone", lambda: not self.exists(queue), timeout)

    def until_expired(self, queue, timeout=10):
        """Like until_gone, but looks with messages: a declare would count as use of the queue."""
        channel = self.channel(confirm=True)

        def is_gone():
            try:
                self.publish(channel, queue, "are you there", mandatory=True)
                return False
            except pika.exceptions.UnroutableError:
                return True
        until(f"{queue} is gone", is_gone, timeout)

    # -- errors

    @contextlib.contextmanager
    def refused(self, code, text=None, channel=None, scope=ChannelClosedByBroker):
        """The block ends with the broker closing the channel with this code and a text that matches. For methods
        without an answer name the channel: it is asked something until the close comes."""
        with self.assertRaises(scope) as caught:
            yield
            if channel is not None:
                until("the close comes", lambda: channel.basic_qos(prefetch_count=0) and False)
        self.assertEqual(caught.exception.reply_code, code, caught.exception)
        if text is not None:
            self.assertRegex(caught.exception.reply_text, text)

    def hung_up(self, code, text=None, channel=None):
        return self.refused(code, text, channel, scope=ConnectionClosedByBroker)

    # -- the operator

    def ctl(self, *words):
        """sluicectl, or the peer's rabbitmqctl where SLUICE_PEER_DIR says what bench/peer.sh was started with."""
        if self.broker is not None:
            command = [str(BIN / "sluicectl"), *words]
            environment = {**os.environ, "SLUICE_DATA_DIR": str(self.broker.data_dir)}
        else:
            if "SLUICE_PEER_DIR" not in os.environ:
                self.skipTest("needs SLUICE_PEER_DIR")
            command = [str(TOP / "bench/peer.sh"), "ctl", os.environ["SLUICE_PEER_DIR"], *words]
            environment = {**os.environ, "SLUICE_PEER_PORT": str(self.port)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=scaled(60))
        self.assertEqual(done.returncode, 0, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def policy(self, pattern, definition, name=None, apply_to="all", priority=0, operator=False):
        name = name or f"policy-{uuid.uuid4().hex[:8]}"
        kind = "operator_policy" if operator else "policy"
        self.ctl(f"set_{kind}", "--priority", str(priority), "--apply-to", apply_to, name, pattern, definition)
        if self.broker is None:
            self.addCleanup(self.clear_policy, kind, name)
        return name

    def clear_policy(self, kind, name):
        with contextlib.suppress(AssertionError):  # it is gone already
            self.ctl(f"clear_{kind}", name)


main = unittest.main
