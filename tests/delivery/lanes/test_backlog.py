"""What the lanes read from the database, on both databases."""

from __future__ import annotations

import pytest

from tests.delivery.lanes_world import Sending
from webhookproxy.delivery.lanes.backlog import Backlog
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.rules.webhooks import WebhookState


class Stored:
    """Eight deliveries of a paused webhook, keys a b a b …, and as many of another webhook."""

    def __init__(self, half: Sending) -> None:
        self.half = half
        self.webhook = half.webhook("http://127.0.0.1:9999/", state=WebhookState.PAUSED)
        half.webhook("http://127.0.0.1:9999/", state=WebhookState.PAUSED)
        self.dues: list[Due] = []
        for number in range(8):
            found = half.store_events(1, key="ab"[number % 2])
            self.dues += [due for due in found if due.webhook_id == self.webhook]
        self.backlog = Backlog(half.reading, self.webhook)

    def end(self, *places: int) -> None:
        numbers = ", ".join(str(self.dues[place].id) for place in places)
        self.half.store.run(
            lambda connection: (
                connection.exec_driver_sql(
                    f"UPDATE deliveries SET state = 'delivered' WHERE id IN ({numbers})"
                ).rowcount
            )
        )


@pytest.fixture
def stored(any_half: Sending) -> Stored:
    return Stored(any_half)


def test_rows_come_in_order_and_only_this_webhooks(stored: Stored) -> None:
    assert stored.backlog.after(0, 100) == stored.dues
    assert stored.backlog.after(stored.dues[2].id, 2) == stored.dues[3:5]


def test_what_ended_is_not_read(stored: Stored) -> None:
    stored.end(0, 3)
    left = [due for place, due in enumerate(stored.dues) if place not in (0, 3)]
    assert stored.backlog.after(0, 100) == left
    assert stored.backlog.one(stored.dues[0].id) is None
    assert stored.backlog.one(stored.dues[1].id) == stored.dues[1]


def test_a_key_is_read_between_two_rows(stored: Stored) -> None:
    dues = stored.dues
    assert stored.backlog.of_key("a", 0, dues[-1].id, 100) == dues[0::2]
    assert stored.backlog.of_key("a", dues[0].id, dues[4].id, 100) == [dues[2], dues[4]]
    assert stored.backlog.of_key("a", 0, dues[-1].id, 1) == dues[:1]


def test_a_probe_goes_to_the_head_of_a_key(stored: Stored) -> None:
    dues = stored.dues
    assert stored.backlog.head_after(0, strict=False) == dues[0]
    assert stored.backlog.head_after(dues[0].id, strict=False) == dues[1]
    assert stored.backlog.head_after(dues[1].id, strict=False) == dues[0]
    stored.end(0)
    assert stored.backlog.head_after(dues[1].id, strict=False) == dues[2]


def test_a_strict_probe_may_overtake(stored: Stored) -> None:
    assert stored.backlog.head_after(stored.dues[0].id, strict=True) == stored.dues[1]
    assert stored.backlog.head_after(stored.dues[-1].id, strict=True) == stored.dues[0]


def test_nothing_waits_so_nothing_is_probed(stored: Stored) -> None:
    stored.end(*range(8))
    assert stored.backlog.head_after(0, strict=False) is None
    assert stored.backlog.head_after(0, strict=True) is None


def test_the_highest_number_is_that_of_all_webhooks(stored: Stored) -> None:
    assert stored.backlog.highest() == stored.dues[-1].id + 1
