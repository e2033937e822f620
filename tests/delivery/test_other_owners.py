"""What another owner of sockets writes, beside this one, does not confuse this one's lanes."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import pytest

from tests.delivery.lanes_world import Sending, numbers
from tests.support.application import rows
from tests.support.databases import raised
from tests.support.receiver import Receiver
from webhookproxy.database.fence import ALL_SHARDS, Fenced, shard_of
from webhookproxy.listener.journal import Journal
from webhookproxy.rules.webhooks import WebhookState

# As if the clock of the other owner were far ahead.
_FAR_AHEAD = (
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    " born_ms) VALUES (1000000000000000, 1000000000000000, 99, 'call:1', 'queued',"
    " 'waiting_turn', 0, 0, 1)"
)


def test_a_lane_sends_its_own_numbers_though_another_owner_has_given_higher_ones(
    any_half: Sending,
) -> None:
    any_half.execute(_FAR_AHEAD)
    any_half.lanes.start(any_half._fence, continued=ALL_SHARDS)
    with Receiver() as receiver:
        webhook = any_half.webhook(receiver.url())
        any_half.arrive(1)
        any_half.wait_for_ends(webhook, 1)
        # The lane knows that there is nothing behind this one.
        any_half.arrive(3, key="one")
        any_half.wait_for_ends(webhook, 4)
        assert numbers(receiver.requests)[1:] == sorted(numbers(receiver.requests)[1:])


def test_a_deleted_webhook_stays_while_another_owner_may_have_its_lane(any_half: Sending) -> None:
    webhook = any_half.webhook("http://127.0.0.1:9999/", state=WebhookState.PAUSED)
    any_half.store_events(1)
    any_half.delete(webhook)
    assert any_half.lanes.lane(webhook) is None
    its_shard = f"WHERE shard = {shard_of(any_half.company)}"
    any_half.execute(f"UPDATE leases SET fence = fence + 1 {its_shard}")
    with pytest.raises(Fenced):
        any_half.housekeeping.step()
    assert [row.id for row in rows(any_half.app, "SELECT id FROM webhooks")] == [webhook]
    assert any_half.states(webhook) == [("queued", "waiting_turn")]
    # All others may have another owner.
    any_half.execute("UPDATE leases SET fence = fence + 1")
    any_half.execute(f"UPDATE leases SET fence = fence - 2 {its_shard}")
    while any_half.housekeeping.step():
        pass
    assert rows(any_half.app, "SELECT id FROM webhooks") == []


def test_owners_whose_clocks_differ_by_an_hour_number_in_the_order_of_arrival(
    any_half: Sending,
) -> None:
    any_half.webhook("http://127.0.0.1:9999/", state=WebhookState.PAUSED)
    now = time.time()
    given: list[int] = []
    for turn, clock in enumerate((now, now + 3600, now - 60, now + 3599, 0.0)):
        any_half.execute("UPDATE leases SET fence = fence + 1")
        fence = raised(any_half._fence, turn + 1)
        journal = Journal(any_half.store, partial(float, clock))
        journal.start(fence)
        for _ in range(2):
            group = [any_half._arrival("one", "x") for _ in range(100)]
            given += [due.id for due in journal.write(group, fence).dues]
        assert len(given) == (turn + 1) * 200
    assert given == sorted(set(given))
    events = [row.id for row in rows(any_half.app, "SELECT id FROM events ORDER BY public_id")]
    assert events == sorted(set(events))


def test_two_owners_of_shards_whose_clocks_differ_never_give_a_number_twice(
    any_half: Sending,
) -> None:
    any_half.webhook("http://127.0.0.1:9999/", state=WebhookState.PAUSED)
    # They meet in the same milliseconds, as one goes back and the other stands still.
    now = time.time()
    halves = []
    for first in (0, 32):
        part = any_half._fence.of_shards(range(first, first + 32))
        journal = Journal(any_half.store, partial(float, now))
        journal.start(part)
        halves.append((journal, part, any_half.company + first))
    given: list[tuple[int, int]] = []
    for turn in range(4):
        for journal, part, company in halves:
            journal._numbers._clock = partial(float, now - 3600 * turn)
            group = [replace(any_half._arrival("one", "x"), company_id=company) for _ in range(50)]
            given += [(company, due.id) for due in journal.write(group, part).dues]
    assert len({number for _, number in given}) == len(given) == 400
    for _, _, company in halves:
        ids = [number for each, number in given if each == company]
        assert ids == sorted(ids)
        assert {number >> 6 & 63 for number in ids} == {company - any_half.company}
    # Neither may write for a company of the other.
    journal, part, _ = halves[0]
    with pytest.raises(Fenced):
        journal.write([replace(any_half._arrival("one", "x"), company_id=33)], part)
