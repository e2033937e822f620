"""What ended long ago is removed, a little at a time; what lasts is kept, and that it was told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from tests.alerts.world import Alerting
from webhookproxy.alerts.watching import watcher
from webhookproxy.alerts.watching.watcher import KEPT


def left(alerting: Alerting) -> tuple[list[int], int, int]:
    """The alerts, and how many messages there are, and parts of them."""
    alerts = [row.id for row in alerting.stored("SELECT id FROM alerts ORDER BY id")]
    (messages,) = alerting.stored("SELECT COUNT(*) AS n FROM alert_messages")
    (parts,) = alerting.stored("SELECT COUNT(*) AS n FROM alert_message_parts")
    return alerts, messages.n, parts.n


def test_what_ended_is_kept_for_ninety_days(
    any_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerting = Alerting(any_app)
    ended, lasting, *more = (alerting.company(f"Loja {number}") for number in range(5))
    alerting.user("ana@exemplo.com.br", admin=True)
    for company in (ended, lasting, *more):
        alerting.connection(company, "token_refused", "refused")
    alerting.run(minutes=6, step=2)
    for company in (ended, *more):
        alerting.connection(company, "connected", "accepted")
    # Two messages: that five began, and that four ended.
    alerting.run(minutes=6, step=2)
    assert left(alerting) == ([1, 2, 3, 4, 5], 2, 9)
    alerting.now += KEPT - timedelta(days=1)
    alerting.run()
    # One day is left, and a reminder was told.
    assert left(alerting) == ([1, 2, 3, 4, 5], 3, 10)
    alerting.now += timedelta(days=1, hours=1)
    monkeypatch.setattr(watcher, "FORGOTTEN_AT_ONCE", 3)
    alerting.run()
    assert left(alerting) == ([2, 5], 3, 4)
    alerting.now += timedelta(hours=1)
    alerting.run()
    # The message of the ends tells of nothing any more; the first still says that it was told.
    assert left(alerting) == ([2], 2, 2)
    assert len(alerting.channel.sent) == 3
