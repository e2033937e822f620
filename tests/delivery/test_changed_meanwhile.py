"""Changes of a webhook while a request is being sent."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import Connection, text
from sqlalchemy.orm.exc import StaleDataError

from tests.delivery.lanes_world import Sending
from tests.support.application import make_company, rows, wait_until
from tests.support.receiver import Receiver
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.models.companies import delete_company, find_company
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.reasons import DeliveryReason

GONE = Outcome(Kind.GONE, DeliveryReason.GONE, 1, 1, status=410)
ACCEPTED = Outcome(Kind.SUCCESS, DeliveryReason.ACCEPTED, 1, 1, status=200)


class Slow:
    """A sender's send(), that answers when it is told to."""

    def __init__(self, outcome: Outcome) -> None:
        self.asked, self.answer = Event(), Event()
        self._outcome = outcome

    def __call__(self, _due: Due) -> Outcome:
        self.asked.set()
        self.answer.wait(10)
        return self._outcome


def slow(half: Sending, webhook: int, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Have a webhook's sender, as it is now, wait with this outcome; one event is under way."""
    lane, send = half.lanes.lane(webhook), Slow(outcome)
    assert lane is not None
    monkeypatch.setattr(lane._settings.sender, "send", send)
    half.arrive(1, key="k")
    assert send.asked.wait(5)
    return send


def test_a_410_of_the_old_url_does_not_pause_the_new_one(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url("/old"))
        send = slow(half, webhook, GONE, monkeypatch)
        half.edit(webhook, url=receiver.url("/new"))
        send.answer.set()
        half.wait_for_ends(webhook, 1)
        assert [each.path for each in receiver.requests] == ["/new"]
        assert rows(half.app, "SELECT state FROM webhooks") == [("active",)]


def test_a_410_pauses_although_somebody_saved_at_the_same_moment(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, stale = half.store.session, [1]

    def once_stale(job: object) -> object:
        if stale:
            stale.pop()
            raise StaleDataError("another was first")
        return session(job)  # type: ignore[arg-type]

    with Receiver((410, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        monkeypatch.setattr(half.store, "session", once_stale)
        half.arrive(1, key="k")
        half.wait_for("SELECT 1 FROM webhooks WHERE paused_reason = 'gone'")
        lane = half.lanes.lane(webhook)
        assert lane is not None
        wait_until(lambda: not lane._window.in_hand, 20, "the row is in hand no more")
    assert stale == []


def test_saving_closes_the_circuit_where_the_pages_read_it(half: Sending) -> None:
    webhook = half.webhook("http://127.0.0.1:4999/")

    def open_circuit(connection: Connection) -> None:
        connection.execute(
            text(
                "UPDATE webhook_health SET circuit_opened_at = 1,"
                " next_probe_at = 99999999999999, failed_probes = 3"
            )
        )

    half.store.run(open_circuit)
    half.edit(webhook, name="Outro nome")
    query = "SELECT circuit_opened_at, next_probe_at, failed_probes FROM webhook_health"
    assert rows(half.app, query) == [(None, None, 0)]


def test_a_company_purged_under_way_leaves_no_attempt_and_its_numbers_are_not_given_again(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        send = slow(half, webhook, ACCEPTED, monkeypatch)
        gone = half.company
        before = rows(half.app, "SELECT MAX(id) FROM deliveries")[0][0]
        half.store.session(lambda session: delete_company(session, find_company(session, gone)))
        half.lanes.apply([], [webhook])
        while rows(half.app, "SELECT 1 FROM companies"):
            half.housekeeping.step()
        send.answer.set()
        gevent.idle()
        half.lanes.results.drain(20)
        assert rows(half.app, "SELECT 1 FROM attempts") == []
        half.company = make_company(half.app, token="another-token-0000001")
        assert half.company > gone
        half.journal.start(half._fence)
        half.webhook(receiver.url("/two"))
        half.arrive(1)
        newer = f"SELECT 1 FROM deliveries WHERE state = 'delivered' AND id > {before}"
        half.wait_for(newer)
