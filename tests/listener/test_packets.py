"""Packets of every form: the text that came is the payload, and what is not ours is left alone."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.listener.listening import Listening
from tests.support.application import rows, wait_until
from tests.support.receiver import Behaviour, Receiver, hang
from tests.support.socket_server import CONNECT, OPEN, text_frame, websocket
from webhookproxy.listener.wire import packets
from webhookproxy.listener.wire.packets import without_offset

TOKEN = "packets-token-0001"
DIGITS = "7" * 101
TEXT = f'{{"v":1e2,"w":1.10,"n":{DIGITS},"d":1,"d":2,"u":"\\u00e9"}}'
AFTER = '42["after",1]'


def binary_frame(data: bytes) -> bytes:
    return text_frame(data, first=0x82)


def sent(half: Listening, *frames: str | bytes, connect: str = CONNECT) -> list[Any]:
    """The events that are stored of these frames, up to one called "after"."""
    data = b"".join(
        binary_frame(each) if isinstance(each, bytes) else text_frame(each.encode())
        for each in (*frames, AFTER)
    )
    with Receiver(websocket(OPEN, connect, then=lambda head: hang(head + data))) as server:
        company = half.company(TOKEN, socket_url=server.url(""))
        count = 1
        while (found := half.wait_for_events(count))[-1].name != "after":
            count += 1
        # The state of the connection is written beside the events.
        half.wait_for_state(company, "connected")
        assert server.connections == 1
    return found[:-1]


@pytest.mark.parametrize("head", ["427", "42/,", "42/,7", f"42{DIGITS}", "42/?x=1,"])
def test_the_text_of_an_event_is_kept_whatever_stands_before_it(half: Listening, head: str) -> None:
    (event,) = sent(half, f'{head}["x",{TEXT}]')
    assert (event.name, event.payload, event.note) == ("x", TEXT, "unwanted")


@pytest.mark.parametrize("head", ["451-", "451-/,", "451-7", "451-/,7"])
def test_the_text_of_a_binary_event_is_kept_but_for_its_attachment(
    half: Listening, head: str
) -> None:
    packet = f'{head}["x",{{"file":{{"_placeholder":true,"num":0}},"n":{DIGITS}}}]'
    (event,) = sent(half, packet, b"\x00\xff")
    assert event.payload == f'{{"file":{{"_base64":"AP8="}},"n":{DIGITS}}}'


@pytest.mark.parametrize(
    "frames",
    [
        ('42/other,["x",1]',),
        ('42/other,7["x",1]',),
        ('451-/other,["x",{"_placeholder":true,"num":0}]', b"a"),
        ("41/other",),
        ("41/other,",),
        ('40/other,{"sid":"s"}',),
        ('44/other,{"message":"Invalid namespace"}',),
        ("437[]",),
        ('461-7[{"_placeholder":true,"num":0}]', b"a"),
    ],
)
def test_what_another_namespace_or_an_acknowledgement_brings_is_none_of_ours(
    half: Listening, frames: tuple[str | bytes, ...]
) -> None:
    assert sent(half, *frames) == []
    assert [tuple(row) for row in rows(half.app, "SELECT malformed FROM connections")] == [(0,)]


def test_an_event_that_asks_for_it_is_acknowledged_with_its_own_id(half: Listening) -> None:
    answers: list[bytes] = []

    def listen(head: bytes) -> Behaviour:
        def behave(sock: Any) -> None:
            sock.sendall(head + text_frame(f'42{DIGITS}["x",1]'.encode()))
            sock.settimeout(5)
            while f"43{DIGITS}[]".encode() not in b"".join(answers):
                answers.append(unmasked(sock.recv(4096)))

        return behave

    with Receiver(websocket(OPEN, CONNECT, then=listen)) as server:
        half.company(TOKEN, socket_url=server.url(""))
        assert half.wait_for_events(1)[0].payload == "1"
        acknowledged = f"43{DIGITS}[]".encode()
        wait_until(lambda: acknowledged in b"".join(answers), 20, "it is acknowledged")


def unmasked(data: bytes) -> bytes:
    """The payloads of a client's short frames (RFC 6455 5.3)."""
    found = b""
    while data:
        length = data[1] & 0x7F
        mask, body = data[2:6], data[6 : 6 + length]
        found += bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))
        data = data[6 + length :]
    return found


RECOVERING = '40{"sid":"s","pid":"p"}'


def test_the_offset_of_connection_state_recovery_is_removed_from_the_text(half: Listening) -> None:
    found = sent(
        half,
        '42["x",{"a":1.10},"Q8ZZqHL"]',
        '42["x",{"a":1.10}]',
        # An event that asks for an acknowledgement carries no offset.
        '427["x",{"a":1},"text"]',
        '451-["x",{"f":{"_placeholder":true,"num":0}},"1733000000000-0"]',
        b"a",
        connect=RECOVERING,
    )
    assert [event.payload for event in found] == [
        '{"a":1.10}',
        '{"a":1.10}',
        '[{"a":1},"text"]',
        '{"f":{"_base64":"YQ=="}}',
    ]


@pytest.mark.parametrize(
    ("text", "kept", "offset"),
    [
        ('["x",{"a":1.10},"Q8ZZqHL"]', '["x",{"a":1.10}]', "Q8ZZqHL"),
        ('["x", {"a": "b,"} , "1733000000000-0" ] ', '["x", {"a": "b,"}]', "1733000000000-0"),
        ('["x",{"a":"\\",\\"b"},"665f1c"]', '["x",{"a":"\\",\\"b"}]', "665f1c"),
        ('["x","a_-.9"]', '["x"]', "a_-.9"),
        # No offset: nothing follows, or no name of an event.
        ('["x",{"a":"Q8ZZqHL"}]', '["x",{"a":"Q8ZZqHL"}]', ""),
        ('["x",["a","b"]]', '["x",["a","b"]]', ""),
        ('["x",{"a":1},7]', '["x",{"a":1},7]', ""),
        ('["x",{"a":1},"two words"]', '["x",{"a":1},"two words"]', ""),
        ('["x",{"a":1},"\\u0041"]', '["x",{"a":1},"\\u0041"]', ""),
        (f'["x",{{}},"{"a" * 129}"]', f'["x",{{}},"{"a" * 129}"]', ""),
        ('["x"]', '["x"]', ""),
    ],
)
def test_an_offset_is_the_last_argument_if_it_can_be_one(text: str, kept: str, offset: str) -> None:
    assert without_offset(text) == (kept, offset)


def test_without_connection_state_recovery_nothing_is_removed(half: Listening) -> None:
    (event,) = sent(half, '42["x",{"a":1.10},"Q8ZZqHL"]')
    assert event.payload == '[{"a":1.10},"Q8ZZqHL"]'


@pytest.mark.parametrize("sid", ["s\\u0000t", "s\\ud800t", "s\\nt"])
def test_an_odd_socket_id_costs_no_event(half: Listening, sid: str) -> None:
    (event,) = sent(half, '42["x",1]', connect=f'40{{"sid":"{sid}"}}')
    assert event.note == "unwanted"
    assert event.socket_id.startswith("s\\")


def test_attachments_that_are_dropped_are_read_over(half: Listening) -> None:
    data = base64.b64encode(b"a")
    found = sent(half, '452-["x",{"_placeholder":true,"num":9}]', data, data, '42["y",1]')
    assert [event.name for event in found] == ["", "y"]


def test_attachments_become_base64_and_the_rest_of_the_text_stays_as_it_is() -> None:
    text = (
        '["recording",{"audio":{"_placeholder":true,"num":1},"n":1.10,'
        '"said":"{\\"_placeholder\\":true,\\"num\\":0}"},{ "num" : 0, "_placeholder" : true }]'
    )
    assert packets.with_attachments(text, [b"a", b"\x00\xff"]) == (
        '["recording",{"audio":{"_base64":"AP8="},"n":1.10,'
        '"said":"{\\"_placeholder\\":true,\\"num\\":0}"},{"_base64":"YQ=="}]'
    )


def test_an_attachment_that_did_not_come_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not have"):
        packets.with_attachments('["x",{"_placeholder":true,"num":1}]', [b"a"])
