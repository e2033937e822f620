"""What is wrong with a webhook now, from its row and the time alone: nothing else is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from webhookproxy.models.types import optional_ms, to_ms
from webhookproxy.models.webhooks import Webhook, WebhookHealth
from webhookproxy.reasons import DeliveryReason
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.troubles.limits import FAILING_MS, FAILURES, WELL_MS


class TroubleKind(StrEnum):
    """The kinds of trouble, the worst first."""

    FAILING = "failing"
    PAUSED = "paused"
    REFUSING = "refusing"
    BEHIND = "behind"


_RANKS = {kind: rank for rank, kind in enumerate(TroubleKind)}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a webhook since when, and the last failed attempt, which says why.

    `delivery_id` is the delivery of that attempt. `attempts` and `refused` count first attempts of
    the last fifteen minutes in which there were some; only for a webhook that refuses.
    """

    kind: TroubleKind
    webhook_id: int
    since: datetime
    reason: DeliveryReason | None
    status: int | None
    delivery_id: int | None
    attempts: int = 0
    refused: int = 0

    @property
    def share(self) -> float:
        """The share of first attempts that were refused, from 0 to 1."""
        return self.refused / self.attempts if self.attempts else 0.0

    @property
    def rank(self) -> int:
        """The place of its kind in the order of badness: the worst has 0."""
        return _RANKS[self.kind]


def trouble_of(webhook: Webhook, now: datetime) -> Trouble | None:
    """Return the worst trouble of a webhook now, None if nothing is wrong."""
    health, now_ms = webhook.health, to_ms(now)
    if webhook.state == WebhookState.PAUSED:
        if webhook.paused_reason is None or webhook.paused_at is None:
            return None
        reason = DeliveryReason(webhook.paused_reason)
        return _trouble(TroubleKind.PAUSED, webhook, webhook.paused_at, reason)
    if webhook.state != WebhookState.ACTIVE:
        return None
    if is_failing(health, now_ms):
        return _trouble(TroubleKind.FAILING, webhook, _failing_since(health, now))
    if health.refusing_since is not None and is_refusing(health, now_ms):
        return _trouble(TroubleKind.REFUSING, webhook, health.refusing_since)
    if health.behind_since is not None and health.waiting:
        return _trouble(TroubleKind.BEHIND, webhook, health.behind_since)
    return None


def troubles_of(webhooks: Iterable[Webhook], now: datetime) -> dict[int, Trouble]:
    """Return the troubles of webhooks that are loaded with their health, by the webhook's number.

    The worst come first: by kind, and the oldest of a kind.
    """
    found = [each for webhook in webhooks if (each := trouble_of(webhook, now))]
    found.sort(key=lambda each: (each.rank, each.since, each.webhook_id))
    return {each.webhook_id: each for each in found}


def is_failing(health: WebhookHealth, now_ms: int) -> bool:
    """Return whether nothing gets through to the receiver.

    Where nothing waits nothing is held up: an event that was refused three times, with none after
    it, is a refused event and not a failing receiver.
    """
    if health.circuit_opened_at is not None:
        return True
    began = optional_ms(health.failures_since)
    if began is None or health.failures < FAILURES or not health.waiting:
        return False
    return now_ms - began >= FAILING_MS


def is_refusing(health: WebhookHealth, now_ms: int) -> bool:
    """Return whether the receiver refuses a part of the events."""
    last = optional_ms(health.refusing_last_at)
    return health.refusing_since is not None and last is not None and now_ms - last < WELL_MS


def works_since(health: WebhookHealth, now: datetime) -> datetime | None:
    """Return when a failing webhook was accepted again; None if that may not last.

    It is the first success, once no new failures began for FAILING_MS after it. Failures that
    began sooner and go on say that the old trouble may not be over.
    """
    working, began = health.working_since, optional_ms(health.failures_since)
    if working is None or to_ms(now) - to_ms(working) < FAILING_MS:
        return None
    if began is not None and began - to_ms(working) < FAILING_MS and health.waiting:
        return None
    return working


def _failing_since(health: WebhookHealth, now: datetime) -> datetime:
    """Return the beginning of the failures, which neither a retry nor saving the webhook moves."""
    began, failing, working = health.failures_since, health.failing_since, health.working_since
    if failing is not None:
        is_same = working is None or (
            began is not None and to_ms(began) - to_ms(working) < FAILING_MS
        )
        if is_same:
            return failing
    return began or health.circuit_opened_at or now


def _trouble(
    kind: TroubleKind, webhook: Webhook, since: datetime, reason: DeliveryReason | None = None
) -> Trouble:
    health = webhook.health
    if reason is None and health.last_error is not None:
        reason = DeliveryReason(health.last_error)
    is_share = kind is TroubleKind.REFUSING
    return Trouble(
        kind,
        webhook.id,
        since,
        reason,
        health.last_error_status,
        health.failed_delivery_id,
        attempts=health.first_attempts if is_share else 0,
        refused=health.first_refused if is_share else 0,
    )
