"""The loads that the relays get, and what is measured of them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from bench.processes.relays import Stage
from bench.processes.stage import Relay, wait_for
from webhookproxy.demo.programs import DemoError

EVENT = "call-was-connected"
# Before the measurement, to warm connections, caches and code.
WARM_UP = 200
ARRIVE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Load:
    """The results of one load; `cpu_ms` is per event, the latencies are in milliseconds."""

    per_second: float
    cpu_ms: float
    p50: float
    p99: float
    core_share: float
    rss_mb: float


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share of them lies; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def burst(stage: Stage, relay: Relay, token: str, events: int) -> Load:
    """Send these events as fast as the relay takes them."""
    _run(stage, relay, (token,), WARM_UP, None, 1)
    return _run(stage, relay, (token,), events, None, 1)


def steady(
    stage: Stage,
    relay: Relay,
    tokens: tuple[str, ...],
    *,
    rate: float,
    seconds: float,
    copies: int = 1,
) -> Load:
    """Send events of each token at a rate, each due to `copies` webhooks."""
    _run(stage, relay, tokens, max(1, WARM_UP // len(tokens)), None, copies)
    return _run(stage, relay, tokens, round(rate * seconds), rate, copies)


def _run(
    stage: Stage,
    relay: Relay,
    tokens: tuple[str, ...],
    events: int,
    rate: float | None,
    copies: int,
) -> Load:
    stage.receiver.forget()
    expected = events * len(tokens) * copies
    cpu, began = relay.cpu_seconds(), time.monotonic()
    emit(stage, tokens, events, rate)
    wait_for(
        lambda: _alive(relay) and stage.receiver.count() >= expected,
        f"the arrival of {expected} events",
        ARRIVE_SECONDS,
    )
    wall, used = time.monotonic() - began, relay.cpu_seconds() - cpu
    relay.wait_until_quiet()
    arrivals = stage.receiver.arrivals()
    check(arrivals, expected)
    last = max(max(seen.values()) for seen in arrivals["first"].values())
    return Load(
        per_second=expected / (last - began),
        cpu_ms=(relay.cpu_seconds() - cpu) * 1000 / expected,
        p50=percentile(arrivals["took"], 0.50),
        p99=percentile(arrivals["took"], 0.99),
        core_share=used / wall,
        rss_mb=relay.rss_mb(),
    )


def emit(stage: Stage, tokens: tuple[str, ...], events: int, rate: float | None) -> None:
    """Emit to every token. Many tokens begin one after the other, spread evenly."""
    given: dict[str, Any] = {"count": events, "event": EVENT}
    if rate is not None:
        given["rate"] = rate
    if len(tokens) == 1:
        stage.simulator.command("burst", token=tokens[0], **given)
        return

    def one(token: str, delay: float) -> None:
        time.sleep(delay)
        stage.simulator.command("burst", token=token, **given)

    spread = 1 / (rate or 1000) / len(tokens)
    threads = [
        threading.Thread(target=one, args=(token, place * spread))
        for place, token in enumerate(tokens)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check(arrivals: dict[str, Any], expected: int) -> None:
    """Raise DemoError unless each event came to each webhook, once and signed."""
    came = sum(len(seen) for seen in arrivals["first"].values())
    if came != expected or arrivals["unsigned"] or arrivals["doubled"]:
        raise DemoError(
            f"{came} of {expected} arrived, {arrivals['doubled']} twice, "
            f"{arrivals['unsigned']} with a wrong signature"
        )


def _alive(relay: Relay) -> bool:
    relay.check_alive()
    return True
