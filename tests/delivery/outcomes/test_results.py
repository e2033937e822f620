"""The results of deliveries, written in groups, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.delivery.lanes_world import Sending
from tests.support.application import rows
from tests.support.databases import raised
from webhookproxy.database.fence import ALL_SHARDS, Fence, shard_of
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.delivery.outcomes import results as results_module
from webhookproxy.delivery.outcomes.ledger import Health, Result
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.results import Results
from webhookproxy.delivery.outcomes.retry import Kind, Verdict
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.reasons import DeliveryReason, DeliveryState
from webhookproxy.rules.webhooks import WebhookState

URL = "http://127.0.0.1:9999/"
ACCEPTED = Verdict(DeliveryState.DELIVERED, DeliveryReason.ACCEPTED, counts=True)
AGAIN = Verdict(DeliveryState.RETRYING, DeliveryReason.FAILED_STATUS, counts=True, delay=5.0)
EXPIRED = Verdict(DeliveryState.EXPIRED, DeliveryReason.MAX_AGE, counts=False)


def outcome(status: int = 200, answer: str = "ok") -> Outcome:
    kind = Kind.SUCCESS if status < 300 else Kind.FAILURE
    return Outcome(kind, DeliveryReason.ACCEPTED, 1_000, 7, status=status, answer=answer)


def stored(half: Sending, count: int) -> tuple[int, list[Due]]:
    """A paused webhook and so many of its deliveries."""
    webhook = half.webhook(URL, state=WebhookState.PAUSED)
    return webhook, half.store_events(count)


def write(half: Sending, given: list[tuple[Due, Outcome | None, Verdict]]) -> list[int]:
    """Have results written; the deliveries that were reported as committed."""
    committed: list[int] = []
    for due, came, verdict in given:
        now_ms = round(half.clock() * 1000)
        half.lanes.results.put(
            Result(due, came, verdict, now_ms, False, Health(), committed.append)
        )
    assert half.lanes.results.drain(10.0)
    return committed


def test_a_success_ends_its_delivery_and_leaves_its_attempt(any_half: Sending) -> None:
    webhook, dues = stored(any_half, 1)
    assert write(any_half, [(dues[0], outcome(), ACCEPTED)]) == [dues[0].id]
    row = rows(any_half.app, "SELECT state, reason, tries, attempts, status FROM deliveries")[0]
    assert tuple(row) == ("delivered", "accepted", 1, 1, 200)
    attempts = rows(any_half.app, "SELECT number, status, answer, duration_ms FROM attempts")
    assert [tuple(each) for each in attempts] == [(1, 200, "ok", 7)]
    hours = rows(any_half.app, "SELECT outcome, SUM(count) FROM hourly_deliveries GROUP BY outcome")
    assert [(each[0], int(each[1])) for each in hours] == [("delivered", 1)]
    any_half.check_totals(webhook)


def test_a_failure_stays_open_with_its_next_time(any_half: Sending) -> None:
    webhook, dues = stored(any_half, 1)
    before = any_half.clock() * 1000
    write(any_half, [(dues[0], outcome(500), AGAIN)])
    row = rows(any_half.app, "SELECT state, ended_ms, due_ms, first_attempt_ms FROM deliveries")[0]
    assert (row[0], row[1], row[3]) == ("retrying", None, 1_000)
    # The attempt is counted, though nothing has ended.
    hours = rows(any_half.app, "SELECT outcome, bucket, count FROM hourly_deliveries")
    assert [tuple(each) for each in hours] == [("failed", 0, 1)]
    minutes = rows(any_half.app, "SELECT owner_id, series, bucket, count FROM minute_counts")
    assert [tuple(each) for each in minutes if each[1] != "events"] == [(webhook, "failed", 0, 1)]
    assert before + 4_999 < row[2] < any_half.clock() * 1000 + 5_001
    any_half.check_totals(webhook)


def test_a_group_larger_than_one_commit_is_written_whole(any_half: Sending) -> None:
    webhook, dues = stored(any_half, 1_500)
    committed = write(any_half, [(due, outcome(), ACCEPTED) for due in dues])
    assert committed == [due.id for due in dues]
    assert any_half.health(webhook).delivered == 1_500
    any_half.check_totals(webhook)


def test_what_was_ended_by_somebody_else_stays_so_and_counts_once(any_half: Sending) -> None:
    webhook, dues = stored(any_half, 2)
    for due in dues:
        write(any_half, [(due, None, EXPIRED)])
    write(any_half, [(dues[0], outcome(), ACCEPTED), (dues[1], None, EXPIRED)])
    assert set(any_half.states(webhook)) == {("expired", "max_age")}
    assert any_half.health(webhook).expired == 2
    any_half.check_totals(webhook)


def test_a_commit_that_was_not_heard_of_counts_once(
    any_half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, dues = stored(any_half, 3)
    store_run = any_half.store.run
    calls = 0

    def deaf(job: Callable[[Connection], Any], **given: Any) -> Any:
        nonlocal calls
        calls += 1
        value = store_run(job, **given)
        if calls == 1:
            raise StoreUnavailable("OperationalError")
        return value

    monkeypatch.setattr(results_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(any_half.store, "run", deaf)
    first, second, third = dues
    given = [(first, None, EXPIRED), (second, outcome(), ACCEPTED), (third, outcome(500), AGAIN)]
    assert write(any_half, given) == [due.id for due in dues]
    assert calls == 2
    monkeypatch.undo()
    assert len(rows(any_half.app, "SELECT 1 FROM attempts")) == 2
    any_half.check_totals(webhook)


def test_one_result_that_cannot_be_written_costs_its_neighbours_nothing(
    half: Sending, caplog: pytest.LogCaptureFixture
) -> None:
    webhook, dues = stored(half, 3)
    bad: Any = outcome(answer=object())  # type: ignore[arg-type]  # no database takes it
    write(
        half,
        [(dues[0], outcome(), ACCEPTED), (dues[1], bad, ACCEPTED), (dues[2], outcome(), ACCEPTED)],
    )
    assert [state for state, _ in half.states(webhook)] == ["delivered", "queued", "delivered"]
    assert "cannot write" in caplog.text
    half.check_totals(webhook)


def test_a_former_owner_writes_nothing_and_says_so(any_half: Sending) -> None:
    webhook, dues = stored(any_half, 1)
    lost: list[bool] = []
    results = Results(any_half.store, lambda _fence: lost.append(True))
    results.start(raised(any_half._fence), continued=())
    results.put(Result(dues[0], outcome(), ACCEPTED, 1, False, Health(), lambda _: None))
    results.drain(20)
    assert lost == [True]
    assert any_half.states(webhook) == [("queued", "waiting_turn")]


def test_an_error_that_is_no_outage_ends_and_is_not_tried_for_ever(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dues = stored(half, 2)
    calls = 0

    def broken(_job: Callable[[Connection], Any], **_given: Any) -> Any:
        nonlocal calls
        calls += 1
        raise ValueError("a bug")

    monkeypatch.setattr(half.store, "run", broken)
    write(half, [(due, outcome(), ACCEPTED) for due in dues])
    # Together, and then each alone.
    assert calls == 3


@pytest.mark.parametrize("continued", [True, False])
def test_results_of_a_shard_that_another_process_took_wait_and_the_others_are_written(
    any_half: Sending, *, continued: bool
) -> None:
    half = any_half
    webhook, dues = stored(half, 6)
    # As if every second one were of a company of the shard that is lost.
    other = half.company + 1
    dues[1::2] = [of_company(due, other) for due in dues[1::2]]
    half.execute(f"UPDATE leases SET fence = fence + 1 WHERE shard = {shard_of(other)}")
    told: list[Fence] = []
    results, committed = Results(half.store, told.append), list[int]()
    results.start(half._fence, continued=())

    def put(due: Due) -> None:
        results.put(Result(due, outcome(), ACCEPTED, 1, False, Health(), committed.append))

    for due in dues[:4]:
        put(due)
    assert results.drain(20)
    assert committed == [dues[0].id, dues[2].id]
    assert told[0] == half._fence
    for due in dues[4:]:
        put(due)
    assert results.drain(20)
    assert committed == [dues[0].id, dues[2].id, dues[4].id]
    assert sorted(state for state, _ in half.states(webhook)) == ["delivered"] * 3 + ["queued"] * 3
    # Of a shard that no other process owned since, they are written after all.
    after = Fence({**half._fence.numbers, shard_of(other): half._fence.number(0) + 1})
    results.start(after, continued=ALL_SHARDS if continued else ALL_SHARDS - {shard_of(other)})
    assert results.drain(20)
    assert len(committed) == (6 if continued else 3)
    assert [state for state, _ in half.states(webhook)].count("queued") == 6 - len(committed)


def of_company(due: Due, company_id: int) -> Due:
    assert due.facts is not None
    return replace(due, facts=replace(due.facts, company_id=company_id))
