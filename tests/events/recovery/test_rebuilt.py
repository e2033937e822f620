"""The event made of a call's row has the shape that the socket sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webhookproxy.events import payload
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.recovery.histories import HISTORY
from webhookproxy.events.recovery.rebuilt import order_key_of, packet_of, payload_of, seconds
from webhookproxy.simulator.records import Records

ROW: dict[str, Any] = {
    "id": "68a1",
    "number": "5541900000001",
    "call_date": "2026-11-23 09:00:00",
    "call_date_rfc3339": "2026-11-23T09:00:00-03:00",
    "agent": "Ana",
    "agent_id": "7",
    "campaign": "Vendas",
    "campaign_id": 9,
    "qualification": "-",
    "qualification_id": "-2",
    "behavior": "3",
    "speaking_time": "00:01:05",
    "waiting_time": "12",
    "status_id": "7",
    "readable_status_text": "Finalizada",
    "hangup_cause": "16",
    "recorded": "1",
    "recording": "https://app.3c.plus/api/v1/calls/68a1/recording?api_token=segredo",
    "unheard_of": {"x": 1},
}


def test_each_column_is_where_the_socket_has_it() -> None:
    assert payload_of(ROW)["callHistory"] == {
        "number": "5541900000001",
        "campaign": {"id": 9, "name": "Vendas"},
        "agent": {"id": 7, "name": "Ana"},
        "qualification": {"id": -2, "name": None, "behavior": 3},
        "status": 7,
        "call_date": "2026-11-23T12:00:00.000000Z",
        "call_date_rfc3339": "2026-11-23T09:00:00-03:00",
        "speaking_time": 65,
        "waiting_time": 12,
        "readable_status_text": "Finalizada",
        "hangup_cause": 16,
        "recorded": True,
        "recording": "https://app.3c.plus/api/v1/calls/68a1/recording",
        "unheard_of": {"x": 1},
        "_id": "68a1",
    }


def test_a_row_of_the_simulator_becomes_the_event_that_the_socket_had() -> None:
    """All that the row has is as it was; only the list, the route and the like are not there."""
    records = Records()
    sample: Any = CATALOG[HISTORY].sample
    records.add(json.dumps(sample))
    (_, _, row) = records._rows[0]
    made, had = payload_of(row)["callHistory"], sample["callHistory"]
    same = ("_id", "number", "campaign", "status", "hangup_cause", "mailing_data", "recorded")
    assert {name: made[name] for name in same} == {name: had[name] for name in same}
    assert made["speaking_time"] == had["speaking_time"]


@pytest.mark.parametrize(
    ("row", "agent"),
    [
        ({"id": "a", "agent": "-", "agent_id": None}, {"id": 0, "name": None}),
        ({"id": "a", "agent": {"id": 7, "name": "Ana"}}, {"id": 7, "name": "Ana"}),
        ({"id": "a"}, None),
    ],
    ids=["no agent", "whole already", "no column"],
)
def test_an_agent_is_as_the_socket_writes_one(row: dict[str, Any], agent: Any) -> None:
    assert payload_of(row)["callHistory"]["agent"] == agent


@pytest.mark.parametrize(
    ("value", "found"),
    [("00:00:07", 7), ("100:00:00", 360_000), ("7", 7), (7, 7), ("-", None), ("soon", "soon")],
)
def test_durations_become_seconds(value: Any, found: Any) -> None:
    assert seconds(value) == found


@pytest.mark.parametrize("text", ["0000-00-00 00:00:00", "9999-12-31 23:59:59", "ontem", ""])
def test_what_is_no_moment_stays_as_it_is(text: str) -> None:
    assert payload_of({"id": "x", "call_date": text})["callHistory"]["call_date"] == text


def test_a_packet_is_read_as_those_of_the_socket_are() -> None:
    event = payload.read(packet_of(ROW), hide_credentials=True)
    assert (event.name, json.loads(event.payload)) == (HISTORY, payload_of(ROW))


def test_the_ordering_key_is_that_of_the_call_or_of_its_history() -> None:
    assert order_key_of(ROW) == "call:68a1"
    assert order_key_of({**ROW, "telephony_id": "TEL1"}) == "call:TEL1"
