"""The result of one attempt, as the sender tells it and the schedules read it."""

from __future__ import annotations

from dataclasses import dataclass

from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.reasons import DeliveryReason


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attempt.

    `retry_after` is in seconds, clamped; `answer` is cut by the client; `headers` are the answer's,
    one a line, of a failed attempt only; `detail` is an English sentence or, of a redirect, where
    it leads. `unanswered` is the POST before this one, on a kept
    connection that turned out to be closed: it may have arrived, so it counts as an attempt too.
    `format_number` is that of the body, if it is not 0.
    """

    kind: Kind
    reason: DeliveryReason
    started_ms: int
    duration_ms: int
    status: int | None = None
    detail: str | None = None
    answer: str | None = None
    headers: str | None = None
    retry_after: float | None = None
    unanswered: Outcome | None = None
    format_number: int | None = None

    @property
    def posts(self) -> tuple[Outcome, ...]:
        """The requests that were sent, in order."""
        return (self,) if self.unanswered is None else (self.unanswered, self)
