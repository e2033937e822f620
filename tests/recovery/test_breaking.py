"""What breaks a recovery in the middle: no call is left out, none comes twice, and none hurries."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from tests.recovery.world import World
from tests.support.application import rows, store_of, wait_until
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.events.recovery.histories import Row, id_of
from webhookproxy.listener import intake
from webhookproxy.listener.buffer import Buffer
from webhookproxy.listener.handover.stretches import Stretches
from webhookproxy.listener.routes import Taken
from webhookproxy.models.companies import delete_company, find_company
from webhookproxy.platform import pace

DAY = 24 * 3600
BEFORE = {f"call-{number}": 600.0 - number for number in range(5)}


class LosingStore:
    """A store of which many writes fail: before they are committed, or in the answer to that."""

    def __init__(self, store: Store, *, is_committed: bool) -> None:
        self._store = store
        self._is_committed = is_committed
        self._random = random.Random(20)  # noqa: S311 - nothing secret

    def run(self, job: Callable[[Any], Any], **given: Any) -> Any:
        if self._random.random() < 0.5:
            return self._store.run(job, **given)
        if self._is_committed:
            self._store.run(job, **given)
        raise StoreUnavailable("in the test")


def stepped_until(world: World, condition: Callable[[], bool]) -> None:
    """Step until something is so."""
    for _ in range(100):
        world.recovering.step()
        if condition():
            return
    raise AssertionError("not within 100 steps")


@pytest.mark.parametrize("is_committed", [False, True], ids=["not written", "written unheard"])
def test_a_database_that_fails_now_and_then_costs_no_call(
    world: World, monkeypatch: pytest.MonkeyPatch, *, is_committed: bool
) -> None:
    """Of a request that is asked only once: no later look makes good what this one leaves out."""
    store: Any = LosingStore(world.half.relay.store, is_committed=is_committed)
    monkeypatch.setattr(world.recovering._progress, "_store", store)
    monkeypatch.setattr(world.half.intake.journal, "_store", store)
    step = world.recovering.step

    def stepped() -> None:
        with suppress(StoreUnavailable):
            step()

    monkeypatch.setattr(world.recovering, "step", stepped)
    world.record_of(BEFORE)
    world.odd(page_size=2)
    recovery = world.ask()
    assert world.run(recovery, "counted").listed == len(BEFORE)
    assert world.confirm(recovery)
    assert world.run(recovery).recovered == len(BEFORE)
    assert sorted(world.histories()) == sorted(BEFORE)


def test_a_commit_that_was_not_heard_of_hands_no_delivery_to_another_webhook(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.webhook()
    world.record("late")
    world.run(world.gap())
    new = world.webhook()
    world.half.dues.clear()
    journal, lost = world.half.intake.journal, [True]
    run = journal._store.run

    def deaf(job: Callable[[Any], Any], **given: Any) -> Any:
        value = run(job, **given)
        if lost:
            lost.pop()
            raise StoreUnavailable("the answer got lost")
        return value

    monkeypatch.setattr(intake, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(journal, "_store", SimpleNamespace(run=deaf))
    # The first webhook had it when it was recovered.
    world.hear_history("late")
    assert not lost
    query = (
        "SELECT webhook_id, id FROM deliveries WHERE state = 'queued' AND event_id ="
        " (SELECT MAX(id) FROM events)"
    )
    due = [(row.webhook_id, row.id) for row in rows(world.app, query)]
    assert [each for each, _ in due] == [new]
    wait_until(lambda: world.half.dues, 10, "it is offered")
    assert [(each.webhook_id, each.id) for each in world.half.dues] == due


def test_calls_of_now_do_not_hide_those_that_were_asked_for(world: World) -> None:
    world.record_of(BEFORE)
    world.odd(page_size=2)
    recovery = world.ask()
    world.run(recovery, "counted")
    world.confirm(recovery)
    stepped_until(world, lambda: world.recovery(recovery).page > 1)
    # A minute later there are more: the list begins with them, and the others are further down.
    world.ahead += 60
    world.record_of({"new-1": -30.0, "new-2": -31.0})
    assert world.run(recovery).recovered == len(BEFORE)


def test_a_page_with_nothing_new_is_not_the_end(world: World) -> None:
    world.record_of(BEFORE)
    world.odd(page_size=1, twice=True)
    assert world.run(world.gap(12.0, 11.0)).recovered == len(BEFORE)


def test_a_second_owner_goes_on_and_the_first_forgets_what_it_saw(world: World) -> None:
    world.hear_history("heard")
    world.record_of({"heard": 30.0})
    world.odd(page_size=1)
    recovery = world.gap()
    stepped_until(world, lambda: world.recovery(recovery).page > 1)
    # Another process went on up to the last look, and a call is listed late, behind the first.
    world.record_of({"late": 60.0})
    world.execute("UPDATE recoveries SET look = 2, period = 0, page = 1")
    assert world.run(recovery).recovered == 1


def test_a_new_owner_asks_no_earlier_than_the_last_one_could_have(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SECONDS", 3_600.0)
    world.record("lost")
    world.gap()
    world.recovering.step()
    assert world.pace.free_in(world.company) > 0
    assert world.simulator.state(world.token)["rest"]["requests"] == 0


def test_what_was_counted_days_ago_is_not_asked_for_beyond_the_ledger(world: World) -> None:
    world.execute("UPDATE hourly_events SET hour = hour - 24 * 60")
    # It was heard and purged, and the ledger has forgotten it.
    world.record_of({"old": 31.5 * DAY})
    recovery = world.ask()
    world.run(recovery, "counted")
    asked = round(time.time() * 1000) - 3 * DAY * 1000
    since = asked - 29 * DAY * 1000
    world.execute(
        "UPDATE recoveries SET asked_ms = :asked, since_ms = :since, until_ms = :until",
        asked=asked,
        since=since,
        until=since + 2 * DAY * 1000,
    )
    world.confirm(recovery)
    assert world.run(recovery).recovered == 0


@pytest.mark.slow
def test_a_request_that_takes_days_recovers_nothing_that_the_ledger_forgot(world: World) -> None:
    world.execute("UPDATE hourly_events SET hour = hour - 24 * 60")
    world.record_of({"forgotten": 31.5 * DAY, "lost": 30.5 * DAY})
    recovery = world.ask()
    world.run(recovery, "counted")
    world.confirm(recovery)
    # The server was down for two days.
    asked = round(time.time() * 1000) - 2 * DAY * 1000
    world.execute(
        "UPDATE recoveries SET asked_ms = :asked, since_ms = :since, until_ms = :until",
        asked=asked,
        since=asked - 30 * DAY * 1000,
        until=asked - 28 * DAY * 1000,
    )
    world.run(recovery)
    assert world.histories() == ["lost"]


def test_what_fails_for_a_day_by_a_fault_of_ours_ends(world: World) -> None:
    recovery = world.gap()
    world.execute("UPDATE companies SET token = 'no key opens it'")
    for hours, state in ((0, "running"), (23, "running"), (2, "stopped")):
        world.ahead += hours * 3600
        world.recovering._rests_until.clear()
        world.recovering.step()
        assert world.recovery(recovery).state == state


def test_two_recoveries_of_a_company_keep_one_limit(world: World) -> None:
    """A live event waits behind sixteen recovered ones, whichever recovery wrote them."""
    world.webhook()
    world.record_of({f"call-{number:02}": 10.0 + number for number in range(40)})
    world.odd(page_size=16)
    first, second = world.gap(), world.gap()
    stepped_until(world, lambda: world.recovery(first).recovered == 16)
    # The first waits for an answer, and the second could go on.
    world.execute("UPDATE recoveries SET next_ms = next_ms + 3600000 WHERE id = :id", id=first)
    for _ in range(5):
        world.recovering._rests_until.clear()
        world.recovering.step()
    assert world.recovery(second).recovered == 0


def test_a_new_owner_knows_what_the_last_one_had_just_recovered(world: World) -> None:
    world.webhook()
    world.record_of({f"call-{number:02}": 10.0 + number for number in range(40)})
    recovery = world.gap()
    stepped_until(world, lambda: world.recovery(recovery).recovered == 16)
    world.recovering._begin(world.half.intake.journal.fence)
    for _ in range(5):
        world.recovering._rests_until.clear()
        world.recovering.step()
    assert world.recovery(recovery).recovered == 16


def test_a_key_that_failed_before_holds_up_no_other_call(world: World) -> None:
    world.webhook()
    sid = "a1b2c3d4e5f6"
    world.hear(json.dumps(["call-was-created", {"call": {"telephony_id": "T7", "sid": sid}}]))
    world.execute("UPDATE deliveries SET attempts = 3, state = 'retrying'")
    world.record(*(f"call-{number:02}" for number in range(20)))
    recovery = world.gap()
    joined = "order_key = 'call:T7'"
    world.recovering._keys = KeyOfTheFirst("call:T7")  # type: ignore[assignment]

    def begin() -> None:
        world.execute(f"UPDATE deliveries SET attempts = 1 WHERE NOT ({joined})")

    for _ in range(40):
        world.recovering._rests_until.clear()
        world.recovering.step()
        begin()
    assert world.recovery(recovery).recovered == 20
    waiting = f"SELECT COUNT(*) FROM deliveries WHERE {joined} AND attempts = 0"
    assert rows(world.app, waiting)[0][0] == 1


class KeyOfTheFirst:
    """Knows the other events of the first call that is asked about, and of no other."""

    def __init__(self, key: str) -> None:
        self._key = key

    def of(self, _company_id: int, found: Sequence[Row]) -> dict[str, str]:
        key, self._key = self._key, ""
        return {id_of(found[0]): key} if key else {}


def deleted(world: World) -> None:
    store_of(world.app).session(
        lambda session: delete_company(session, find_company(session, world.company))
    )
    world.half.notice()


def switched_off(world: World) -> None:
    world.execute("UPDATE companies SET recover_calls = FALSE")


def refused(world: World) -> None:
    world.odd(page_size=2, status=401)


ENDS: dict[str, tuple[Callable[[World], None], str | None]] = {
    "the company is deleted": (deleted, None),
    "it wants no recovery any more": (switched_off, None),
    "its token is refused": (refused, "unauthorized"),
}


@pytest.mark.parametrize(("ends", "trouble"), ENDS.values(), ids=ENDS)
def test_a_recovery_ends_in_the_middle(
    world: World, ends: Callable[[World], None], trouble: str | None
) -> None:
    world.record_of(BEFORE)
    world.odd(page_size=2)
    recovery = world.gap(12.0, 11.0)
    stepped_until(world, lambda: world.recovery(recovery).recovered > 0)
    ends(world)
    assert world.run(recovery, "stopped").trouble == trouble
    assert world.recovery(recovery).recovered == len(world.histories()) == 2


def test_calls_that_are_recovered_during_a_handover_are_in_no_stretch_of_a_socket(
    world: World,
) -> None:
    relay, brought = world.half.relay, Buffer()
    stretches = Stretches(relay.reading, brought, relay.routes)
    packets = [json.dumps(["x", {"number": number}]) for number in range(4)]
    for number, packet in enumerate(packets):
        brought.put(
            Taken(
                world.company, "", hide_credentials=True, socket_id="s", text=packet, received_ms=1
            )
        )
        world.hear(packet)
        if number == 1:
            world.record("lost")
            world.run(world.gap())
    settled = stretches.settle({world.company: len(packets)})
    assert (settled.known, settled.torn) == (len(packets), frozenset())
    assert len(brought) == 0
