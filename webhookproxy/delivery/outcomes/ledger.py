"""Results of deliveries: written and counted, one group in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from webhookproxy.database.bulk import Row, execute, insert_rows, numbers, update_rows
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.refusals import Refused, group_refusals
from webhookproxy.delivery.outcomes.retry import Kind, Verdict
from webhookproxy.models.deliveries.tables import (
    DISCARDED,
    FAILED_ATTEMPT,
    OPEN,
    Due,
    count_ended,
)
from webhookproxy.models.minutes import MINUTE_MS
from webhookproxy.models.types import optional_ms
from webhookproxy.models.webhooks import WebhookHealth
from webhookproxy.reasons import DeliveryState
from webhookproxy.troubles.signs import SIGN_COLUMNS, Signs

_DELIVERIES = (
    "WITH v (id, state, reason, tries, attempts, first_attempt_ms, due_ms, ended_ms, status)"
    " AS (VALUES {values}) UPDATE deliveries SET state = v.state, reason = v.reason,"
    " tries = v.tries, attempts = v.attempts, first_attempt_ms = v.first_attempt_ms,"
    " due_ms = v.due_ms, ended_ms = v.ended_ms, status = v.status"
    f" FROM v WHERE deliveries.id = v.id AND (deliveries.{OPEN}"
    f" OR deliveries.{DISCARDED} AND v.state IN ('delivered', 'refused'))"
)
_DELIVERY_CASTS = ("BIGINT", "TEXT", "TEXT", "INT", "INT", "BIGINT", "BIGINT", "BIGINT", "INT")
# Of one that ended while its attempt was under way: no later attempt may get the same number.
_NUMBERS = (
    "WITH v (id, attempts) AS (VALUES {values}) UPDATE deliveries SET attempts = v.attempts"
    " FROM v WHERE deliveries.id = v.id AND deliveries.attempts < v.attempts"
)
# Only of those that were not sent in the format that every webhook begins with.
_FORMATS = (
    "WITH v (id, number) AS (VALUES {values}) UPDATE deliveries SET format_number = v.number"
    " FROM v WHERE deliveries.id = v.id AND deliveries.format_number IS NULL"
)
_ATTEMPT_COLUMNS = [
    "delivery_id",
    "number",
    "started_ms",
    "duration_ms",
    "status",
    "reason",
    "detail",
    "answer",
    "answer_headers",
    "probe",
    "webhook_id",
    "format_number",
]
_HEALTH = (
    "WITH v (id, delivered, refused, expired, simulated, uncancelled, opened, probe, failed,"
    f" success, error, error_status, error_at, {', '.join(SIGN_COLUMNS)})"
    " AS (VALUES {values}) UPDATE webhook_health SET"
    " delivered = webhook_health.delivered + v.delivered,"
    " refused = webhook_health.refused + v.refused,"
    " expired = webhook_health.expired + v.expired,"
    " simulated = webhook_health.simulated + v.simulated,"
    " cancelled = webhook_health.cancelled - v.uncancelled,"
    " circuit_opened_at = v.opened, next_probe_at = v.probe, failed_probes = v.failed,"
    " last_success_at = v.success, last_error = v.error, last_error_status = v.error_status,"
    f" last_error_at = v.error_at, {', '.join(f'{name} = v.{name}' for name in SIGN_COLUMNS)}"
    " FROM v WHERE webhook_health.webhook_id = v.id"
)
_HEALTH_CASTS = (
    *("BIGINT",) * 8, "INT", "BIGINT", "TEXT", "INT", "BIGINT",
    *("BIGINT",) * len(SIGN_COLUMNS),
)  # fmt: skip
_ENDED = (
    DeliveryState.DELIVERED,
    DeliveryState.REFUSED,
    DeliveryState.EXPIRED,
    DeliveryState.SIMULATED,
)
# A receiver's answer to a delivery that is being sent counts more than a cancellation.
RECEIVER_DECIDED = (DeliveryState.DELIVERED, DeliveryState.REFUSED)


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
    signs: Signs = field(default_factory=Signs)

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
            signs=Signs.stored(row),
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
            *self.signs.row(),
        )


@dataclass(slots=True)
class Result:
    """The result of a delivery after an attempt, or without one (`outcome` None)."""

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
            verdict.tries(due.tries),
            due.attempts + (0 if outcome is None else len(outcome.posts)),
            first,
            due_ms,
            ended,
            None if outcome is None else outcome.status,
        )

    def attempt_rows(self, outcome: Outcome) -> list[Row]:
        """The values of each POST."""
        return [
            (
                self.due.id,
                number,
                post.started_ms,
                post.duration_ms,
                post.status,
                post.reason.value,
                post.detail,
                post.answer,
                post.headers,
                self.probe,
                self.due.webhook_id,
                outcome.format_number,
            )
            for number, post in enumerate(outcome.posts, self.due.attempts + 1)
        ]


@dataclass(frozen=True, slots=True)
class _Stored:
    """The stored state of a delivery: not ended yet, or cancelled by a user."""

    open: bool
    discarded: bool


_GONE = _Stored(open=False, discarded=False)


def write_group(connection: Connection, group: list[Result], *, again: bool) -> None:
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
        row
        for each in group
        if each.outcome is not None and each.due.id in stored
        for row in each.attempt_rows(each.outcome)
    ]
    if attempts:
        insert_rows(connection, "attempts", _ATTEMPT_COLUMNS, attempts)
    _write_formats(connection, group)
    ended = [
        (each.due.id, each.due.attempts + len(each.outcome.posts))
        for each in group
        if each.outcome is not None and not stored.get(each.due.id, _GONE).open
    ]
    update_rows(connection, _NUMBERS, ("BIGINT", "INT"), ended)
    _count(connection, group, stored)


def _write_formats(connection: Connection, group: list[Result]) -> None:
    """Note the formats of deliveries; each keeps that of its first attempt."""
    sent = [
        (each.due.id, each.outcome.format_number)
        for each in group
        if each.outcome is not None and each.outcome.format_number is not None
    ]
    update_rows(connection, _FORMATS, ("BIGINT", "INT"), sent)


def note_formats(connection: Connection, delivery_ids: Iterable[int], number: int) -> None:
    """Note the format of deliveries whose first attempt is under way."""
    query = text(
        f"UPDATE deliveries SET format_number = :number WHERE id IN ({numbers(delivery_ids)})"
        " AND attempts = 0 AND format_number IS NULL"
    )
    connection.execute(query, {"number": number})


def _written(connection: Connection, group: list[Result]) -> bool:
    # What ended without an attempt leaves no other trace than its state, which counts once.
    first = next((each for each in group if each.outcome is not None), None)
    if first is None:
        return False
    query = text("SELECT 1 FROM attempts WHERE delivery_id = :id AND number = :number")
    values = {"id": first.due.id, "number": first.due.attempts + 1}
    return connection.execute(query, values).first() is not None


def _stored(connection: Connection, group: list[Result]) -> dict[int, _Stored]:
    """Which deliveries of a group are still there, and how; no other process changes them now."""
    ids = numbers(each.due.id for each in group)
    # On SQLite the whole transaction is alone.
    lock = " ORDER BY id FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    query = f"SELECT id, {OPEN}, {DISCARDED} FROM deliveries WHERE id IN ({ids}){lock}"
    rows = execute(connection, query)
    return {row[0]: _Stored(bool(row[1]), bool(row[2])) for row in rows}


def _count(connection: Connection, group: list[Result], stored: dict[int, _Stored]) -> None:
    # For each webhook how many ended how, and how many count as cancelled no longer.
    totals: defaultdict[int, list[int]] = defaultdict(lambda: [0] * (len(_ENDED) + 1))
    health: dict[int, Health] = {}
    minutes: defaultdict[tuple[int, int, str, int], int] = defaultdict(int)
    refused: list[Refused] = []
    for each in group:
        webhook_id, state = each.due.webhook_id, each.verdict.state
        health[webhook_id] = each.health
        counts, was = totals[webhook_id], stored.get(each.due.id, _GONE)
        if each.outcome is not None and each.due.id in stored:
            failed = sum(post.kind is not Kind.SUCCESS for post in each.outcome.posts)
            if failed:
                minutes[webhook_id, each.now_ms // MINUTE_MS, FAILED_ATTEMPT, 0] += failed
        said = was.discarded and state in RECEIVER_DECIDED
        if (was.open and state in _ENDED) or said:
            counts[_ENDED.index(state)] += 1
            counts[-1] += said
            took = max(0, each.now_ms - each.due.facts.received_ms)
            if said:
                cancelled = (webhook_id, each.now_ms // MINUTE_MS, DeliveryState.CANCELLED.value, 0)
                minutes[cancelled] -= 1
            minutes[webhook_id, each.now_ms // MINUTE_MS, state.value, took.bit_length()] += 1
            if state is DeliveryState.REFUSED and each.outcome is not None:
                company_id = each.due.facts.company_id
                refused.append(
                    Refused(each.due.id, webhook_id, company_id, each.now_ms, each.outcome)
                )
    rows = [(key, *totals[key], *health[key].row()) for key in sorted(health)]
    update_rows(connection, _HEALTH, _HEALTH_CASTS, rows)
    count_ended(connection, minutes)
    if refused:
        group_refusals(connection, refused)
