"""`python -m bench.lanes.refusals [--all]`: what a receiver gets when it refuses a part.

The real lane on a simulated clock, with receivers that refuse a share of the events, everything
for a while, everything always, or more than two a second. It prints a table and returns 1 if an
event came later than it had to, was given up though it would have been accepted, or if a receiver
was asked more often than is gentle.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bench.lanes.simulated import Answer, Event, Simulation
from webhookproxy.delivery.outcomes.resending import PER_WORKER
from webhookproxy.delivery.outcomes.retry import REFUSAL_DELAYS
from webhookproxy.reasons import DeliveryState
from webhookproxy.simulator.world import World

# How late an event may be beyond what the refused ones before it in its key cost.
LATE_MAX = 5.0
# A bulk resend looks so often whether the queue has room for more, in seconds.
RESEND_EVERY = 0.3
BUSY_SHARE_MAX = 0.2
GENTLE = 1 / 5
HOUR = 3600.0

Receiver = Callable[[Event, float], Answer]


@dataclass(frozen=True)
class Case:
    """What is played."""

    name: str
    receiver: Receiver
    rate: float
    seconds: float
    parallelism: int = 8
    arrivals: str = "poisson"
    # Whether an event is refused for itself, so that nothing is promised for it.
    spoiled: Callable[[Event], bool] = lambda _: False
    # Whether what waits is more than the receiver takes: then everything is late.
    overloaded: bool = False
    refuses_all: bool = False
    resend_at: float | None = None


@dataclass(frozen=True)
class Found:
    """What came of it."""

    case: Case
    posts: int
    good: int
    late: float
    undelivered: int
    waiting: int
    given_up: int
    busy_share: float
    per_second: float
    held: float

    @property
    def failed(self) -> bool:
        """Whether something that must be true is not."""
        late = self.late > LATE_MAX and not self.case.overloaded
        busy = self.busy_share > BUSY_SHARE_MAX
        rude = self.case.refuses_all and self.per_second > GENTLE
        lost = bool(self.undelivered) and not (self.case.refuses_all or self.case.overloaded)
        return late or busy or rude or lost or bool(self.given_up)

    def line(self) -> str:
        """Return the row of the table."""
        return (
            f"| {self.case.name} | {self.posts} | {self.good} | {self.late:.1f} |"
            f" {self.undelivered} | {self.waiting} | {self.given_up} | {self.busy_share:.0%} |"
            f" {self.per_second:.2f} | {self.held:.0f} | {'FAILED' if self.failed else 'ok'} |"
        )


HEAD = (
    "| case | POSTs | events not refused | latest, s | overdue | behind one of their key |"
    " given up wrongly | answered 429 | POSTs/s after the first minute | circuit open, s | |\n"
    + "|---" * 11
    + "|"
)


def share(text: str) -> float:
    """Return a number from 0 to 1 that is always the same for a text."""
    return zlib.crc32(text.encode()) / 2**32


def arrivals(case: Case, seed: random.Random) -> Iterator[tuple[float, str]]:
    """Give times and keys, in order."""
    at = 0.0
    if case.arrivals == "calls":
        world = World(seed, agents=12)
        while (at := at + seed.expovariate(case.rate)) < case.seconds:
            emission = world.next_event()
            # What the catalogue makes the key of most events: the call, else the agent.
            ids = [part for part in emission.payload.split('"') if len(part) == 16]
            yield at, ids[0] if ids else emission.name
        return
    calls = max(4, round(case.rate * 20))
    if case.arrivals == "bursts":
        # As many as come in a minute, all at the beginning of it.
        for minute in range(round(case.seconds // 60)):
            for place in range(round(case.rate * 60)):
                yield minute * 60.0, f"call-{minute}-{place // 3}"
        return
    while (at := at + seed.expovariate(case.rate)) < case.seconds:
        # Some thirty seconds of events for each call that is under way.
        yield at, f"call-{round(at // 30)}-{seed.randrange(calls)}"


def play(case: Case, seed: int = 1) -> Found:
    """Play a case."""
    source = random.Random(seed)
    random.seed(seed)
    simulation = Simulation(case.receiver, parallelism=case.parallelism)
    try:
        for at, key in arrivals(case, source):
            simulation.arrive(key, at)
        if case.resend_at is not None:
            simulation.plan(case.resend_at, lambda: _resend_refused(simulation))
        simulation.run(case.seconds)
        return _account(case, simulation)
    finally:
        simulation.end()


def _resend_refused(simulation: Simulation) -> None:
    events = simulation.events.values()
    refused = [each.id for each in events if each.state is DeliveryState.REFUSED]
    _resend_some(simulation, refused)


def _resend_some(simulation: Simulation, ids: list[int]) -> None:
    """Queue a few, as delivery/outcomes/resending.py does, and the others later."""
    most = PER_WORKER * simulation.webhook.parallelism
    free = most - simulation.due()
    if free * 2 >= most:
        simulation.resend(ids[:free])
        ids = ids[free:]
    if ids:
        simulation.plan(simulation.now + RESEND_EVERY, partial(_resend_some, simulation, ids))


def _account(case: Case, simulation: Simulation) -> Found:
    events = simulation.events.values()
    good = [each for each in events if not case.spoiled(each)]
    late, undelivered, waiting = _lateness(case, simulation)
    busy = sum(status == 429 for _, status in simulation.posts)
    after_a_minute = sum(at > 60 for at, _ in simulation.posts)
    return Found(
        case,
        len(simulation.posts),
        len(good),
        late,
        undelivered,
        waiting,
        sum(each.state is DeliveryState.REFUSED for each in good),
        busy / max(1, len(simulation.posts)),
        after_a_minute / max(1.0, case.seconds - 60),
        _held(simulation),
    )


def _lateness(case: Case, simulation: Simulation) -> tuple[float, int, int]:
    """Return how late the latest good event was, how many should have arrived and did not, and
    how many wait behind one of their key that has not ended."""
    free: dict[str, float] = {}
    latest, undelivered, waiting = 0.0, 0, 0
    strict = simulation.webhook.parallelism == 1
    for event in simulation.events.values():
        key = "" if strict else event.key
        could = max(event.at, free.get(key, 0.0))
        if not case.spoiled(event):
            if event.state is DeliveryState.DELIVERED and event.ended is not None:
                latest = max(latest, event.ended - could)
            elif could == float("inf"):
                waiting += 1
            elif could < simulation.now - LATE_MAX:
                undelivered += 1
        free[key] = max(free.get(key, 0.0), float("inf") if event.ended is None else event.ended)
    return latest, undelivered, waiting


def _held(simulation: Simulation) -> float:
    held, since = 0.0, None
    for at, is_open in simulation.opened:
        if is_open:
            since = at
        elif since is not None:
            held, since = held + at - since, None
    return held + (simulation.now - since if since is not None else 0.0)


def refusing(part: float, how: str, status: int) -> tuple[Receiver, Callable[[Event], bool]]:
    """Return a receiver that refuses a part, and what tells the events that it always refuses."""
    chance = random.Random(7)

    def spoiled(event: Event) -> bool:
        text = event.key if how == "customer" else f"event {event.id}"
        return share(text) < part

    def by_chance(event: Event) -> bool:
        # Chance refuses an event, and may accept it the next time: it had to wait for that.
        return event.refusals > 0

    def receiver(event: Event, _now: float) -> Answer:
        if how == "random":
            is_refused = chance.random() < part
            event.refusals += is_refused
            return (status if is_refused else 200), None
        return (status if spoiled(event) else 200), None

    return receiver, by_chance if how == "random" else spoiled


def broken_for(seconds: float, begins: float, status: int) -> Receiver:
    """Return a receiver that answers everything with a status for a while."""

    def receiver(_event: Event, now: float) -> Answer:
        return (status if begins <= now < begins + seconds else 200), None

    return receiver


def taking(per_second: float, retry_after: float | None) -> Receiver:
    """Return a receiver that answers 429 beyond so many a second."""
    allowance, last = per_second, 0.0

    def receiver(_event: Event, now: float) -> Answer:
        nonlocal allowance, last
        allowance = min(per_second, allowance + (now - last) * per_second)
        last = now
        if allowance < 1:
            return 429, retry_after
        allowance -= 1
        return 200, None

    return receiver


def cases(*, everything: bool) -> Iterator[Case]:
    """Give the cases; without `everything` a few of each kind."""
    shares = (0.05, 0.12, 0.33, 0.66, 0.9) if everything else (0.12, 0.33, 0.9)
    for part in shares:
        for how in ("customer", "event", "random"):
            for status in (422, 404, 500) if everything else (422, 500):
                yield from _shared(part, how, status, everything=everything)
    for status in (404, 401):
        for rate, seconds in ((5.0, 1200.0), (3 / HOUR, 24 * HOUR)):
            receiver = broken_for(300.0, 300.0, status)
            name = f"{status} to everything for 5 min, {_rate(rate)}"
            # While nothing passes everything is late; nothing may be lost.
            yield Case(name, receiver, rate, seconds, overloaded=True)
    for status in (422, 500):
        for rate, seconds in ((5.0, HOUR), (3 / HOUR, 72 * HOUR)):
            name = f"{status} to everything always, {_rate(rate)}"
            answer = (status, None)
            yield Case(
                name,
                lambda *_, answer=answer: answer,
                rate,
                seconds,
                refuses_all=True,
            )
    for retry_after in (None, 1.0):
        name = f"takes 2/s under 10/s, Retry-After {retry_after}"
        yield Case(name, taking(2.0, retry_after), 10.0, 1200.0, overloaded=True)


def _shared(part: float, how: str, status: int, *, everything: bool) -> Iterator[Case]:
    plays = [(1.5, 900.0, 8)]
    if everything:
        plays += [(5.0, 900.0, 8), (3 / HOUR, 48 * HOUR, 8)]
    # In strict order a refused event holds up all others for minutes: that is what it is for.
    if part < 0.2:
        plays.append((3 / HOUR, 96 * HOUR, 1))
    for rate, seconds, parallelism in plays:
        for kind in ("poisson", "calls", *(("bursts",) if rate == 1.5 else ())):
            receiver, spoiled = refusing(part, how, status)
            name = f"{part:.0%} by {how}, {status}, {_rate(rate)}, {kind}"
            resent = kind == "calls" and parallelism > 1
            yield Case(
                name + ("" if parallelism > 1 else ", strict"),
                receiver,
                rate,
                seconds,
                parallelism,
                kind,
                spoiled,
                resend_at=seconds * 0.6 if resent else None,
            )


def _rate(rate: float) -> str:
    return f"{rate:g}/s" if rate >= 1 else f"{rate * HOUR:g}/h"


def main() -> int:
    """Print the table. Return 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="bench.lanes.refusals", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every case, at length")
    failed = 0
    logging.disable(logging.WARNING)
    print(f"Refused events are tried at 0, {REFUSAL_DELAYS[0]:g}, {sum(REFUSAL_DELAYS):g} s.\n")
    print(HEAD)
    for case in cases(everything=parser.parse_args().all):
        found = play(case)
        failed += found.failed
        print(found.line(), flush=True)
    print(f"\n{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
