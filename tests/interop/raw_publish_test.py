# SPDX-License-Identifier: Apache-2.0
"""Publishing, byte by byte: codes and their precedence, confirms, sub-batches, versions 1 and 2, deduplication."""
import gzip
import pathlib
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BrokerCase
from stream_wire import *  # noqa: F403
from stream_wire import Reader, frame, simple_entry, string, sub_batch


class Publish(BrokerCase):
    def test_declaring_a_publisher_answers_the_documented_codes(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(1, "no such stream"), NO_STREAM)
        self.assertEqual(connection.declare(1, stream, "ref"), OK)
        self.assertEqual(connection.declare(1, stream), PRECONDITION_FAILED, "the id is taken")
        self.assertEqual(connection.declare(2, stream, "ref"), PRECONDITION_FAILED, "the reference is taken")
        self.assertEqual(connection.declare(1, "no such stream"), PRECONDITION_FAILED, "the id is checked first")
        self.assertEqual(connection.declare(2, stream, "other"), OK)
        self.assertEqual(connection.delete_publisher(1), OK)
        self.assertEqual(connection.delete_publisher(1), NO_PUBLISHER)
        self.assertEqual(connection.declare(1, stream, "ref"), OK)

    def test_a_reference_has_at_most_255_bytes(self):
        self.only_sluice()
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(1, stream, "r" * 256), PRECONDITION_FAILED)
        self.assertEqual(connection.declare(1, stream, "r" * 255), OK)

    def test_a_connection_has_at_most_256_publishers(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        for number in range(256):
            self.assertEqual(connection.declare(number, stream), OK)
        self.assertEqual(connection.declare(0, stream), PRECONDITION_FAILED)

    def test_every_message_is_confirmed_under_its_own_id(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(5, stream), OK)
        entries = [(number, simple_entry(b"m%d" % number)) for number in (7, 3, 0, 2 ** 63, 2 ** 64 - 1)]
        connection.send_raw(connection.publish_frame(5, entries))
        self.assertEqual(connection.confirms(5), sorted(number for number, _ in entries))
        self.assertEqual(connection.subscribe(0, stream), OK)
        self.assertEqual([message.data for message in connection.read(0, 5)], [b"m%d" % n for n, _ in entries])

    def test_empty_messages_and_empty_publish_frames_are_fine(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(1, stream), OK)
        connection.send_raw(connection.publish_frame(1, []))
        connection.publish(1, [b"", b""])
        self.assertEqual(connection.confirms(2), [1, 2])
        self.assertEqual(connection.subscribe(0, stream), OK)
        self.assertEqual([message.data for message in connection.read(0, 2)], [b"", b""])

    def test_an_unknown_publisher_gets_error_18_for_every_id(self):
        connection = self.connect()
        connection.publish(9, [b"a", b"b", b"c"], first_id=4)
        self.assertEqual(connection.errors(3), {4: NO_PUBLISHER, 5: NO_PUBLISHER, 6: NO_PUBLISHER})

    def test_the_example_bytes_of_both_publish_versions(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(0, stream), OK)
        connection.send_raw(bytes.fromhex("00000017 0002 0001 00 00000001 0000000000000001 00000002 6869"))
        confirm = connection.next(PUBLISH_CONFIRM)
        self.assertEqual(confirm.body.hex(), "00" "00000001" "0000000000000001")
        if self.broker:
            connection.send_raw(bytes.fromhex("0000001B 0002 0002 00 00000001 0000000000000001 0002 6575 00000002 6869"))
            connection.confirms(1)

    def test_publishing_and_subscribing_are_ordered_over_many_frames(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        messages = [b"%d" % number * (number % 50) for number in range(20000)]
        connection.publish_and_wait(stream, messages)
        self.assertEqual(connection.subscribe(0, stream), OK)
        got = connection.read(0, len(messages))
        self.assertEqual([message.data for message in got], messages)
        self.assertEqual([message.offset for message in got], list(range(got[0].offset, got[0].offset + 20000)))


class SubBatches(BrokerCase):
    def publish_batches(self, connection, publisher, batches, first_id=1):
        entries = [(first_id + index, entry) for index, entry in enumerate(batches)]
        connection.send_raw(connection.publish_frame(publisher, entries))

    def test_a_sub_batch_has_one_id_and_one_offset_per_message(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(1, stream), OK)
        self.publish_batches(connection, 1, [sub_batch([b"a", b"b", b"c"]), simple_entry(b"d"), sub_batch([b"e"])])
        self.assertEqual(connection.confirms(3), [1, 2, 3])
        self.assertEqual(connection.subscribe(0, stream), OK)
        got = connection.read(0, 5)
        self.assertEqual([message.data for message in got], [b"a", b"b", b"c", b"d", b"e"])
        self.assertEqual([message.offset - got[0].offset for message in got], [0, 1, 2, 3, 4])

    def test_every_compression_code_is_passed_through_untouched(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(1, stream), OK)
        gzipped = sub_batch([b"x" * 100] * 10, 1, gzip.compress)
        # The broker never looks inside, so for the other codes any bytes do.
        others = [sub_batch([b"y" * 50] * 4, code, lambda data, code=code: data[::-1] + bytes([code]))
                  for code in (2, 3, 4)]
        self.publish_batches(connection, 1, [gzipped, *others])
        self.assertEqual(connection.confirms(4), [1, 2, 3, 4])
        self.assertEqual(connection.subscribe(0, stream), OK)
        back = {1: gzip.decompress, **{code: lambda data: data[:-1][::-1] for code in (2, 3, 4)}}
        got = connection.read(0, 22, decompress=back)
        self.assertEqual([message.data for message in got], [b"x" * 100] * 10 + [b"y" * 50] * 12)

    def test_a_bad_sub_batch_fails_with_all_that_follow_it_in_the_frame(self):
        self.only_sluice()

        def raw(compression, count, plain, data):
            return struct.pack(">BHII", 0x80 | compression << 4, count, plain, len(data)) + data

        good = sub_batch([b"fine"])
        for name, bad in (("no records", raw(0, 0, 8, b"\0\0\0\4abcd")),
                          ("too many records for the size", raw(1, 3, 11, b"packed")),
                          ("above 64 MiB", raw(1, 1, 67108865, b"packed")),
                          ("compression 5", raw(5, 1, 8, b"packed")),
                          ("compression 7", raw(7, 1, 8, b"packed")),
                          ("compressed and empty", raw(1, 1, 8, b""))):
            with self.subTest(name):
                connection = self.connect()
                stream = self.new_stream(connection)
                self.assertEqual(connection.declare(1, stream), OK)
                self.publish_batches(connection, 1, [good, bad, good, simple_entry(b"late")])
                self.assertEqual(connection.errors(3), {number: PRECONDITION_FAILED for number in (2, 3, 4)})
                self.assertEqual(connection.confirms(1), [1])

    def test_version_2_takes_sub_batches_under_one_filter_value(self):
        self.only_sluice("our extension")
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(1, stream), OK)
        rows = [(1, "red", sub_batch([b"r1", b"r2"])), (2, "blue", sub_batch([b"b1"])), (3, None, simple_entry(b"n"))]
        for row in rows:
            connection.send_raw(connection.publish_frame(1, [row], version=2))
            connection.confirms(1)
        self.assertEqual(connection.subscribe_with(0, stream, FIRST, 10, {"filter.0": "red"}), OK)
        self.assertEqual([message.data for message in connection.read(0, 2)], [b"r1", b"r2"])
        self.assertTrue(connection.silent(0.3, DELIVER))


class Deduplication(BrokerCase):
    def test_an_id_not_above_the_last_is_confirmed_and_not_stored(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.query_sequence("writer", stream), (OK, 0))
        self.assertEqual(connection.declare(1, stream, "writer"), OK)
        connection.publish(1, [b"1", b"2", b"3"], first_id=1)
        self.assertEqual(connection.confirms(3), [1, 2, 3])
        connection.publish(1, [b"2 again", b"3 again", b"4"], first_id=2)
        self.assertEqual(connection.confirms(3), [2, 3, 4])
        self.assertEqual(connection.query_sequence("writer", stream), (OK, 4))
        connection.publish(1, [b"10"], first_id=10)
        connection.confirms(1)
        self.assertEqual(connection.subscribe(0, stream), OK)
        self.assertEqual([m.data for m in connection.read(0, 5)], [b"1", b"2", b"3", b"4", b"10"])

    def test_the_sequence_outlives_the_publisher_and_the_connection(self):
        with self.connect() as first:
            stream = self.new_stream(first)
            self.assertEqual(first.declare(1, stream, "writer"), OK)
            first.publish(1, [b"a"] * 50, first_id=1)
            first.confirms(50)
        second = self.connect()
        self.assertEqual(second.query_sequence("writer", stream), (OK, 50))
        self.assertEqual(second.declare(3, stream, "writer"), OK)
        second.publish(3, [b"again"] * 50, first_id=1)
        self.assertEqual(len(second.confirms(50)), 50)
        self.assertEqual(second.query_sequence("writer", stream), (OK, 50))

    def test_references_and_streams_are_independent(self):
        connection = self.connect()
        one, two = self.new_stream(connection), self.new_stream(connection)
        for publisher, stream, reference in ((1, one, "a"), (2, one, "b"), (3, two, "a")):
            self.assertEqual(connection.declare(publisher, stream, reference), OK)
            connection.publish(publisher, [b"x"], first_id=publisher * 10)
            connection.confirms(1)
        self.assertEqual(connection.query_sequence("a", one), (OK, 10))
        self.assertEqual(connection.query_sequence("b", one), (OK, 20))
        self.assertEqual(connection.query_sequence("a", two), (OK, 30))
        self.assertEqual(connection.query_sequence("a", "no such stream"), (NO_STREAM, 0))

    def test_without_a_reference_nothing_is_dropped(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(1, stream), OK)
        for _ in range(3):
            connection.publish(1, [b"same"], first_id=1)
            self.assertEqual(connection.confirms(1), [1])
        self.assertEqual(connection.subscribe(0, stream), OK)
        self.assertEqual(len(connection.read(0, 3)), 3)

    def test_a_sub_batch_is_deduplicated_by_its_id(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(1, stream, "writer"), OK)
        for _ in range(2):
            connection.send_raw(connection.publish_frame(1, [(1, sub_batch([b"a", b"b"]))]))
            self.assertEqual(connection.confirms(1), [1])
        connection.publish(1, [b"c"], first_id=2)
        connection.confirms(1)
        self.assertEqual(connection.subscribe(0, stream), OK)
        self.assertEqual([m.data for m in connection.read(0, 3)], [b"a", b"b", b"c"])


if __name__ == "__main__":
    unittest.main()
