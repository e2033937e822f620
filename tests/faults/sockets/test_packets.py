"""Odd packets: counted, kept masked, never silent, and the next event arrives."""

from __future__ import annotations

import base64
import json

import pytest
from websocket import ABNF

from tests.listener.listening import Listening
from tests.support.application import make_webhook, wait_until
from tests.support.receiver import Behaviour, Received, Receiver, hang
from tests.support.socket_server import CONNECT, OPEN, text_frame, websocket
from webhookproxy.events.payload import MAX_PAYLOAD_BYTES
from webhookproxy.listener import connection
from webhookproxy.listener.wire import frames


def test_f17_bytes_are_stored_as_base64(ears: Listening) -> None:
    token = "bytes-token-0001"
    ears.connected(token)
    data = base64.b64encode(b"\x00\xff").decode()
    packet = '451-["x",{"file":{"_placeholder":true,"num":0}}]'
    ears.simulator.control("raw", token=token, packet=packet, binary_base64=[data])
    assert ears.wait_for_events(1)[0].payload == f'{{"file":{{"_base64":"{data}"}}}}'


def test_f18_up_to_a_megabyte_is_sent_and_more_is_a_marker(ears: Listening) -> None:
    token = "large-token-0001"
    company = ears.connected(token)
    make_webhook(ears.app, company, "http://127.0.0.1:4001/")
    ears.notice()
    for length in (MAX_PAYLOAD_BYTES - 2, MAX_PAYLOAD_BYTES - 1):
        ears.simulator.control("emit", token=token, event="large", args=["x" * length])
    ears.simulator.control("emit", token=token, event="after", args=[1])
    fits, over, after = ears.wait_for_events(3)
    assert (len(fits.payload), fits.note) == (MAX_PAYLOAD_BYTES, None)
    assert (over.name, over.note) == ("large", "too_large")
    assert json.loads(over.payload)["length"] == MAX_PAYLOAD_BYTES + 1
    assert len(over.payload) < 200
    assert after.name == "after"
    wait_until(lambda: len(ears.dues) == 2, 20, "two deliveries are due")
    assert [due.facts.name for due in ears.dues] == ["large", "after"]


BROKEN = {
    "JSON that is cut off": '42["x",{"cut":"canary-of-a-customer',
    "no name": "42[]",
    "an object": '42{"a":"canary-of-a-customer"}',
    "a name that is no text": "42[null]",
    "an unknown packet type": '49["canary-of-a-customer"]',
    "a type that is no number": '4x["canary-of-a-customer"]',
    "attachments without end": '45999999999-["canary-of-a-customer"]',
    "too deep": '42["x",' + "[" * 5000 + "]" * 5000 + "]",
}


@pytest.mark.parametrize("packet", BROKEN.values(), ids=list(BROKEN))
def test_f16_a_broken_packet_is_counted_and_kept_as_a_marker_without_its_texts(
    ears: Listening, packet: str
) -> None:
    token = f"broken-token-{list(BROKEN.values()).index(packet):04}"
    company = ears.connected(token)
    ears.simulator.control("raw", token=token, packet=packet)
    ears.simulator.control("emit", token=token, event="after", args=[1])
    marker, after = ears.wait_for_events(2)
    assert (marker.name, marker.note, after.name) == ("", "unreadable", "after")
    kept = json.loads(marker.payload)
    assert list(kept) == ["error", "length", "head"]
    assert "canary" not in marker.payload
    assert len(kept["head"]) <= 64
    row = ears.connection(company)
    assert (row.malformed, row.events, row.state) == (1, 2, "connected")
    assert ears.simulator.state(token)["handshakes"] == 1


def test_f16b_a_binary_event_with_a_bad_placeholder_does_not_make_the_socket_deaf(
    ears: Listening,
) -> None:
    token = "deaf-token-0001"
    company = ears.connected(token)
    packet = '451-["x",{"_placeholder":true,"num":7}]'
    ears.simulator.control("raw", token=token, packet=packet, binary_base64=["AAH/"])
    for number in range(20):
        ears.simulator.control("emit", token=token, event="after", args=[number])
    found = ears.wait_for_events(21)
    assert [event.payload for event in found[1:]] == [str(number) for number in range(20)]
    assert ears.connection(company).malformed == 1


def test_f16_an_integer_of_five_thousand_digits_is_stored_as_it_came(ears: Listening) -> None:
    token = "digits-token-0001"
    ears.connected(token)
    digits = "7" * 5_000
    ears.simulator.control("raw", token=token, packet=f'42["x",{{"n":{digits}}}]')
    assert ears.wait_for_events(1)[0].payload == f'{{"n":{digits}}}'


def test_f16_a_stray_binary_frame_is_counted(ears: Listening) -> None:
    token = "stray-token-0001"
    company = ears.connected(token)
    packet = '42["before",1]'
    ears.simulator.control("raw", token=token, packet=packet, binary_base64=["AAH/"])
    ears.simulator.control("emit", token=token, event="after", args=[1])
    assert [event.name for event in ears.wait_for_events(3)] == ["before", "", "after"]
    assert ears.connection(company).malformed == 1


@pytest.mark.parametrize("attachments", [1, 2, 900])
def test_f16b_an_event_whose_attachments_never_come_swallows_no_other(
    ears: Listening, attachments: int
) -> None:
    token = f"waiting-token-{attachments:04}"
    company = ears.connected(token)
    packet = f'45{attachments}-["x",{{"_placeholder":true,"num":0}}]'
    ears.simulator.control("raw", token=token, packet=packet)
    for number in range(20):
        ears.simulator.control("emit", token=token, event="after", args=[number])
    found = ears.wait_for_events(21)
    assert [event.payload for event in found[1:]] == [str(number) for number in range(20)]
    assert ears.connection(company).malformed == 1
    assert ears.simulator.state(token)["handshakes"] == 1


@pytest.mark.parametrize(
    "frame",
    [text_frame(b'42["x","\xff\xfe"]'), text_frame(b"x"), text_frame(b"")],
    ids=["bad UTF-8", "an unknown Engine.IO type", "nothing"],
)
def test_f16_what_breaks_the_transport_costs_a_new_socket(
    ears: Listening, monkeypatch: pytest.MonkeyPatch, frame: bytes
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.02)

    def answer(request: Received) -> Behaviour:
        after = websocket(OPEN, CONNECT, '42["after"]')
        broken = websocket(OPEN, CONNECT, then=lambda data: hang(data + frame))
        return (broken if request.number == 1 else after)(request)

    with Receiver(answer) as server:
        company = ears.company("transport-token-01", socket_url=server.url(""))
        assert [event.name for event in ears.wait_for_events(1)] == ["after"]
        wait_until(lambda: ears.gaps(company) == [("dropped", True)], 20, "one gap")


def test_f18_five_megabytes_are_a_marker_with_name_length_and_beginning(ears: Listening) -> None:
    token = "huge-token-0001"
    company = ears.connected(token)
    make_webhook(ears.app, company, "http://127.0.0.1:4001/")
    ears.notice()
    ears.simulator.control("emit", token=token, event="huge", args=["x" * 5_000_000])
    ears.simulator.control("emit", token=token, event="after", args=[1])
    marker, after = ears.wait_for_events(2)
    assert (marker.name, marker.note, after.name) == ("huge", "too_large", "after")
    kept = json.loads(marker.payload)
    assert kept["length"] > 5_000_000
    assert kept["head"].startswith('["…"')
    wait_until(lambda: [due.facts.name for due in ears.dues] == ["after"])
    assert ears.simulator.state(token)["handshakes"] == 1


def test_f18_a_message_in_endless_pieces_is_bounded_while_it_is_read(
    ears: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece, pieces, most = b"x" * 1_000_000, 40, 0
    data = text_frame(b'42["pieces","', first=0x01)
    data += text_frame(piece, first=0x00) * pieces + text_frame(b'"]', first=0x80)
    data += text_frame(b'42["after"]')
    add = frames._Message.add

    def measured(self: frames._Message, frame: ABNF) -> None:
        nonlocal most
        add(self, frame)
        most = max(most, len(self.cont_data[1]) if self.cont_data else 0)

    monkeypatch.setattr(frames._Message, "add", measured)
    opened = websocket(OPEN, CONNECT, then=lambda head: hang(head + data))
    with Receiver(opened) as server:
        ears.company("pieces-token-0001", socket_url=server.url(""))
        marker, after = ears.wait_for_events(2)
    assert (marker.name, marker.note, after.name) == ("pieces", "too_large", "after")
    assert json.loads(marker.payload)["length"] > pieces * len(piece)
    assert most <= frames.MESSAGE_MAX


def test_f18_a_huge_attachment_is_a_marker_too(ears: Listening) -> None:
    token = "attached-token-0001"
    ears.connected(token)
    data = base64.b64encode(bytes(frames.MESSAGE_MAX + 1)).decode()
    packet = '451-["file",{"_placeholder":true,"num":0}]'
    ears.simulator.control("raw", token=token, packet=packet, binary_base64=[data])
    ears.simulator.control("emit", token=token, event="after", args=[1])
    marker, after = ears.wait_for_events(2)
    assert (marker.name, marker.note, after.name) == ("file", "too_large", "after")
    assert json.loads(marker.payload)["length"] == frames.MESSAGE_MAX + 1
