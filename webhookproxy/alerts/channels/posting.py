"""One POST of a message, and what its answer means."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from webhookproxy.alerts.message import NotSent
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import NoAnswer, StaleLink
from webhookproxy.network.http.message import prepared
from webhookproxy.reasons import AlertError, DeliveryReason

SECONDS = 15.0
# What a service may ask for; longer, and the message goes to the next address meanwhile.
AFTER_MIN, AFTER_MAX = 1.0, 900.0

# Of no answer at all; every other reason is about the certificate.
NO_ANSWERS: Mapping[DeliveryReason, AlertError] = MappingProxyType(
    {
        DeliveryReason.NAME_NOT_RESOLVED: AlertError.NOT_REACHED,
        DeliveryReason.CONNECTION_REFUSED: AlertError.NOT_REACHED,
        DeliveryReason.CONNECTION_FAILED: AlertError.NOT_REACHED,
        DeliveryReason.CONNECTION_LOST: AlertError.CONNECTION_LOST,
        DeliveryReason.CONNECT_TIMEOUT: AlertError.TOO_SLOW,
        DeliveryReason.ANSWER_TIMEOUT: AlertError.TOO_SLOW,
        DeliveryReason.ADDRESS_NOT_ALLOWED: AlertError.ADDRESS_NOT_ALLOWED,
        # The handshake fails where the other side speaks no TLS: at a wrong port, mostly.
        DeliveryReason.TLS_FAILED: AlertError.NOT_UNDERSTOOD,
        DeliveryReason.BAD_ANSWER: AlertError.NOT_UNDERSTOOD,
        DeliveryReason.INTERNAL_ERROR: AlertError.INTERNAL,
    }
)


@dataclass(frozen=True, slots=True)
class Post:
    """One POST: `refusals` says what a status means that will not change by trying again.

    With `refuses_finally` this holds for every 4xx: such a service knows what it refuses.
    """

    url: str
    body: bytes
    headers: dict[str, str]
    refusals: Mapping[int, AlertError]
    refuses_finally: bool


def send_post(http: Client, post: Post) -> None:
    """Send it, within SECONDS; raise NotSent unless the answer is a 2xx."""
    deadline = time.monotonic() + SECONDS
    if _meets_a_closed_link(http, post, SECONDS) and _meets_a_closed_link(
        http, post, max(0.0, deadline - time.monotonic())
    ):
        raise NotSent(AlertError.CONNECTION_LOST, is_final=False)


def _meets_a_closed_link(http: Client, post: Post, seconds: float) -> bool:
    """Send it; return True if a kept connection turned out to be closed: the next one is new."""
    request = prepared(post.url)
    request.headers = post.headers  # type: ignore[assignment]  # see `prepared`
    request.body = post.body
    try:
        answer = http.send(request, timeout=seconds)
    except StaleLink:
        return True
    except NoAnswer as error:
        raise no_answer(error.reason) from None
    if answer.status_code == 429:
        after = _after(answer.headers.get("Retry-After"), answer.content)
        raise NotSent(AlertError.THROTTLED, is_final=False, after_s=after)
    _check(post, answer.status_code)
    return False


def _check(post: Post, status: int) -> None:
    """Raise NotSent unless the status is a 2xx."""
    if 200 <= status < 300:
        return
    if status in post.refusals:
        raise NotSent(post.refusals[status], is_final=True)
    if 400 <= status < 500 and status != 408:
        raise NotSent(AlertError.REFUSED, is_final=post.refuses_finally)
    raise NotSent(AlertError.FAILING, is_final=False)


def no_answer(reason: DeliveryReason) -> NotSent:
    """Return what to raise where no answer came."""
    code = NO_ANSWERS.get(reason, AlertError.BAD_CERTIFICATE)
    return NotSent(code, is_final=code is AlertError.ADDRESS_NOT_ALLOWED)


def _after(header: str | None, content: bytes) -> float | None:
    """Return how long the service wants to be left alone: Telegram says it in its JSON too."""
    asked: Any = header
    if header is None:
        try:
            asked = json.loads(content)["parameters"]["retry_after"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
    try:
        seconds = float(asked)
    except (ValueError, TypeError, OverflowError):
        return None
    # Not a number: it compares as False with everything.
    return min(max(seconds, AFTER_MIN), AFTER_MAX) if seconds == seconds else None
