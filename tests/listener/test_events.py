"""What comes by the socket is stored in its defined form, whatever it is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from tests.listener.listening import Listening
from tests.world import make_webhook, rows, wait_until
from webhookproxy.bulk import insert_rows
from webhookproxy.listener import journal
from webhookproxy.payload import MAX_PAYLOAD_BYTES

DIGITS = "1234567890" * 4
# What the payload's text must be, byte for byte, for each packet.
PACKETS = {
    "no argument": ('42["x"]', "null"),
    "several arguments": ('42["x",{"a":1}, 2,"três"]', '[{"a":1}, 2,"três"]'),
    "a bare string": ('42["x","só um texto"]', '"só um texto"'),
    "a lone surrogate": ('42["x",{"t":"corte \\ud83d"}]', '{"t":"corte \\ud83d"}'),
    "NaN": ('42["x",{"n":NaN,"t":"NaN"}]', '{"n":null,"t":"NaN"}'),
    "a 40-digit integer": (f'42["x",{{"n":{DIGITS}}}]', f'{{"n":{DIGITS}}}'),
    "odd spaces and numbers": ('42["x", {"b":1.50,  "a":1e3} ]', '{"b":1.50,  "a":1e3}'),
    "an acknowledgement asked for": ('427["x",{"a":1}]', '{"a":1}'),
}


@pytest.mark.parametrize(("packet", "payload"), PACKETS.values(), ids=list(PACKETS))
def test_an_unusual_event_is_stored_in_its_defined_form(
    half: Listening, packet: str, payload: str
) -> None:
    token = f"unusual-token-{abs(hash(packet)):020}"[:40]
    half.connected(token)
    half.simulator.control("raw", token=token, packet=packet)
    half.simulator.control("emit", token=token, event="after", args=[1])
    first, second = half.wait_for_events(2)
    assert (first.name, first.payload, second.name) == ("x", payload, "after")
    assert first.note == "unwanted"


def test_bytes_are_stored_as_base64(half: Listening) -> None:
    token = "bytes-token-0001"
    half.connected(token)
    data = base64.b64encode(b"\x00\xff").decode()
    packet = '451-["x",{"file":{"_placeholder":true,"num":0}}]'
    half.simulator.control("raw", token=token, packet=packet, binary_base64=[data])
    assert half.wait_for_events(1)[0].payload == f'{{"file":{{"_base64":"{data}"}}}}'


def test_up_to_a_megabyte_is_sent_and_more_is_a_marker(half: Listening) -> None:
    token = "large-token-0001"
    company = half.connected(token)
    make_webhook(half.app, company, "http://127.0.0.1:4001/")
    half.apply(company)
    for length in (MAX_PAYLOAD_BYTES - 2, MAX_PAYLOAD_BYTES - 1):
        half.simulator.control("emit", token=token, event="large", args=["x" * length])
    half.simulator.control("emit", token=token, event="after", args=[1])
    fits, over, after = half.wait_for_events(3)
    assert (len(fits.payload), fits.note) == (MAX_PAYLOAD_BYTES, None)
    assert (over.name, over.note) == ("large", "too_large")
    assert json.loads(over.payload)["length"] == MAX_PAYLOAD_BYTES + 1
    assert len(over.payload) < 200
    assert after.name == "after"
    wait_until(lambda: len(half.dues) == 2, 2, "two deliveries are due")
    assert [due.facts.name for due in half.dues] == ["large", "after"]


BROKEN = {
    "JSON that is cut off": '42["x",{"cut":"canary-of-a-customer',
    "no name": "42[]",
    "an object": '42{"a":"canary-of-a-customer"}',
    "a name that is no text": "42[null]",
    "an unknown packet type": '49["canary-of-a-customer"]',
    "too deep": '42["x",' + "[" * 5000 + "]" * 5000 + "]",
}


@pytest.mark.parametrize("packet", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_packet_is_counted_and_kept_as_a_marker_without_its_texts(
    half: Listening, packet: str
) -> None:
    token = f"broken-token-{list(BROKEN.values()).index(packet):04}"
    company = half.connected(token)
    half.simulator.control("raw", token=token, packet=packet)
    half.simulator.control("emit", token=token, event="after", args=[1])
    marker, after = half.wait_for_events(2)
    assert (marker.name, marker.note, after.name) == ("", "unreadable", "after")
    kept = json.loads(marker.payload)
    assert list(kept) == ["error", "length", "head"]
    assert "canary" not in marker.payload
    assert len(kept["head"]) <= 64
    row = half.connection(company)
    assert (row.malformed, row.events, row.state) == (1, 2, "connected")
    assert half.simulator.state(token)["handshakes"] == 1


def test_a_binary_event_with_a_bad_placeholder_does_not_make_the_socket_deaf(
    half: Listening,
) -> None:
    token = "deaf-token-0001"
    company = half.connected(token)
    packet = '451-["x",{"_placeholder":true,"num":7}]'
    half.simulator.control("raw", token=token, packet=packet, binary_base64=["AAH/"])
    for number in range(20):
        half.simulator.control("emit", token=token, event="after", args=[number])
    found = half.wait_for_events(21)
    assert [event.payload for event in found[1:]] == [str(number) for number in range(20)]
    assert half.connection(company).malformed == 1


def test_the_hour_and_the_connection_count_what_came(half: Listening) -> None:
    token = "counted-token-0001"
    company = half.connected(token)
    half.simulator.control("burst", token=token, count=30, event="agent-is-idle")
    half.wait_for_events(30)
    assert half.connection(company).events == 30
    counted = rows(half.app, "SELECT name, SUM(count) AS n FROM hourly_events GROUP BY name")
    assert [tuple(row) for row in counted] == [("agent-is-idle", 30)]


def test_a_webhook_gets_what_it_chose_in_the_order_of_arrival(half: Listening) -> None:
    token = "routed-token-0001"
    company = half.connected(token)
    one = make_webhook(half.app, company, "http://127.0.0.1:4001/1", events=("agent-is-idle",))
    every = make_webhook(half.app, company, "http://127.0.0.1:4001/2")
    half.apply(company)
    for name in ("agent-is-idle", "agent-in-acw", "agent-is-idle"):
        half.simulator.control("emit", token=token, event=name)
    half.wait_for_events(3)
    wait_until(lambda: len(half.dues) == 5, 2, "five deliveries are due")
    assert [due.webhook_id for due in half.dues].count(one) == 2
    assert [due.webhook_id for due in half.dues].count(every) == 3
    assert [due.id for due in half.dues] == [1, 2, 3, 4, 5]
    stored = rows(half.app, "SELECT id, webhook_id FROM deliveries ORDER BY id")
    assert [tuple(row) for row in stored] == [(due.id, due.webhook_id) for due in half.dues]


def test_an_event_that_cannot_be_stored_costs_its_neighbours_nothing(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def insert(connection: Connection, table: str, *rest: Any) -> None:
        columns, written = rest[0], rest[1]
        if table == "events" and any(row[columns.index("name")] == "poison" for row in written):
            raise IntegrityError("INSERT", None, ValueError("the database refuses this row"))
        insert_rows(connection, table, *rest)

    monkeypatch.setattr(journal, "insert_rows", insert)
    token = "poison-token-0001"
    company = half.connected(token)
    make_webhook(half.app, company, "http://127.0.0.1:4001/")
    half.apply(company)
    frames = [f'["good",{number}]' for number in range(20)]
    frames.insert(7, '["poison",{"secret":"canary"}]')
    supervisor = half.registry._supervisors[company]
    # One group, as a busy socket makes it: the writer runs only when this greenlet yields.
    for frame in frames:
        half.intake.take(supervisor._link, frame)
    found = half.wait_for_events(21)
    assert [event.payload for event in found if event.name == "good"] == [
        str(number) for number in range(20)
    ]
    marker = found[7]
    assert (marker.name, marker.note) == ("", "unreadable")
    assert json.loads(marker.payload)["error"] == "NotStorable"
    wait_until(lambda: len(half.dues) == 20, 2, "twenty deliveries are due")
    assert [due.id for due in half.dues] == list(range(1, 21))
