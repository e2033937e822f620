"""`python -m bench.costs.formats`: microseconds to render an event, beside those of delivering it.

Both are of one run, which has a core for the relay and one for all else: another run is another
machine.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from contextlib import ExitStack
from itertools import cycle

from bench.costs.clock import microseconds
from bench.load import burst
from bench.processes.relays import Product, Stage, install
from bench.rows import Row, at_most, conclude
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
# The bursts of which the median counts, and the events of each.
BURSTS, EVENTS = 3, 5_000
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


def main() -> int:
    """Deliver bursts and render in one run. Return 0, or 1 if a body costs too much."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    print(f"{len(_payload(0))} bytes of payload")
    with ExitStack() as stack:
        stage = Stage(stack, cores[-1])
        product = install(stage)
        rows = formats(statistics.median(_delivered_us(stage, product) for _ in range(BURSTS)))
    return conclude(rows)


def _delivered_us(stage: Stage, product: Product) -> float:
    """Return the microseconds of CPU per event of a burst."""
    with ExitStack() as started:
        relay = product.start(stage, started)
        return burst(stage, relay, product.tokens[0], EVENTS).cpu_ms * 1000


if __name__ == "__main__":
    sys.exit(main())
