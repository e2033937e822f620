"""What the database says of all processes together: who runs, sockets, gaps, disk."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from webhookproxy.database.clock import ms_now
from webhookproxy.engine.owners import read_owners
from webhookproxy.engine.processes.listing import list_processes
from webhookproxy.housekeeping.disk_space import look
from webhookproxy.models.installation.processes import Role

# Companies that one statement looks at, and gaps of each: SQLite does not yield.
COMPANIES = 50
GAPS_OF_COMPANY = 500
DAY_MS = 24 * 3_600_000
# Of each company that is to be connected: when its newest gap began, if it lasts, and the length of
# those that began within a day. By the index of the company's gaps.
_GAPS = text(
    "SELECT c.id, (SELECT CASE WHEN g.ended_at IS NULL THEN g.started_at END FROM gaps g"
    " WHERE g.company_id = c.id ORDER BY g.started_at DESC LIMIT 1),"
    " (SELECT COALESCE(SUM(d.took), 0) FROM (SELECT COALESCE(g.ended_at, :now) - g.started_at"
    " AS took FROM gaps g WHERE g.company_id = c.id AND g.started_at > :day"
    " ORDER BY g.started_at DESC LIMIT :gaps) d)"
    " FROM companies c WHERE c.id > :after AND c.should_connect AND c.deleted_at IS NULL"
    " ORDER BY c.id LIMIT :most"
)


def gaps(connection: Connection) -> Iterator[Metric]:
    """Yield how many companies lack their socket, and for how long. Others run meanwhile."""
    now_ms = ms_now()
    began, day_ms = _gaps(connection, now_ms)
    about = "Companies that should be connected and have no socket now."
    yield GaugeMetricFamily("webhookproxy_open_gaps", about, len(began))
    longest = max(0, now_ms - min(began)) if began else 0
    about = "How long the longest of these gaps has lasted."
    yield GaugeMetricFamily("webhookproxy_longest_open_gap_seconds", about, longest / 1000)
    about = "Length of all gaps together that began in the last 24 hours."
    yield GaugeMetricFamily("webhookproxy_day_gap_seconds", about, day_ms / 1000)


def disk(connection: Connection, limit_bytes: int) -> Iterator[Metric]:
    """Yield the size of the data and what is free."""
    state = look(connection, limit_bytes)
    about = "Size of the data: rows on SQLite, the whole database on PostgreSQL."
    yield GaugeMetricFamily("webhookproxy_data_bytes", about, state.data_bytes)
    about = "MAX_DATA_GB in bytes; 0 is no limit."
    yield GaugeMetricFamily("webhookproxy_data_limit_bytes", about, state.limit_bytes)
    if state.free_bytes is not None:
        about = "Free bytes of the disk with the data; missing on PostgreSQL."
        yield GaugeMetricFamily("webhookproxy_disk_free_bytes", about, state.free_bytes)
    about = "1 while so little is free that old events are removed early."
    yield GaugeMetricFamily("webhookproxy_disk_alarm", about, float(state.alarm))


def processes(session: Session) -> Iterator[Metric]:
    """Yield how many processes live, by what they do with the sockets, and what none owns."""
    owners = read_owners(session)
    about = "Processes that gave a sign of life in the last 30 s, by what they do."
    family = GaugeMetricFamily("webhookproxy_processes", about, labels=["role"])
    living = [each.role for each in list_processes(session, owners) if each.lives]
    for role in Role:
        family.add_metric([role.value], living.count(role.value))
    yield family
    about = "Shards of companies, of 64, whose owner gave no sign of life in the last 10 s."
    yield GaugeMetricFamily("webhookproxy_shards_without_owner", about, len(owners.missing))


def sockets(wished: int, connected: int) -> Iterator[Metric]:
    """Yield how many sockets there should be, and how many there are."""
    about = "Companies that should be connected."
    yield GaugeMetricFamily("webhookproxy_sockets_wished", about, wished)
    about = "Companies that are connected."
    yield GaugeMetricFamily("webhookproxy_sockets_connected", about, connected)


def _gaps(connection: Connection, now_ms: int) -> tuple[list[int], int]:
    """Return when each open gap began, and the length of the day's gaps, in milliseconds."""
    began: list[int] = []
    day_ms = 0
    values = {"now": now_ms, "day": now_ms - DAY_MS, "gaps": GAPS_OF_COMPANY, "most": COMPANIES}
    after = 0
    while True:
        rows = connection.execute(_GAPS, {**values, "after": after}).all()
        began += [row[1] for row in rows if row[1] is not None]
        day_ms += sum(int(row[2]) for row in rows)
        if len(rows) < COMPANIES:
            return began, day_ms
        after = rows[-1][0]
        gevent.sleep(0)
