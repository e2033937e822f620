"""Whatever happens around a gap, each call is sent once, and each of its updates too.

The times are around ends of days, months and years in Brasília, and around the last changes of its
clocks, where an hour of the local time is missing or there twice.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from webhookproxy.events.recovery.histories import id_of, is_the_end, missing, rows_of
from webhookproxy.events.recovery.periods import MINUTE_MS, Period, periods, widened
from webhookproxy.models.recovery.call_histories import (
    CallHistory,
    Seen,
    claim_histories,
    known_histories,
    note_histories,
)
from webhookproxy.models.recovery.recoveries import LOOKS_MS

BRASILIA = ZoneInfo("America/Sao_Paulo")
COMPANY = 1
SECOND_MS = 1000
# From the beginning of a call to its history, in seconds.
LONGEST = 14 * 60
# Midnights in Brasília: of a month, of a year, and those of the last changes of its clocks.
MIDNIGHTS = (
    *(datetime(2026, 12, 1, 3, tzinfo=UTC), datetime(2027, 1, 1, 3, tzinfo=UTC)),
    *(datetime(2018, 11, 4, 3, tzinfo=UTC), datetime(2019, 2, 17, 2, tzinfo=UTC)),
    datetime(2019, 2, 17, 3, tzinfo=UTC),
)


@dataclass(frozen=True)
class Call:
    """A call: when it began, when its history was made, and how it came here.

    `arrivals` are the times at which the socket brought its history.
    """

    name: str
    began_ms: int
    made_ms: int
    listed_ms: int
    arrivals: tuple[int, ...]

    @property
    def row(self) -> dict[str, Any]:
        moment = datetime.fromtimestamp(self.began_ms // 1000, BRASILIA)
        return {"id": self.name, "call_date": f"{moment:%Y-%m-%d %H:%M:%S}"}


@st.composite
def gaps(draw: st.DrawFn) -> tuple[int, int]:
    midnight = round(draw(st.sampled_from(MIDNIGHTS)).timestamp() * 1000)
    since = midnight + draw(st.integers(-90 * 60, 90 * 60)) * SECOND_MS
    return since, since + draw(st.integers(1, 100 * 60)) * SECOND_MS


@st.composite
def calls(draw: st.DrawFn, gap: tuple[int, int], name: str) -> Call:
    since, until = gap
    last = until + LOOKS_MS[-1]
    seconds = st.integers(since // SECOND_MS - 600, until // SECOND_MS + 240)
    made = draw(st.sampled_from((since, until)) | seconds.map(lambda each: each * SECOND_MS))
    began = made - draw(st.sampled_from((0, LONGEST)) | st.integers(0, LONGEST)) * SECOND_MS
    is_in_gap = since <= made <= until
    later = st.integers(until // SECOND_MS, until // SECOND_MS + 20 * 3600)
    # An update, or the first history if that is late.
    arrivals = draw(st.lists(later, max_size=3))
    times = [each * SECOND_MS for each in arrivals] + ([] if is_in_gap else [made])
    listed = min(made + draw(st.integers(0, 15 * 60)) * SECOND_MS, last)
    return Call(name, began, made, listed, tuple(sorted(times)))


class Platform:
    """Lists calls as 3C Plus does: by local time, the newest first, in pages of its own size."""

    def __init__(self, on_record: list[Call], page_size: int, *, twice: bool) -> None:
        self._calls = sorted(on_record, key=lambda call: -call.began_ms)
        self._page_size = page_size
        self._times = 1 + twice

    def page(self, period: Period, number: int, now_ms: int) -> bytes:
        found = [
            call.row
            for call in self._calls
            if call.listed_ms <= now_ms and period.start <= call.row["call_date"] <= period.end
            for _ in range(self._times)
        ]
        start = (number - 1) * self._page_size
        return json.dumps({"data": found[start : start + self._page_size]}).encode()


@contextmanager
def ledger() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    CallHistory.metadata.tables["call_histories"].create(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@given(
    data=st.data(),
    gap=gaps(),
    count=st.integers(1, 8),
    page_size=st.integers(1, 5),
    twice=st.booleans(),
)
def test_each_call_of_a_gap_is_sent_once_and_each_update_too(
    data: st.DataObject, gap: tuple[int, int], count: int, page_size: int, *, twice: bool
) -> None:
    on_record = [data.draw(calls(gap, f"call-{number}")) for number in range(count)]
    platform = Platform(on_record, page_size, twice=twice)
    events = [(at, call.name) for call in on_record for at in call.arrivals]
    events += [(gap[1] + look, "") for look in LOOKS_MS]
    sent: Counter[str] = Counter()
    with ledger() as connection:
        for at, name in sorted(events):
            if name:
                key = (COMPANY, name)
                sent[name] += key not in note_histories(connection, [Seen(key, at, 1)])
            else:
                sent.update(look(connection, platform, gap, at))
    assert sent == Counter({call.name: max(1, len(call.arrivals)) for call in on_record})


def look(connection: Connection, platform: Platform, gap: tuple[int, int], at: int) -> list[str]:
    """Ask for the calls of a gap, page by page; return those that are recovered."""
    recovered: list[str] = []
    for period in periods(*widened(*gap, gap[0] - 24 * 60 * MINUTE_MS, at)):
        seen: set[str] = set()
        had_nothing_new = False
        for page in itertools.count(1):
            rows = rows_of(platform.page(period, page, at))
            fresh = missing(rows, seen)
            if is_the_end(rows, fresh, had_nothing_new=had_nothing_new):
                break
            had_nothing_new = not fresh
            seen.update(map(id_of, fresh))
            known = known_histories(connection, COMPANY, [id_of(row) for row in fresh])
            keys = [(COMPANY, id_of(row)) for row in missing(fresh, known)]
            recovered += [name for _, name in claim_histories(connection, keys, at, 0)]
    return recovered
