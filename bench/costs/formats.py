"""The cost of a format: microseconds to render an event, beside those of delivering it."""

from __future__ import annotations

import json
from itertools import cycle

from bench.costs.clock import microseconds
from bench.rows import Row, at_most
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.contract import Source
from webhookproxy.events.formats.definition import (
    Format,
    FormatKind,
    RowKind,
    RowStep,
    StepKind,
)
from webhookproxy.events.formats.definition import Row as BodyRow
from webhookproxy.events.formats.rendering import render

# Of delivering an event, in the same run.
FLOOR, GOAL = 1 / 3, 1 / 5
REPEATS = 500
NAME = "call-was-connected"
_FIELDS = (
    *("call.phone", "call.identifier", "call.status", "agent.name", "agent.id"),
    *("campaign.name", "mailing.data.Nome", "call.dialed_time"),
)


def formats(delivered_us: float) -> list[Row]:
    """Measure ten rows with one telephone; `delivered_us` is the CPU of delivering an event."""
    mapped = of(ten_rows())
    name = "a format of ten rows with a telephone / delivering an event"
    return [
        at_most(name, mapped / delivered_us, FLOOR, GOAL),
        Row("  µs to render it; delivering", f"{mapped:.0f}, {delivered_us:.0f}"),
        Row("  µs of the default format, called twice", f"{of(Format()):.1f}, {of(Format()):.1f}"),
        Row("  µs of the summary of a call", f"{of(Format(FormatKind.CALL)):.0f}"),
    ]


def ten_rows() -> Format:
    """Return a mapping of ten rows, one of which is a telephone in E.164."""
    values = [BodyRow(f"fields.F{n}", paths=(path,)) for n, path in enumerate(_FIELDS[1:])]
    telephone = BodyRow("fields.PHONE", paths=_FIELDS[:1], steps=(RowStep(StepKind.E164),))
    title = BodyRow("fields.TITLE", RowKind.TEXT, text="{agent.name}: {call.phone}")
    kind = BodyRow("fields.TYPE", RowKind.CONSTANT, text="CALL")
    return Format(FormatKind.MAPPED, rows=(telephone, title, kind, *values))


def of(wanted: Format) -> float:
    """Return the microseconds to render the sample, each time with another telephone."""
    texts = [_payload(number) for number in range(REPEATS)]
    source = Source(NAME, "", "s", "…", 1_704_067_200_000, 1, 1, "evt_1")
    sources = cycle([source._replace(payload=text) for text in texts])
    return microseconds(lambda: render(wanted, next(sources)), REPEATS)


def _payload(number: int) -> str:
    """Return about 2.2 KB of a call; each number has a telephone of its own."""
    sample = CATALOG[NAME].sample
    call = {**sample["call"], "phone": f"55419{90000000 + number}"}
    kept = {name: sample[name] for name in ("agent", "mailing", "webhookEvent", "bootTime")}
    campaign = {name: each for name, each in sample["campaign"].items() if name != "dialer"}
    return json.dumps({**kept, "call": call, "campaign": campaign})


if __name__ == "__main__":
    # What one event cost on the reference machine of docs/dev/performance.md.
    print(f"{len(_payload(0))} bytes of payload")
    for row in formats(310.0):
        print(f"{row.name}: {row.shown} {row.floor} {row.reached}")
