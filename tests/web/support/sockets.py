"""Connections as the process that owns the sockets would write them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import Connection, insert, text

from tests.support.application import store_of
from tests.support.databases import own
from webhookproxy.counts import Durations
from webhookproxy.database.fence import SHARDS, WHOLE, Share
from webhookproxy.delivery.outcomes.tally import Tally
from webhookproxy.engine.health import Counts, Health
from webhookproxy.models import HourlyEvents

FENCE = 7
DEAD_MS = 11_000


def execute(app: Flask, statement: str, **values: Any) -> None:
    """Run a statement that writes."""

    def job(connection: Connection) -> None:
        connection.execute(text(statement), values)

    store_of(app).run(job)


def owner(app: Flask, age_ms: int = 0, share: Share = WHOLE, fence: int = FENCE) -> None:
    """A process owns a share of the sockets, and last said so long ago that it lives."""
    shards = ", ".join(map(str, sorted(share.shards)))
    own(app, share)
    execute(
        app,
        f"UPDATE leases SET fence = :fence, heartbeat_at = :at WHERE shard IN ({shards})",
        fence=fence,
        at=int(time.time() * 1000) - age_ms,
    )


def connection(
    app: Flask, company: int, state: str, reason: str, *, wished: bool = True, **changed: Any
) -> None:
    """What the owner wrote of a company's connection."""
    execute(
        app,
        "UPDATE companies SET should_connect = :wished WHERE id = :id",
        wished=wished,
        id=company,
    )
    now = int(time.time() * 1000)
    values = {"state": state, "reason": reason, "fence": FENCE, "since": now, **changed}
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    execute(
        app, f"UPDATE connections SET {assignments} WHERE company_id = :id", id=company, **values
    )


def arrived(app: Flask, company: int, hours_ago: int, count: int) -> None:
    """Count `count` events in an hour."""
    counted(app, company, {int(time.time()) // 3600 - hours_ago: count})


def usually(app: Flask, company: int, an_hour: int, weeks: int = 8) -> None:
    """Count events in each hour of this weekday, in the `weeks` before."""
    now = int(time.time()) // 3600
    hours = [now - 168 * week + hour for week in range(1, weeks + 1) for hour in range(-12, 12)]
    counted(app, company, dict.fromkeys(hours, an_hour))


def counted(app: Flask, company: int, counts: Mapping[int, int]) -> None:
    """What came by the number of its hour."""
    rows = [
        {"company_id": company, "hour": hour, "name": "x", "count": count}
        for hour, count in counts.items()
    ]

    def job(connection: Connection) -> None:
        connection.execute(insert(HourlyEvents), rows)

    store_of(app).run(job)


@dataclass(frozen=True, slots=True)
class FakeEngine:
    """An engine in this health, which follows nothing."""

    storing: bool = True
    shards: int = SHARDS

    def health(self) -> Health:
        """As it was told."""
        return Health(self.shards, self.storing, 0, 0, 0, 0)

    def counts(self) -> Counts:
        """Nothing was done."""
        return Counts(0, Tally(), Durations())

    def wake(self) -> None:
        """Nothing follows."""
