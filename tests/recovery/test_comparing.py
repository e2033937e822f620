"""A day is compared with what 3C Plus lists: missing here, not delivered, or not listed there."""

from __future__ import annotations

import json
import time
from datetime import date, datetime, timedelta
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.recovery.world import HISTORY, World, history
from tests.support.application import rows, store_of, wait_until
from webhookproxy.events.formats.moments import ZONE
from webhookproxy.events.recovery.comparison import Compared
from webhookproxy.models.audit import CLI
from webhookproxy.models.recovery.comparisons import DayComparison, ask_comparison
from webhookproxy.network.dial import shared_resolver
from webhookproxy.network.http.client import Client
from webhookproxy.platform.rest import Rest
from webhookproxy.recovery import comparing
from webhookproxy.recovery.comparing import Comparing
from webhookproxy.rules import Refused


def ask(world: World, day: date | None = None) -> int:
    """Ask for a day, today if none is given."""
    chosen = day or datetime.now(ZONE).date()
    return store_of(world.app).session(
        lambda session: ask_comparison(session, world.company, chosen, CLI)
    )


def job(world: World) -> Comparing:
    relay, policy = world.half.relay, world.app.extensions["policy"]
    rest = Rest(Client(policy, shared_resolver()), world.pace)
    journal = relay.intake.journal
    return Comparing(
        relay.store, relay.reading, rest, policy, lambda: journal.fence, clock=world.now
    )


def run(world: World, number: int, stepped: Comparing | None = None) -> DayComparison:
    """Step until a comparison has ended, and move over its pauses."""
    stepped = stepped or job(world)

    def there() -> DayComparison | None:
        stepped.step()
        with Session(world.half.relay.reading) as session:
            found = session.get(DayComparison, number)
            assert found is not None
            world.ahead = max(world.ahead, found.next_ms / 1000 - time.time())
            return None if found.is_running else found

    found: DayComparison = wait_until(there, 60.0, f"comparison {number} has ended")
    return found


def result(world: World, number: int, stepped: Comparing | None = None) -> Compared:
    found = run(world, number, stepped)
    assert (found.state, found.trouble) == ("finished", None)
    assert found.compared is not None
    return found.compared


def dated(name: str) -> str:
    """Return the packet of a history whose call begins now."""
    payload = history(name)
    payload["callHistory"]["call_date"] = datetime.now(ZONE).isoformat()
    return json.dumps([HISTORY, payload])


def test_the_differences_of_a_day_are_named(world: World) -> None:
    crm, _ = world.webhook(), world.webhook(events=("agent-is-idle",))
    names = ["delivered", "refused", "waits", "purged"]
    world.hear(*map(dated, [*names, "unlisted", "too-new"]))
    world.record(*names, "lost-1", "lost-2")
    states = {"delivered": "delivered", "refused": "refused", "waits": "queued"}
    for name, state in states.items():
        where = "event_id = (SELECT event_id FROM call_histories WHERE history_id = :name)"
        world.execute(f"UPDATE deliveries SET state = :state WHERE {where}", name=name, state=state)
    event_of = {
        row.history_id: row.event_id
        for row in rows(world.app, "SELECT history_id, event_id FROM call_histories")
    }
    world.execute("DELETE FROM events WHERE id = :id", id=event_of["purged"])
    world.odd(page_size=2, twice=True)
    number = ask(world)
    # It was asked for ten minutes later; what arrived just before that may not be listed yet.
    world.execute("UPDATE day_comparisons SET asked_ms = asked_ms + 600000")
    world.execute(
        "UPDATE call_histories SET seen_ms = seen_ms + 599000 WHERE history_id = 'too-new'"
    )
    found = result(world, number)
    assert (found.listed, found.here, found.gone) == (6, 4, 1)
    assert sorted(each.id for each in found.missing) == ["lost-1", "lost-2"]
    assert found.missing[0].facts.telephone
    assert found.only_here == [event_of["unlisted"]]
    (at_crm,) = found.webhooks
    assert at_crm.webhook_id == crm
    assert at_crm.counts == {"delivered": 1, "failed": 1, "waiting": 1}
    assert {each.event_id for each in at_crm.lacking} == {event_of["refused"], event_of["waits"]}


def test_the_next_owner_begins_the_list_again(world: World) -> None:
    world.record("a", "b", "c")
    world.odd(page_size=1)
    number = ask(world)
    first = job(world)
    first.step()
    first.step()
    assert rows(world.app, "SELECT listed FROM day_comparisons")[0].listed == 2
    assert result(world, number).listed == 3


def test_a_page_of_which_the_database_says_nothing_is_fetched_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.record("a", "b", "c")
    world.odd(page_size=1)
    number, stepped = ask(world), job(world)
    with monkeypatch.context() as failing:
        error = OperationalError("SELECT", {}, Exception("in the test"))
        failing.setattr(comparing, "known_histories", Mock(side_effect=error))
        with pytest.raises(OperationalError):
            stepped.step()
    assert result(world, number, stepped).listed == 3


def test_what_3c_plus_answers_ends_it_or_is_waited_for(world: World) -> None:
    world.record("a")
    world.odd(status=429, retry_after=1, count=2)
    assert result(world, ask(world)).listed == 1
    for status, trouble in ((401, "unauthorized"), (403, "forbidden")):
        world.odd(status=status)
        found = run(world, ask(world))
        assert (found.state, found.trouble, found.result) == ("stopped", trouble, None)
    world.odd(empty=True)
    found = run(world, ask(world))
    assert (found.state, found.trouble) == ("stopped", "empty")


def test_a_list_beyond_the_bound_is_cut_and_said_to_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.record("a", "b", "c")
    # A page may have nothing but a call that was on the page before.
    world.odd(page_size=1, twice=True)
    assert result(world, ask(world)).listed == 3
    monkeypatch.setattr(comparing, "CALLS_MAX", 2)
    found = result(world, ask(world))
    assert (found.listed, found.is_cut) == (2, True)


def test_the_token_for_rest_lists_the_day(world: World) -> None:
    world.list_by_second_token("lost")
    assert [each.id for each in result(world, ask(world)).missing] == ["lost"]
    assert world.simulator.state(world.token)["rest"]["requests"] == 0


def test_only_a_day_that_can_be_known_is_compared(world: World) -> None:
    today = datetime.now(ZONE).date()
    for days, said in ((1, "future"), (-31, "30 days"), (-2, "first event")):
        with pytest.raises(Refused, match=said):
            ask(world, today + timedelta(days=days))
    ask(world)
    with pytest.raises(Refused, match="being compared"):
        ask(world)
