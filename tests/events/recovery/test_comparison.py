"""The calls of a day are counted whole, whatever the order and the size of what is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookproxy.events.recovery.comparison import (
    LACKING,
    NAMED_MAX,
    AtWebhook,
    Compared,
    Due,
    Fate,
    Lacking,
    began_ms,
    call_of,
)
from webhookproxy.reasons import DeliveryState

# By the call: its event (0: not in the ledger, None: not known which), whether that is stored, and
# the state of its delivery.
Call = tuple[int | None, bool, DeliveryState | None]
calls = st.tuples(
    st.sampled_from([0, None, 1]), st.booleans(), st.sampled_from([None, *DeliveryState])
)


def compared(day: list[Call], sizes: list[int]) -> Compared:
    """Compare a day, read in pieces of these sizes."""
    found = Compared(webhooks=[AtWebhook(7), AtWebhook(8)])
    numbered = list(enumerate(day, 1))
    while numbered:
        size = sizes.pop() if sizes else 1
        piece, numbered = numbered[:size], numbered[size:]
        events = {number: event and number for number, (event, _, _) in piece}
        stored = {number for number, (event, is_stored, _) in piece if event and is_stored}
        dues = [Due(n, 7, 100 + n, each[2]) for n, each in piece if each[2] and n in stored]
        known = {str(n): event for n, event in events.items() if event != 0}
        found.take([str(n) for n, _ in piece], known, stored, dues)
    return found


@given(day=st.lists(calls, max_size=70), sizes=st.lists(st.integers(1, 9), max_size=70))
def test_each_call_is_counted_once_at_each_place(day: list[Call], sizes: list[int]) -> None:
    found = compared(day, list(sizes))
    assert found == compared(day, [])
    assert Compared.from_json(found.to_json()) == found
    assert found.listed == len(day) == found.here + found.missing_count
    first, second = found.webhooks
    at_hand = found.here - found.gone
    assert sum(first.counts.values()) == sum(second.counts.values()) == at_hand
    assert second.count(Fate.NOT_SENT) == second.lacks == at_hand
    delivered = [each for each in day if each[0] and each[1] and each[2] == "delivered"]
    assert first.count(Fate.DELIVERED) == len(delivered)
    # The differences are named, up to a bound.
    assert len(first.lacking) == min(first.lacks, NAMED_MAX)


FATES = {
    "delivered": Fate.DELIVERED,
    "queued": Fate.WAITING,
    "retrying": Fate.WAITING,
    "refused": Fate.FAILED,
    "expired": Fate.FAILED,
    "cancelled": Fate.FAILED,
    "filtered": Fate.KEPT_BACK,
    "simulated": Fate.KEPT_BACK,
}


def test_each_state_of_a_delivery_has_its_fate() -> None:
    assert FATES.keys() == set(DeliveryState)
    for state, fate in FATES.items():
        found = Compared(webhooks=[AtWebhook(7)])
        assert found.take(["a", "b"], {"a": 1}, {1}, [Due(1, 7, 9, state)]) == ["b"]
        assert found.webhooks[0].counts == {fate: 1}
        assert found.webhooks[0].lacking == ([Lacking(1, 9)] if fate in LACKING else [])


MOMENTS = {
    "in UTC": ({"callHistory": {"call_date": "2026-11-02T03:00:00.000Z"}}, 1_793_588_400_000),
    "in Brasília": ({"callHistory": {"call_date": "2026-11-02 00:00:00"}}, 1_793_588_400_000),
    "as the documents say": ({"call": {"call_date": "2026-11-02 00:00"}}, 1_793_588_400_000),
    "a day": ({"callHistory": {"call_date": "2026-11-02"}}, None),
    "a number": ({"callHistory": {"call_date": 5}}, None),
    "none": ({"callHistory": {}}, None),
    "no object": ([1], None),
    "nothing": ({"callHistory": "-"}, None),
}


@pytest.mark.parametrize(("payload", "found"), MOMENTS.values(), ids=MOMENTS)
def test_the_moment_of_a_call_is_read(payload: Any, found: int | None) -> None:
    assert began_ms(payload) == found


def test_a_missing_call_is_known_by_what_the_list_says() -> None:
    row = {
        "id": "x1",
        "phone": "41999990000",
        "agent": "Ana",
        "agent_id": "7",
        "call_date": "2026-11-02 00:00:00",
        "speaking_time": "00:01:05",
        "status_id": "7",
    }
    found = call_of(row)
    assert (found.id, found.at_ms) == ("x1", 1_793_588_400_000)
    facts = found.facts
    assert (facts.telephone, facts.agent, facts.duration) == ("41999990000", "Ana", 65)
