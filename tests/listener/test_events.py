"""What comes by the socket is stored in its defined form, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from tests.listener.listening import Listening
from tests.support.application import make_webhook, rows, wait_until
from webhookproxy.database.bulk import insert_rows
from webhookproxy.listener import journal

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
    half.notice()
    for name in ("agent-is-idle", "agent-in-acw", "agent-is-idle"):
        half.simulator.control("emit", token=token, event=name)
    half.wait_for_events(3)
    wait_until(lambda: len(half.dues) == 5, 20, "five deliveries are due")
    assert [due.webhook_id for due in half.dues].count(one) == 2
    assert [due.webhook_id for due in half.dues].count(every) == 3
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
    half.notice()
    frames = [f'["good",{number}]' for number in range(20)]
    frames.insert(7, '["poison",{"secret":"canary"}]')
    supervisor = half.registry.supervisors[company]
    # One group, as a busy socket makes it: the writer runs only when this greenlet yields.
    for frame in frames:
        supervisor.feed.event(frame)
    found = half.wait_for_events(21)
    assert [event.payload for event in found if event.name == "good"] == [
        str(number) for number in range(20)
    ]
    marker = found[7]
    assert (marker.name, marker.note) == ("", "unreadable")
    assert json.loads(marker.payload)["error"] == "NotStorable"
    wait_until(lambda: len(half.dues) == 20, 20, "twenty deliveries are due")
    numbers = [due.id for due in half.dues]
    assert numbers == sorted(set(numbers))
