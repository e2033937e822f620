"""One attempt: the request is built from stored columns, and its answer put into our words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial

from requests import PreparedRequest, Response

from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import RETRY_AFTER_MAX, Kind
from webhookproxy.delivery.sending.answer_headers import storable_headers
from webhookproxy.delivery.sending.body import (
    Bodies,
    Body,
    PastFormats,
    RecordingKey,
    newest_only,
)
from webhookproxy.delivery.sending.receivers import (
    read_answer,
    read_bad_success,
    redirect_target,
)
from webhookproxy.delivery.sending.success import SuccessTest
from webhookproxy.events import contract
from webhookproxy.events.formats.definition import Unrenderable
from webhookproxy.logs.redaction import HIDDEN
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.models.webhooks import Webhook
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy, masked_url
from webhookproxy.network.http.client import KEPT_ON_SUCCESS, Client
from webhookproxy.network.http.errors import NoAnswer, StaleLink
from webhookproxy.network.http.message import prepared
from webhookproxy.network.http.text import readable
from webhookproxy.reasons import DeliveryReason
from webhookproxy.rules.headers import Header, read_headers

logger = logging.getLogger(__name__)

# A shorter secret may be any word of an answer, and hiding it would only spoil the answer.
_SECRET_MIN = 6
# Hiding the values of these would only spoil the answer, which has the same words.
_NO_SECRETS = ("accept", "accept-language", "user-agent")

Clock = Callable[[], float]


class Sender:
    """Sends to one webhook, as its row was when this sender was made."""

    def __init__(
        self,
        webhook: Webhook,
        policy: Policy,
        resolver: Resolver,
        clock: Clock,
        past: PastFormats = newest_only,
        recording_key: RecordingKey | None = None,
    ) -> None:
        self.shown_url = masked_url(webhook.url)
        self._timeout = webhook.timeout
        self._authorization = webhook.authorization
        self._secret = webhook.secret
        self._previous = webhook.previous_secret
        self._previous_until = webhook.previous_secret_until
        self._headers_sent = read_headers(webhook.headers)
        self._success = SuccessTest.of(webhook)
        self._hidden = _shown_forms(webhook, self._headers_sent)
        self._bodies = Bodies(webhook, past, recording_key)
        self._clock = clock
        whole = self._success is not None
        self._client = Client(
            policy, resolver, max_idle=webhook.parallelism, reads_whole_answers=whole
        )
        self._request: PreparedRequest = prepared(webhook.url)

    def send(self, due: Due) -> Outcome:
        """Send one POST, and another if that met a kept connection that turned out to be closed.

        Returns an Outcome whatever happens, and raises nothing. What has no body in the webhook's
        format is not sent at all.
        """
        deadline = time.monotonic() + self._timeout
        try:
            body = self._bodies.of(due)
        except Unrenderable as error:
            return self._unsent(Kind.UNSENT, DeliveryReason.UNRENDERABLE, error.detail)
        except Exception:  # the database may be away, or this is a bug of ours
            logger.exception("delivery %d to webhook_%d failed inside", due.id, due.webhook_id)
            return self._unsent(Kind.FAILURE, DeliveryReason.INTERNAL_ERROR)
        outcome, stale = self._post(due, body, due.attempts + 1, deadline)
        if stale:
            again, _ = self._post(due, body, due.attempts + 2, deadline)
            outcome = replace(again, unanswered=outcome)
        return replace(outcome, format_number=body.number) if body.number else outcome

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._client.close()

    def _unsent(self, kind: Kind, reason: DeliveryReason, detail: str | None = None) -> Outcome:
        return Outcome(kind, reason, round(self._clock() * 1000), 0, detail=detail)

    def _post(self, due: Due, body: Body, attempt: int, deadline: float) -> tuple[Outcome, bool]:
        """Return the outcome of one POST, and whether a kept connection was stale."""
        now = self._clock()
        started = time.monotonic()
        try:
            request = self._request.copy()
            request.body = body.content
            headers = self._headers(due, attempt, body, int(now))
            request.headers = headers  # type: ignore[assignment]  # see `prepared`
            response = self._client.send(request, timeout=max(0.0, deadline - started))
            outcome = self._outcome(response, body.link_token, round(now * 1000), started)
            return outcome, False
        except NoAnswer as error:
            reason, detail, stale = error.reason, error.detail, isinstance(error, StaleLink)
        except Exception:  # a bug of ours must end as a failed attempt, not as a dead lane
            logger.exception("delivery %d to webhook_%d failed inside", due.id, due.webhook_id)
            reason, detail, stale = DeliveryReason.INTERNAL_ERROR, None, False
        duration = round((time.monotonic() - started) * 1000)
        outcome = Outcome(Kind.FAILURE, reason, round(now * 1000), duration, detail=detail)
        return outcome, stale

    def _headers(self, due: Due, attempt: int, body: Body, now: int) -> dict[str, str]:
        return contract.headers(
            event=due.facts.name,
            event_id=due.facts.public_id,
            attempt=attempt,
            body=body.content,
            authorization_value=self._authorization,
            secrets=self._secrets(now),
            now_s=now,
            content_type=body.content_type,
            ids=body.ids,
            own=self._headers_sent,
        )

    def _secrets(self, now: int) -> list[str]:
        """Return the secrets that sign now, the newest first: two for a while after a rotation."""
        if not self._secret:
            return []
        until = self._previous_until
        if self._previous and until is not None and now < until.timestamp():
            return [self._secret, self._previous]
        return [self._secret]

    def _outcome(
        self, response: Response, link_token: str, started_ms: int, started: float
    ) -> Outcome:
        text = readable(response.headers, response.content or b"")
        storable = partial(self._storable, link_token)
        answer = storable(text)
        asked = read_retry_after(response.headers.get("Retry-After"), self._clock())
        location = response.headers.get("Location")
        kind, reason = read_answer(
            response.url,
            response.status_code,
            said=answer,
            location=location,
            asks_patience=asked is not None,
        )
        detail = None
        if reason is DeliveryReason.REDIRECTED:
            detail = redirect_target(response.url, location)
        elif reason is DeliveryReason.ACCEPTED and self._success is not None:
            detail = self._success.failing(text)
            if detail is None:
                answer = answer[:KEPT_ON_SUCCESS]
            else:
                kind, reason = read_bad_success(response.url, answer)
        return Outcome(
            kind,
            reason,
            started_ms,
            round((time.monotonic() - started) * 1000),
            status=response.status_code,
            detail=detail,
            answer=answer,
            headers=None if kind is Kind.SUCCESS else _headers_of(response, storable),
            retry_after=asked if kind in (Kind.FAILURE, Kind.ERROR, Kind.BUSY) else None,
        )

    def _storable(self, link_token: str, text: str) -> str:
        """Return the text without our own secrets: some receivers show what they were sent."""
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        for secret in (link_token, *self._hidden) if link_token else self._hidden:
            text = _without_cut(text.replace(secret, HIDDEN), secret)
        return text


def _headers_of(response: Response, storable: Callable[[str], str]) -> str:
    return storable_headers(response.url, response.headers.items(), storable)


def _without_cut(text: str, secret: str) -> str:
    """Return the text without the beginning of a secret at its end: a long answer is cut there."""
    # A character has up to four bytes.
    if len(text) * 4 < KEPT_ON_SUCCESS:
        return text
    for length in range(len(secret) - 1, _SECRET_MIN - 1, -1):
        if text.endswith(secret[:length]):
            return f"{text[:-length]}{HIDDEN}"
    return text


def _shown_forms(webhook: Webhook, headers: Iterable[Header]) -> list[str]:
    """Return the forms in which a webhook's secrets may come back, the longest first."""
    sent = [value for name, value in headers if name.lower() not in _NO_SECRETS]
    sent += [webhook.authorization] if webhook.authorization else []
    forms = {webhook.secret, webhook.previous_secret, *sent}
    # Without its scheme too: a receiver that parsed the header shows the credentials alone.
    forms.update(value.split()[-1] for value in sent)
    long = (form for form in forms if form and len(form) >= _SECRET_MIN)
    return sorted(long, key=len, reverse=True)


def read_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After asks for, between 0 and RETRY_AFTER_MAX.

    None if it makes no sense. The header is a number of seconds or an HTTP date (RFC 9110, 10.2.3).
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
