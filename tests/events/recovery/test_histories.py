"""Which calls are missing: by the id of their history, and by nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookproxy.events.recovery.histories import (
    NotUnderstood,
    history_id,
    id_of,
    missing,
    rows_of,
)

IDS = {
    "of the socket": ({"callHistory": {"_id": "a1"}}, "a1"),
    "as the documents say": ({"call": {"_id": "a1"}}, "a1"),
    "a number": ({"callHistory": {"id": 7}}, "7"),
    "of another event": ({"call": {"telephony_id": "T1"}}, ""),
    "true": ({"callHistory": {"_id": True}}, ""),
    "too long": ({"callHistory": {"_id": "a" * 65}}, ""),
    "a NUL": ({"callHistory": {"_id": "a\0"}}, ""),
    "a list": ([1], ""),
    "nothing": (None, ""),
}


@pytest.mark.parametrize(("payload", "found"), IDS.values(), ids=IDS)
def test_the_id_of_a_history_is_found(payload: Any, found: str) -> None:
    assert history_id(payload) == found


@pytest.mark.parametrize("content", [b"", b"[", b'{"data":{}}', b"7", b'{"data":[1'])
def test_what_is_no_list_of_calls_is_not_understood(content: bytes) -> None:
    with pytest.raises(NotUnderstood):
        rows_of(content)


def test_calls_come_once_and_the_oldest_first() -> None:
    calls = [{"id": "b", "call_date": "2026-11-02"}, {"id": "a", "call_date": "2026-11-01"}]
    content = json.dumps({"data": [*calls, calls[0], {"number": "7"}, 5]}).encode()
    assert [id_of(row) for row in rows_of(content)] == ["a", "b"]


@given(
    on_record=st.lists(st.sampled_from("abcdefgh"), unique=True),
    heard=st.sets(st.sampled_from("abcdefgh")),
    late=st.sets(st.sampled_from("abcdefgh")),
    sizes=st.lists(st.integers(1, 3), min_size=3, max_size=3),
    twice=st.booleans(),
)
def test_in_three_looks_each_call_is_recovered_once_and_none_is_left(
    on_record: list[str], heard: set[str], late: set[str], sizes: list[int], *, twice: bool
) -> None:
    """Whatever is late, doubled, known, or on pages of sizes of their own."""
    ledger = set(heard)
    recovered: list[str] = []
    for look, size in enumerate(sizes):
        listed = [name for name in on_record if look == 2 or name not in late]
        listed = [name for name in listed for _ in range(1 + twice)]
        seen: set[str] = set()
        for start in range(0, len(listed) + size, size):
            rows = rows_of(
                json.dumps([{"id": name} for name in listed[start : start + size]]).encode()
            )
            fresh = missing(rows, seen)
            seen.update(map(id_of, fresh))
            gone = [id_of(row) for row in missing(fresh, ledger)]
            recovered += gone
            ledger.update(gone)
    assert sorted(recovered) == sorted(set(on_record) - heard)
