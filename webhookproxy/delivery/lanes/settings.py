"""What a lane knows of its webhook: its address, its limits and its own clock."""

from __future__ import annotations

from webhookproxy.delivery.lanes.services import LaneServices
from webhookproxy.models.types import optional_ms
from webhookproxy.models.webhooks import Webhook
from webhookproxy.rules.webhooks import WebhookState


class LaneSettings:
    """A webhook as its row was when it was read."""

    def __init__(self, services: LaneServices, webhook: Webhook) -> None:
        self.sender = services.sender(webhook)
        self.version = webhook.version
        self.format_number = webhook.format_number or 0
        self.state = WebhookState(webhook.state)
        self.parallelism = webhook.parallelism
        self._max_age_ms = round(min(webhook.max_age, services.retention_hours) * 3_600_000)
        self._paused_ms = webhook.paused_ms
        self._paused_at = optional_ms(webhook.paused_at)

    @property
    def paused(self) -> bool:
        """Whether nothing is sent."""
        return self.state is WebhookState.PAUSED

    def pause(self, now_ms: int) -> None:
        """Send nothing from now on: the receiver answered 410."""
        self.state = WebhookState.PAUSED
        self._paused_at = now_ms

    def age_limit(self, now_ms: int) -> int:
        """Return the `born_ms` before which a delivery is too old.

        It is on the webhook's own clock: wall time less the time that it was paused.
        """
        return (self._paused_at or now_ms) - self._paused_ms - self._max_age_ms
