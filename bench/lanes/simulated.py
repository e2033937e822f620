"""One webhook's lane on a simulated clock: the real lane, window and circuit, an hour in seconds.

What is not the lane's is played: the clock, the network, the database of what waits.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import gevent
from gevent.event import AsyncResult
from gevent.pool import Group

from webhookproxy.delivery.lanes.lane import Lane
from webhookproxy.delivery.lanes.services import LaneServices
from webhookproxy.delivery.outcomes.ledger import Result
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.sending.receivers import read_answer
from webhookproxy.delivery.waiting.backlog import NEWEST
from webhookproxy.delivery.waiting.rows import Heads, Row
from webhookproxy.delivery.waiting.stock import Budget
from webhookproxy.models.deliveries.tables import Due, Facts
from webhookproxy.reasons import DeliveryReason, DeliveryState

EPOCH_MS = 1_700_000_000_000
LATENCY = 0.15
COMMIT = 0.01
URL = "https://crm.example.com/hook"
# No health at first, and a webhook as its row would be.
_NO_HEALTH = SimpleNamespace(
    circuit_opened_at=None,
    next_probe_at=None,
    failed_probes=0,
    last_success_at=None,
    last_error=None,
    last_error_status=None,
    last_error_at=None,
    failed_delivery_id=None,
    failures=0,
    failures_since=None,
    failing_since=None,
    working_since=None,
    refusing_since=None,
    refusing_last_at=None,
    first_attempts=0,
    first_refused=0,
    behind_since=None,
)


@dataclass
class Event:
    """One event and its result."""

    id: int
    key: str
    at: float
    state: DeliveryState = DeliveryState.QUEUED
    ended: float | None = None
    # How often a receiver that refuses by chance refused it.
    refusals: int = 0
    # When each POST of it left.
    posts: list[float] = field(default_factory=list)


# What a receiver answers: a status, and for how long it asks to be left alone.
Answer = tuple[int, float | None]


class Table:
    """The open rows, as the backlog reads them."""

    discard_until = 0

    def __init__(self) -> None:
        self.dues: dict[int, Due] = {}
        self.last: dict[int, tuple[str, int | None]] = {}
        self._ids: list[int] = []
        self._by_key: defaultdict[str, list[int]] = defaultdict(list)

    def put(self, due: Due) -> None:
        """Open a row, or change it."""
        if due.id not in self.dues:
            bisect.insort(self._ids, due.id)
            bisect.insort(self._by_key[due.order_key], due.id)
        self.dues[due.id] = due

    def end(self, delivery_id: int) -> None:
        """Close a row."""
        if (due := self.dues.pop(delivery_id, None)) is not None:
            self._ids.remove(delivery_id)
            ids = self._by_key[due.order_key]
            ids.remove(delivery_id)
            if not ids:
                del self._by_key[due.order_key]

    def after(self, delivery_id: int, limit: int) -> list[Row]:
        """See Rows."""
        begins = bisect.bisect_right(self._ids, delivery_id)
        return [self._row(each) for each in self._ids[begins : begins + limit]]

    def of_key(self, key: str, after: int, upto: int, limit: int) -> list[Row]:
        """See Rows."""
        ids = self._by_key.get(key, [])
        return [self._row(each) for each in ids if after < each <= upto][:limit]

    def heads(self, after: str | None, limit: int) -> Heads:
        """See Rows."""
        keys = sorted(self._by_key)
        begins = 0 if after is None else bisect.bisect_right(keys, after)
        keys = keys[begins : begins + limit]
        last = keys[-1] if len(keys) == limit else None
        return Heads([self._row(self._by_key[key][0]) for key in keys], last)

    def highest(self) -> int:
        """See Rows."""
        return self._ids[-1] if self._ids else 0

    def newest_heads(self, before: int) -> list[Row]:
        """See Backlog."""
        ends = bisect.bisect_left(self._ids, before)
        rows = [self._row(each) for each in self._ids[max(0, ends - NEWEST) : ends]]
        heads = [row for row in rows if self._by_key[row.order_key][0] == row.id]
        return sorted(heads, reverse=True)

    def load(self, ids: list[int]) -> list[Due]:
        """See Rows."""
        return [self.dues[each] for each in sorted(ids) if each in self.dues]

    def one(self, delivery_id: int) -> Due | None:
        """See Backlog."""
        return self.dues.get(delivery_id)

    def head_before(self, due: Due, *, strict: bool) -> Due | None:
        """See Backlog."""
        ids = self._ids if strict else self._by_key[due.order_key]
        return self.dues[ids[0]] if ids else None

    def _row(self, delivery_id: int) -> Row:
        due = self.dues[delivery_id]
        return Row(due.id, due.order_key, due.due_ms, due.tries, *self.last.get(due.id, ("", None)))


class _Alarm:
    """An alarm of the simulated clock."""

    def __init__(self, simulation: Simulation, ring: Callable[[], None]) -> None:
        self._simulation = simulation
        self._ring = ring
        self._at: float | None = None

    def set(self, at: float) -> None:
        """See Alarm."""
        if self._at is None or at < self._at:
            self._at = at
            self._simulation.plan(at, lambda: self._call(at))

    def end(self) -> None:
        """See Alarm."""
        self._at = None

    def _call(self, at: float) -> None:
        if self._at == at:
            self._at = None
            self._ring()


class Simulation:
    """A lane, a receiver, and what arrives; `now` is in simulated seconds."""

    def __init__(self, receiver: Callable[[Event, float], Answer], *, parallelism: int = 8) -> None:
        self.now = 0.0
        self.events: dict[int, Event] = {}
        self.posts: list[tuple[float, int]] = []
        self.opened: list[tuple[float, bool]] = []
        self.table = Table()
        self._receiver = receiver
        self._numbers = itertools.count(1)
        self._order = itertools.count()
        self._plans: list[tuple[float, int, Callable[[], None]]] = []
        self._greenlets = Group()
        self._answering = 0
        self.webhook = self._webhook(parallelism)
        self.lane = Lane(self._services(), cast(Any, self.webhook))

    def plan(self, at: float, act: Callable[[], None]) -> None:
        """Have something done at a time."""
        heapq.heappush(self._plans, (max(at, self.now), next(self._order), act))

    def arrive(self, key: str, at: float) -> None:
        """Have an event arrive at a time."""
        self.plan(at, lambda: self._arrive(key))

    def run(self, until: float) -> None:
        """Let the time pass."""
        self._settle()
        while self._plans and self._plans[0][0] <= until:
            self.now, _, act = heapq.heappop(self._plans)
            act()
            self._settle()
            is_open = self.lane._circuit.opened
            if is_open != (self.opened[-1][1] if self.opened else False):
                self.opened.append((self.now, is_open))
        self.now = until

    def end(self) -> None:
        """Kill what waits for an answer."""
        self.lane.stop()
        self._greenlets.kill()

    def resend(self, ids: list[int]) -> None:
        """Queue ended deliveries again, as a user or a bulk resend would."""
        for delivery_id in ids:
            event = self.events[delivery_id]
            event.state, event.ended, event.at = DeliveryState.QUEUED, None, self.now
            due = self._due(event)
            self.table.last.pop(delivery_id, None)
            self.table.put(replace(due, attempts=len(event.posts), resends=1))
        self.lane.attend([])

    def due(self) -> int:
        """Return how many open rows may be sent by now."""
        now_ms = self._now_ms()
        return sum(due.due_ms is None or due.due_ms <= now_ms for due in self.table.dues.values())

    def _arrive(self, key: str) -> None:
        event = Event(next(self._numbers), key, self.now)
        self.events[event.id] = event
        due = self._due(event)
        self.table.put(due)
        self.lane.offer(due)

    def _due(self, event: Event) -> Due:
        now_ms = self._now_ms()
        facts = Facts(f"evt_{event.id}", 1, "call-was-created", "{}", "sid", "abcd…wxyz", now_ms)
        return Due(event.id, 1, event.key, 0, 0, now_ms, None, None, facts)

    def _send(self, due: Due) -> Outcome:
        event = self.events[due.id]
        event.posts.append(self.now)
        status, retry_after = self._receiver(event, self.now)
        self.posts.append((self.now, status))
        kind, reason = read_answer(URL, status, asks_patience=retry_after is not None)
        started = self._now_ms()
        outcome = Outcome(kind, reason, started, 150, status=status, retry_after=retry_after)
        answer: AsyncResult[Outcome] = AsyncResult()
        self.plan(self.now + LATENCY, lambda: self._answer(answer, outcome))
        self._answering += 1
        found = answer.get()
        assert found is not None
        return found

    def _answer(self, answer: AsyncResult[Outcome], outcome: Outcome) -> None:
        self._answering -= 1
        answer.set(outcome)

    def _settle(self) -> None:
        """Let every worker come to where it waits for an answer, or ends."""
        for _ in range(100_000):
            gevent.sleep(0)
            if len(self._greenlets) == self._answering:
                return
        raise RuntimeError("a worker does not come to rest")

    def _put(self, result: Result) -> None:
        self.plan(self.now + COMMIT, lambda: self._commit(result))

    def _commit(self, result: Result) -> None:
        due, verdict = result.due, result.verdict
        if verdict.delay is None:
            self.table.end(due.id)
            event = self.events[due.id]
            event.state, event.ended = verdict.state, self.now
        elif (stored := self.table.dues.get(due.id)) is not None:
            outcome = result.outcome
            assert outcome is not None
            changed = replace(
                stored,
                tries=verdict.tries(due.tries),
                attempts=due.attempts + 1,
                first_attempt_ms=due.first_attempt_ms or outcome.started_ms,
                due_ms=result.now_ms + round(verdict.delay * 1000),
            )
            self.table.last[due.id] = (outcome.reason.value, outcome.status)
            self.table.put(changed)
        result.committed(due.id)

    def _now_ms(self) -> int:
        return EPOCH_MS + round(self.now * 1000)

    def _spawn(self, work: Callable[[], None], _name: str) -> None:
        self._greenlets.spawn(work)

    def _pause(self, _webhook_id: int, _version: int, reason: DeliveryReason) -> None:
        raise RuntimeError(f"the webhook would be paused: {reason}")

    def _services(self) -> LaneServices:
        sender = SimpleNamespace(send=self._send, shown_url=URL, close=lambda: None)
        played = SimpleNamespace(
            spawn=self._spawn,
            sender=lambda _webhook: sender,
            backlog=lambda _webhook_id: self.table,
            alarm=lambda ring: _Alarm(self, ring),
            now=lambda: self.now,
            now_ms=self._now_ms,
            pause=self._pause,
            report=lambda *_: None,
            results=SimpleNamespace(put=self._put),
            retention_hours=7 * 24,
            budget=Budget(),
        )
        return cast(LaneServices, played)

    def _webhook(self, parallelism: int) -> SimpleNamespace:
        return SimpleNamespace(
            id=1,
            version=1,
            state="active",
            parallelism=parallelism,
            rate_limit=None,
            max_age=72.0,
            paused_ms=0,
            format_number=0,
            paused_at=None,
            discard_until=None,
            health=_NO_HEALTH,
        )
