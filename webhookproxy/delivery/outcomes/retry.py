"""When an event is tried again, and when it is given up. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from webhookproxy.reasons import DeliveryReason, DeliveryState

# Seconds from one try of an event to the next; the last one repeats.
EVENT_DELAYS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
# The same after the first and the second refusal: it is tried at 0, 2 and 5 s.
REFUSAL_DELAYS = (2.0, 3.0)
# The tries after which a refusal among successes is final, and after which any other failure is.
REFUSED_AFTER = 3
EXHAUSTED_AFTER = 8
# Probes of an open circuit: the first delay, and what it grows to, in seconds.
PROBE_FIRST = 5.0
PROBE_LAST = 900.0
# However long a receiver asks to be left alone, it is tried again within a quarter of an hour.
RETRY_AFTER_MAX = 900.0
JITTER = 0.1

Random = Callable[[], float]


class Kind(StrEnum):
    """What an answer means for the schedules."""

    SUCCESS = "success"
    # The receiver said no to this event: any 4xx that does not ask for patience, or a 2xx that the
    # webhook's rule of success takes for a failure.
    REFUSAL = "refusal"
    # The receiver failed at this event: 500, which says nothing about others.
    ERROR = "error"
    # The receiver does not work at all: no answer, any other 5xx, a redirect.
    FAILURE = "failure"
    # The receiver takes nothing just now, and says so: 408, 425, 429, a full queue, no credits.
    BUSY = "busy"
    # 410: the receiver wants no more at all.
    GONE = "gone"
    # The event has no body in the webhook's format, so nothing was sent.
    UNSENT = "unsent"


_BUSY = {
    402: DeliveryReason.OUT_OF_CREDITS,
    408: DeliveryReason.FAILED_STATUS,
    423: DeliveryReason.BUSY,
    425: DeliveryReason.FAILED_STATUS,
    429: DeliveryReason.THROTTLED,
}


def classify(status: int) -> tuple[Kind, DeliveryReason]:
    """What an HTTP status means. Any 2xx is success, whatever follows it."""
    if 200 <= status < 300:
        return Kind.SUCCESS, DeliveryReason.ACCEPTED
    if 300 <= status < 400:
        return Kind.FAILURE, DeliveryReason.REDIRECTED
    if status == 410:
        return Kind.GONE, DeliveryReason.GONE
    if status in _BUSY:
        return Kind.BUSY, _BUSY[status]
    if 400 <= status < 500:
        return Kind.REFUSAL, DeliveryReason.REFUSED_STATUS
    if status == 500:
        return Kind.ERROR, DeliveryReason.FAILED_STATUS
    return Kind.FAILURE, DeliveryReason.FAILED_STATUS


def was_refused(reason: str, status: int | None) -> bool:
    """Return whether the last answer, as it is stored, was about this one event."""
    refused = (
        DeliveryReason.REFUSED_STATUS,
        DeliveryReason.N8N_TEST_URL,
        DeliveryReason.ANSWER_FAILED,
    )
    return reason in refused or (reason == DeliveryReason.FAILED_STATUS and status == 500)


def event_delay(tries: int, random: Random) -> float:
    """Seconds until an event that was tried `tries` times is tried again."""
    base = EVENT_DELAYS[min(max(tries, 1), len(EVENT_DELAYS)) - 1]
    return _spread(base, random)


def refusal_delay(tries: int, random: Random) -> float:
    """Return the seconds until an event that was refused `tries` times is tried again."""
    if tries <= len(REFUSAL_DELAYS):
        return _spread(REFUSAL_DELAYS[max(tries, 1) - 1], random)
    return event_delay(tries - 1, random)


def probe_delay(failed_probes: int, retry_after: float | None, random: Random) -> float:
    """Seconds until an open circuit is probed again; a Retry-After can only make it longer."""
    grown = min(PROBE_FIRST * 2.0 ** min(failed_probes, 20), PROBE_LAST)
    return max(_spread(grown, random), retry_after or 0.0)


def _spread(seconds: float, random: Random) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * random())


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a delivery after an attempt; `delay` in seconds, if it is tried again.

    `counts`: the attempt is one of its tries; `restarts`: it is the first, whatever came before.
    `kept`: it would be given up, had any other event been accepted since its first try.
    """

    state: DeliveryState
    reason: DeliveryReason
    counts: bool
    delay: float | None = None
    restarts: bool = False
    kept: bool = False

    def tries(self, before: int) -> int:
        """Return how many tries the delivery has had after this attempt."""
        return self.counts + (0 if self.restarts else before)


# What ends without an attempt.
EXPIRED = Verdict(DeliveryState.EXPIRED, DeliveryReason.MAX_AGE, counts=False)
SIMULATED = Verdict(DeliveryState.SIMULATED, DeliveryReason.SIMULATION, counts=False)
UNRENDERABLE = Verdict(DeliveryState.REFUSED, DeliveryReason.UNRENDERABLE, counts=False)


def judge(
    kind: Kind,
    reason: DeliveryReason,
    tries: int,
    *,
    probe: bool,
    others_passed: bool,
    retry_after: float | None,
    random: Random,
) -> Verdict:
    """Return the verdict on a delivery.

    `tries` are those counted before this attempt; `others_passed`: whether the webhook accepted
    another event after this one's first try and before this attempt. Only then is a refusal
    final, and a failure exhausted: as long as nothing passes, it is the receiver that is at
    fault and not the event. An event that had all its tries while nothing passed gets them again.
    """
    if kind is Kind.SUCCESS:
        return Verdict(DeliveryState.DELIVERED, reason, counts=not probe)
    if kind is Kind.UNSENT:
        return UNRENDERABLE
    if kind is Kind.GONE or probe:
        return Verdict(DeliveryState.RETRYING, reason, counts=False, delay=0.0)
    if kind is Kind.BUSY:
        delay = max(event_delay(1, random), retry_after or 0.0)
        return Verdict(DeliveryState.RETRYING, reason, counts=False, delay=delay)
    refused = kind is Kind.REFUSAL
    most = REFUSED_AFTER if refused else EXHAUSTED_AFTER
    restarts = others_passed and tries >= most
    tried = 1 if restarts else tries + 1
    if others_passed and tried >= most:
        final = reason if refused else DeliveryReason.EXHAUSTED
        return Verdict(DeliveryState.REFUSED, final, counts=True)
    delay = refusal_delay(tried, random) if refused else event_delay(tried, random)
    return Verdict(
        DeliveryState.RETRYING,
        reason,
        counts=True,
        delay=max(delay, retry_after or 0.0),
        restarts=restarts,
        kept=refused and tried >= REFUSED_AFTER,
    )
