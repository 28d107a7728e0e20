# SPDX-License-Identifier: Apache-2.0
"""Single active consumers, byte by byte: activation, failover, stepping down, rebalancing over a superstream."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BrokerCase
from stream_wire import *  # noqa: F403
from stream_wire import Reader, at_offset

ACTIVE, PASSIVE = 1, 0


class SingleActive(BrokerCase):
    def setUp(self):
        self.only_sluice()

    def member(self, stream, subscription=0, spec=FIRST, **more):
        connection = self.connect()
        self.assertEqual(connection.subscribe(subscription, stream, spec, single_active_consumer="true",
                                              name="app", **more), OK)
        return connection

    def activated(self, connection, spec=(0, None), subscription=0):
        correlation, got, active = connection.consumer_update()
        self.assertEqual((got, active), (subscription, ACTIVE))
        connection.answer_update(correlation, spec)

    def test_the_first_is_active_and_gets_nothing_before_it_answers(self):
        setup = self.connect()
        stream = self.new_stream(setup)
        setup.publish_and_wait(stream, [b"%d" % n for n in range(10)])
        first = self.member(stream)
        correlation, _, active = first.consumer_update()
        self.assertEqual(active, ACTIVE)
        self.assertTrue(first.silent(0.3, DELIVER))
        first.answer_update(correlation)
        self.assertEqual(len(first.read(0, 10)), 10)
        second = self.member(stream)
        self.assertTrue(second.silent(0.3, CONSUMER_UPDATE, DELIVER))

    def test_the_answer_may_name_another_offset(self):
        setup = self.connect()
        stream = self.new_stream(setup)
        setup.publish_and_wait(stream, [b"a"] * 10)
        setup.publish_and_wait(stream, [b"b"] * 10)
        first = self.member(stream)
        self.activated(first, at_offset(10))
        self.assertEqual(first.deliver().chunk_id, 10)

    def test_a_waiting_member_takes_over_when_the_active_leaves(self):
        setup = self.connect()
        stream = self.new_stream(setup)
        first, second, third = self.member(stream), self.member(stream), self.member(stream)
        self.activated(first)
        self.assertEqual(first.unsubscribe(0), OK)
        self.activated(second)
        setup.publish_and_wait(stream, [b"x"])
        self.assertEqual(len(second.read(0, 1)), 1)
        second.close()
        self.activated(third)
        self.assertEqual(len(third.read(0, 1)), 1)

    def test_credit_for_an_inactive_member_is_answered_with_17_and_kept(self):
        setup = self.connect()
        stream = self.new_stream(setup)
        setup.publish_and_wait(stream, [b"x"])
        first = self.member(stream)
        self.activated(first)
        second = self.connect()
        self.assertEqual(second.subscribe(0, stream, FIRST, credit=0, single_active_consumer="true", name="app"), OK)
        second.credit(0, 1)
        reader = Reader(second.next(CREDIT | 0x8000).body)
        self.assertEqual((reader.u16(), reader.u8()), (PRECONDITION_FAILED, 0))
        first.close()
        self.activated(second)
        self.assertEqual(second.deliver().records, 1)

    def test_groups_of_other_names_are_independent(self):
        setup = self.connect()
        stream = self.new_stream(setup)
        first = self.member(stream)
        self.activated(first)
        other = self.connect()
        self.assertEqual(other.subscribe(0, stream, single_active_consumer="true", name="other"), OK)
        self.activated(other)


class Rebalancing(BrokerCase):
    def setUp(self):
        self.only_sluice()
        self.setup = self.connect()
        self.super = self.name()
        self.streams = [f"{self.super}-{number}" for number in range(3)]
        self.assertEqual(self.setup.create_super_stream(self.super, self.streams, ["0", "1", "2"]), OK)

    def join(self):
        connection = self.connect()
        connection.states = {}
        for subscription, stream in enumerate(self.streams):
            self.assertEqual(connection.subscribe(subscription, stream, single_active_consumer="true", name="app",
                                                  super_stream=self.super), OK)
        return connection

    def settle(self, members):
        """Answers every ConsumerUpdate until none comes for a while; members.states says who is active where."""
        quiet = False
        while not quiet:
            quiet = True
            for member in members:
                while True:
                    try:
                        correlation, subscription, active = member.consumer_update(timeout=0.15)
                    except TimeoutError:
                        break
                    quiet = False
                    if active == ACTIVE:
                        owners = [m for m in members if m is not member and m.states.get(subscription)]
                        self.assertEqual(owners, [], "activated before the other had stepped down")
                    member.states[subscription] = active == ACTIVE
                    member.answer_update(correlation)

    def owners(self, members):
        return [[index for index, member in enumerate(members) if member.states.get(partition)]
                for partition in range(3)]

    def test_partitions_spread_over_members_and_come_back(self):
        one = self.join()
        self.settle([one])
        self.assertEqual(self.owners([one]), [[0], [0], [0]])
        two = self.join()
        self.settle([one, two])
        self.assertEqual(self.owners([one, two]), [[0], [1], [0]])
        three = self.join()
        self.settle([one, two, three])
        self.assertEqual(self.owners([one, two, three]), [[0], [1], [2]])
        one.close()
        self.settle([two, three])
        self.assertEqual(self.owners([two, three]), [[0], [1], [0]])
        for stream in self.streams:
            self.setup.publish_and_wait(stream, [stream.encode()])
        got = sorted(chunk.messages()[0].data for chunk in (two.deliver(), two.deliver(), three.deliver()))
        self.assertEqual(got, sorted(stream.encode() for stream in self.streams))


if __name__ == "__main__":
    unittest.main()
