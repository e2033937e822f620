"""Old rows are removed in small steps, and others stay; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection

from tests.delivery.lanes_world import Sending, sending
from tests.housekeeping.test_steps import URL, count, end, store_old, sweep
from tests.support import application as world
from tests.support.application import rows
from tests.support.databases import QUICK_ON_SQLITE
from webhookproxy.events.formats.definition import Format, FormatKind
from webhookproxy.housekeeping import purge
from webhookproxy.housekeeping.purge import Purge
from webhookproxy.housekeeping.retention import COUNTERS_DAYS, DAY_MS, HOUR_MS
from webhookproxy.rules.webhooks import WebhookState

PAUSED: dict[str, Any] = {"state": WebhookState.PAUSED}


@pytest.fixture
def half(any_app: Flask) -> Iterator[Sending]:
    with sending(any_app) as half:
        yield half


def other_company(half: Sending, retention_days: int | None) -> int:
    """Create a second company; return its number. Events still come from the first."""
    return world.make_company(
        half.app, token=f"other-token-{retention_days}", retention_days=retention_days
    )


def events_of(half: Sending, company: int) -> int:
    return count(half, "events", f"company_id = {company}")


def test_a_company_with_days_of_its_own_keeps_no_more_than_these(half: Sending) -> None:
    first, other = half.company, other_company(half, 2)
    for company in (first, other):
        half.company = company
        half.webhook(URL, **PAUSED)
        end(half, store_old(half, 3, 30))
        end(half, store_old(half, 1, 5))
    half.store_events(1)
    sweep(half)
    assert events_of(half, first) == 35
    assert events_of(half, other) == 6
    assert count(half, "deliveries") == 41
    assert count(half, "attempts") == 40


def test_no_company_keeps_more_than_all_of_them_may(half: Sending) -> None:
    half.company = other_company(half, 30)
    half.webhook(URL, **PAUSED)
    end(half, store_old(half, 8, 5))
    half.store_events(1)
    sweep(half)
    assert events_of(half, half.company) == 1


def test_many_companies_with_days_of_their_own_are_looked_at_in_turn(half: Sending) -> None:
    for number in range(1, 26):
        half.company = world.make_company(
            half.app, token=f"token-of-company-{number}", retention_days=1
        )
        store_old(half, 0.5, 1)
    # Two days later all are too old; unwanted events would be removed for another reason.
    half.execute("UPDATE events SET note = NULL, received_ms = received_ms - 172800000")
    half.company = other_company(half, None)
    half.store_events(1)
    sweep(half)
    assert count(half, "events") == 1


@QUICK_ON_SQLITE
def test_the_writer_is_held_for_a_moment_only_however_much_belongs_to_an_event(
    half: Sending,
) -> None:
    half.webhook(URL, **PAUSED)
    dues = store_old(half, 8, 1500)
    end(half, dues)

    def many_attempts(connection: Connection) -> None:
        connection.exec_driver_sql(
            "INSERT INTO attempts (delivery_id, number, started_ms, duration_ms, reason, probe,"
            " answer) WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE"
            " i < 21) SELECT d.id, n.i, 1, 1, 'failed_status', false,"
            f" '{'x' * 500}' FROM deliveries d, n"
        )

    half.store.run(many_attempts)
    half.store_events(1)
    holds: list[float] = []
    measured = half.store.measured

    def noted(job: Any) -> tuple[Any, float]:
        value, held = measured(job)
        holds.append(held)
        return value, held

    half.store.measured = noted  # type: ignore[method-assign]
    # A busy machine needs more steps, not longer ones.
    assert any(not half.housekeeping.step() for _ in range(2000))
    assert count(half, "events") == 1
    assert count(half, "attempts") == 0
    # One statement for all would take longer than each of these.
    assert len(holds) > 3
    # On a busy machine each takes longer, as would that one.
    assert median(holds) < max(0.05, sum(holds) / 10)


def test_what_took_too_long_is_followed_by_less(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "CHUNK_MOST", 10)
    store_old(half, 8, 500)
    half.store_events(1)
    ids = [row[0] for row in rows(half.app, "SELECT id FROM events ORDER BY id")]
    one, measured = Purge(half.store), half.store.measured
    half.store.measured = lambda job: (measured(job)[0], 0.5)  # type: ignore[method-assign]
    first = one.remove(ids)
    for _ in range(2):
        one.remove([])
        ids = [row[0] for row in rows(half.app, "SELECT id FROM events ORDER BY id")]
        one.remove(ids)
    assert one._budget == purge.BUDGET_LEAST
    assert first > 0


def test_what_waits_stays_until_it_expired_and_goes_then(half: Sending) -> None:
    webhook = half.webhook(URL, max_age=168, **PAUSED)
    store_old(half, 8, 5)
    (due,) = half.store_events(1)
    sweep(half)
    assert count(half, "events") == 6
    half.execute(f"UPDATE deliveries SET born_ms = 0 WHERE id < {due.id}")
    sweep(half)
    assert half.states(webhook) == [("queued", "waiting_turn")]
    assert count(half, "events") == 1


def test_counters_stay_for_more_than_a_year_and_no_longer(half: Sending) -> None:
    hour = round(half.clock() * 1000) // HOUR_MS
    old, kept = hour - COUNTERS_DAYS * 24 - 1, hour - COUNTERS_DAYS * 24 + 1

    def fill(connection: Connection) -> None:
        for owner in (half.company, half.company + 7):
            for each in (*range(old - 600, old + 1), kept):
                connection.exec_driver_sql(
                    f"INSERT INTO hourly_events VALUES ({owner}, {each}, 'x', 1)"
                )
                connection.exec_driver_sql(
                    f"INSERT INTO hourly_deliveries VALUES ({owner}, {each}, 'delivered', 3, 1)"
                )
        for ended in (old * HOUR_MS, kept * HOUR_MS):
            connection.exec_driver_sql(
                "INSERT INTO gaps (company_id, started_at, ended_at, reason)"
                f" VALUES ({half.company}, 1, {ended}, 'dropped')"
            )
        connection.exec_driver_sql(
            "INSERT INTO gaps (company_id, started_at, reason)"
            f" VALUES ({half.company}, 1, 'dropped')"
        )

    half.store.run(fill)
    sweep(half)
    for table in ("hourly_events", "hourly_deliveries"):
        found = rows(half.app, f"SELECT hour FROM {table} ORDER BY hour")
        assert [row.hour for row in found] == [kept, kept]
    assert [row.ended_at for row in rows(half.app, "SELECT ended_at FROM gaps ORDER BY id")] == [
        kept * HOUR_MS,
        None,
    ]


def test_comparisons_stay_no_longer_than_the_events_of_a_company_with_fewer_days(
    half: Sending,
) -> None:
    now_ms = round(half.clock() * 1000)
    kept = {half.company: 31, other_company(half, 2): 2, other_company(half, 60): 31}
    for company, days in kept.items():
        for ended in (now_ms - days * DAY_MS - HOUR_MS, now_ms - days * DAY_MS + HOUR_MS):
            half.execute(
                "INSERT INTO day_comparisons (company_id, day, asked_by, asked_ms, since_ms,"
                " until_ms, state, next_ms, failures, listed, ended_ms)"
                f" VALUES ({company}, 1, 'ana', 1, 1, 1, 'finished', 1, 0, 0, {ended})"
            )
    sweep(half)
    found = rows(half.app, "SELECT company_id, ended_ms FROM day_comparisons ORDER BY company_id")
    assert [tuple(row) for row in found] == [
        (company, now_ms - days * DAY_MS + HOUR_MS) for company, days in sorted(kept.items())
    ]


def test_groups_of_refusals_stay_for_the_days_of_the_events(half: Sending) -> None:
    webhook = half.webhook("http://127.0.0.1:9999/")
    today = round(half.clock() * 1000) // DAY_MS
    days = half.app.config["RETENTION_DAYS"]
    for day in (today - days - 1, today - days, today):
        half.execute(
            "INSERT INTO refusal_groups (webhook_id, day, status, reason, shape, count, sample_id)"
            f" VALUES ({webhook}, {day}, 422, 'refused_status', 'x', 1, 1)"
        )
    sweep(half)
    found = rows(half.app, "SELECT day FROM refusal_groups ORDER BY day")
    assert [row.day for row in found] == [today - days, today]


def test_a_format_of_before_stays_while_a_delivery_was_sent_in_it(half: Sending) -> None:
    webhook = half.webhook("http://127.0.0.1:9999/", format=Format(FormatKind.NATIVE), **PAUSED)
    half.arrive(1)
    half.execute("UPDATE deliveries SET attempts = 1, format_number = 2")
    for kind in (FormatKind.PAYLOAD, FormatKind.CALL, FormatKind.NATIVE):
        half.edit(webhook, format=Format(kind))
    numbers = "SELECT number FROM past_formats ORDER BY number"
    half.execute("UPDATE past_formats SET replaced_at = 1 WHERE number < 3")
    sweep(half)
    # The third was replaced a moment ago, and may be in a request that is under way.
    assert [row.number for row in rows(half.app, numbers)] == [2, 3]


def test_a_long_pass_ends_with_a_line_that_says_how_long_the_writer_was_held(
    half: Sending, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(purge, "WORTH_A_LINE", 20)
    store_old(half, 8, 30)
    half.store_events(1)
    with caplog.at_level("INFO"):
        sweep(half)
        sweep(half)
    lines = [
        record.message
        for record in caplog.records
        if record.name == "webhookproxy.housekeeping.purge"
    ]
    assert len(lines) == 1
    assert lines[0].startswith("removed 30 events past their time in ")
