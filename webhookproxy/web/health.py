"""/saude: the health of the server, for monitors. It is public, and so names no company."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.database.clock import database_clock, seconds_now
from webhookproxy.database.fence import SHARDS
from webhookproxy.database.ownership.lease import HEARTBEAT_MS
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.engine.liveness import storing
from webhookproxy.engine.owners import read_owners
from webhookproxy.extensions import db
from webhookproxy.housekeeping.disk_space import look
from webhookproxy.models.audit import Action, AuditEntry
from webhookproxy.models.deliveries.tables import OPEN
from webhookproxy.reasons import StoringReason

blueprint = Blueprint("health", __name__)
PATH, METRICS_PATH = "/saude", "/metrics"
_FINAL_DOT = re.compile(r"\.(?=(:[0-9]*)?$)")

# Without its living owner no socket is open, whatever the row says.
_SOCKETS = (
    "SELECT COUNT(*), COALESCE(SUM(CASE WHEN n.state = 'connected' AND n.fence = l.fence"
    f" AND {{now}} - l.heartbeat_at <= {HEARTBEAT_MS} THEN 1 ELSE 0 END), 0)"
    " FROM companies c JOIN connections n ON n.company_id = c.id"
    f" LEFT JOIN leases l ON l.shard = c.id % {SHARDS}"
    " WHERE c.should_connect AND c.deleted_at IS NULL"
)
# The first open delivery of each webhook is one step into an index: no rows are counted.
_WAITING = text(
    "SELECT COALESCE(SUM(h.created - h.delivered - h.refused - h.expired - h.cancelled"
    " - h.simulated), 0), MIN((SELECT e.received_ms FROM events e WHERE e.id ="
    " (SELECT d.event_id FROM deliveries d WHERE d.webhook_id = h.webhook_id"
    f" AND d.{OPEN} ORDER BY d.id LIMIT 1))) FROM webhook_health h"
    " JOIN webhooks w ON w.id = h.webhook_id AND w.deleted_at IS NULL"
)


# One step into an index.
_LAST_BACKUP = (
    select(AuditEntry.at)
    .where(AuditEntry.action == Action.BACKUP_MADE.value)
    .order_by(AuditEntry.id.desc())
    .limit(1)
)


def answer_every_host(app: Flask) -> None:
    """Let monitors ask by any name or address: /saude is public, and /metrics has its own token.

    Neither names anyone. Every other page keeps TRUSTED_HOSTS, and takes these names in any
    spelling, as DNS does. Called before anything else wraps the application.
    """
    trusted, inner = app.config["TRUSTED_HOSTS"], app.wsgi_app
    if not trusted:
        return

    def open_to_monitors(environ: dict[str, Any], start_response: Any) -> Any:
        host = _FINAL_DOT.sub("", environ.get("HTTP_HOST", "").lower())
        if environ.get("PATH_INFO") in (PATH, METRICS_PATH):
            host = trusted[0].removeprefix(".")
        return inner({**environ, "HTTP_HOST": host}, start_response)

    # mypy: a method may be replaced on an instance, as Werkzeug documents.
    app.wsgi_app = open_to_monitors  # type: ignore[method-assign]


@blueprint.get(PATH)
def show() -> tuple[Response, int]:
    """Return facts as JSON; 503 when this process or an owner of sockets stores no events."""
    engine: Engine | None = current_app.extensions.get("engine")
    health = None if engine is None else engine.health()
    now = storing(db.session(), here=health is None or health.storing)
    facts: dict[str, object] = {}
    # A database that did not answer a moment ago would only be waited for again.
    if now.reason is not StoringReason.DATABASE_GONE:
        with suppress(SQLAlchemyError):
            facts = _stored()
    if health is None:
        return jsonify({"storing": False, "owner": False, **facts}), 503
    if health.owns_all:
        # An owner knows its sockets; the rows only have what it wrote last.
        facts["sockets"] = {
            "wished": health.sockets_wished,
            "connected": health.sockets_connected,
        }
    facts = {
        "storing": now.ok,
        "storing_reason": now.reason.value,
        "owner": health.owner,
        "buffered_events": health.buffered,
        "loop_lag_ms": health.loop_lag_ms,
        **facts,
    }
    return jsonify(facts), 200 if now.ok else 503


def _stored() -> dict[str, object]:
    """Return what the database says about all processes."""
    connection = db.session.connection()
    wished, connected = stored_sockets(connection)
    waiting, oldest_ms = connection.execute(_WAITING).one()
    disk = look(connection, current_app.config["MAX_DATA_BYTES"])
    backup_at = connection.scalar(_LAST_BACKUP)
    return {
        "owner_seen_ms": read_owners(db.session()).seen_ms,
        "sockets": {"wished": wished, "connected": connected},
        "disk": {
            "alarm": disk.alarm,
            "reason": disk.reason.value,
            "data_bytes": disk.data_bytes,
            "limit_bytes": disk.limit_bytes,
            "free_bytes": disk.free_bytes,
        },
        "waiting_deliveries": int(waiting),
        "oldest_waiting_seconds": None if oldest_ms is None else _seconds_since(oldest_ms / 1000),
        # None of the provider's own backups is known here, and null is no alarm.
        "backup_age_seconds": None if backup_at is None else _seconds_since(backup_at.timestamp()),
    }


def stored_sockets(connection: Connection) -> tuple[int, int]:
    """Return how many sockets are wished and how many are connected, as the owners wrote it."""
    clock = database_clock(connection.dialect.name)
    wished, connected = connection.execute(text(_SOCKETS.format(now=clock))).one()
    return int(wished), int(connected)


def _seconds_since(moment: float) -> float:
    return round(max(0.0, seconds_now() - moment), 1)
