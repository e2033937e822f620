"""What reads deliveries finds them by the index that was made for it."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text

from webhookproxy.delivery.waiting import backlog
from webhookproxy.extensions import db
from webhookproxy.models.deliveries import missed
from webhookproxy.models.deliveries.tables import ENDED_BADLY, KEPT_BACK, NOT_ACCEPTED, OPEN


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (backlog._AFTER.text, "ix_deliveries_open "),
        (backlog._NEWEST_HEADS.text, "ix_deliveries_open "),
        (backlog._HEADS_FIRST.text, "ix_deliveries_open_key "),
        (backlog._HEADS_NEXT.text, "ix_deliveries_open_key "),
        (backlog._OF_KEY.text, "ix_deliveries_open_key "),
        (
            f"SELECT id FROM deliveries WHERE webhook_id = :webhook AND {OPEN} ORDER BY id LIMIT 9",
            "ix_deliveries_open ",
        ),
        (
            f"SELECT reason FROM deliveries WHERE webhook_id = :webhook AND {ENDED_BADLY} LIMIT 9",
            "ix_deliveries_ended_badly ",
        ),
        (
            f"SELECT reason FROM deliveries WHERE webhook_id = :webhook AND {KEPT_BACK} LIMIT 9",
            "ix_deliveries_kept_back ",
        ),
        (f"SELECT d.id {missed._ROWS} ORDER BY d.id LIMIT 9", "ix_deliveries_ended_badly "),
        (
            f"SELECT state FROM deliveries WHERE id > 0 AND {ENDED_BADLY} ORDER BY id DESC LIMIT 9",
            "ix_deliveries_ended_badly_id ",
        ),
        (
            f"SELECT state FROM deliveries WHERE id > 0 AND {KEPT_BACK} ORDER BY id DESC LIMIT 9",
            "ix_deliveries_kept_back_id ",
        ),
        (
            "SELECT reason FROM deliveries WHERE webhook_id = :webhook ORDER BY id DESC LIMIT 9",
            "ix_deliveries_webhook_id_id ",
        ),
        (
            f"SELECT 1 FROM attempts WHERE webhook_id = :webhook AND {NOT_ACCEPTED} LIMIT 9",
            "ix_attempts_failed ",
        ),
    ],
)
def test_sqlite_takes_the_smallest_index(app: Flask, query: str, index: str) -> None:
    values = {"webhook": 1, "after": 5, "upto": 9, "key": "x", "limit": 9, "before": 9}
    with app.app_context(), db.engine.connect() as connection:
        statement = text(f"EXPLAIN QUERY PLAN {query}")
        given = {name: values[name] for name in statement._bindparams}
        plan = [str(row[-1]) for row in connection.execute(statement, given)]
    looks = [line for line in plan if line.startswith(("SEARCH", "SCAN d"))]
    assert index in f"{looks[0]} ", plan
    assert not any(line.startswith("SCAN d") for line in looks[1:]), plan
