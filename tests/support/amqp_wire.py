# SPDX-License-Identifier: Apache-2.0
"""AMQP 0-9-1, written a second time and small: for tests that must send what no client library would send.

It shares no code with the broker on purpose. Blocking sockets, one thread, every wait has a time limit. METHODS is the
published method table; a method is sent and received by name with its fields as keywords. Table values are Python's
own, or Typed(code, value) where the code matters; decoding with `typed=True` keeps the codes.
"""
import collections
import socket
import struct
import time

from broker import scaled

METHOD, HEADER, BODY, HEARTBEAT, END = 1, 2, 3, 8, 0xCE
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"

# fields: o octet, h short, l long, L longlong, s short string, S long string, t table, b bit, T timestamp
METHODS = {line.split()[0]: (int(line.split()[1]), int(line.split()[2]),
                             [field.split(":") for field in line.split()[3:]]) for line in """
connection.start 10 10 version_major:o version_minor:o server_properties:t mechanisms:S locales:S
connection.start-ok 10 11 client_properties:t mechanism:s response:S locale:s
connection.secure 10 20 challenge:S
connection.secure-ok 10 21 response:S
connection.tune 10 30 channel_max:h frame_max:l heartbeat:h
connection.tune-ok 10 31 channel_max:h frame_max:l heartbeat:h
connection.open 10 40 virtual_host:s reserved1:s reserved2:b
connection.open-ok 10 41 reserved1:s
connection.close 10 50 reply_code:h reply_text:s class_id:h method_id:h
connection.close-ok 10 51
connection.blocked 10 60 reason:s
connection.unblocked 10 61
connection.update-secret 10 70 new_secret:S reason:s
connection.update-secret-ok 10 71
channel.open 20 10 reserved1:s
channel.open-ok 20 11 reserved1:S
channel.flow 20 20 active:b
channel.flow-ok 20 21 active:b
channel.close 20 40 reply_code:h reply_text:s class_id:h method_id:h
channel.close-ok 20 41
access.request 30 10 realm:s exclusive:b passive:b active:b write:b read:b
access.request-ok 30 11 ticket:h
exchange.declare 40 10 ticket:h exchange:s type:s passive:b durable:b auto_delete:b internal:b nowait:b arguments:t
exchange.declare-ok 40 11
exchange.delete 40 20 ticket:h exchange:s if_unused:b nowait:b
exchange.delete-ok 40 21
exchange.bind 40 30 ticket:h destination:s source:s routing_key:s nowait:b arguments:t
exchange.bind-ok 40 31
exchange.unbind 40 40 ticket:h destination:s source:s routing_key:s nowait:b arguments:t
exchange.unbind-ok 40 51
queue.declare 50 10 ticket:h queue:s passive:b durable:b exclusive:b auto_delete:b nowait:b arguments:t
queue.declare-ok 50 11 queue:s message_count:l consumer_count:l
queue.bind 50 20 ticket:h queue:s exchange:s routing_key:s nowait:b arguments:t
queue.bind-ok 50 21
queue.purge 50 30 ticket:h queue:s nowait:b
queue.purge-ok 50 31 message_count:l
queue.delete 50 40 ticket:h queue:s if_unused:b if_empty:b nowait:b
queue.delete-ok 50 41 message_count:l
queue.unbind 50 50 ticket:h queue:s exchange:s routing_key:s arguments:t
queue.unbind-ok 50 51
basic.qos 60 10 prefetch_size:l prefetch_count:h global_:b
basic.qos-ok 60 11
basic.consume 60 20 ticket:h queue:s consumer_tag:s no_local:b no_ack:b exclusive:b nowait:b arguments:t
basic.consume-ok 60 21 consumer_tag:s
basic.cancel 60 30 consumer_tag:s nowait:b
basic.cancel-ok 60 31 consumer_tag:s
basic.publish 60 40 ticket:h exchange:s routing_key:s mandatory:b immediate:b
basic.return 60 50 reply_code:h reply_text:s exchange:s routing_key:s
basic.deliver 60 60 consumer_tag:s delivery_tag:L redelivered:b exchange:s routing_key:s
basic.get 60 70 ticket:h queue:s no_ack:b
basic.get-ok 60 71 delivery_tag:L redelivered:b exchange:s routing_key:s message_count:l
basic.get-empty 60 72 reserved1:s
basic.ack 60 80 delivery_tag:L multiple:b
basic.reject 60 90 delivery_tag:L requeue:b
basic.recover-async 60 100 requeue:b
basic.recover 60 110 requeue:b
basic.recover-ok 60 111
basic.nack 60 120 delivery_tag:L multiple:b requeue:b
confirm.select 85 10 nowait:b
confirm.select-ok 85 11
tx.select 90 10
tx.select-ok 90 11
tx.commit 90 20
tx.commit-ok 90 21
tx.rollback 90 30
tx.rollback-ok 90 31
""".strip().splitlines()}
BY_ID = {(class_id, method_id): name for name, (class_id, method_id, _) in METHODS.items()}
WITH_CONTENT = ("basic.return", "basic.deliver", "basic.get-ok")

PROPERTIES = [("content_type", "s"), ("content_encoding", "s"), ("headers", "t"), ("delivery_mode", "o"),
              ("priority", "o"), ("correlation_id", "s"), ("reply_to", "s"), ("expiration", "s"), ("message_id", "s"),
              ("timestamp", "T"), ("type", "s"), ("user_id", "s"), ("app_id", "s"), ("cluster_id", "s")]
LAYOUTS = {"o": ">B", "h": ">H", "l": ">I", "L": ">Q", "T": ">Q"}
TABLE_LAYOUTS = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q", "f": ">f", "d": ">d",
                 "T": ">Q"}

Typed = collections.namedtuple("Typed", "code value")
Frame = collections.namedtuple("Frame", "type channel payload")


class Closed(Exception):
    """The broker ended the TCP connection."""


class Method:
    def __init__(self, name, channel, fields):
        self.name, self.channel, self.fields = name, channel, fields
        self.properties, self.body = None, None

    def __getattr__(self, name):
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self):
        return f"{self.name} on {self.channel} {self.fields} {self.properties} {self.body!r:.100}"


def encode_value(value):
    if not isinstance(value, Typed):
        if value is None:
            value = Typed("V", None)
        elif isinstance(value, bool):
            value = Typed("t", value)
        elif isinstance(value, int):
            value = Typed("I" if -2**31 <= value < 2**31 else "l", value)
        elif isinstance(value, float):
            value = Typed("d", value)
        elif isinstance(value, dict):
            value = Typed("F", value)
        elif isinstance(value, (list, tuple)):
            value = Typed("A", value)
        else:
            value = Typed("S", value)
    code, item = value
    head = code.encode()
    if code in TABLE_LAYOUTS:
        return head + struct.pack(TABLE_LAYOUTS[code], item)
    if code == "t":
        return head + bytes([item])
    if code == "D":
        return head + struct.pack(">BI", *item)
    if code == "F":
        return head + encode_table(item)
    if code == "A":
        data = b"".join(encode_value(entry) for entry in item)
        return head + struct.pack(">I", len(data)) + data
    if code == "V":
        return head
    return head + long_string(item)


def encode_table(table):
    data = b"".join(short_string(key) + encode_value(value) for key, value in table.items())
    return struct.pack(">I", len(data)) + data


def short_string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">B", len(data)) + data


def long_string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">I", len(data)) + data


def encode_field(kind, value):
    if kind in LAYOUTS:
        return struct.pack(LAYOUTS[kind], value or 0)
    if kind == "s":
        return short_string(value or "")
    if kind == "S":
        return long_string(value or "")
    return value if isinstance(value, bytes) else encode_table(value or {})


def encode_method(name, **fields):
    class_id, method_id, layout = METHODS[name]
    unknown = set(fields) - {field for field, _ in layout}
    assert not unknown, f"{name} has no {unknown}"
    out, bits, count = struct.pack(">HH", class_id, method_id), 0, 0
    for field, kind in layout + [("", "end")]:
        if kind == "b":
            bits |= bool(fields.get(field)) << count
            count += 1
            continue
        if count:
            out, bits, count = out + bytes([bits]), 0, 0
        if kind != "end":
            out += encode_field(kind, fields.get(field))
    return out


def encode_frame(kind, channel, payload, size=None, end=END):
    return struct.pack(">BHI", kind, channel, len(payload) if size is None else size) + payload + bytes([end])


def encode_properties(properties):
    flags, out = 0, b""
    for index, (name, kind) in enumerate(PROPERTIES):
        if properties.get(name) is not None:
            flags |= 1 << (15 - index)
            out += encode_field(kind, properties[name])
    return struct.pack(">H", flags) + out


def encode_header(size, properties=None, class_id=60):
    return struct.pack(">HHQ", class_id, 0, size) + encode_properties(properties or {})


class Reader:
    def __init__(self, data, typed=False):
        self.data, self.at, self.typed = data, 0, typed

    def take(self, size):
        if size < 0 or self.at + size > len(self.data):
            raise AssertionError(f"the payload ends early: {self.data.hex()}")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def value(self):
        code = chr(self.number(">B"))
        if code in TABLE_LAYOUTS:
            item = self.number(TABLE_LAYOUTS[code])
        elif code == "t":
            item = bool(self.number(">B"))
        elif code == "D":
            item = (self.number(">B"), self.number(">I"))
        elif code == "F":
            item = self.table()
        elif code == "A":
            inner, item = Reader(self.take(self.number(">I")), self.typed), []
            while inner.at < len(inner.data):
                item.append(inner.value())
        elif code == "V":
            item = None
        elif code in "Sx":
            item = self.take(self.number(">I"))
            item = item if self.typed or code == "x" else item.decode("utf-8", "replace")
        else:
            raise AssertionError(f"unknown field code {code!r}")
        return Typed(code, item) if self.typed else item

    def table(self):
        inner, out = Reader(self.take(self.number(">I")), self.typed), {}
        while inner.at < len(inner.data):
            key = inner.take(inner.number(">B")).decode("utf-8", "replace")
            out[key] = inner.value()
        return out

    def field(self, kind):
        if kind in LAYOUTS:
            return self.number(LAYOUTS[kind])
        if kind == "s":
            return self.take(self.number(">B")).decode("utf-8", "replace")
        return self.take(self.number(">I")) if kind == "S" else self.table()


def decode_method(payload, channel, typed=False):
    reader = Reader(payload, typed)
    name = BY_ID[reader.number(">H"), reader.number(">H")]
    fields, bits, count = {}, 0, 8
    for field, kind in METHODS[name][2]:
        if kind != "b":
            fields[field], count = reader.field(kind), 8
            continue
        if count == 8:
            bits, count = reader.number(">B"), 0
        fields[field], count = bool(bits >> count & 1), count + 1
    assert reader.at == len(payload), f"{name} is followed by {payload[reader.at:].hex()}"
    return Method(name, channel, fields)


def decode_properties(reader):
    flags = reader.number(">H")
    return {name: reader.field(kind) for index, (name, kind) in enumerate(PROPERTIES) if flags >> (15 - index) & 1}


class Connection:
    """A connection; with handshake=False only the TCP part of it."""

    def __init__(self, port, handshake=True, typed=False, **arguments):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=scaled(10))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data, self.typed, self.waiting, self.frame_max = b"", typed, [], 131072
        if handshake:
            self.handshake(**arguments)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # -- frames

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionError, BrokenPipeError) as error:
            raise Closed(str(error)) from None

    def send_frame(self, kind, channel, payload, **lies):
        self.send_raw(encode_frame(kind, channel, payload, **lies))

    def send(self, channel, name, **fields):
        self.send_frame(METHOD, channel, encode_method(name, **fields))

    def receive(self, size, deadline):
        while len(self.data) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"nothing more within the time limit; have {self.data[:100]!r}")
            self.socket.settimeout(left)
            try:
                more = self.socket.recv(1 << 18)
            except ConnectionError as error:
                raise Closed(str(error)) from None
            except socket.timeout:
                raise TimeoutError("nothing within the time limit") from None
            if not more:
                raise Closed("end of the connection")
            self.data += more

    def read_frame(self, timeout=10):
        deadline = time.monotonic() + scaled(timeout)
        self.receive(7, deadline)
        kind, channel, size = struct.unpack(">BHI", self.data[:7])
        self.receive(size + 8, deadline)
        payload, end, self.data = self.data[7:7 + size], self.data[7 + size], self.data[8 + size:]
        assert end == END, f"the frame ends with {end}"
        assert size + 8 <= self.frame_max, f"a frame of {size + 8} bytes, {self.frame_max} were negotiated"
        return Frame(kind, channel, payload)

    def read(self, timeout=10):
        """The next method with its content; heartbeats are left out."""
        if self.waiting:
            return self.waiting.pop(0)
        while True:
            frame = self.read_frame(timeout)
            if frame.type == METHOD:
                break
            assert frame.type == HEARTBEAT and frame.payload == b"" and frame.channel == 0, frame
        method = decode_method(frame.payload, frame.channel, self.typed)
        if method.name in WITH_CONTENT:
            head = self.content_frame(HEADER, frame.channel, timeout)
            reader = Reader(head.payload, self.typed)
            assert (reader.number(">H"), reader.number(">H")) == (60, 0)
            size, method.properties, parts, have = reader.number(">Q"), decode_properties(reader), [], 0
            method.raw_header = head.payload
            while have < size:
                parts.append(self.content_frame(BODY, frame.channel, timeout).payload)
                have += len(parts[-1])
            method.body = b"".join(parts)
            assert len(method.body) == size
        return method

    def content_frame(self, kind, channel, timeout):
        frame = self.read_frame(timeout)
        assert (frame.type, frame.channel) == (kind, channel), f"{frame} inside a content on channel {channel}"
        return frame

    def next(self, *names, timeout=10):
        """The next method, which must be one of these names."""
        method = self.read(timeout)
        assert method.name in names, f"expected {names}, got {method}"
        return method

    def call(self, channel, name, timeout=10, **fields):
        self.send(channel, name, **fields)
        return self.next(name + "-ok", timeout=timeout)

    # -- conversations

    def until_tune(self, user="guest", password="guest", mechanism="PLAIN", response=None, capabilities=(), **more):
        self.send_raw(PROTOCOL_HEADER)
        self.start = self.next("connection.start")
        properties = {"product": "amqp_wire", "capabilities": {name: True for name in capabilities}, **more}
        self.send(0, "connection.start-ok", client_properties=properties, mechanism=mechanism, locale="en_US",
                  response=f"\0{user}\0{password}" if response is None else response)
        return self.next("connection.tune")

    def handshake(self, vhost="/", channel_max=0, frame_max=0, heartbeat=0, **arguments):
        tune = self.until_tune(**arguments)
        self.frame_max = frame_max or tune.frame_max
        self.send(0, "connection.tune-ok", channel_max=channel_max or tune.channel_max, frame_max=self.frame_max,
                  heartbeat=heartbeat)
        self.call(0, "connection.open", virtual_host=vhost)

    def open_channel(self, channel=1):
        self.call(channel, "channel.open")
        return channel

    def publish_bytes(self, channel, exchange, key, body, properties=None, **flags):
        limit = self.frame_max - 8
        return (encode_frame(METHOD, channel, encode_method("basic.publish", exchange=exchange, routing_key=key, **flags))
                + encode_frame(HEADER, channel, encode_header(len(body), properties))
                + b"".join(encode_frame(BODY, channel, body[at:at + limit]) for at in range(0, len(body), limit)))

    def publish(self, channel, exchange, key, body, properties=None, **flags):
        self.send_raw(self.publish_bytes(channel, exchange, key, body, properties, **flags))

    def closed_with(self, timeout=10):
        """Reads until the broker closes: (scope, code, text, class id, method id); scope 'dropped' for a bare end."""
        while True:
            try:
                method = self.read(timeout)
            except Closed:
                return "dropped", None, None, None, None
            if method.name in ("connection.close", "channel.close"):
                scope = method.name.split(".")[0]
                self.send(method.channel, f"{scope}.close-ok")
                return scope, method.reply_code, method.reply_text, method.class_id, method.method_id
