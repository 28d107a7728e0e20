# SPDX-License-Identifier: Apache-2.0
"""Consuming, byte by byte: subscriptions and their codes, offset specs, credits, Deliver v1 and v2, tracking."""
import pathlib
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from broker import until
from case import BrokerCase
from stream_wire import *  # noqa: F403
from stream_wire import Reader, at_offset, at_timestamp


class Subscriptions(BrokerCase):
    def test_subscribing_answers_the_documented_codes(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.subscribe(1, "no such stream"), NO_STREAM)
        self.assertEqual(connection.subscribe(1, stream), OK)
        self.assertEqual(connection.subscribe(1, stream), SUBSCRIPTION_EXISTS)
        self.assertEqual(connection.subscribe(1, "no such stream"), NO_STREAM, "the stream is checked first")
        self.assertEqual(connection.unsubscribe(1), OK)
        self.assertEqual(connection.unsubscribe(1), NO_SUBSCRIPTION)
        self.assertEqual(connection.subscribe(1, stream), OK)

    def test_a_single_active_consumer_needs_a_name(self):
        self.only_sluice()
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.subscribe(1, stream, single_active_consumer="true"), PRECONDITION_FAILED)
        self.assertEqual(connection.subscribe(1, stream, name="n" * 256), PRECONDITION_FAILED)
        self.assertEqual(connection.subscribe(1, stream, name="n" * 255), OK)

    def test_a_connection_has_at_most_256_subscriptions(self):
        self.only_sluice()
        connection = self.connect()
        stream = self.new_stream(connection)
        for number in range(256):
            self.assertEqual(connection.subscribe(number, stream), OK)
        self.assertEqual(connection.subscribe(0, stream), PRECONDITION_FAILED)

    def test_several_subscriptions_of_one_connection_all_get_everything(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        for number in range(5):
            self.assertEqual(connection.subscribe(number, stream, FIRST), OK)
        connection.publish_and_wait(stream, [b"%d" % number for number in range(10)])
        got = {number: [] for number in range(5)}
        while any(len(messages) < 10 for messages in got.values()):
            chunk = connection.deliver()
            got[chunk.subscription] += [message.data for message in chunk.messages()]
        for messages in got.values():
            self.assertEqual(messages, [b"%d" % number for number in range(10)])

    def test_after_unsubscribe_nothing_more_is_delivered(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.subscribe(1, stream), OK)
        self.assertEqual(connection.unsubscribe(1), OK)
        connection.publish_and_wait(stream, [b"late"])
        self.assertTrue(connection.silent(0.3, DELIVER))

    def test_deliver_v1_by_default_and_v2_when_asked_for(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        connection.publish_and_wait(stream, [b"hello"])
        self.assertEqual(connection.subscribe(0, stream), OK)
        self.assertEqual(connection.deliver().version, 1)
        self.only_sluice()
        newer = self.connect(deliver_v2=True)
        self.assertEqual(newer.subscribe(0, stream), OK)
        chunk = newer.deliver()
        self.assertEqual((chunk.version, chunk.committed), (2, chunk.chunk_id))


class OffsetSpecs(BrokerCase):
    def filled(self):
        """A stream of 30 chunks of 10 messages; returns connection, stream, [(chunk id, timestamp)]."""
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(0, stream), OK)
        for number in range(30):
            connection.publish(0, [b"%d" % (number * 10 + index) for index in range(10)])
            connection.confirms(10)
            if number == 14:
                time.sleep(0.02)
        self.assertEqual(connection.subscribe(9, stream, FIRST, credit=300), OK)
        chunks, seen = [], 0
        while seen < 300:
            chunk = connection.deliver()
            chunks.append((chunk.chunk_id, chunk.timestamp))
            seen += chunk.records
        self.assertEqual(connection.unsubscribe(9), OK)
        return connection, stream, chunks

    def first_chunk(self, connection, stream, spec):
        self.assertEqual(connection.subscribe(1, stream, spec, credit=1), OK)
        chunk = connection.deliver()
        self.assertEqual(connection.unsubscribe(1), OK)
        return chunk

    def test_first_last_and_offset(self):
        connection, stream, chunks = self.filled()
        self.assertEqual(self.first_chunk(connection, stream, FIRST).chunk_id, chunks[0][0])
        self.assertEqual(self.first_chunk(connection, stream, LAST).chunk_id, chunks[-1][0])
        for number in (0, 5, 9, 10, 57, 299):
            wanted = chunks[0][0] + number
            chunk = self.first_chunk(connection, stream, at_offset(wanted))
            self.assertLessEqual(chunk.chunk_id, wanted)
            self.assertGreater(chunk.chunk_id + chunk.records, wanted)

    def test_next_and_an_offset_above_the_end_wait_for_what_is_new(self):
        connection, stream, _ = self.filled()
        for spec in (NEXT, at_offset(1 << 40)):
            with self.subTest(spec):
                self.assertEqual(connection.subscribe(1, stream, spec), OK)
                self.assertTrue(connection.silent(0.2, DELIVER))
                connection.publish(0, [b"new"])
                connection.confirms(1)
                self.assertEqual([message.data for message in connection.deliver().messages()], [b"new"])
                self.assertEqual(connection.unsubscribe(1), OK)

    def test_a_timestamp_attaches_to_the_first_chunk_not_older(self):
        connection, stream, chunks = self.filled()
        wanted = chunks[15][1]
        expected = next(chunk_id for chunk_id, timestamp in chunks if timestamp >= wanted)
        self.assertEqual(self.first_chunk(connection, stream, at_timestamp(wanted)).chunk_id, expected)
        self.assertEqual(self.first_chunk(connection, stream, at_timestamp(0)).chunk_id, chunks[0][0])
        self.assertEqual(self.first_chunk(connection, stream, at_timestamp(-5)).chunk_id, chunks[0][0])
        self.assertEqual(connection.subscribe(1, stream, at_timestamp(int(time.time() * 1000) + 3600_000)), OK)
        self.assertTrue(connection.silent(0.2, DELIVER))
        connection.publish(0, [b"new"])
        self.assertEqual([message.data for message in connection.deliver().messages()], [b"new"])

    def test_last_and_first_of_an_empty_stream_wait(self):
        connection = self.connect()
        for spec in (FIRST, LAST, at_offset(0), at_offset(77)):
            with self.subTest(spec):
                stream = self.new_stream(connection)
                self.assertEqual(connection.subscribe(1, stream, spec), OK)
                connection.publish_and_wait(stream, [b"x"])
                self.assertEqual([message.data for message in connection.deliver().messages()], [b"x"])
                self.assertEqual(connection.unsubscribe(1), OK)

    def test_resolve_offset_spec(self):
        self.only_sluice()
        connection, stream, chunks = self.filled()
        self.assertEqual(connection.resolve(stream, FIRST), (OK, (4, chunks[0][0])))
        self.assertEqual(connection.resolve(stream, LAST), (OK, (4, chunks[-1][0])))
        self.assertEqual(connection.resolve(stream, NEXT), (OK, (4, chunks[0][0] + 300)))
        code, (kind, offset) = connection.resolve(stream, at_offset(chunks[0][0] + 57))
        self.assertEqual((code, kind), (OK, 4))
        self.assertIn(offset, [chunk_id for chunk_id, _ in chunks])
        self.assertLessEqual(offset, chunks[0][0] + 57)
        self.assertEqual(connection.resolve(stream, at_timestamp(0)), (OK, (4, chunks[0][0])))
        self.assertEqual(connection.resolve("no such stream", FIRST)[0], NO_STREAM)


class Credits(BrokerCase):
    def test_one_credit_is_one_chunk(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(0, stream), OK)
        for number in range(6):
            connection.publish(0, [b"%d" % number])
            connection.confirms(1)
        self.assertEqual(connection.subscribe(1, stream, FIRST, credit=2), OK)
        for _ in range(2):
            connection.deliver()
        self.assertTrue(connection.silent(0.2, DELIVER))
        connection.credit(1, 4)
        for _ in range(4):
            connection.deliver()
        self.assertTrue(connection.silent(0.2, DELIVER))

    def test_with_initial_credit_one_each_credit_brings_a_chunk(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(0, stream), OK)
        for number in range(5):
            connection.publish(0, [b"%d" % number])
            connection.confirms(1)
        self.assertEqual(connection.subscribe(1, stream, FIRST, credit=1), OK)
        for number in range(5):
            self.assertEqual(connection.deliver().messages()[0].data, b"%d" % number)
            connection.credit(1, 1)

    def test_no_credit_no_chunk(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        connection.publish_and_wait(stream, [b"x"])
        self.assertEqual(connection.subscribe(1, stream, FIRST, credit=0), OK)
        self.assertTrue(connection.silent(0.2, DELIVER))
        connection.credit(1, 1)
        connection.deliver()

    def test_credit_for_an_unknown_subscription_is_answered_with_code_4(self):
        connection = self.connect()
        connection.credit(42, 1)
        reader = Reader(connection.next(CREDIT | 0x8000).body)
        self.assertEqual((reader.u16(), reader.u8(), reader.remaining()), (NO_SUBSCRIPTION, 42, 0))

    def test_ungranted_chunks_do_not_disturb_other_subscriptions(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.subscribe(1, stream, FIRST, credit=0), OK)
        self.assertEqual(connection.subscribe(2, stream, FIRST, credit=10), OK)
        connection.publish_and_wait(stream, [b"x"])
        self.assertEqual(connection.deliver().subscription, 2)


class Tracking(BrokerCase):
    def test_offsets_are_stored_and_queried(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        self.assertEqual(connection.query_offset("app", stream), (NO_OFFSET, 0))
        self.assertEqual(connection.query_offset("app", "no such stream"), (NO_STREAM, 0))
        connection.store_offset("app", stream, 42)
        self.until_stored(connection, "app", stream, 42)
        connection.store_offset("app", stream, 7)
        self.until_stored(connection, "app", stream, 7)  # the last write wins
        self.assertEqual(connection.query_offset("other", stream), (NO_OFFSET, 0))

    def test_offsets_are_gone_with_their_stream(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        connection.store_offset("app", stream, 42)
        self.until_stored(connection, "app", stream, 42)
        self.assertEqual(connection.delete(stream), OK)
        self.assertEqual(connection.create(stream), OK)
        self.assertEqual(connection.query_offset("app", stream), (NO_OFFSET, 0))

    def test_what_cannot_be_stored_is_dropped_silently(self):
        self.only_sluice()
        connection = self.connect()
        stream = self.new_stream(connection)
        connection.store_offset("x" * 300, stream, 1)
        connection.store_offset("app", "no such stream", 1)
        self.assertTrue(connection.silent(0.2, STORE_OFFSET | 0x8000, CLOSE))
        self.assertEqual(connection.query_offset("app", stream), (NO_OFFSET, 0))

    def test_the_largest_offset_survives_the_trip(self):
        connection = self.connect()
        stream = self.new_stream(connection)
        connection.store_offset("app", stream, 2 ** 63 + 5)
        self.until_stored(connection, "app", stream, 2 ** 63 + 5)

    @staticmethod
    def until_stored(connection, reference, stream, wanted):
        """Storing is asynchronous."""
        until(f"{wanted} is stored", lambda: connection.query_offset(reference, stream) == (OK, wanted), 3)


if __name__ == "__main__":
    unittest.main()
