"""The table: every condition begins, ends, flaps, comes in groups, in quiet hours, beside a kill.

Each test has all conditions happen at the same time, each to a user of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.alerts.table import TABLE, Row, Stage
from tests.alerts.world import Alerting
from tests.support.databases import own_all
from webhookproxy.alerts.conditions import URGENT, Condition
from webhookproxy.alerts.message import Message
from webhookproxy.alerts.watching.watcher import Watcher
from webhookproxy.database.fence import Fence
from webhookproxy.database.store import Store, StoreUnavailable

OPENED, CLOSED, DIGEST = "alert.opened", "alert.closed", "alert.digest"
Told = Mapping[Condition, list[Message]]


def kinds(told: Told) -> dict[Condition, list[str]]:
    return {condition: [each.kind for each in found] for condition, found in told.items()}


def expected(of_row: Callable[[Row], list[str]]) -> dict[Condition, list[str]]:
    return {row.condition: of_row(row) for row in TABLE}


NOTHING = expected(lambda _row: [])
BEGUN = expected(lambda _row: [OPENED])
ENDED = expected(lambda row: [CLOSED] if row.watched.ends else [])


def test_all_conditions_are_in_the_table() -> None:
    assert {row.condition for row in TABLE} == set(Condition)


def test_each_is_told_once_and_its_end_once_also_by_the_next_owner(any_app: Flask) -> None:
    stage = Stage(any_app)
    assert kinds(stage.told(0)) == NOTHING
    stage.begin()
    told = stage.told(40)
    assert kinds(told) == BEGUN
    for row in TABLE:
        (message,) = told[row.condition]
        assert any(row.says in line for line in message.lines), message
        assert message.subject.startswith(f"{row.watched.label}: ")
    stage.alerting.build()
    assert kinds(stage.told(60, step=30)) == NOTHING
    stage.end()
    told = stage.told(30)
    assert kinds(told) == ENDED
    for row in TABLE:
        for message in told[row.condition]:
            assert message.subject.startswith(f"Resolvido: {row.watched.label}: ")
    stage.alerting.build()
    assert kinds(stage.told(60, step=30)) == NOTHING


def test_what_is_alike_goes_together(app: Flask) -> None:
    stage = Stage(app, places=2)
    stage.begin()
    told = stage.told(40, step=20)
    assert kinds(told) == BEGUN
    stage.end()
    over = stage.told(30, step=15)
    assert kinds(over) == ENDED
    for row in TABLE:
        for message in told[row.condition] + over[row.condition]:
            assert row.is_single or f"{row.watched.label} em 2 " in message.subject
            assert not row.is_single or message.subject.endswith(": Servidor")


@pytest.mark.slow
def test_what_comes_and_goes_is_told_in_digests_to_its_end(app: Flask) -> None:
    stage = Stage(app)
    changes = 4
    for _ in range(changes):
        stage.begin()
        stage.alerting.run(minutes=15, step=3)
        stage.end()
        stage.alerting.run(minutes=4, step=2)
    stage.alerting.run(minutes=120, step=10)
    for condition, messages in stage.sent_since(0).items():
        told = [each.kind for each in messages]
        if condition in URGENT:
            assert told == [OPENED, CLOSED] * changes
            continue
        # Three as they come, then together, at most once in half an hour.
        assert DIGEST not in told[:3], condition
        assert DIGEST in told[3:] or condition is Condition.GAP, condition
        assert len(told) <= 3 + 5, condition
        assert any("vezes na última hora" in line for each in messages for line in each.lines)
    parts = stage.alerting.stored(
        "SELECT alert_id, part, COUNT(*) AS n FROM alert_message_parts GROUP BY alert_id, part"
    )
    assert {row.n for row in parts} == {1}
    ends = {row.condition.value for row in TABLE if row.watched.ends}
    ((gaps, _),) = stage.places[Condition.GAP]
    for row in stage.alerting.stored("SELECT id, condition, company_id FROM alerts"):
        found = {each.part for each in parts if each.alert_id == row.id}
        if row.condition == Condition.GAP and row.company_id != gaps:
            # Told as a lost connection, or a token that was refused.
            assert found == set()
        else:
            assert found == {"opened", *(["closed"] if row.condition in ends else [])}


def test_quiet_hours_keep_what_may_wait(app: Flask) -> None:
    stage = Stage(app, places=2)
    # From 11:00 to 15:00.
    stage.alerting.execute(
        "INSERT INTO alert_preferences (user_id, is_on, quiet_from, quiet_until)"
        " SELECT id, :yes, 660, 900 FROM users",
        yes=True,
    )
    stage.begin()
    told = stage.told(40, step=20)
    assert kinds(told) == expected(lambda row: [OPENED] if row.condition in URGENT else [])
    # In the first place all is over before the quiet hours are; in the second it lasts.
    stage.end(place=0)
    told = stage.told(60, step=20)
    assert kinds(told) == expected(lambda row: [CLOSED] if row.condition in URGENT else [])
    told = stage.told(120, step=20)
    for row in TABLE:
        label, subjects = row.watched.label, sorted(each.subject for each in told[row.condition])
        where = f"{row.condition} " if row.watched.about == "company" else f"CRM ({row.condition} "
        end = "" if row.watched.about == "company" else ")"
        if row.condition in URGENT:
            assert subjects == []
        elif row.is_single:
            assert subjects == [f"Já passou: {label}: Servidor"]
        elif not row.watched.ends:
            assert [each.partition(": gap")[0] for each in subjects] == [f"{label} em 2 empresas"]
        else:
            now = f"{label}: {where}1{end}", f"Já passou: {label}: {where}0{end}"
            assert subjects == sorted(now)


@dataclass
class Dying:
    """The store of an owner that is killed in the middle of a write, after some whole ones."""

    store: Store
    writes: int

    def session(self, job: Callable[[Session], Any], *, fence: Fence | None = None) -> Any:
        def killed(session: Session) -> Any:
            job(session)
            session.flush()
            if not self.writes:
                raise StoreUnavailable("killed")
            self.writes -= 1

        return self.store.session(killed, fence=fence)


def live_and_die(alerting: Alerting) -> None:
    """Have owners be killed in each write that is due, and one between sending and writing down."""
    for writes in range(3):
        alerting.build()
        alerting.watcher._store = Dying(alerting.store, writes)  # type: ignore[assignment]
        with suppress(StoreUnavailable):
            alerting.watcher.step()
    alerting.build()
    alerting.watcher.step()
    alerting.outbox._store = Dying(alerting.store, 0)  # type: ignore[assignment]
    alerting.outbox.step()
    assert alerting.outbox.join(20)
    alerting.build()


@pytest.mark.slow
def test_owners_that_are_killed_at_any_point_repeat_one_message_at_most(app: Flask) -> None:
    stage = Stage(app)
    for change, kind in ((stage.begin, OPENED), (stage.end, CLOSED)):
        before = len(stage.alerting.channel.sent)
        change()
        for _ in range(5):
            live_and_die(stage.alerting)
            stage.alerting.run(minutes=8, step=8)
        for condition, messages in stage.sent_since(before).items():
            is_told = kind in (BEGUN if kind == OPENED else ENDED)[condition]
            # Eight at a time were being sent when the owner was killed, and have the same id.
            assert len({each.id for each in messages}) == is_told, condition
            assert {each.kind for each in messages} == ({kind} if is_told else set()), condition
            assert len(messages) <= 2, condition


def test_a_former_owner_writes_nothing_beside_the_next_one(app: Flask) -> None:
    stage = Stage(app)
    alerting = stage.alerting
    own_all(app)

    class Overtaken:
        """The store of an owner that stood still before a write, while the next one worked."""

        def session(self, job: Callable[[Session], Any], *, fence: Fence | None = None) -> Any:
            alerting.execute("UPDATE leases SET fence = fence + 1")
            owner = Watcher(alerting.store, alerting.reading, installation, alerting.clock)
            owner.step()
            return alerting.store.session(job, fence=fence)

    def fence() -> Fence:
        return Fence({row[0]: row[1] for row in alerting.stored("SELECT shard, fence FROM leases")})

    def installation() -> Any:
        return alerting.installation

    def take_over() -> None:
        former = Watcher(Overtaken(), alerting.reading, installation, alerting.clock, fence)  # type: ignore[arg-type]
        former.step()

    for change, told in ((stage.begin, BEGUN), (stage.end, ENDED)):
        before = len(alerting.channel.sent)
        change()
        for _ in range(2):
            alerting.now += timedelta(minutes=15)
            take_over()
            alerting.run()
        assert kinds(stage.sent_since(before)) == told


@contextmanager
def no_database(alerting: Alerting) -> Iterator[None]:
    """The database neither reads nor writes, for an owner that goes on."""

    def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        raise OperationalError(statement, None, Exception("gone"))

    class Gone:
        def session(self, _job: object, **_fence: object) -> None:
            raise StoreUnavailable("gone")

    alerting.watcher._store = alerting.outbox._store = Gone()  # type: ignore[assignment]
    event.listen(alerting.reading, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(alerting.reading, "before_cursor_execute", fail)
        alerting.watcher._store = alerting.outbox._store = alerting.store


def stand_still(alerting: Alerting) -> None:
    """Try to work for half an hour without the database."""
    with no_database(alerting):
        for _ in range(3):
            alerting.now += timedelta(minutes=10)
            for job in (alerting.watcher, alerting.outbox):
                with suppress(OperationalError, StoreUnavailable):
                    job.step()
            assert alerting.outbox.join(20)


@pytest.mark.slow
def test_without_the_database_what_is_told_later_is_told_once(app: Flask) -> None:
    stage = Stage(app)
    alerting = stage.alerting
    for change, told in ((stage.begin, BEGUN), (stage.end, ENDED)):
        before = len(alerting.channel.sent)
        change()
        # Away before it was seen, before it was told, and after it was sent.
        stand_still(alerting)
        alerting.watcher.step()
        stand_still(alerting)
        alerting.now += timedelta(minutes=11)
        alerting.watcher.step()
        alerting.outbox._store = Dying(alerting.store, 0)  # type: ignore[assignment]
        alerting.outbox.step()
        assert alerting.outbox.join(20)
        stand_still(alerting)
        alerting.run(minutes=30, step=15)
        assert kinds(stage.sent_since(before)) == told
