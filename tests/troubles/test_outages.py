"""The history of outages and their accounts, with real lanes and receivers, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.delivery.lanes_world import Sending
from tests.support.application import rows, wait_until
from tests.support.receiver import OK, Plain, Received, Receiver
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.troubles import accounts
from webhookproxy.troubles.outages import Outages

DOWN: Plain = (503, {}, b"fora do ar")


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count at every step, and in rounds of three deliveries."""
    monkeypatch.setattr(accounts, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(accounts, "ENDED_SECONDS", 0.0)
    monkeypatch.setattr(accounts, "REST", 0)
    monkeypatch.setattr(accounts, "ROUND", 3)


def job(half: Sending) -> Outages:
    """The job of a new process."""
    return Outages(half.store, half.reading, clock=half.clock)


def stored(half: Sending) -> list[Any]:
    return rows(half.app, "SELECT * FROM outages ORDER BY began_at, id")


def wait_for_row(half: Sending, outages: Outages, wanted: Callable[[Any], object]) -> Any:
    """Step until the newest outage is as wanted; return it."""

    def newest() -> Any:
        outages.step()
        found = stored(half)
        return found[-1] if found and wanted(found[-1]) else None

    return wait_until(newest, 20, "the outage is as wanted")


def account(row: Any) -> tuple[int, int, int, int]:
    return row.waited, row.delivered, row.missed, row.calls


def break_down(half: Sending, receiver: Receiver, keys: int = 4) -> int:
    """Have a receiver fail until the circuit opens; return its webhook."""
    webhook = half.webhook(receiver.url())
    for key in range(keys):
        half.arrive(2, key=f"call:{key}")
    half.wait_for("SELECT circuit_opened_at FROM webhook_health")
    return webhook


def test_an_outage_has_a_beginning_a_cause_an_end_and_an_account(any_half: Sending) -> None:
    outages = job(any_half)
    with Receiver(DOWN) as receiver:
        before = to_ms_now(any_half)
        break_down(any_half, receiver)
        row = wait_for_row(any_half, outages, lambda row: row.ended_at is None)
        assert (row.kind, row.reason, row.status) == ("failing", "failed_status", 503)
        assert before <= row.began_at <= to_ms_now(any_half)
        any_half.arrive(2, key="agent:7")
        receiver.answer = OK
        row = wait_for_row(any_half, outages, lambda row: row.delivered == 10)
        # Ten deliveries of four calls and an agent; nothing is final for a minute.
        assert account(row) == (10, 10, 0, 4)
        assert row.settled_at is None
        any_half.skew = 61
        row = wait_for_row(any_half, outages, lambda row: row.settled_at)
        assert account(row) == (10, 10, 0, 4)
        assert row.began_at < row.ended_at < row.settled_at
        # What comes later is not part of it.
        any_half.arrive(3)
        any_half.wait_for_ends(row.webhook_id, 13)
        outages.step()
        assert [account(each) for each in stored(any_half)] == [(10, 10, 0, 4)]


def to_ms_now(half: Sending) -> int:
    return round(half.clock() * 1000)


def test_while_it_drains_the_account_says_how_much_is_on_its_way(any_half: Sending) -> None:
    outages = job(any_half)

    def slow(request: Received) -> Plain:
        return DOWN if b"call:3" in request.body else OK

    with Receiver(DOWN) as receiver:
        break_down(any_half, receiver)
        wait_for_row(any_half, outages, lambda row: row.ended_at is None)
        receiver.answer = slow
        row = wait_for_row(any_half, outages, lambda row: row.delivered == 6)
        assert account(row) == (8, 6, 0, 0)
        receiver.answer = OK
        row = wait_for_row(any_half, outages, lambda row: row.calls)
        assert account(row) == (8, 8, 0, 4)


def test_the_next_owner_goes_on_with_an_outage_that_lasts(any_half: Sending) -> None:
    with Receiver(DOWN) as receiver:
        break_down(any_half, receiver)
        began = wait_for_row(any_half, job(any_half), lambda row: row.ended_at is None).began_at
        any_half.crash()
        outages = job(any_half)
        outages.step()
        receiver.answer = OK
        row = wait_for_row(any_half, outages, lambda row: row.delivered == 8)
        assert row.began_at == began
        assert len(stored(any_half)) == 1


def test_failures_within_a_minute_of_the_end_are_the_same_outage(half: Sending) -> None:
    outages = job(half)
    with Receiver(DOWN) as receiver:
        break_down(half, receiver)
        wait_for_row(half, outages, lambda row: row.ended_at is None)
        receiver.answer = OK
        first = wait_for_row(half, outages, lambda row: row.delivered == 8)
        receiver.answer = DOWN
        half.arrive(8)
        again = wait_for_row(half, outages, lambda row: row.ended_at is None)
        assert (again.id, again.began_at) == (first.id, first.began_at)
        receiver.answer = OK
        row = wait_for_row(half, outages, lambda row: row.delivered == 16)
        assert account(row) == (16, 16, 0, 4)
        assert len(stored(half)) == 1


def test_a_pause_is_an_outage_from_its_first_to_its_last_moment(any_half: Sending) -> None:
    outages = job(any_half)
    with Receiver(OK) as receiver:
        webhook = any_half.webhook(receiver.url())
        any_half.arrive(2)
        any_half.wait_for_ends(webhook, 2)
        any_half.switch(webhook, WebhookState.PAUSED)
        row = wait_for_row(any_half, outages, lambda row: row.ended_at is None)
        assert (row.kind, row.reason, row.status) == ("paused", "webhook_paused", None)
        any_half.arrive(3, key="call:1")
        any_half.switch(webhook, WebhookState.ACTIVE)
        row = wait_for_row(any_half, outages, lambda row: row.delivered == 3)
        assert account(row) == (3, 3, 0, 1)


def test_410_is_the_reason_of_a_pause(half: Sending) -> None:
    outages = job(half)
    with Receiver((410, {}, b"")) as receiver:
        half.webhook(receiver.url())
        half.arrive(1)
        row = wait_for_row(half, outages, lambda row: row.ended_at is None)
        assert (row.kind, row.reason, row.status) == ("paused", "gone", 410)


def test_of_a_webhook_that_refuses_the_account_counts_what_it_refused(any_half: Sending) -> None:
    def picky(request: Received) -> Plain:
        return (422, {}, b"telefone: formato") if b'"spoiled"' in request.body else OK

    outages = job(any_half)
    with Receiver(picky) as receiver:
        webhook = any_half.webhook(receiver.url())
        any_half.arrive(10)
        for number in range(5):
            any_half.arrive(1, name="spoiled", key=f"call:{number}")

        others = [1] * 8

        def all_refused() -> bool:
            # A refusal is final only if other events are accepted meanwhile. With many of them the
            # receiver would refuse less than a fifth, which is no trouble.
            any_half.arrive(others.pop() if others else 0)
            return bool(any_half.health(webhook).refused == 5)

        wait_until(all_refused, 20, "five are refused")
        row = wait_for_row(any_half, outages, lambda row: row.kind == "refusing")
        assert (row.ended_at, row.status) == (None, 422)
        any_half.skew = 31 * 60
        row = wait_for_row(any_half, outages, lambda row: row.settled_at)
        assert account(row) == (5, 0, 5, 5)


def test_an_account_that_is_too_long_says_so(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "COUNT_MAX", 6)
    outages = job(half)
    with Receiver(DOWN) as receiver:
        break_down(half, receiver)
        wait_for_row(half, outages, lambda row: row.ended_at is None)
        receiver.answer = OK
        row = wait_for_row(half, outages, lambda row: row.delivered)
        assert row.is_cut
        assert row.waited == 6
