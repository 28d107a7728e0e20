# SPDX-License-Identifier: Apache-2.0
"""The native stream protocol, written a second time and small: what the Python tests speak to the broker.

It shares no code with the broker on purpose, so that an error of the broker's codec cannot hide behind the same
error here. Blocking sockets, one thread; every wait has a time limit. Layouts: docs of the protocol, sections 3-11.
"""
import collections
import socket
import struct
import time
import zlib

from broker import scaled

DECLARE_PUBLISHER, PUBLISH, PUBLISH_CONFIRM, PUBLISH_ERROR, QUERY_PUBLISHER = 1, 2, 3, 4, 5
DELETE_PUBLISHER, SUBSCRIBE, DELIVER, CREDIT, STORE_OFFSET, QUERY_OFFSET = 6, 7, 8, 9, 10, 11
UNSUBSCRIBE, CREATE, DELETE, METADATA, METADATA_UPDATE, PEER_PROPERTIES = 12, 13, 14, 15, 16, 17
SASL_HANDSHAKE, SASL_AUTHENTICATE, TUNE, OPEN, CLOSE, HEARTBEAT, ROUTE = 18, 19, 20, 21, 22, 23, 24
PARTITIONS, CONSUMER_UPDATE, EXCHANGE_VERSIONS, STREAM_STATS = 25, 26, 27, 28
CREATE_SUPER_STREAM, DELETE_SUPER_STREAM, RESOLVE_OFFSET_SPEC = 29, 30, 31

OK, NO_STREAM, SUBSCRIPTION_EXISTS, NO_SUBSCRIPTION, STREAM_EXISTS, NOT_AVAILABLE = 1, 2, 3, 4, 5, 6
MECHANISM_UNSUPPORTED, AUTHENTICATION_FAILURE, SASL_ERROR, SASL_CHALLENGE, LOOPBACK_ONLY = 7, 8, 9, 10, 11
VHOST_FAILURE, UNKNOWN_FRAME, FRAME_TOO_LARGE, INTERNAL_ERROR, ACCESS_REFUSED = 12, 13, 14, 15, 16
PRECONDITION_FAILED, NO_PUBLISHER, NO_OFFSET = 17, 18, 19

FIRST, LAST, NEXT = (1, None), (2, None), (3, None)
FROM_CLIENT = {DECLARE_PUBLISHER, QUERY_PUBLISHER, DELETE_PUBLISHER, SUBSCRIBE, QUERY_OFFSET, UNSUBSCRIBE, CREATE,
               DELETE, METADATA, PEER_PROPERTIES, SASL_HANDSHAKE, SASL_AUTHENTICATE, OPEN, CLOSE, ROUTE, PARTITIONS,
               EXCHANGE_VERSIONS, STREAM_STATS, CREATE_SUPER_STREAM, DELETE_SUPER_STREAM, RESOLVE_OFFSET_SPEC}


def at_offset(offset):
    return (4, offset)


def at_timestamp(timestamp_ms):
    return (5, timestamp_ms)


def string(text):
    if text is None:
        return b"\xff\xff"
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">H", len(data)) + data


def array(items):
    return struct.pack(">I", len(items)) + b"".join(items)


def properties(pairs):
    return array([string(key) + string(value) for key, value in pairs.items()])


def offset_spec(spec):
    kind, value = spec
    if value is None:
        return struct.pack(">H", kind)
    return struct.pack(">Hq" if kind == 5 else ">HQ", kind, value)


def frame(key, version, body):
    return struct.pack(">IHH", len(body) + 4, key, version) + body


def simple_entry(data):
    return struct.pack(">I", len(data)) + data


def sub_batch(messages, compression=0, compress=lambda data: data):
    plain = b"".join(simple_entry(message) for message in messages)
    packed = compress(plain)
    head = struct.pack(">BHII", 0x80 | compression << 4, len(messages), len(plain), len(packed))
    return head + packed


def amqp_message(body, application_properties=None, subject=None):
    """An AMQP 1.0 message as the client libraries write it: properties, application properties, one data section."""
    def text(value):
        data = value.encode()
        return b"\xa1" + bytes([len(data)]) + data if len(data) < 256 else b"\xb1" + struct.pack(">I", len(data)) + data

    def value(item):
        if isinstance(item, bool):
            return b"\x41" if item else b"\x42"
        if isinstance(item, int):
            return b"\x81" + struct.pack(">q", item)
        if isinstance(item, float):
            return b"\x82" + struct.pack(">d", item)
        return text(item)

    out = b""
    if subject is not None:
        fields = b"\x40\x40\x40" + text(subject)
        out += b"\x00\x53\x73\xd0" + struct.pack(">II", len(fields) + 4, 4) + fields
    if application_properties:
        pairs = b"".join(text(key) + value(item) for key, item in application_properties.items())
        out += b"\x00\x53\x74\xd1" + struct.pack(">II", len(pairs) + 4, 2 * len(application_properties)) + pairs
    data = body if isinstance(body, bytes) else body.encode()
    return out + b"\x00\x53\x75\xb0" + struct.pack(">I", len(data)) + data


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, size):
        if size < 0 or self.at + size > len(self.data):
            raise AssertionError(f"the frame ends early: {self.data.hex()}")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, layout):
        return struct.unpack(">" + layout, self.take(struct.calcsize(">" + layout)))[0]

    def u8(self):
        return self.number("B")

    def u16(self):
        return self.number("H")

    def u32(self):
        return self.number("I")

    def u64(self):
        return self.number("Q")

    def i64(self):
        return self.number("q")

    def string(self):
        size = self.number("h")
        return None if size == -1 else self.take(size).decode()

    def list(self, one):
        return [one() for _ in range(self.u32())]

    def properties(self):
        return {self.string(): self.string() for _ in range(self.u32())}

    def remaining(self):
        return len(self.data) - self.at


Frame = collections.namedtuple("Frame", "key version body size")
Message = collections.namedtuple("Message", "offset data")


class Chunk:
    """A Deliver frame, checked: the data's CRC, its length, the number of entries and records."""

    def __init__(self, frame_):
        reader = Reader(frame_.body)
        self.version = frame_.version
        self.wire_bytes = frame_.size + 4
        self.subscription = reader.u8()
        self.committed = reader.u64() if frame_.version == 2 else None
        start = reader.at
        self.magic, self.kind, self.entries, self.records = (reader.u8(), reader.u8(), reader.u16(), reader.u32())
        self.timestamp, self.epoch, self.chunk_id = reader.i64(), reader.u64(), reader.u64()
        crc, size, _trailer = reader.u32(), reader.u32(), reader.u32()
        reader.take(4)
        assert reader.at - start == 48
        assert self.magic == 0x50, hex(self.magic)
        assert self.kind == 0, f"chunk type {self.kind} was delivered"
        assert size == reader.remaining(), f"data length {size}, but {reader.remaining()} bytes follow"
        self.data = reader.take(size)
        assert zlib.crc32(self.data) == crc, "the CRC of the data is wrong"

    def messages(self, decompress=None):
        out, reader, offset = [], Reader(self.data), self.chunk_id
        for _ in range(self.entries):
            first = reader.u8()
            if first & 0x80 == 0:
                reader.at -= 1
                out.append(Message(offset, reader.take(reader.u32())))
                offset += 1
                continue
            count, plain_size, size = reader.u16(), reader.u32(), reader.u32()
            data = reader.take(size)
            codec = first >> 4 & 7
            plain = decompress[codec](data) if codec else data
            assert len(plain) == plain_size
            inner = Reader(plain)
            for _ in range(count):
                out.append(Message(offset, inner.take(inner.u32())))
                offset += 1
            assert inner.remaining() == 0
        assert reader.remaining() == 0
        assert len(out) == self.records, f"{len(out)} messages, but NumRecords is {self.records}"
        return out


class Closed(Exception):
    """The peer ended the connection."""


class Connection:
    """One connection. `Connection(port)` is open and ready; `Connection(port, handshake=False)` only connected."""

    def __init__(self, port, handshake=True, vhost="/", user="guest", password="guest", deliver_v2=False,
                 frame_max=0, heartbeat=0, timeout=10, name="test", receive_buffer=None):
        self.timeout = timeout
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(scaled(timeout))
        self.socket.connect(("127.0.0.1", port))
        self.buffer = bytearray()
        self.waiting = collections.deque()
        self.correlation = 0
        self.answer_updates = None
        if handshake:
            self.handshake(vhost, user, password, frame_max, heartbeat, name)
            if deliver_v2:
                self.exchange_versions([(DELIVER, 1, 2)])

    # -- frames

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, key, body=b"", version=1):
        self.send_raw(frame(key, version, body))

    def read_frame(self, timeout=None):
        deadline = time.monotonic() + scaled(self.timeout if timeout is None else timeout)
        while True:
            if len(self.buffer) >= 4:
                size = int.from_bytes(self.buffer[:4], "big")
                if len(self.buffer) >= 4 + size:
                    data = bytes(self.buffer[4:4 + size])
                    del self.buffer[:4 + size]
                    key, version = struct.unpack(">HH", data[:4])
                    return Frame(key, version, data[4:], size)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no frame in time")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionError as error:
                raise Closed(str(error)) from error
            if not data:
                raise Closed("end of stream")
            self.buffer += data

    def next(self, *keys, timeout=None):
        """The next frame of one of the keys; others wait for their turn. Heartbeats are dropped unless asked for."""
        for index, waiting in enumerate(self.waiting):
            if waiting.key in keys:
                del self.waiting[index]
                return waiting
        deadline = time.monotonic() + scaled(self.timeout if timeout is None else timeout)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no frame of {keys}")
            got = self.read_frame(left / scaled(1))
            if got.key in keys:
                return got
            if got.key != HEARTBEAT:
                self.waiting.append(got)

    def silent(self, seconds, *keys):
        """True when no frame of these keys comes in that time."""
        try:
            self.next(*keys, timeout=seconds)
            return False
        except TimeoutError:
            return True

    def send_request(self, key, body=b"", version=1):
        self.correlation += 1
        self.send(key, struct.pack(">I", self.correlation) + body, version)
        return self.correlation

    def request(self, key, body=b"", version=1, timeout=None):
        """Sends a request; returns (code, reader behind the code)."""
        correlation = self.send_request(key, body, version)
        answer = self.next(key | 0x8000, timeout=timeout)
        reader = Reader(answer.body)
        assert reader.u32() == correlation, "the answer has another correlation id"
        return reader.u16(), reader

    def closed_within(self, seconds=5):
        """True when the peer ends the connection in that time; frames that still come are kept."""
        deadline = time.monotonic() + scaled(seconds)
        try:
            while time.monotonic() < deadline:
                self.waiting.append(self.read_frame((deadline - time.monotonic()) / scaled(1)))
        except Closed:
            return True
        except TimeoutError:
            pass
        return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- handshake

    def peer_properties(self, name="test"):
        return self.request(PEER_PROPERTIES, properties({"product": "sluice tests", "connection_name": name}))

    def authenticate(self, user="guest", password="guest", mechanism="PLAIN", data=None, timeout=None):
        if data is None:
            data = b"\0" + user.encode() + b"\0" + password.encode()
        return self.request(SASL_AUTHENTICATE, string(mechanism) + struct.pack(">I", len(data)) + data,
                            timeout=timeout)

    def until_tune(self, user="guest", password="guest", name="test"):
        """The handshake up to the server's Tune, which is returned as (frame max, heartbeat)."""
        self.peer_properties(name)
        self.request(SASL_HANDSHAKE)
        code, _ = self.authenticate(user, password)
        assert code == OK, f"authentication answered {code}"
        reader = Reader(self.next(TUNE).body)
        return reader.u32(), reader.u32()

    def handshake(self, vhost="/", user="guest", password="guest", frame_max=0, heartbeat=0, name="test"):
        server_frame_max, _ = self.until_tune(user, password, name)
        self.send(TUNE | 0x8000, struct.pack(">II", frame_max or server_frame_max, heartbeat))
        code, reader = self.request(OPEN, string(vhost))
        assert code == OK, f"Open answered {code}"
        self.advertised = reader.properties() if reader.remaining() else {}

    def exchange_versions(self, versions):
        code, reader = self.request(EXCHANGE_VERSIONS, array([struct.pack(">HHH", *row) for row in versions]))
        assert code == OK
        return {key: (low, high) for key, low, high in
                reader.list(lambda: (reader.u16(), reader.u16(), reader.u16()))}

    # -- commands

    def create(self, stream, **arguments):
        pairs = {key.replace("_", "-"): str(value) for key, value in arguments.items()}
        return self.request(CREATE, string(stream) + properties(pairs))[0]

    def delete(self, stream):
        return self.request(DELETE, string(stream))[0]

    def declare(self, publisher, stream, reference=""):
        return self.request(DECLARE_PUBLISHER, struct.pack(">B", publisher) + string(reference) + string(stream))[0]

    def delete_publisher(self, publisher):
        return self.request(DELETE_PUBLISHER, struct.pack(">B", publisher))[0]

    def publish_frame(self, publisher, entries, version=1):
        """entries: (publishing id, encoded entry) or, with version 2, (publishing id, filter value, encoded entry)."""
        rows = []
        for entry in entries:
            middle = string(entry[1]) if version == 2 else b""
            rows.append(struct.pack(">Q", entry[0]) + middle + entry[-1])
        return frame(PUBLISH, version, struct.pack(">B", publisher) + array(rows))

    def publish(self, publisher, messages, first_id=1, filter_value=None):
        """Publishes messages under consecutive ids; with a filter value through version 2."""
        entries = [(first_id + index, simple_entry(message)) for index, message in enumerate(messages)]
        if filter_value is not None:
            entries = [(number, filter_value, entry) for number, entry in entries]
        self.send_raw(self.publish_frame(publisher, entries, 1 if filter_value is None else 2))

    def confirms(self, count, timeout=None):
        """The publishing ids of the next `count` confirms, as a sorted list."""
        got = []
        while len(got) < count:
            reader = Reader(self.next(PUBLISH_CONFIRM, timeout=timeout).body)
            reader.u8()
            got += reader.list(reader.u64)
        assert len(got) == count, f"{len(got)} confirms instead of {count}"
        return sorted(got)

    def errors(self, count, timeout=None):
        """The next `count` rows of PublishError as {publishing id: code}."""
        got = {}
        while len(got) < count:
            reader = Reader(self.next(PUBLISH_ERROR, timeout=timeout).body)
            reader.u8()
            got.update(reader.list(lambda: (reader.u64(), reader.u16())))
        return got

    def publish_and_wait(self, stream, messages, filter_value=None, publisher=200, reference=""):
        """Declares, publishes, waits for all confirms, deletes the publisher."""
        assert self.declare(publisher, stream, reference) == OK
        start = 0
        while start < len(messages):  # in frames that the broker takes
            end, size = start, 0
            while end < len(messages) and end - start < 1000 and (end == start or size + len(messages[end]) < 900000):
                size += len(messages[end])
                end += 1
            self.publish(publisher, messages[start:end], start + 1, filter_value)
            start = end
        self.confirms(len(messages))
        assert self.delete_publisher(publisher) == OK

    def query_sequence(self, reference, stream):
        code, reader = self.request(QUERY_PUBLISHER, string(reference) + string(stream))
        return code, reader.u64()

    def subscribe(self, subscription, stream, spec=FIRST, credit=10, **props):
        return self.subscribe_with(subscription, stream, spec, credit,
                                   {key.replace("_", "-"): value for key, value in props.items()})

    def subscribe_with(self, subscription, stream, spec, credit, props):
        body = struct.pack(">B", subscription) + string(stream) + offset_spec(spec) + struct.pack(">H", credit)
        return self.request(SUBSCRIBE, body + (properties(props) if props else b""))[0]

    def unsubscribe(self, subscription):
        return self.request(UNSUBSCRIBE, struct.pack(">B", subscription))[0]

    def credit(self, subscription, credit=1):
        self.send(CREDIT, struct.pack(">BH", subscription, credit))

    def deliver(self, timeout=None):
        return Chunk(self.next(DELIVER, timeout=timeout))

    def read(self, subscription, count, decompress=None, timeout=None):
        """Takes chunks, giving a credit for each, until `count` messages came; returns them."""
        got = []
        while len(got) < count:
            chunk = self.deliver(timeout)
            assert chunk.subscription == subscription
            got += chunk.messages(decompress)
            self.credit(subscription)
        return got

    def store_offset(self, reference, stream, offset):
        self.send(STORE_OFFSET, string(reference) + string(stream) + struct.pack(">Q", offset))

    def query_offset(self, reference, stream):
        code, reader = self.request(QUERY_OFFSET, string(reference) + string(stream))
        return code, reader.u64()

    def metadata(self, *streams):
        correlation = self.send_request(METADATA, array([string(stream) for stream in streams]))
        reader = Reader(self.next(METADATA | 0x8000).body)
        assert reader.u32() == correlation
        brokers = {ref: (host, port) for ref, host, port in
                   reader.list(lambda: (reader.u16(), reader.string(), reader.u32()))}
        rows = reader.list(lambda: (reader.string(), reader.u16(), reader.u16(), reader.list(reader.u16)))
        return brokers, {name: (code, leader, replicas) for name, code, leader, replicas in rows}

    def stats(self, stream):
        code, reader = self.request(STREAM_STATS, string(stream))
        return code, dict(reader.list(lambda: (reader.string(), reader.i64()))) if reader.remaining() else {}

    def create_super_stream(self, name, partitions, keys, **arguments):
        pairs = {key.replace("_", "-"): str(value) for key, value in arguments.items()}
        return self.request(CREATE_SUPER_STREAM, string(name) + array([string(p) for p in partitions])
                            + array([string(k) for k in keys]) + properties(pairs))[0]

    def delete_super_stream(self, name):
        return self.request(DELETE_SUPER_STREAM, string(name))[0]

    def partitions(self, name):
        code, reader = self.request(PARTITIONS, string(name))
        return code, reader.list(reader.string) if reader.remaining() else []

    def route(self, key, name):
        code, reader = self.request(ROUTE, string(key) + string(name))
        return code, reader.list(reader.string) if reader.remaining() else []

    def resolve(self, stream, spec, **props):
        pairs = {key.replace("_", "-"): value for key, value in props.items()}
        code, reader = self.request(RESOLVE_OFFSET_SPEC, string(stream) + offset_spec(spec)
                                    + (properties(pairs) if pairs else b""))
        return code, (reader.u16(), reader.u64())

    def consumer_update(self, timeout=None):
        """The next ConsumerUpdate as (correlation id, subscription, active)."""
        reader = Reader(self.next(CONSUMER_UPDATE, timeout=timeout).body)
        return reader.u32(), reader.u8(), reader.u8()

    def answer_update(self, correlation, spec=(0, None)):
        self.send(CONSUMER_UPDATE | 0x8000, struct.pack(">IH", correlation, OK) + offset_spec(spec))
