"""What the database says of all processes together: sockets, gaps, disk."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gevent
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import Connection, text

from webhookproxy.housekeeping.disk_space import look

# Companies that one statement looks at: SQLite does not yield.
COMPANIES = 200
# The newest gap of each company that is to be connected; one step into an index for each.
_GAPS = text(
    "SELECT c.id, (SELECT CASE WHEN g.ended_at IS NULL THEN g.started_at END FROM gaps g"
    " WHERE g.company_id = c.id ORDER BY g.started_at DESC LIMIT 1) FROM companies c"
    " WHERE c.id > :after AND c.should_connect AND c.deleted_at IS NULL"
    " ORDER BY c.id LIMIT :most"
)


def gaps(connection: Connection) -> Iterator[Metric]:
    """Yield how many companies lack their socket, and for how long. Others run meanwhile."""
    began = _open_gaps(connection)
    about = "Companies that should be connected and have no socket now."
    yield GaugeMetricFamily("webhookproxy_open_gaps", about, len(began))
    longest = max(0.0, time.time() - min(began) / 1000) if began else 0.0
    about = "How long the longest of these gaps has lasted."
    yield GaugeMetricFamily("webhookproxy_longest_open_gap_seconds", about, longest)


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


def sockets(wished: int, connected: int) -> Iterator[Metric]:
    """Yield how many sockets there should be, and how many there are."""
    about = "Companies that should be connected."
    yield GaugeMetricFamily("webhookproxy_sockets_wished", about, wished)
    about = "Companies that are connected."
    yield GaugeMetricFamily("webhookproxy_sockets_connected", about, connected)


def _open_gaps(connection: Connection) -> list[int]:
    """Return when each open gap began, in wall milliseconds."""
    began: list[int] = []
    after = 0
    while True:
        rows = connection.execute(_GAPS, {"after": after, "most": COMPANIES}).all()
        began += [row[1] for row in rows if row[1] is not None]
        if len(rows) < COMPANIES:
            return began
        after = rows[-1][0]
        gevent.sleep(0)
