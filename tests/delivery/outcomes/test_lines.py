"""What the console says of failures."""

from __future__ import annotations

import pytest

from tests.delivery.lanes_world import Sending, hurry
from tests.support.application import wait_until
from tests.support.receiver import Receiver

Line = tuple[str, float | None, bool]


def failures(half: Sending, monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """Every failure line: its reason, the seconds until the next attempt, whether it is refused."""
    printed: list[Line] = []
    monkeypatch.setattr(
        half._console,
        "webhook_failed",
        lambda _event, _url, reason, delay, *, refused: printed.append((reason, delay, refused)),
    )
    return printed


def test_a_webhook_that_wants_no_more_is_said_to_have_no_further_attempt(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = failures(half, monkeypatch)
    with Receiver((410, {}, b"")) as receiver:
        half.webhook(receiver.url())
        half.arrive(1)
        wait_until(lambda: printed)
    assert printed[0] == ("Sua URL respondeu que não existe mais (status 410)", None, True)


def test_a_refusal_is_told_apart_from_a_failure(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = failures(half, monkeypatch)
    with Receiver((422, {}, b"")) as refusing, Receiver((503, {}, b"")) as failing:
        half.webhook(refusing.url())
        half.webhook(failing.url())
        half.arrive(1)
        wait_until(lambda: len(printed) == 2)
    found = {(reason, refused) for reason, _, refused in printed}
    assert found == {
        ("Sua URL recusou o evento com status 422", True),
        ("Sua URL respondeu com erro: status 503", False),
    }


def test_a_failed_probe_says_when_the_next_one_goes_out(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, probe=0.2)
    printed = failures(half, monkeypatch)
    with Receiver((503, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(10)
        wait_until(lambda: half.health(webhook).failed_probes >= 2)
        _, delay, _ = printed[-1]
    assert delay is not None
    assert delay > 0.1
