# SPDX-License-Identifier: Apache-2.0
"""Handshake, Tune, frame limits, Close and heartbeats, byte by byte, as section 6 of the protocol describes them."""
import pathlib
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BrokerCase
from stream_wire import *  # noqa: F403
from stream_wire import Closed, Reader, frame, properties, string


class Handshake(BrokerCase):
    def test_exact_bytes_of_a_whole_handshake_are_understood(self):
        connection = self.connect(handshake=False)
        connection.send_raw(bytes.fromhex("0000000C00110001" "00000000" "00000000"))
        peer = Reader(connection.next(0x8011).body)
        self.assertEqual((peer.u32(), peer.u16()), (0, OK))
        names = peer.properties()
        self.assertIn("product", names)
        major, minor = names["version"].split(".")[:2]
        self.assertGreaterEqual((int(major), int(minor)), (3, 10))
        connection.send_raw(bytes.fromhex("0000000800120001" "00000001"))
        shake = Reader(connection.next(0x8012).body)
        self.assertEqual((shake.u32(), shake.u16()), (1, OK))
        self.assertIn("PLAIN", shake.list(shake.string))
        connection.send_raw(bytes.fromhex("0000001F00130001" "00000002" "0005504C41494E" "0000000C"
                                          "0067756573740067756573" "74"))
        done = Reader(connection.next(0x8013).body)
        self.assertEqual((done.u32(), done.u16(), done.remaining()), (2, OK, 0))
        tune = Reader(connection.next(TUNE).body)
        self.assertEqual((tune.u32(), tune.u32(), tune.remaining()), (1048576, 60, 0))
        connection.send_raw(bytes.fromhex("0000000C80140001" "00100000" "0000003C"))
        connection.send_raw(bytes.fromhex("0000000B00150001" "00000003" "00012F"))
        opened = Reader(connection.next(0x8015).body)
        self.assertEqual((opened.u32(), opened.u16()), (3, OK))
        advertised = opened.properties()
        self.assertTrue(advertised["advertised_host"])
        self.assertTrue(advertised["advertised_port"].isdigit())

    def test_the_tune_answer_may_use_the_request_key_and_come_together_with_open(self):
        connection = self.connect(handshake=False)
        connection.until_tune()
        connection.send_raw(frame(TUNE, 1, struct.pack(">II", 65536, 0))
                            + frame(OPEN, 1, struct.pack(">I", 9) + string("/")))
        opened = Reader(connection.next(0x8015).body)
        self.assertEqual((opened.u32(), opened.u16()), (9, OK))

    def test_frames_may_arrive_in_pieces_of_one_byte(self):
        self.only_sluice()
        connection = self.connect(handshake=False)
        for byte in frame(PEER_PROPERTIES, 1, struct.pack(">I", 7) + properties({"product": "x"})):
            connection.send_raw(bytes([byte]))
        self.assertEqual(Reader(connection.next(0x8011).body).u32(), 7)

    def test_amqplain(self):
        connection = self.connect(handshake=False)
        connection.peer_properties()
        _, reader = connection.request(SASL_HANDSHAKE)
        self.assertIn("AMQPLAIN", reader.list(reader.string))
        table = b"".join(bytes([len(key)]) + key + b"S" + struct.pack(">I", len(value)) + value
                         for key, value in ((b"LOGIN", b"guest"), (b"PASSWORD", b"guest")))
        code, _ = connection.authenticate(mechanism="AMQPLAIN", data=table)
        self.assertEqual(code, OK)
        connection.next(TUNE)

    def test_an_unknown_mechanism_is_refused_and_the_connection_closed(self):
        connection = self.connect(handshake=False)
        connection.peer_properties()
        connection.request(SASL_HANDSHAKE)
        code, reader = connection.authenticate(mechanism="NOSUCH")
        self.assertEqual((code, reader.remaining()), (MECHANISM_UNSUPPORTED, 0))
        self.assertTrue(connection.closed_within(5))

    def test_malformed_plain_data_is_refused_and_the_connection_closed(self):
        connection = self.connect(handshake=False)
        connection.peer_properties()
        connection.request(SASL_HANDSHAKE)
        code, _ = connection.authenticate(data=b"no zero bytes")
        self.assertIn(code, (AUTHENTICATION_FAILURE, SASL_ERROR))
        self.assertTrue(connection.closed_within(8))

    def test_a_wrong_password_is_answered_late_and_the_connection_closed(self):
        connection = self.connect(handshake=False)
        connection.peer_properties()
        connection.request(SASL_HANDSHAKE)
        start = time.monotonic()
        code, _ = connection.authenticate(password="wrong", timeout=8)
        self.assertEqual(code, AUTHENTICATION_FAILURE)
        if self.broker:
            self.assertGreater(time.monotonic() - start, 2.5)
        self.assertTrue(connection.closed_within(5))

    def test_an_unknown_virtual_host_is_answered_with_a_failure_and_closed(self):
        connection = self.connect(handshake=False)
        connection.until_tune()
        connection.send(TUNE | 0x8000, struct.pack(">II", 0, 0))
        code, reader = connection.request(OPEN, string("nowhere"), timeout=8)
        self.assertEqual((code, reader.remaining()), (VHOST_FAILURE, 0))
        self.assertTrue(connection.closed_within(5))

    def test_a_step_out_of_order_closes_without_an_answer(self):
        for early in (OPEN, CREATE, METADATA, SASL_AUTHENTICATE):
            with self.subTest(key=early):
                connection = self.connect(handshake=False)
                connection.send(early, struct.pack(">I", 1) + string("/"))
                self.assertTrue(connection.closed_within(5))
                self.assertEqual(list(connection.waiting), [])

    def test_a_tls_hello_on_the_plain_port_closes(self):
        connection = self.connect(handshake=False)
        connection.send_raw(bytes.fromhex("16030100f8010000f40303") + bytes(64))
        self.assertTrue(connection.closed_within(5))

    def test_before_open_a_frame_above_8_kib_closes_before_its_body_came(self):
        self.only_sluice()
        connection = self.connect(handshake=False)
        connection.send_raw(struct.pack(">IHH", 8193, PEER_PROPERTIES, 1))
        self.assertTrue(connection.closed_within(5))

    def test_exchange_of_command_versions_lists_what_clients_may_send(self):
        self.only_sluice()
        versions = self.connect().exchange_versions([(DELIVER, 1, 2)])
        self.assertEqual(versions[DECLARE_PUBLISHER], (1, 1))
        if self.broker:
            keys = [1, 2, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 22, 23, 24, 25, 28, 29, 30, 31]
            self.assertEqual(sorted(versions), keys)
            self.assertEqual(versions[PUBLISH], (1, 2))


class Limits(BrokerCase):
    def test_a_frame_above_the_negotiated_limit_is_answered_with_close_14(self):
        self.only_sluice()
        connection = self.connect(frame_max=20000)
        connection.send_raw(struct.pack(">IHH", 20001, PUBLISH, 1))
        self.expect_close(connection, FRAME_TOO_LARGE, "frame too large", finish=False)
        # Nobody can tell the rest of that frame from an answer: the server leaves after its time limit of 10 s.
        self.assertTrue(connection.closed_within(14))

    def test_a_frame_of_2_gib_is_answered_without_waiting_for_it(self):
        self.only_sluice()
        connection = self.connect()
        connection.send_raw(struct.pack(">IHH", 0x7fffffff, PUBLISH, 1))
        self.expect_close(connection, FRAME_TOO_LARGE, "frame too large", finish=False)

    def test_a_frame_of_exactly_the_limit_is_taken(self):
        connection = self.connect(frame_max=20000)
        stream = self.new_stream(connection)
        self.assertEqual(connection.declare(1, stream), OK)
        overhead = 4 + 1 + 4 + 8 + 4
        connection.publish(1, [b"x" * (20000 - overhead)])
        self.assertEqual(connection.confirms(1), [1])

    def test_an_unknown_command_is_answered_with_close_13(self):
        connection = self.connect()
        connection.send(0x0777, struct.pack(">I", 1))
        self.expect_close(connection, UNKNOWN_FRAME, "unknown frame")

    def test_a_command_that_ends_early_is_answered_with_close_13(self):
        connection = self.connect()
        connection.send(DECLARE_PUBLISHER, struct.pack(">IB", 1, 0) + b"\x00\x10ab")
        self.expect_close(connection, UNKNOWN_FRAME, "unknown frame")

    def test_an_unknown_version_is_answered_with_close_13(self):
        connection = self.connect()
        connection.send(CREATE, struct.pack(">I", 1) + string("s") + properties({}), version=7)
        self.expect_close(connection, UNKNOWN_FRAME, "unknown frame")

    def test_after_the_server_closed_other_commands_are_ignored_until_the_answer(self):
        connection = self.connect()
        stream = self.name()
        connection.send(0x0777, struct.pack(">I", 1))
        correlation = self.expect_close(connection, UNKNOWN_FRAME, "unknown frame", finish=False)
        connection.send(CREATE, struct.pack(">I", 5) + string(stream) + properties({}))
        self.assertTrue(connection.silent(0.2, CREATE | 0x8000))
        connection.send(CLOSE | 0x8000, struct.pack(">IH", correlation, OK))
        self.assertTrue(connection.closed_within(5))

    def test_a_clients_close_is_answered_and_what_follows_is_ignored(self):
        self.only_sluice()
        connection = self.connect()
        connection.send_raw(frame(CLOSE, 1, struct.pack(">IH", 77, OK) + string("bye"))
                            + frame(CREATE, 1, struct.pack(">I", 78) + string(self.name()) + properties({})))
        answer = Reader(connection.next(0x8016).body)
        self.assertEqual((answer.u32(), answer.u16()), (77, OK))
        self.assertTrue(connection.closed_within(5))
        self.assertEqual(list(connection.waiting), [])

    def expect_close(self, connection, code, reason, finish=True):
        reader = Reader(connection.next(CLOSE).body)
        correlation = reader.u32()
        self.assertEqual((reader.u16(), reader.string()), (code, reason))
        if finish:
            connection.send(CLOSE | 0x8000, struct.pack(">IH", correlation, OK))
            self.assertTrue(connection.closed_within(5))
        return correlation


class Heartbeats(BrokerCase):
    def test_an_idle_server_sends_heartbeats_and_drops_a_silent_client(self):
        connection = self.connect(heartbeat=1)
        first = connection.next(HEARTBEAT, timeout=3)
        self.assertEqual((first.key, first.version, first.body), (HEARTBEAT, 1, b""))
        start = time.monotonic()
        self.assertTrue(connection.closed_within(6))
        self.assertGreater(time.monotonic() - start, 0.5)

    def test_heartbeats_keep_a_connection_alive(self):
        connection = self.connect(heartbeat=1)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            connection.send(HEARTBEAT)
            try:
                connection.next(HEARTBEAT, timeout=0.5)
            except TimeoutError:
                pass
        self.assertEqual(connection.create(self.name()), OK)

    def test_without_a_heartbeat_nothing_is_sent_and_nobody_dropped(self):
        connection = self.connect(heartbeat=0)
        self.assertTrue(connection.silent(2.5, HEARTBEAT))
        self.assertEqual(connection.create(self.name()), OK)


if __name__ == "__main__":
    unittest.main()
