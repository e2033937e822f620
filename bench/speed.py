"""Bursts and latency beside the reference relays, in alternating rounds."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import astuple

from bench.costs.formats import formats
from bench.load import Load, burst, steady
from bench.processes.relays import Product, Stage, install, new_token, start_node, start_plain
from bench.processes.stage import Relay
from bench.rows import Row, at_least, at_most

RATE = 300.0
Start = Callable[[ExitStack], tuple[Relay, str]]


def measure(stage: Stage, *, rounds: int, events: int, node: bool) -> tuple[list[Row], Load]:
    """Return the rows on bursts, strict order and latency, and the reference's latency at 300/s."""
    reference = "N1" if node else "plain"
    starts = _starts(stage, node=node)
    medians = alternated(stage, starts, ("product", reference), rounds=rounds, events=events)
    return _rows(medians, node=node), medians[f"{reference} steady"]


def alternated(
    stage: Stage, starts: dict[str, Start], timed: Sequence[str], *, rounds: int, events: int
) -> dict[str, Load]:
    """Return each relay's median burst as "NAME burst", and as "NAME steady" its load at RATE.

    In each round every relay has its turn, so that all of them see the same machine. Only those
    of `timed` get the load at RATE.
    """
    found: dict[str, list[Load]] = defaultdict(list)
    for number in range(1, rounds + 1):
        for name, start in starts.items():
            found[f"{name} burst"].append(_burst(stage, start, events))
            print(f"round {number}  {name:8} {found[f'{name} burst'][-1].per_second:6.0f}/s")
        for name in timed:
            found[f"{name} steady"].append(_steady(stage, starts[name], 3.0 + 2.0 * rounds))
    return {name: _median(loads) for name, loads in found.items()}


def _starts(stage: Stage, *, node: bool) -> dict[str, Start]:
    default, strict = install(stage), install(stage, parallelism=1)
    starts: dict[str, Start] = {
        "product": lambda started: product(stage, default, started),
        "strict": lambda started: product(stage, strict, started),
        "plain": lambda started: fresh(lambda token: start_plain(stage, token, started)),
    }
    if node:
        starts["N1"] = lambda started: fresh(lambda token: start_node(stage, token, 1, started))
        starts["N64"] = lambda started: fresh(lambda token: start_node(stage, token, 64, started))
    return starts


def product(stage: Stage, installed: Product, started: ExitStack) -> tuple[Relay, str]:
    """Start the product; return it with its first token."""
    return installed.start(stage, started), installed.tokens[0]


def fresh(start: Callable[[str], Relay]) -> tuple[Relay, str]:
    """Start a relay with a new token; return both."""
    token = new_token()
    return start(token), token


def _burst(stage: Stage, start: Start, events: int) -> Load:
    with ExitStack() as started:
        relay, token = start(started)
        return burst(stage, relay, token, events)


def _steady(stage: Stage, start: Start, seconds: float) -> Load:
    with ExitStack() as started:
        relay, token = start(started)
        return steady(stage, relay, (token,), rate=RATE, seconds=seconds)


def _median(loads: list[Load]) -> Load:
    columns = zip(*map(astuple, loads), strict=True)
    return Load(*(statistics.median(column) for column in columns))


def _rows(medians: dict[str, Load], *, node: bool) -> list[Row]:
    plain = medians["plain burst"].per_second
    rows = [at_least("burst / plain", medians["product burst"].per_second / plain, 1.7, 4.0)]
    rows += [
        Row(f"{name}: events/s; CPU ms per event", f"{load.per_second:,.0f}; {load.cpu_ms:.2f}")
        for name, load in medians.items()
        if name.endswith("burst")
    ]
    rows += formats(medians["product burst"].cpu_ms * 1000)
    if not node:
        return rows
    burst_ratio = medians["product burst"].per_second / medians["N64 burst"].per_second
    strict_ratio = medians["strict burst"].per_second / medians["N1 burst"].per_second
    ours, theirs = medians["product steady"], medians["N1 steady"]
    return [
        *rows,
        at_least("burst / N64", burst_ratio, 0.45, 1.0),
        at_least("burst in strict order / N1", strict_ratio, 0.6, 1.0),
        at_most(f"p50 at 300/s / N1 ({ours.p50:.2f} ms)", ours.p50 / theirs.p50, 4.0, 1.5),
        at_most(f"p99 at 300/s / N1 ({ours.p99:.2f} ms)", ours.p99 / theirs.p99, 2.0, 1.0),
    ]
