"""The figures of each webhook, by its number; of very many webhooks the rest is added up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import gevent
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Connection, text

from webhookproxy.database.clock import ms_now
from webhookproxy.models.deliveries.tables import OPEN

# Webhooks with a line of their own, the oldest; the others share the last line.
OWN_LINES = 1_000
OTHERS = "others"
# Webhooks that one statement looks at: SQLite does not yield.
AT_ONCE = 100
# The first open delivery of a webhook is one step into an index: no rows are counted. Its age is on
# the webhook's clock, which stands still during a pause and begins again with a resend.
_ROWS = text(
    "SELECT w.id, h.created - h.delivered - h.refused - h.expired - h.cancelled - h.simulated,"
    " COALESCE(w.paused_at, :now) - w.paused_ms - (SELECT d.born_ms FROM deliveries d"
    f" WHERE d.webhook_id = w.id AND d.{OPEN} ORDER BY d.id LIMIT 1),"
    " h.circuit_opened_at IS NOT NULL, w.paused_at IS NOT NULL, h.delivered, h.refused"
    " FROM webhooks w JOIN webhook_health h ON h.webhook_id = w.id"
    " JOIN companies c ON c.id = w.company_id AND c.deleted_at IS NULL"
    " WHERE w.id > :after AND w.deleted_at IS NULL ORDER BY w.id LIMIT :most"
)


@dataclass(slots=True)
class Line:
    """The figures of one webhook, or of all that have no line of their own."""

    label: str
    waiting: int = 0
    oldest_ms: int = 0
    open_circuits: int = 0
    paused: int = 0
    delivered: int = 0
    refused: int = 0

    def add(
        self,
        waiting: int,
        oldest_ms: int | None,
        is_open: bool,
        is_paused: bool,
        delivered: int,
        refused: int,
    ) -> None:
        """Add the figures of a webhook; of two ages the greater one counts."""
        self.waiting += max(0, waiting)
        self.oldest_ms = max(self.oldest_ms, oldest_ms or 0)
        self.open_circuits += bool(is_open)
        self.paused += bool(is_paused)
        self.delivered += delivered
        self.refused += refused


def webhooks(connection: Connection) -> Iterator[Metric]:
    """Yield the figures of all webhooks. Others run meanwhile."""
    lines = _lines(connection)
    about = "Deliveries that have not ended."
    yield _gauge("waiting", about, [(each.label, each.waiting) for each in lines])
    about = "Age of the first of them, without the time of pauses."
    ages = [(each.label, each.oldest_ms / 1000) for each in lines]
    yield _gauge("oldest_waiting_seconds", about, ages)
    about = "1 while the webhook fails and is only probed."
    yield _gauge("circuit_open", about, [(each.label, each.open_circuits) for each in lines])
    about = "1 while the webhook is paused."
    yield _gauge("paused", about, [(each.label, each.paused) for each in lines])
    about = "Deliveries that were accepted."
    yield _counter("delivered", about, [(each.label, each.delivered) for each in lines])
    about = "Deliveries that were refused for good."
    yield _counter("refused", about, [(each.label, each.refused) for each in lines])


def _lines(connection: Connection) -> list[Line]:
    lines: list[Line] = []
    values = {"now": ms_now(), "after": 0, "most": AT_ONCE}
    while True:
        rows = connection.execute(_ROWS, values).all()
        for webhook_id, *figures in rows:
            if len(lines) <= OWN_LINES:
                own = len(lines) < OWN_LINES
                lines.append(Line(f"webhook_{webhook_id}" if own else OTHERS))
            lines[-1].add(*figures)
        if len(rows) < AT_ONCE:
            return lines
        values["after"] = rows[-1][0]
        gevent.sleep(0)


def _gauge(name: str, about: str, values: list[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"webhookproxy_webhook_{name}", about, labels=["webhook"])
    for label, value in values:
        family.add_metric([label], value)
    return family


def _counter(name: str, about: str, values: list[tuple[str, float]]) -> Metric:
    family = CounterMetricFamily(f"webhookproxy_webhook_{name}", about, labels=["webhook"])
    for label, value in values:
        family.add_metric([label], value)
    return family
