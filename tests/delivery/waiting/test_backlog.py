"""What the lanes read from the database, on both databases."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.delivery.lanes_world import Sending
from webhookproxy.delivery.waiting import backlog
from webhookproxy.delivery.waiting.backlog import Backlog
from webhookproxy.delivery.waiting.rows import Row
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


def ids(rows: Sequence[Row | Due]) -> list[int]:
    return [row.id for row in rows]


def test_rows_come_in_order_and_only_this_webhooks(stored: Stored) -> None:
    assert ids(stored.backlog.after(0, 100)) == ids(stored.dues)
    assert ids(stored.backlog.after(stored.dues[2].id, 2)) == ids(stored.dues[3:5])


def test_what_ended_is_not_read(stored: Stored) -> None:
    stored.end(0, 3)
    left = [due for place, due in enumerate(stored.dues) if place not in (0, 3)]
    assert ids(stored.backlog.after(0, 100)) == ids(left)
    assert stored.backlog.one(stored.dues[0].id) is None
    assert stored.backlog.one(stored.dues[1].id) == stored.dues[1]
    assert stored.backlog.load(ids(stored.dues)) == left


def test_a_key_is_read_between_two_rows(stored: Stored) -> None:
    dues, of_key = stored.dues, stored.backlog.of_key
    assert ids(of_key("a", 0, dues[-1].id, 100)) == ids(dues[0::2])
    assert ids(of_key("a", dues[0].id, dues[4].id, 100)) == ids([dues[2], dues[4]])
    assert ids(of_key("a", 0, dues[-1].id, 1)) == ids(dues[:1])


def test_the_heads_of_keys_are_found_from_key_to_key(stored: Stored) -> None:
    dues, heads = stored.dues, stored.backlog.heads
    everything = heads(None, 100)
    assert [(row.order_key, row.id) for row in everything.rows] == [
        ("a", dues[0].id),
        ("b", dues[1].id),
    ]
    assert everything.last is None
    first = heads(None, 1)
    assert (ids(first.rows), first.last) == ([dues[0].id], "a")
    second = heads("a", 1)
    assert (ids(second.rows), second.last) == ([dues[1].id], "b")
    assert heads("b", 1) == ([], None)
    stored.end(0, 1, 3, 5, 7)
    assert ids(heads(None, 100).rows) == [dues[2].id]


def test_rows_that_are_discarded_are_passed_over(stored: Stored) -> None:
    dues = stored.dues
    stored.backlog.discard_until = dues[4].id
    assert ids(stored.backlog.heads(None, 100).rows) == [dues[6].id, dues[5].id]
    assert ids(stored.backlog.newest_heads(1 << 62)) == [dues[6].id, dues[5].id]
    assert stored.backlog.load([dues[0].id]) == []


def test_of_the_newest_rows_those_that_lead_their_key_are_found(stored: Stored) -> None:
    dues = stored.dues
    assert ids(stored.backlog.newest_heads(1 << 62)) == [dues[1].id, dues[0].id]
    assert ids(stored.backlog.newest_heads(dues[1].id)) == [dues[0].id]


def test_long_payloads_are_not_read_together(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "LOAD_CHARS", 20)
    assert 1 <= len(stored.backlog.load(ids(stored.dues))) <= 2
    assert stored.backlog.load(ids(stored.dues[:1])) == stored.dues[:1]


def test_nothing_waits_so_nothing_is_found(stored: Stored) -> None:
    stored.end(*range(8))
    assert stored.backlog.heads(None, 10) == ([], None)
    assert stored.backlog.newest_heads(1 << 62) == []


def test_the_highest_number_is_that_of_this_webhook(stored: Stored) -> None:
    stored.half.execute("UPDATE deliveries SET id = id + 1000000 WHERE webhook_id <> 1")
    assert stored.backlog.highest() == stored.dues[-1].id
    stored.end(*range(8))
    assert stored.backlog.highest() == 0
