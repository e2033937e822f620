"""Which histories of calls an answer of 3C Plus has, and which of them are missing here.

A history is compared by its id and by nothing else: another event may look the same and be another
call.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson

HISTORY = "call-history-was-created"
ID_MAX = 64

# A call as `GET /calls` has it.
Row = dict[str, Any]


class NotUnderstood(ValueError):
    """An answer that is no list of calls, or the first part of one."""


def history_in(payload: Any) -> dict[str, Any]:
    """Return the history in the payload of an event; empty if it has none."""
    if not isinstance(payload, dict):
        return {}
    # The official documents say `call`, and every payload that was seen says `callHistory`.
    for key in ("callHistory", "call"):
        if isinstance(history := payload.get(key), dict):
            return history
    return {}


def history_id(payload: Any) -> str:
    """Return the id of the history in the payload of an event; empty if it has none."""
    history = history_in(payload)
    return usable_id(history.get("_id", history.get("id")))


def usable_id(value: Any) -> str:
    """Return an id as a text; empty if the value is none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    return text if 0 < len(text) <= ID_MAX and text.isascii() and text.isprintable() else ""


def rows_of(content: bytes) -> list[Row]:
    """Return the calls of an answer, each once, the oldest first. Raises NotUnderstood."""
    try:
        answer = orjson.loads(content)
    except ValueError:
        raise NotUnderstood("The answer is no JSON.") from None
    found = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(found, list):
        raise NotUnderstood("The answer has no list of calls.")
    by_id = {id_of(row): row for row in found if _is_call(row)}
    return sorted(by_id.values(), key=_moment)


def id_of(row: Row) -> str:
    """Return the id of a call's history."""
    return usable_id(row.get("id", row.get("_id")))


def missing(rows: Sequence[Row], known: Collection[str]) -> list[Row]:
    """Return the calls whose history is not known, each once and in the order given."""
    found: dict[str, Row] = {}
    for row in rows:
        if (number := id_of(row)) not in known:
            found.setdefault(number, row)
    return list(found.values())


def is_the_end(rows: Sequence[Row], fresh: Sequence[Row], *, had_nothing_new: bool) -> bool:
    """Return whether a page is the end of a list; `fresh` are its calls that no page had before.

    An empty page is, and the second one in a row with nothing new. A short one may not be: sizes
    are ignored now and then. The first with nothing new may not be either: calls of now move the
    others down, and some are listed twice.
    """
    return not rows or (not fresh and had_nothing_new)


def _is_call(row: Any) -> bool:
    return isinstance(row, dict) and bool(id_of(row))


def _moment(row: Row) -> str:
    # Both are texts that sort by time while the zone is the same; a call without one comes first.
    value = row.get("call_date_rfc3339") or row.get("call_date")
    return value if isinstance(value, str) else ""
