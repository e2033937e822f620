"""Calls that no socket brought come back once, whatever 3C Plus answers."""

from __future__ import annotations

import json

import pytest
from sqlalchemy.orm import Session

from tests.recovery.world import HISTORY, World, history
from tests.support.application import rows, store_of, wait_until
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.events.contract import token_mask
from webhookproxy.maintenance.personal import read_number
from webhookproxy.maintenance.privacy import expunge
from webhookproxy.models.audit import CLI
from webhookproxy.models.deliveries.actions import Resent, resend
from webhookproxy.models.deliveries.missed import Wanted
from webhookproxy.models.deliveries.stored import STATES, StoredEvents, queue_stored
from webhookproxy.models.deliveries.tables import find_delivery
from webhookproxy.models.webhooks import find_webhook
from webhookproxy.recovery import filling, recovering


def test_what_is_recovered_is_no_sign_of_life_of_the_socket(world: World) -> None:
    """With a sweep every half an hour its silence would never be told."""
    world.execute("UPDATE connections SET last_event_at = 1")
    world.record("lost")
    assert world.run(world.gap()).recovered == 1
    (found,) = rows(world.app, "SELECT last_event_at, events FROM connections")
    assert tuple(found) == (1, 2)


@pytest.mark.slow
def test_the_call_of_a_person_who_was_expunged_does_not_come_back(world: World) -> None:
    call = history("theirs")
    call["callHistory"]["number"] = "5511987654321"
    world.hear(json.dumps([HISTORY, call]))
    world.record("theirs", "lost")
    relay, search = world.half.relay, world.app.extensions["search"]
    masked = expunge(relay.store, relay.reading, search, read_number("11987654321"), CLI)
    assert masked.events == 1
    assert world.run(world.gap()).recovered == 1
    assert world.histories() == ["theirs", "lost"]


def test_missing_calls_come_back_as_the_socket_sends_them(world: World) -> None:
    webhook = world.webhook()
    world.webhook(takes_recovered=False)
    world.hear_history("heard")
    world.record("heard", "lost-1", "lost-2")
    found = world.run(world.gap())
    assert (found.recovered, found.look, found.trouble) == (2, 3, None)
    assert sorted(world.histories()) == ["heard", "lost-1", "lost-2"]
    event = world.half.events()[-1]
    assert (event.recovered, event.socket_id) == (True, "")
    assert event.order_key == f"call:{json.loads(event.payload)['callHistory']['_id']}"
    due = [each.webhook_id for each in world.half.dues if each.facts.recovered]
    assert due == [webhook, webhook]


def test_the_history_that_comes_later_is_not_sent_again_but_its_update_is(world: World) -> None:
    webhook, other = world.webhook(), world.webhook(takes_recovered=False)
    world.record("late")
    world.run(world.gap())
    world.half.dues.clear()
    world.hear_history("late", "late")
    world.hear_history("late")
    # What is due is passed on a moment after it is stored.
    wait_until(lambda: len(world.half.dues) >= 5, 60, "five are due")
    assert [each.webhook_id for each in world.half.dues].count(other) == 3
    assert [each.webhook_id for each in world.half.dues].count(webhook) == 2
    query = "SELECT webhook_id, state FROM deliveries WHERE reason = 'already_recovered'"
    assert [tuple(each) for each in rows(world.app, query)] == [(webhook, "filtered")]


def test_the_history_that_comes_later_is_sent_to_those_that_did_not_have_it(world: World) -> None:
    """A column that the list does not have may be what a filter asks for."""
    condition = Condition("callHistory.list.name", Operator.EXISTS, "")
    filtering = world.webhook(filters={HISTORY: (condition,)})
    had = world.webhook()
    world.record("late")
    world.run(world.gap())
    new = world.webhook()
    world.half.dues.clear()
    world.hear_history("late")
    assert sorted(each.webhook_id for each in world.half.dues) == [filtering, new]
    query = "SELECT webhook_id FROM deliveries WHERE reason = 'already_recovered'"
    assert [row.webhook_id for row in rows(world.app, query)] == [had]


def test_those_that_take_recovered_calls_had_what_is_removed_or_older_than_the_ledger_knows(
    world: World,
) -> None:
    world.webhook()
    refusing = world.webhook(takes_recovered=False)
    world.record("removed", "older")
    world.run(world.gap())
    world.execute("UPDATE call_histories SET event_id = NULL WHERE history_id = 'older'")
    gone = "(SELECT event_id FROM call_histories WHERE history_id = 'removed')"
    world.execute(f"DELETE FROM deliveries WHERE event_id IN {gone}")
    world.execute(f"DELETE FROM events WHERE id IN {gone}")
    world.half.dues.clear()
    world.hear_history("removed", "older")
    wait_until(lambda: len(world.half.dues) >= 2, 10, "both are due")
    assert [each.webhook_id for each in world.half.dues] == [refusing] * 2


ODDITIES: dict[str, dict[str, object]] = {
    "numbers are texts": {"texts": True},
    "every call is listed twice": {"twice": True},
    "page sizes are ignored": {"page_size": 2},
    "answers are empty": {"empty": True, "count": 3},
    "answers are cut": {"cut": True, "count": 2},
    "a 429 with Retry-After": {"status": 429, "retry_after": 1, "count": 1},
    "a 422 for too many": {"status": 422, "count": 2},
    "a 524": {"status": 524, "count": 2},
    "listed a minute late": {"late": 60, "count": 1},
}


def comes_back_once(world: World, oddity: dict[str, object]) -> None:
    before = world.histories()
    names = world.record(*(f"call-{len(before)}-{number}" for number in range(3)))
    world.odd(**oddity)
    found = world.run(world.gap())
    assert sorted(world.histories()) == sorted([*before, *names])
    assert (found.recovered, found.trouble) == (3, None)


def test_each_call_comes_back_once_whatever_its_form(world: World) -> None:
    comes_back_once(world, {"texts": True, "twice": True, "page_size": 2})


@pytest.mark.slow
def test_each_call_comes_back_once_whatever_is_odd(world: World) -> None:
    for oddity in ODDITIES.values():
        comes_back_once(world, oddity)


def test_a_token_that_may_not_ends_the_recovery(world: World) -> None:
    world.record("lost")
    for status, trouble in ((401, "unauthorized"), (403, "forbidden")):
        world.odd(status=status)
        found = world.run(world.gap(), "stopped")
        assert (found.trouble, found.recovered) == (trouble, 0)
    assert world.simulator.state(world.token)["rest"]["requests"] == 2


def test_nothing_is_recovered_before_a_user_confirms_the_count(world: World) -> None:
    world.record("a", "b", "c")
    asked = world.ask()
    counted = world.run(asked, "counted")
    assert (counted.listed, counted.missing, world.histories()) == (3, 3, [])
    assert world.confirm(asked)
    assert not world.confirm(asked)
    assert world.run(asked).recovered == 3


def test_a_gap_is_followed_by_three_looks(world: World) -> None:
    recovery = world.gap()
    world.record("first")
    ends_ms = world.recovery(recovery).until_ms
    looks: list[tuple[int, int]] = []
    while (found := world.recovery(recovery)).state == "running":
        if not looks or found.look != looks[-1][0]:
            looks.append((found.look, found.next_ms - ends_ms))
        world.ahead = max(world.ahead, found.next_ms / 1000 - world.now() + world.ahead)
        world.recovering.step()
    assert [at for _, at in looks[1:]] == [300_000, 900_000]
    assert found.recovered == 1


def test_an_address_that_is_nobodys_of_3c_plus_never_sees_a_token(world: World) -> None:
    world.execute("UPDATE companies SET rest_url = 'https://example.com'")
    found = world.run(world.gap(), "stopped")
    assert (found.trouble, world.simulator.state(world.token)["rest"]["requests"]) == (
        "no_address",
        0,
    )


def test_the_next_calls_wait_until_the_webhook_began_with_the_last(world: World) -> None:
    world.webhook()
    world.record(*(f"call-{number:03}" for number in range(20)))
    recovery = world.gap()
    for _ in range(10):
        world.recovering.step()
    assert world.recovery(recovery).recovered == 16
    assert world.run(recovery).recovered == 20


def test_what_was_stored_before_there_was_a_ledger_is_not_recovered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "SPAN", 1)
    world.hear_history("older")
    world.hear_history("old")
    world.execute("DELETE FROM call_histories")
    world.execute("UPDATE leases SET histories_after = 0")
    world.record("older", "old", "lost")
    world.recovering.filling.is_done = False
    found = world.run(world.gap())
    assert (found.recovered, sorted(world.histories())) == (1, ["lost", "old", "older"])


def test_what_was_kept_back_is_sent_on_demand(world: World) -> None:
    world.webhook()
    world.record("late")
    world.run(world.gap())
    world.hear_history("late")
    query = "SELECT id, state, reason FROM deliveries WHERE reason = 'already_recovered'"
    (kept,) = rows(world.app, query)
    resent = store_of(world.app).session(
        lambda session: resend(session, find_delivery(session, kept.id))
    )
    assert resent is Resent.QUEUED
    assert rows(world.app, query) == []


def test_a_slow_webhook_holds_up_only_its_own_company(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovering, "PAGES_HELD", 1)
    world.webhook()
    world.record(*(f"call-{number:03}" for number in range(20)))
    slow = world.gap()
    while world.recovery(slow).recovered < 16:
        world.recovering.step()
    # Its webhook has not begun with the last calls: the company rests, whatever is asked.
    world.recovering.step()
    assert world.recovering._chosen([(slow, world.company)]) == []
    # Nor does its page take the room of others.
    assert world.recovering._chosen([(slow, world.company), (99, 99)]) == [99]
    assert world.run(slow).recovered == 20


def test_a_recovered_call_joins_its_other_events(world: World) -> None:
    sid = "a1b2c3d4e5f6"
    call = {"call": {"telephony_id": "TEL77", "sid": sid}}
    world.hear(json.dumps(["call-was-created", call]))
    lost = history("lost")
    lost["callHistory"]["sid"] = sid
    world.simulator.control("emit", token=world.token, event=HISTORY, args=[lost])
    world.run(world.gap())
    assert [each.order_key for each in world.half.events()][-2:] == ["call:TEL77"] * 2


def test_what_the_socket_brings_before_it_is_written_is_not_recovered(world: World) -> None:
    world.record("both", "lost")
    recovery = world.gap()
    while world.simulator.state(world.token)["rest"]["requests"] == 0:
        world.recovering.step()
    # The page was read, and both were missing then.
    world.hear_history("both")
    assert world.run(recovery).recovered == 1
    assert sorted(world.histories()) == ["both", "lost"]


def test_a_second_token_lists_the_calls_and_events_still_name_the_first(world: World) -> None:
    world.list_by_second_token("lost")
    assert world.run(world.gap()).recovered == 1
    assert world.half.events()[-1].token_mask == token_mask(world.token)
    assert world.simulator.state(world.token)["rest"]["requests"] == 0


def stored_for(world: World, webhook: int, after: int = 0) -> list[int]:
    """Return the stored histories that a webhook would be sent if it asked for all of them."""
    wanted = Wanted(webhook, STATES, stored=True, event=HISTORY)
    with Session(world.half.relay.reading) as session:
        found = find_webhook(session, webhook)
        return list(StoredEvents(session, found, wanted, after, 2**62).walk(1_000, 10**9))


def test_of_a_recovered_call_and_its_later_event_a_webhook_gets_one(world: World) -> None:
    world.record("late")
    world.run(world.gap())
    # It did not get the recovered one, so it gets the one of the socket.
    between = world.webhook()
    world.hear_history("late")
    wait_until(lambda: [each.webhook_id for each in world.half.dues] == [between], 60, "it is due")
    recovered, live = (each.id for each in world.half.events() if each.name == HISTORY)
    new, refusing = world.webhook(), world.webhook(takes_recovered=False)
    assert stored_for(world, between) == []
    assert stored_for(world, new) == [recovered]
    assert stored_for(world, refusing) == [live]
    # In a time that begins after the recovered one, there is only the other.
    assert stored_for(world, new, after=recovered) == [live]
    store_of(world.app).session(
        lambda session: queue_stored(session, find_webhook(session, new), [recovered], [1_000])
    )
    assert stored_for(world, new) == stored_for(world, new, after=recovered) == []
