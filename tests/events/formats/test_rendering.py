"""The body of every format, over all samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.events.formats.support import make_source, php_reads
from webhookproxy.events import contract
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.contract import Source
from webhookproxy.events.formats.definition import Encoding, Format, FormatKind
from webhookproxy.events.formats.rendering import render

GOLDEN = Path(__file__).parent / "golden"
# The formats that hold the payload.
HOLDING = [
    FormatKind.STANDARD,
    FormatKind.NATIVE,
    FormatKind.PAYLOAD,
    FormatKind.SOCKET2WEBHOOK,
]
FORMS = [Format(kind, encoding) for kind in HOLDING for encoding in Encoding]


def around(kind: FormatKind, source: Source, payload: Any) -> Any:
    """Return what a body of a kind holds, written down from the description of each format."""
    return {
        FormatKind.STANDARD: {
            "event": source.event,
            "payload": payload,
            "meta": {
                "socketId": "socket_123",
                "token_mask": "rRrX…8KrL",
                "received_at": "2024-01-01T00:00:00.000Z",
                "source": "webhook-proxy-3c-plus",
                "webhook_id": "webhook_456",
                "company_id": "company_789",
                "event_id": source.event_id,
            },
        },
        FormatKind.NATIVE: {source.event: payload},
        FormatKind.PAYLOAD: payload,
        FormatKind.SOCKET2WEBHOOK: {
            "event_type": source.event,
            "company_id": "company_789",
            "timestamp": "2024-01-01T00:00:00.000Z",
            "data": payload,
        },
    }[kind]


@pytest.mark.parametrize("kind", HOLDING)
def test_every_sample_has_a_body_with_the_payloads_text(kind: FormatKind) -> None:
    for name, event in CATALOG.items():
        source = make_source(name)
        body, content_type = render(Format(kind), source)
        assert content_type == "application/json"
        assert source.payload.encode() in body
        expected = around(kind, source, event.sample)
        assert json.loads(body) == expected
        if isinstance(expected, dict):
            assert list(json.loads(body)) == list(expected)


def test_the_default_is_the_body_of_the_contract() -> None:
    for name in CATALOG:
        source = make_source(name)
        assert render(Format(), source)[0] == contract.body(source)


@pytest.mark.parametrize("wanted", FORMS, ids=lambda each: f"{each.kind}-{each.encoding}")
def test_a_body_is_golden(wanted: Format) -> None:
    payload = '{"call": {"phone": "5541900000001", "n": 1.10, "ok": true, "é": [null, "a b"]}}'
    body, _ = render(wanted, make_source(payload=payload))
    assert body == (GOLDEN / f"{wanted.kind}.{wanted.encoding}").read_bytes()


def test_a_receiver_of_the_platforms_own_webhook_reads_ours() -> None:
    """Read as its description says: one key, the event's name, and under it the payload."""
    body, content_type = render(Format(FormatKind.NATIVE), make_source("call-history-was-created"))
    assert content_type == "application/json"
    ((event, payload),) = json.loads(body).items()
    assert event in ("call-was-connected", "call-history-was-created")
    assert payload["callHistory"]["number"] == "5541900000001"


def test_a_form_holds_the_payload_at_its_place() -> None:
    source = make_source(payload={"call": {"status": 5}})
    read = {kind: php_reads(render(Format(kind, Encoding.FORM), source)[0]) for kind in HOLDING}
    assert read[FormatKind.STANDARD]["payload"] == {"call": {"status": "5"}}
    assert read[FormatKind.STANDARD]["meta"]["event_id"] == source.event_id
    assert read[FormatKind.NATIVE] == {"call-was-created": {"call": {"status": "5"}}}
    assert read[FormatKind.PAYLOAD] == {"call": {"status": "5"}}
    assert read[FormatKind.SOCKET2WEBHOOK]["data"] == {"call": {"status": "5"}}


@pytest.mark.parametrize("kind", HOLDING)
def test_a_lone_surrogate_stays_an_escape_where_the_text_travels(kind: FormatKind) -> None:
    body, _ = render(
        Format(kind), make_source('a"\ud800', payload='{"a": "\\ud83d", "b": "\ud83d"}')
    )
    assert b'{"a": "\\ud83d", "b": "\\ud83d"}' in body
