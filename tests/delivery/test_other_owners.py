"""What another owner of sockets writes, beside this one, does not confuse this one's lanes."""

from __future__ import annotations

import pytest

from tests.delivery.lanes_world import Sending, numbers
from tests.support.application import rows
from tests.support.receiver import Receiver
from webhookproxy.database.store import Fenced
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
    any_half.lanes.start(any_half._fence, continued=True)
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
    any_half.execute("UPDATE leases SET fence = fence + 1")
    with pytest.raises(Fenced):
        any_half.housekeeping.step()
    assert [row.id for row in rows(any_half.app, "SELECT id FROM webhooks")] == [webhook]
    assert any_half.states(webhook) == [("queued", "waiting_turn")]
    any_half.execute("UPDATE leases SET fence = fence - 1")
    while any_half.housekeeping.step():
        pass
    assert rows(any_half.app, "SELECT id FROM webhooks") == []
