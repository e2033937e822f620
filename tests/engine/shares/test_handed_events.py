"""What a successor reads of a share is not hidden by higher numbers of other owners."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.application import make_company, store_of
from webhookproxy.database.clock import ms_now
from webhookproxy.database.fence import WHOLE, Share
from webhookproxy.extensions import db
from webhookproxy.listener.handover.stored import APART_MS, Stored
from webhookproxy.models import Event
from webhookproxy.models.installation.numbers import floor


@pytest.fixture
def app(any_app: Flask) -> Flask:
    return any_app


def store(app: Flask, number: int, company: int) -> None:
    event = Event(id=number, public_id=f"evt_{number}", company_id=company, name="x", payload="{}")
    event.order_key = event.socket_id = event.token_mask = ""
    event.received_ms, event.hidden = 1, 0
    store_of(app).session(lambda session: session.add(event))


@pytest.mark.parametrize("before", ["nothing", "long ago", "a moment ago"])
def test_an_event_with_a_lower_number_than_another_shares_is_read(app: Flask, before: str) -> None:
    first, second = (make_company(app, token=f"handed-token-{each:04}") for each in range(2))
    share, now = Share(first % 2, 2), ms_now()
    if before != "nothing":
        ago = APART_MS * 5 if before == "long ago" else 1_000
        store(app, floor(now - ago, first) + 1, first)
    # The clock of its owner is a little ahead.
    store(app, floor(now + 500, second) + 1, second)
    with app.app_context():
        of_share, of_all = Stored(db.engine, share), Stored(db.engine, WHOLE)
        assert of_share.group() == of_all.group() == []
        store(app, floor(now, first) + 1, first)
        assert [company for company, _ in of_share.group()] == [first]
        assert of_share.group() == []
