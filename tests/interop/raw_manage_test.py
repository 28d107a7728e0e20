# SPDX-License-Identifier: Apache-2.0
"""Managing streams and superstreams, byte by byte: create, delete, metadata, statistics, partitions, routes."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from broker import until
from case import BrokerCase
from stream_wire import *  # noqa: F403
from stream_wire import Reader


class Streams(BrokerCase):
    def test_creating_answers_the_documented_codes(self):
        connection = self.connect()
        stream = self.name()
        self.assertEqual(connection.create(stream, max_length_bytes=1000000, max_age="1h"), OK)
        self.assertEqual(connection.create(stream, max_length_bytes=1000000, max_age="1h"), STREAM_EXISTS)
        self.assertEqual(connection.create(stream, max_length_bytes=2000000), PRECONDITION_FAILED)
        self.assertEqual(connection.create(""), PRECONDITION_FAILED)
        self.assertEqual(connection.create("amq.mine"), PRECONDITION_FAILED)

    def test_invalid_arguments_are_refused_and_unknown_ones_ignored(self):
        self.only_sluice()
        connection = self.connect()
        for arguments in ({"max_length_bytes": "many"}, {"max_length_bytes": -1}, {"max_age": "1 fortnight"},
                          {"max_age": "h"}, {"stream_max_segment_size_bytes": 3000000001},
                          {"initial_cluster_size": 0}, {"queue_leader_locator": "nowhere"}):
            with self.subTest(arguments):
                self.assertEqual(connection.create(self.name(), **arguments), PRECONDITION_FAILED)
        self.assertEqual(connection.create(self.name(), no_such_argument="x"), OK)
        if self.broker:
            for size in (15, 256, "x"):
                self.assertEqual(connection.create(self.name(), stream_filter_size_bytes=size), PRECONDITION_FAILED)
            for size in (16, 255):
                self.assertEqual(connection.create(self.name(), stream_filter_size_bytes=size), OK)

    def test_line_ends_are_taken_out_of_names(self):
        connection = self.connect()
        stream = self.name()
        self.assertEqual(connection.create(stream + "\r\n"), OK)
        self.assertEqual(connection.delete(stream), OK)

    def test_names_may_hold_any_unicode_and_255_bytes(self):
        connection = self.connect()
        for stream in ("전주 / ../.. 강물 " + self.name(), "x" * 200 + self.name()[-20:]):
            self.assertEqual(connection.create(stream), OK)
            connection.publish_and_wait(stream, [b"x"])
            self.assertEqual(connection.subscribe(0, stream), OK)
            self.assertEqual(connection.read(0, 1)[0].data, b"x")
            self.assertEqual(connection.unsubscribe(0), OK)
            self.assertEqual(connection.delete(stream), OK)

    def test_deleting_tells_those_who_used_the_stream(self):
        connection = self.connect()
        self.assertEqual(connection.delete("no such stream"), NO_STREAM)
        publisher, consumer, both = self.connect(), self.connect(), self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(publisher.declare(1, stream), OK)
        self.assertEqual(consumer.subscribe(1, stream), OK)
        self.assertEqual(both.declare(1, stream), OK)
        self.assertEqual(both.subscribe(1, stream), OK)
        self.assertEqual(connection.delete(stream), OK)
        for told in (publisher, consumer, both):
            reader = Reader(told.next(METADATA_UPDATE).body)
            self.assertEqual((reader.u16(), reader.string(), reader.remaining()), (NOT_AVAILABLE, stream, 0))
        self.assertEqual(publisher.delete_publisher(1), NO_PUBLISHER)
        self.assertEqual(consumer.unsubscribe(1), NO_SUBSCRIPTION)
        publisher.publish(1, [b"late"], first_id=5)
        self.assertEqual(publisher.errors(1), {5: NO_PUBLISHER})
        self.assertTrue(connection.silent(0.2, METADATA_UPDATE))

    def test_a_stream_created_again_is_empty(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        connection.publish_and_wait(stream, [b"old"] * 10)
        self.assertEqual(connection.delete(stream), OK)
        self.assertEqual(connection.create(stream), OK)
        connection.publish_and_wait(stream, [b"new"])
        self.assertEqual(connection.subscribe(0, stream), OK)
        first = connection.read(0, 1)[0]
        self.assertEqual((first.offset, first.data), (0, b"new"))

    def test_metadata_of_known_and_unknown_streams(self):
        connection = self.connect()
        one, two = self.new_stream(connection), self.new_stream(connection)
        brokers, streams = connection.metadata(one, "no such stream", two)
        self.assertEqual(set(streams), {one, two, "no such stream"})
        self.assertEqual(streams["no such stream"], (NO_STREAM, 0xFFFF, []))
        for stream in (one, two):
            code, leader, replicas = streams[stream]
            self.assertEqual(code, OK)
            self.assertIn(leader, brokers)
            self.assertEqual(replicas, [])
        self.assertEqual({port for _, port in brokers.values()}, {self.port})

    def test_metadata_of_nothing(self):
        self.assertEqual(self.connect().metadata()[1], {})

    def test_statistics(self):
        self.only_sluice()
        connection = self.connect()
        stream = self.new_stream(connection)
        code, stats = connection.stats(stream)
        self.assertEqual(code, OK)
        self.assertEqual(stats, {"first_chunk_id": -1, "last_chunk_id": -1, "committed_chunk_id": -1,
                                 "committed_offset": -1})
        connection.publish_and_wait(stream, [b"x"] * 10)
        connection.publish_and_wait(stream, [b"y"] * 5)
        code, stats = connection.stats(stream)
        self.assertEqual((code, stats["first_chunk_id"], stats["committed_offset"]), (OK, 0, 14))
        self.assertEqual(stats["last_chunk_id"], stats["committed_chunk_id"])
        self.assertEqual(connection.stats("no such stream")[0], NO_STREAM)


class Retention(BrokerCase):
    def test_max_length_drops_old_segments(self):
        connection = self.connect()
        stream = self.new_stream(connection, max_length_bytes=200000, stream_max_segment_size_bytes=50000)
        for _ in range(20):
            connection.publish_and_wait(stream, [b"x" * 1000] * 50)
        until("old segments are dropped", lambda: self.first_chunk(connection, stream) > 500)
        self.assertEqual(connection.subscribe(0, stream, FIRST), OK)
        first = connection.deliver().chunk_id
        self.assertGreater(first, 500)
        self.assertLess(first, 951)
        self.assertEqual(connection.subscribe(1, stream, (4, 3)), OK)
        self.assertEqual(connection.next(DELIVER).body[0], 0)


    def first_chunk(self, connection, stream):
        self.assertEqual(connection.subscribe(7, stream, FIRST, credit=1), OK)
        first = connection.deliver().chunk_id
        self.assertEqual(connection.unsubscribe(7), OK)
        return first


class SuperStreams(BrokerCase):
    def setUp(self):
        self.only_sluice()

    def partitions_of(self, name, keys):
        return [f"{name}-{key}" for key in keys]

    def test_creating_answers_the_documented_codes(self):
        connection = self.connect()
        name = self.name()
        names = self.partitions_of(name, "012")
        self.assertEqual(connection.create_super_stream(name, names, ["0", "1", "2"]), OK)
        self.assertEqual(connection.create_super_stream(name, names, ["0", "1", "2"]), STREAM_EXISTS)
        self.assertEqual(connection.create_super_stream(self.name(), names, ["0", "1", "2"]), STREAM_EXISTS)
        other = self.name()
        for partitions, keys in ((self.partitions_of(other, "01"), ["0"]), ([other + "-0"] * 2, ["0", "1"]),
                                 (["amq.x", other + "-1"], ["0", "1"]),
                                 ([f"{other}-{n}" for n in range(1001)], [str(n) for n in range(1001)])):
            with self.subTest(len(partitions)):
                self.assertEqual(connection.create_super_stream(other, partitions, keys), PRECONDITION_FAILED)
        self.assertEqual(connection.partitions(other)[0], NO_STREAM)

    def test_a_failed_creation_leaves_nothing_behind(self):
        connection = self.connect()
        name = self.name()
        self.assertEqual(connection.create(f"{name}-2"), OK)
        self.assertEqual(connection.create_super_stream(name, self.partitions_of(name, "012"), ["0", "1", "2"]),
                         STREAM_EXISTS)
        _, streams = connection.metadata(*self.partitions_of(name, "012"))
        self.assertEqual([streams[s][0] for s in self.partitions_of(name, "012")], [NO_STREAM, NO_STREAM, OK])

    def test_partitions_in_order_and_routes_by_key(self):
        connection = self.connect()
        name = self.name()
        keys = ["emea", "apac", "amer"]
        self.assertEqual(connection.create_super_stream(name, self.partitions_of(name, keys), keys), OK)
        self.assertEqual(connection.partitions(name), (OK, self.partitions_of(name, keys)))
        self.assertEqual(connection.route("apac", name), (OK, [f"{name}-apac"]))
        self.assertEqual(connection.route("nowhere", name), (OK, []))
        self.assertEqual(connection.partitions("no such")[0], NO_STREAM)
        self.assertEqual(connection.route("x", "no such")[0], NO_STREAM)
        connection.publish_and_wait(f"{name}-apac", [b"x"])

    def test_deleting_removes_the_partitions_and_tells_their_users(self):
        connection, user = self.connect(), self.connect()
        name = self.name()
        names = self.partitions_of(name, "01")
        self.assertEqual(connection.delete_super_stream(name), NO_STREAM)
        self.assertEqual(connection.create_super_stream(name, names, ["0", "1"], max_age="1h"), OK)
        self.assertEqual(user.subscribe(1, names[0]), OK)
        self.assertEqual(user.declare(1, names[1]), OK)
        self.assertEqual(connection.delete_super_stream(name), OK)
        told = set()
        for _ in range(2):
            reader = Reader(user.next(METADATA_UPDATE).body)
            self.assertEqual(reader.u16(), NOT_AVAILABLE)
            told.add(reader.string())
        self.assertEqual(told, set(names))
        self.assertEqual([code for code, _, _ in connection.metadata(*names)[1].values()], [NO_STREAM] * 2)
        self.assertEqual(connection.partitions(name)[0], NO_STREAM)


if __name__ == "__main__":
    unittest.main()
