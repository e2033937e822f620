"""The facts of stored events, read for a list without holding up the sockets."""

from __future__ import annotations

import json

from flask import Flask

from tests.support.hub_watch import least_held
from tests.web.support.deliveries import event_row, insert
from webhookproxy.events.call_facts import NO_FACTS
from webhookproxy.extensions import db
from webhookproxy.models.call_facts import PAYLOAD_MAX, facts_of_events

PHONE = "5541900000001"
HUB_MS = 20
LONG = 30


def payload_of(length: int) -> str:
    """A payload of exactly this many characters."""
    bare = json.dumps({"call": {"phone": PHONE}, "more": ""})
    return json.dumps({"call": {"phone": PHONE}, "more": "x" * (length - len(bare))})


def test_a_payload_is_read_up_to_a_length(app: Flask) -> None:
    lengths = (200, PAYLOAD_MAX, PAYLOAD_MAX + 1)
    insert(app, [event_row(n, 1, payload=payload_of(each)) for n, each in enumerate(lengths, 1)])
    with app.app_context():
        found = facts_of_events(db.session(), [1, 2, 3, 4])
    assert [found[number].telephone for number in (1, 2, 3)] == [PHONE, PHONE, ""]
    assert found[3] == NO_FACTS
    assert 4 not in found


def test_a_page_of_huge_payloads_holds_the_hub_for_moments_only(app: Flask) -> None:
    payload = json.dumps({"more": "é" * 500_000}, ensure_ascii=False)
    for number in range(1, LONG + 1):
        insert(app, [event_row(number, 1, payload=payload)])

    def look() -> None:
        assert len(facts_of_events(db.session(), range(1, LONG + 1))) == LONG

    with app.app_context():
        assert least_held(look, HUB_MS)[0] < HUB_MS
