"""The calls that the played platform has on record, as its REST lists them."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from operator import itemgetter
from typing import Any

HISTORY = "call-history-was-created"
# São Paulo has had no summer time since 2019.
BRASILIA = timezone(timedelta(hours=-3))
_KEPT = 20_000
_TIMES = (
    "speaking_time",
    "speaking_with_agent_time",
    "acw_time",
    "waiting_time",
    "amd_time",
    "billed_time",
)
_SAME = ("sid", "phone_type", "ended_by_agent", "qualification_note", "billed_value", "recorded")


@dataclass
class Oddities:
    """How the next `left` requests are answered, each as it was seen on the real platform.

    `status` other than 200, with `retry_after`; `empty`: nothing in a 200; `cut`: half of it.
    `page_size` is what a page has, whatever was asked for. `late`: seconds until a call is listed.
    `texts`: numbers are texts. `twice`: every call is listed twice.
    """

    left: int = 0
    status: int = 200
    retry_after: float | None = None
    page_size: int | None = None
    late: float = 0.0
    texts: bool = False
    empty: bool = False
    cut: bool = False
    twice: bool = False
    role: str = "gestor"


class Records:
    """The calls of one company, and how they are told."""

    def __init__(self) -> None:
        self.oddities = Oddities()
        self._rows: deque[tuple[float, datetime, dict[str, Any]]] = deque(maxlen=_KEPT)
        self._asked: list[float] = []

    def add(self, payload: str, moment: datetime | None = None) -> None:
        """Put the history of a call on record, as one of now or of another moment."""
        moment = moment or datetime.now(UTC)
        try:
            row = _row(json.loads(payload)["callHistory"], moment)
        except (ValueError, KeyError, TypeError, AttributeError):
            # A test emits what it likes.
            return
        self._rows.append((time.monotonic(), moment, row))

    def has(self, call_id: str) -> bool:
        """Return whether the history of a call with this id is on record."""
        return any(str(row["id"]) == call_id for _, _, row in self._rows)

    def count_request(self) -> Oddities:
        """Note that the calls were asked for; return how this request is answered."""
        self._asked.append(time.monotonic())
        found = self.oddities
        if found.left <= 0:
            return Oddities()
        found.left -= 1
        return found

    def listed(self, start: datetime, end: datetime, oddities: Oddities) -> list[dict[str, Any]]:
        """Return the calls between two moments, the newest first, as the platform does."""
        shown = time.monotonic() - oddities.late
        dated = [
            (moment, row)
            for at, moment, row in self._rows
            if at <= shown and start <= moment <= end
        ]
        dated.sort(key=itemgetter(0))
        found = [row for _, row in reversed(dated)]
        if oddities.twice:
            found = [row for row in found for _ in range(2)]
        if oddities.texts:
            found = [_as_texts(row) for row in found]
        return found

    def state(self) -> dict[str, Any]:
        """Return how many calls there are, and how often and how fast they were asked for."""
        pauses = [b - a for a, b in zip(self._asked, self._asked[1:], strict=False)]
        return {
            "calls": len(self._rows),
            "requests": len(self._asked),
            "seconds": self._asked[-1] - self._asked[0] if self._asked else 0.0,
            "shortest_pause": min(pauses, default=None),
        }


def _row(record: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    local = now.astimezone(BRASILIA)
    agent, campaign = record.get("agent") or {}, record.get("campaign") or {}
    qualification = record.get("qualification") or {}
    return {
        "id": record["_id"],
        "number": record["number"],
        "call_date": f"{local:%Y-%m-%d %H:%M:%S}",
        "call_date_rfc3339": local.isoformat(timespec="seconds"),
        "agent": agent.get("name") or "-",
        "agent_id": agent.get("id"),
        "campaign": campaign.get("name"),
        "campaign_id": campaign.get("id"),
        "qualification": qualification.get("name") or "-",
        "qualification_id": qualification.get("id"),
        "behavior": qualification.get("behavior"),
        **{name: _clock(record.get(name) or 0) for name in _TIMES},
        "status_id": record.get("status"),
        "readable_status_text": "Finalizada",
        "hangup_cause": record.get("hangup_cause"),
        "mailing_data": record.get("mailing_data"),
        "mode": record.get("call_mode"),
        **{name: record.get(name) for name in _SAME},
    }


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _as_texts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: str(value)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else value
        for name, value in row.items()
    }
