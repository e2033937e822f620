"""/saude: how the server is, for monitors; public, so without a name."""

from __future__ import annotations

import time

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.engine import Engine
from webhookproxy.extensions import db
from webhookproxy.lease import HEARTBEAT_MS, owner_seen_ms
from webhookproxy.models.deliveries import OPEN

blueprint = Blueprint("health", __name__)

_SOCKETS = text(
    "SELECT COUNT(*), COALESCE(SUM(CASE WHEN n.state = 'connected' THEN 1 ELSE 0 END), 0)"
    " FROM companies c JOIN connections n ON n.company_id = c.id"
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


@blueprint.get("/saude")
def show() -> tuple[Response, int]:
    """Facts as JSON; 503 when events are not being stored."""
    engine: Engine | None = current_app.extensions.get("engine")
    facts: dict[str, object] = {"storing": False, "owner": False}
    status = 503
    if engine is not None:
        health = engine.health()
        facts = {
            "storing": health.storing,
            "owner": health.owner,
            "buffered_events": health.buffered,
            "loop_lag_ms": health.loop_lag_ms,
        }
        status = 200 if health.storing else 503
    try:
        facts.update(_stored())
    except SQLAlchemyError:
        facts["storing"] = False
        status = 503
    return jsonify(facts), status


def _stored() -> dict[str, object]:
    """What the database says of all processes together."""
    connection = db.session.connection()
    seen_ms = owner_seen_ms(connection)
    wished, connected = connection.execute(_SOCKETS).one()
    waiting, oldest_ms = connection.execute(_WAITING).one()
    fresh = seen_ms is not None and seen_ms < HEARTBEAT_MS
    return {
        "owner_seen_ms": seen_ms,
        # Without a living owner no socket is open, whatever the rows still say.
        "sockets": {"wished": int(wished), "connected": int(connected) if fresh else 0},
        "waiting_deliveries": int(waiting),
        "oldest_waiting_seconds": None
        if oldest_ms is None
        else round(max(0.0, time.time() - oldest_ms / 1000), 1),
    }
