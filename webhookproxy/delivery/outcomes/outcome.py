"""What one attempt came to, as the sender tells it and the schedules read it."""

from __future__ import annotations

from dataclasses import dataclass

from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.reasons import DeliveryReason


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to. `retry_after` is in seconds, clamped; `answer` is cut by the
    transport; `detail` is an English sentence or, of a redirect, where it leads."""

    kind: Kind
    reason: DeliveryReason
    started_ms: int
    duration_ms: int
    status: int | None = None
    detail: str | None = None
    answer: str | None = None
    retry_after: float | None = None
