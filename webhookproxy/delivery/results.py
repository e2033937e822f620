"""Writes what became of deliveries, in groups."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import gevent
from gevent.event import Event
from sqlalchemy import Connection, text

from webhookproxy.broadcast import nobody
from webhookproxy.bulk import Row, insert_rows, update_rows
from webhookproxy.delivery.retry import Verdict
from webhookproxy.delivery.sender import Outcome
from webhookproxy.models.deliveries import OPEN, Due
from webhookproxy.models.types import optional_ms
from webhookproxy.models.webhooks import WebhookHealth
from webhookproxy.reasons import DeliveryState
from webhookproxy.store import Fenced, Store, StoreUnavailable

logger = logging.getLogger(__name__)

GROUP_MAX = 256
RETRY_SECONDS = 0.5
_HOUR_MS = 3_600_000

_DELIVERIES = (
    "WITH v (id, state, reason, tries, attempts, first_attempt_ms, due_ms, ended_ms, status)"
    " AS (VALUES {values}) UPDATE deliveries SET state = v.state, reason = v.reason,"
    " tries = v.tries, attempts = v.attempts, first_attempt_ms = v.first_attempt_ms,"
    " due_ms = v.due_ms, ended_ms = v.ended_ms, status = v.status"
    f" FROM v WHERE deliveries.id = v.id AND deliveries.{OPEN}"
)
_DELIVERY_CASTS = ("BIGINT", "TEXT", "TEXT", "INT", "INT", "BIGINT", "BIGINT", "BIGINT", "INT")
_ATTEMPT_COLUMNS = [
    "delivery_id",
    "number",
    "started_ms",
    "duration_ms",
    "status",
    "reason",
    "detail",
    "answer",
    "probe",
]
_HEALTH = (
    "WITH v (id, delivered, refused, expired, simulated, opened, probe, failed, success, error,"
    " error_status, error_at) AS (VALUES {values}) UPDATE webhook_health SET"
    " delivered = webhook_health.delivered + v.delivered,"
    " refused = webhook_health.refused + v.refused,"
    " expired = webhook_health.expired + v.expired,"
    " simulated = webhook_health.simulated + v.simulated,"
    " circuit_opened_at = v.opened, next_probe_at = v.probe, failed_probes = v.failed,"
    " last_success_at = v.success, last_error = v.error, last_error_status = v.error_status,"
    " last_error_at = v.error_at FROM v WHERE webhook_health.webhook_id = v.id"
)
_HEALTH_CASTS = (
    *("BIGINT",) * 7, "INT", "BIGINT", "TEXT", "INT", "BIGINT",
)  # fmt: skip
_ENDED = (
    DeliveryState.DELIVERED,
    DeliveryState.REFUSED,
    DeliveryState.EXPIRED,
    DeliveryState.SIMULATED,
)


@dataclass(slots=True)
class Health:
    """How a webhook is doing, as its lane knows it. Times are wall milliseconds."""

    opened_ms: int | None = None
    next_probe_ms: int | None = None
    failed_probes: int = 0
    success_ms: int | None = None
    error: str | None = None
    error_status: int | None = None
    error_ms: int | None = None

    @classmethod
    def stored(cls, row: WebhookHealth) -> Health:
        """The health that the last owner left."""
        return cls(
            opened_ms=optional_ms(row.circuit_opened_at),
            next_probe_ms=optional_ms(row.next_probe_at),
            failed_probes=row.failed_probes,
            success_ms=optional_ms(row.last_success_at),
            error=row.last_error,
            error_status=row.last_error_status,
            error_ms=optional_ms(row.last_error_at),
        )

    def close_circuit(self) -> None:
        """Say that the webhook is sent to again."""
        self.opened_ms = self.next_probe_ms = None
        self.failed_probes = 0

    def row(self) -> Row:
        """The values of the health columns, in the order of the statement."""
        return (
            self.opened_ms,
            self.next_probe_ms,
            self.failed_probes,
            self.success_ms,
            self.error,
            self.error_status,
            self.error_ms,
        )


@dataclass(slots=True)
class Result:
    """What became of a delivery after an attempt, or without one (`outcome` None)."""

    due: Due
    outcome: Outcome | None
    verdict: Verdict
    now_ms: int
    probe: bool
    health: Health
    committed: Callable[[int], None]

    def delivery_row(self) -> Row:
        """The delivery's new values."""
        due, outcome, verdict = self.due, self.outcome, self.verdict
        ended = self.now_ms if verdict.state in _ENDED else None
        due_ms = None if verdict.delay is None else self.now_ms + round(verdict.delay * 1000)
        first = due.first_attempt_ms
        if outcome is not None and first is None:
            first = outcome.started_ms
        return (
            due.id,
            verdict.state.value,
            verdict.reason.value,
            due.tries + verdict.counts,
            due.attempts + (outcome is not None),
            first,
            due_ms,
            ended,
            None if outcome is None else outcome.status,
        )

    def attempt_row(self, outcome: Outcome) -> Row:
        """The attempt's values."""
        return (
            self.due.id,
            self.due.attempts + 1,
            outcome.started_ms,
            outcome.duration_ms,
            outcome.status,
            outcome.reason.value,
            outcome.detail,
            outcome.answer,
            self.probe,
        )


class Results:
    """Collects results and commits them in groups; one greenlet, while there is work."""

    def __init__(
        self,
        store: Store,
        on_fenced: Callable[[int], None],
        tell: Callable[[int], None] = nobody,
    ) -> None:
        self._store = store
        self._tell = tell
        self._on_fenced = on_fenced
        self._waiting: list[Result] = []
        self._writer: gevent.Greenlet[..., None] | None = None
        self._idle = Event()
        self._idle.set()
        self._fence = 0

    def start(self, fence: int, *, continued: bool) -> None:
        """Begin as the owner with this fence.

        What an earlier ownership of this process left is written first if `continued`: no other
        process owned the sockets in between. If one did, it sent these deliveries by itself.
        """
        if self._waiting and not continued:
            logger.warning("%d results are given up: another process took over", len(self._waiting))
            self._waiting = []
        self._fence = fence
        self._kick()

    def put(self, result: Result) -> None:
        """Have a result written; `result.committed` is called once it is."""
        self._waiting.append(result)
        self._kick()

    def drain(self, timeout: float) -> bool:
        """Wait until everything is written, at most so many seconds; whether it is."""
        return bool(self._idle.wait(timeout))

    def _kick(self) -> None:
        if self._waiting and self._writer is None:
            self._idle.clear()
            self._writer = gevent.spawn(self._write)
            self._writer.name = "results"

    def _write(self) -> None:
        while self._waiting:
            fence, waiting = self._fence, self._waiting
            group = waiting[:GROUP_MAX]
            if self._commit(group, fence):
                del waiting[: len(group)]
                for result in group:
                    result.committed(result.due.id)
                for company_id in {result.due.facts.company_id for result in group}:
                    self._tell(company_id)
            elif fence == self._fence:
                # Owner no more: start() decides what becomes of the rest.
                break
        self._writer = None
        self._idle.set()

    def _commit(self, group: list[Result], fence: int) -> bool:
        """Write a group, however long the database takes none; False if we are owner no more."""
        again = False
        while True:
            try:
                self._store.run(partial(_write_group, group=group, again=again), fence=fence)
            except StoreUnavailable:
                again = True
                gevent.sleep(RETRY_SECONDS)
            except Fenced:
                self._on_fenced(fence)
                return False
            except Exception:  # one bad row must not stop the others
                logger.exception("cannot write %d results", len(group))
                return len(group) == 1 or self._commit_singly(group, fence)
            else:
                return True

    def _commit_singly(self, group: list[Result], fence: int) -> bool:
        # All of them, also after one that failed.
        written = [self._commit([each], fence) for each in group]
        return all(written)


def _write_group(connection: Connection, group: list[Result], *, again: bool) -> None:
    """Write a group. `again`: an earlier try may have been committed without our hearing of it."""
    if again and _written(connection, group):
        return
    # Read first: what was expired or cancelled meanwhile ended so, and must not count twice; what
    # was purged with its company leaves no attempt behind.
    stored = _stored(connection, group)
    update_rows(
        connection, _DELIVERIES, _DELIVERY_CASTS, [result.delivery_row() for result in group]
    )
    attempts = [
        each.attempt_row(each.outcome)
        for each in group
        if each.outcome is not None and each.due.id in stored
    ]
    if attempts:
        insert_rows(connection, "attempts", _ATTEMPT_COLUMNS, attempts)
    _count(connection, group, {each for each, is_open in stored.items() if is_open})


def _written(connection: Connection, group: list[Result]) -> bool:
    # What ended without an attempt leaves no other trace than its state, which counts once.
    first = next((each for each in group if each.outcome is not None), None)
    if first is None:
        return False
    query = text("SELECT 1 FROM attempts WHERE delivery_id = :id AND number = :number")
    values = {"id": first.due.id, "number": first.due.attempts + 1}
    return connection.execute(query, values).first() is not None


def _stored(connection: Connection, group: list[Result]) -> dict[int, bool]:
    """Which deliveries of a group are still there, and whether they have not ended."""
    numbers = ", ".join(str(each.due.id) for each in group)
    query = text(f"SELECT id, {OPEN} FROM deliveries WHERE id IN ({numbers})")
    return {row[0]: bool(row[1]) for row in connection.execute(query)}


def _count(connection: Connection, group: list[Result], still_open: set[int]) -> None:
    totals: defaultdict[int, list[int]] = defaultdict(lambda: [0] * len(_ENDED))
    health: dict[int, Health] = {}
    hours: defaultdict[tuple[int, int, str, int], int] = defaultdict(int)
    for each in group:
        webhook_id, state = each.due.webhook_id, each.verdict.state
        health[webhook_id] = each.health
        counts = totals[webhook_id]
        if state in _ENDED and each.due.id in still_open:
            counts[_ENDED.index(state)] += 1
            took = max(0, each.now_ms - each.due.facts.received_ms)
            hours[webhook_id, each.now_ms // _HOUR_MS, state.value, took.bit_length()] += 1
    rows = [(key, *totals[key], *health[key].row()) for key in sorted(health)]
    update_rows(connection, _HEALTH, _HEALTH_CASTS, rows)
    if hours:
        insert_rows(
            connection,
            "hourly_deliveries",
            ("webhook_id", "hour", "outcome", "bucket", "count"),
            [(*key, count) for key, count in sorted(hours.items())],
            "ON CONFLICT (webhook_id, hour, outcome, bucket)"
            " DO UPDATE SET count = hourly_deliveries.count + excluded.count",
        )
