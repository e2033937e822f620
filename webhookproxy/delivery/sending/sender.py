"""One attempt: the request built from stored columns, and what came back in our words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from requests import PreparedRequest, Response

from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import RETRY_AFTER_MAX, Kind
from webhookproxy.delivery.sending.receivers import read_status, redirect_target
from webhookproxy.delivery.sending.request import body_of
from webhookproxy.delivery.sending.transport import Transport, TransportError, prepared
from webhookproxy.events import contract
from webhookproxy.logs.redaction import HIDDEN
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.models.webhooks import Webhook
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy, masked_url
from webhookproxy.reasons import DeliveryReason

logger = logging.getLogger(__name__)

# What is shorter may be any word of an answer, and hiding it would only spoil that.
_SECRET_MIN = 6

Clock = Callable[[], float]


class Sender:
    """Sends to one webhook, as its row was when this sender was made."""

    def __init__(self, webhook: Webhook, policy: Policy, resolver: Resolver, clock: Clock) -> None:
        self.shown_url = masked_url(webhook.url)
        self._timeout = webhook.timeout
        self._authorization = webhook.authorization
        self._secret = webhook.secret
        self._previous = webhook.previous_secret
        self._previous_until = webhook.previous_secret_until
        self._hidden = _shown_forms(webhook)
        self._clock = clock
        self._transport = Transport(policy, resolver, max_idle=webhook.parallelism)
        self._request: PreparedRequest = prepared(webhook.url)

    def send(self, due: Due) -> Outcome:
        """One POST. Returns an Outcome for whatever happened; raises nothing."""
        now = self._clock()
        started = time.monotonic()
        try:
            request = self._request.copy()
            request.body = body_of(due)
            request.headers = self._headers(due, request.body, int(now))  # type: ignore[assignment]
            response = self._transport.send(request, timeout=self._timeout)
        except TransportError as error:
            duration = round((time.monotonic() - started) * 1000)
            return Outcome(
                Kind.FAILURE, error.reason, round(now * 1000), duration, detail=error.detail
            )
        except Exception:  # a bug of ours must end as a failed attempt, not as a dead lane
            logger.exception("delivery %d to webhook_%d failed inside", due.id, due.webhook_id)
            duration = round((time.monotonic() - started) * 1000)
            return Outcome(Kind.FAILURE, DeliveryReason.INTERNAL_ERROR, round(now * 1000), duration)
        return self._outcome(response, round(now * 1000), started)

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._transport.close()

    def _headers(self, due: Due, body: bytes, now: int) -> dict[str, str]:
        return contract.headers(
            event=due.facts.name,
            event_id=due.facts.public_id,
            attempt=due.attempts + 1,
            body=body,
            authorization_value=self._authorization,
            secrets=self._secrets(now),
            now_s=now,
        )

    def _secrets(self, now: int) -> list[str]:
        """What signs at this moment, the newest first: two for a while after a rotation."""
        if not self._secret:
            return []
        until = self._previous_until
        if self._previous and until is not None and now < until.timestamp():
            return [self._secret, self._previous]
        return [self._secret]

    def _outcome(self, response: Response, started_ms: int, started: float) -> Outcome:
        kind, reason = read_status(response.status_code, response.url)
        retry_after = detail = None
        if kind is Kind.FAILURE:
            retry_after = read_retry_after(response.headers.get("Retry-After"), self._clock())
        if reason is DeliveryReason.REDIRECTED:
            detail = redirect_target(response.url, response.headers.get("Location"))
        return Outcome(
            kind,
            reason,
            started_ms,
            round((time.monotonic() - started) * 1000),
            status=response.status_code,
            detail=detail,
            answer=self._storable(response.content or b""),
            retry_after=retry_after,
        )

    def _storable(self, content: bytes) -> str:
        """The answer as text, without our own secrets: some receivers show what they were sent."""
        text = content.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        for secret in self._hidden:
            text = text.replace(secret, HIDDEN)
        return text


def _shown_forms(webhook: Webhook) -> list[str]:
    """What of a webhook's secrets may come back in an answer, the longest first."""
    forms = {webhook.secret, webhook.previous_secret, webhook.authorization}
    if webhook.authorization:
        # Without its scheme too: what parsed the header shows the credentials alone.
        forms.add(webhook.authorization.split()[-1])
    long = (form for form in forms if form and len(form) >= _SECRET_MIN)
    return sorted(long, key=len, reverse=True)


def read_retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a Retry-After asks for, between 0 and RETRY_AFTER_MAX; None without sense.

    The header is a number of seconds or an HTTP date (RFC 9110, 10.2.3).
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, TypeError, OverflowError):
            return None
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    if seconds != seconds:  # NaN is the only number that differs from itself
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_MAX)
