"""Counts refusals by what the receiver answered, in the transaction that stores their results."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from webhookproxy.database.bulk import numbers, update_rows
from webhookproxy.delivery.outcomes.answer_shape import answer_shape
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.models.deliveries.refusals import GROUPS_MAX
from webhookproxy.models.types import day_number
from webhookproxy.rules.companies import DEFAULT_TIMEZONE

_TIMEZONES = "SELECT id, timezone FROM companies WHERE id IN ({ids})"
_KNOWN = text(
    "SELECT status, reason, shape FROM refusal_groups WHERE webhook_id = :webhook AND day = :day"
)
_COUNT = text(
    "INSERT INTO refusal_groups (webhook_id, day, status, reason, shape, count, sample_id)"
    " SELECT :webhook, :day, :status, :reason, :shape, :count, :sample"
    " FROM webhooks WHERE id = :webhook"
    " ON CONFLICT (webhook_id, day, status, reason, shape) DO UPDATE SET"
    " count = refusal_groups.count + excluded.count, sample_id = excluded.sample_id RETURNING id"
)
_GROUPED = (
    "WITH v (id, refusal_group_id) AS (VALUES {values}) UPDATE deliveries"
    " SET refusal_group_id = v.refusal_group_id FROM v WHERE deliveries.id = v.id"
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A delivery that ended as refused, and the outcome of its last attempt."""

    delivery_id: int
    webhook_id: int
    company_id: int
    now_ms: int
    outcome: Outcome


class _Answer(NamedTuple):
    status: int
    reason: str
    shape: str


_REST = _Answer(0, "", "")


def group_refusals(connection: Connection, refused: list[Refused]) -> None:
    """Count refusals in the group of their answer, and note the group in each delivery."""
    zones = _zones(connection, {each.company_id for each in refused})
    days: defaultdict[tuple[int, int], list[tuple[_Answer, int]]] = defaultdict(list)
    for each in refused:
        moment = datetime.fromtimestamp(each.now_ms / 1000, UTC)
        day = day_number(moment.astimezone(zones[each.company_id]).date())
        days[each.webhook_id, day].append((_answer(each.outcome), each.delivery_id))
    grouped: list[tuple[int, int]] = []
    for (webhook_id, day), answers in sorted(days.items()):
        grouped += _count(connection, webhook_id, day, answers)
    update_rows(connection, _GROUPED, ("BIGINT", "BIGINT"), grouped)


def _answer(outcome: Outcome) -> _Answer:
    shape = answer_shape(outcome.answer) if outcome.answer else ""
    return _Answer(outcome.status or 0, outcome.reason.value, shape)


def _zones(connection: Connection, companies: Iterable[int]) -> defaultdict[int, ZoneInfo]:
    """Return the timezone of each company; one that was removed meanwhile has the default."""
    zones: defaultdict[int, ZoneInfo] = defaultdict(lambda: ZoneInfo(DEFAULT_TIMEZONE))
    rows = connection.execute(text(_TIMEZONES.format(ids=numbers(companies))))
    zones.update({company_id: ZoneInfo(timezone) for company_id, timezone in rows})
    return zones


def _count(
    connection: Connection, webhook_id: int, day: int, answers: list[tuple[_Answer, int]]
) -> list[tuple[int, int]]:
    """Count the refusals of one webhook and day; return each delivery with its group."""
    at = {"webhook": webhook_id, "day": day}
    known = {_Answer(*row) for row in connection.execute(_KNOWN, at)}
    placed: list[tuple[_Answer, int]] = []
    for answer, delivery_id in answers:
        if answer not in known:
            answer = answer if len(known - {_REST}) < GROUPS_MAX else _REST
            known.add(answer)
        placed.append((answer, delivery_id))
    samples = dict(placed)
    ids: dict[_Answer, int] = {}
    for answer, count in Counter(answer for answer, _ in placed).items():
        values = {**answer._asdict(), "count": count, "sample": samples[answer]}
        group_id = connection.execute(_COUNT, {**at, **values}).scalar()
        # A webhook whose row is gone has no groups.
        if group_id is not None:
            ids[answer] = group_id
    return [(delivery_id, ids[answer]) for answer, delivery_id in placed if answer in ids]
