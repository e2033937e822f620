"""The signs of trouble that a lane counts while it sends. They are columns of `webhook_health`.

The pages decide from these few numbers and the time (webhookproxy.troubles.now), so they read
nothing else. The counts of a window are in memory: after a restart they begin again, but a trouble
that was stored stays, with its beginning.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from webhookproxy.models.types import optional_ms
from webhookproxy.models.webhooks import WebhookHealth
from webhookproxy.troubles.limits import (
    BEHIND_MS,
    FAILING_MS,
    FAILURES,
    REFUSALS,
    REFUSING_SHARE,
    WELL_MS,
    WELL_SHARE,
    WINDOW_MS,
)

# First attempts within this time are counted together, so that a flood of them costs no memory.
_TOGETHER_MS = 15_000
_MINUTE_MS = 60_000


@dataclass(slots=True)
class _Share:
    """First attempts of some seconds: how many, and how many of them were refused."""

    began_ms: int
    count: int = 0
    refused: int = 0
    first_refusal_ms: int | None = None


class FirstAttempts:
    """The first attempts of the last fifteen minutes."""

    def __init__(self) -> None:
        self.count = 0
        self.refused = 0
        self._shares: deque[_Share] = deque()

    def note(self, now_ms: int, *, refused: bool) -> None:
        """Count a first attempt."""
        shares = self._shares
        if not shares or now_ms - shares[-1].began_ms >= _TOGETHER_MS:
            while shares and now_ms - shares[0].began_ms > WINDOW_MS:
                old = shares.popleft()
                self.count -= old.count
                self.refused -= old.refused
            shares.append(_Share(now_ms))
        last = shares[-1]
        last.count += 1
        self.count += 1
        if refused:
            last.refused += 1
            self.refused += 1
            if last.first_refusal_ms is None:
                last.first_refusal_ms = now_ms

    def first_refusal_ms(self) -> int | None:
        """Return when the first of the refused ones was refused."""
        return next((each.first_refusal_ms for each in self._shares if each.refused), None)


class Lag:
    """How long events wait for their first attempt, and whether it grows. Once a minute."""

    def __init__(self) -> None:
        self._minute = 0
        self._longest = 0
        # The longest wait of each of the last minutes with attempts.
        self._minutes: deque[tuple[int, int]] = deque()

    def note(self, now_ms: int, waited_ms: int) -> int | None:
        """Count the wait of an event. At the end of a minute return its longest wait."""
        minute = now_ms // _MINUTE_MS
        if minute == self._minute:
            self._longest = max(self._longest, waited_ms)
            return None
        ended = None
        if self._minute:
            ended = self._longest
            self._minutes.append((self._minute, ended))
        self._minute, self._longest = minute, waited_ms
        return ended

    def grows(self) -> bool | None:
        """Return whether events wait no less than five minutes ago; None if that is not known."""
        if not self._minutes:
            return None
        minute, now = self._minutes[-1]
        before = None
        while self._minutes and self._minutes[0][0] <= minute - BEHIND_MS // _MINUTE_MS:
            before = self._minutes.popleft()[1]
        return None if before is None else now >= before


@dataclass(slots=True)
class Signs:
    """What the answers of one receiver say of it. Times are milliseconds since 1970."""

    failures: int = 0
    failures_ms: int | None = None
    failing_ms: int | None = None
    working_ms: int | None = None
    refusing_ms: int | None = None
    refusing_last_ms: int | None = None
    first_attempts: int = 0
    first_refused: int = 0
    behind_ms: int | None = None
    failed_delivery: int | None = None
    _firsts: FirstAttempts = field(default_factory=FirstAttempts)
    _lag: Lag = field(default_factory=Lag)
    _late_ms: int | None = None

    @classmethod
    def stored(cls, row: WebhookHealth) -> Signs:
        """Return the signs that the last owner left."""
        return cls(
            failures=row.failures,
            failures_ms=optional_ms(row.failures_since),
            failing_ms=optional_ms(row.failing_since),
            working_ms=optional_ms(row.working_since),
            refusing_ms=optional_ms(row.refusing_since),
            refusing_last_ms=optional_ms(row.refusing_last_at),
            first_attempts=row.first_attempts,
            first_refused=row.first_refused,
            behind_ms=optional_ms(row.behind_since),
            failed_delivery=row.failed_delivery_id,
        )

    def row(self) -> tuple[int | None, ...]:
        """Return the values in the order of SIGN_COLUMNS."""
        return (
            self.failures,
            self.failures_ms,
            self.failing_ms,
            self.working_ms,
            self.refusing_ms,
            self.refusing_last_ms,
            self.first_attempts,
            self.first_refused,
            self.behind_ms,
            self.failed_delivery,
        )

    def succeeded(self, now_ms: int) -> None:
        """Count an attempt that was accepted."""
        if self.failures:
            self._confirm_if_due(now_ms)
            self.failures = 0
            self.failures_ms = None
        if self.failing_ms is not None and self.working_ms is None:
            self.working_ms = now_ms

    def failed(self, now_ms: int, delivery_id: int) -> None:
        """Count a failed attempt, whatever it was that failed."""
        self.failures += 1
        self.failed_delivery = delivery_id
        if self.failures_ms is None:
            self.failures_ms = now_ms
        self._confirm_if_due(now_ms)

    def confirm_failing(self) -> None:
        """Keep the beginning of these failures: the webhook fails, and is not merely unlucky."""
        began = self.failures_ms
        if began is None or self.failing_ms == began:
            return
        is_new = self.working_ms is not None and began - self.working_ms >= FAILING_MS
        if self.failing_ms is None or is_new:
            self.failing_ms = began
        self.working_ms = None

    def first_attempt(self, now_ms: int, *, refused: bool, waited_ms: int) -> None:
        """Count the first attempt at an event, which waited `waited_ms` for it."""
        firsts = self._firsts
        firsts.note(now_ms, refused=refused)
        if firsts.refused or self.refusing_ms is not None:
            self._judge_refusals(now_ms)
        ended = self._lag.note(now_ms, waited_ms)
        if ended is not None:
            self._judge_lag(now_ms, ended)

    def _confirm_if_due(self, now_ms: int) -> None:
        began = self.failures_ms
        if began is not None and self.failures >= FAILURES and now_ms - began >= FAILING_MS:
            self.confirm_failing()

    def _judge_refusals(self, now_ms: int) -> None:
        firsts = self._firsts
        last = self.refusing_last_ms
        if last is not None and now_ms - last >= WELL_MS:
            self.refusing_ms = self.refusing_last_ms = None
        share = firsts.refused / firsts.count
        if self.refusing_ms is None and firsts.refused >= REFUSALS and share >= REFUSING_SHARE:
            self.refusing_ms = firsts.first_refusal_ms()
        if self.refusing_ms is not None and share >= WELL_SHARE:
            self.refusing_last_ms = now_ms
        # A few attempts after a restart say less than what was stored before it.
        if firsts.count >= REFUSALS:
            self.first_attempts, self.first_refused = firsts.count, firsts.refused

    def _judge_lag(self, now_ms: int, waited_ms: int) -> None:
        grows = self._lag.grows()
        if waited_ms < BEHIND_MS:
            self._late_ms = self.behind_ms = None
            return
        if self._late_ms is None:
            self._late_ms = now_ms
        if grows is False:
            self.behind_ms = None
        elif grows and self.behind_ms is None:
            self.behind_ms = self._late_ms


# The columns of `webhook_health` that hold them, in the order of Signs.row().
SIGN_COLUMNS = (
    "failures", "failures_since", "failing_since", "working_since", "refusing_since",
    "refusing_last_at", "first_attempts", "first_refused", "behind_since", "failed_delivery_id",
)  # fmt: skip
