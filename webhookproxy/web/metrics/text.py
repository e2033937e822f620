"""Makes the text of /metrics, a family at a time, so that the event loop is never held for long."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
from flask import current_app
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.engine.lifecycle import Engine
from webhookproxy.engine.liveness import storing
from webhookproxy.extensions import db
from webhookproxy.reasons import StoringReason
from webhookproxy.web.health import stored_sockets
from webhookproxy.web.metrics import process
from webhookproxy.web.metrics.stored import disk, gaps, processes, sockets
from webhookproxy.web.metrics.webhooks import webhooks

# Memory, processor time and open files, from /proc.
_SYSTEM = ProcessCollector(registry=None)


def rendered() -> bytes:
    """Return the text of everything that is known now. Others run meanwhile."""
    return generate_latest(_Everything())


class _Everything(Collector):
    """All families; the text of one is made before the next is asked for."""

    def collect(self) -> Iterator[Metric]:
        for family in _families():
            yield family
            gevent.sleep(0)


def _families() -> Iterator[Metric]:
    engine: Engine | None = current_app.extensions.get("engine")
    health = None if engine is None else engine.health()
    now = storing(db.session(), here=health is None or health.storing)
    yield process.version()
    yield process.storing_now(health is not None and now.ok)
    yield from _SYSTEM.collect()
    if engine is not None and health is not None:
        yield from process.families(health, engine.counts())
    owns_all = health is not None and health.owns_all
    if health is not None and owns_all:
        yield from sockets(health.sockets_wished, health.sockets_connected)
    # A database that did not answer a moment ago would only be waited for again.
    if now.reason is not StoringReason.DATABASE_GONE:
        yield from _from_the_database(owns_all=owns_all)


def _from_the_database(*, owns_all: bool) -> Iterator[Metric]:
    """Yield what any process can read; after an error the rest is missing."""
    try:
        connection = db.session.connection()
        if not owns_all:
            # An owner knows its sockets; the rows only have what it wrote last.
            yield from sockets(*stored_sockets(connection))
        yield from processes(db.session())
        yield from gaps(connection)
        yield from disk(connection, current_app.config["MAX_DATA_BYTES"])
        yield from webhooks(connection)
    except SQLAlchemyError:
        db.session.rollback()
