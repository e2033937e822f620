"""What the tests of resending, trying and cancelling share."""

from __future__ import annotations

import pytest

from tests.delivery.lanes_world import Sending
from tests.support.application import rows, wait_until
from tests.support.receiver import Plain
from webhookproxy.delivery.outcomes import circuit, retry
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.reasons import DeliveryReason

URL = "http://127.0.0.1:9999/"
BUSY: Plain = (503, {}, b"")
ACCEPTED = Outcome(Kind.SUCCESS, DeliveryReason.ACCEPTED, 1, 1, status=200, answer="")
FAILED = Outcome(Kind.FAILURE, DeliveryReason.FAILED_STATUS, 1, 1, status=500, answer="")


def never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every failure wait ten minutes, so that only a user's action can be sooner."""
    monkeypatch.setattr(retry, "EVENT_DELAYS", (600.0,) * 6)
    monkeypatch.setattr(retry, "REFUSAL_DELAYS", (600.0,) * 2)
    monkeypatch.setattr(retry, "PROBE_FIRST", 600.0)
    monkeypatch.setattr(retry, "PROBE_LAST", 600.0)


def open_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ten refused first attempts open a circuit, however soon they come."""
    monkeypatch.setattr(circuit, "OPEN_AFTER_REFUSALS", 10)
    monkeypatch.setattr(circuit, "REFUSALS_SPREAD", 0.0)


def ids(half: Sending, webhook: int) -> list[int]:
    query = "SELECT id FROM deliveries WHERE webhook_id = :id ORDER BY id"
    return [row[0] for row in rows(half.app, query, id=webhook)]


def check_waiting(half: Sending, webhook: int) -> None:
    """What the health row says of what waits is what the deliveries say."""
    assert half.lanes.results.drain(20)
    health = half.health(webhook)
    ended = health.delivered + health.refused + health.expired
    query = (
        "SELECT COUNT(*) FROM deliveries WHERE webhook_id = :id AND state IN ('queued', 'retrying')"
    )
    waiting = rows(half.app, query, id=webhook)[0][0]
    assert health.created - ended - health.cancelled - health.simulated == waiting


def wait_for_attempts(half: Sending, count: int) -> None:
    wait_until(lambda: len(rows(half.app, "SELECT 1 FROM attempts")) == count, 20, "attempts")
