"""What the console says of failures."""

from __future__ import annotations

import pytest

from tests.delivery.lanes_world import Sending, hurry
from tests.support.application import wait_until
from tests.support.receiver import Receiver


def failures(half: Sending, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float | None]]:
    """The reason and the seconds until the next attempt of every failure line."""
    printed: list[tuple[str, float | None]] = []
    monkeypatch.setattr(
        half._console,
        "webhook_failed",
        lambda _event, _url, reason, delay: printed.append((reason, delay)),
    )
    return printed


def test_a_webhook_that_wants_no_more_is_said_to_have_no_further_attempt(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = failures(half, monkeypatch)
    with Receiver((410, {}, b"")) as receiver:
        half.webhook(receiver.url())
        half.arrive(1)
        wait_until(lambda: printed, 5)
    reason, delay = printed[0]
    assert reason.endswith(" (HTTP 410)")
    assert "." not in reason
    assert delay is None


def test_a_failed_probe_says_when_the_next_one_goes_out(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, probe=0.2)
    printed = failures(half, monkeypatch)
    with Receiver((503, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(10)
        wait_until(lambda: half.health(webhook).failed_probes >= 2, 10)
        delay = printed[-1][1]
    assert delay is not None
    assert delay > 0.1
