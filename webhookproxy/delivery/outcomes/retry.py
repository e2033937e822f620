"""The two schedules: when an event is tried again, and when a webhook is. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from webhookproxy.reasons import DeliveryReason, DeliveryState

# Seconds from one try of an event to the next; the last one repeats.
EVENT_DELAYS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
# A refusal among successes is final after so many tries, any other failure after so many.
REFUSED_AFTER = 3
EXHAUSTED_AFTER = 8
# A circuit opens after so many failures over so many events, or so many refused in a row.
OPEN_AFTER_FAILURES = 5
OPEN_AFTER_EVENTS = 3
OPEN_AFTER_REFUSALS = 10
# Probes of an open circuit: the first delay, and what it grows to, in seconds.
PROBE_FIRST = 5.0
PROBE_LAST = 900.0
# After so many failed probes of one event the next probe goes to another.
PROBES_PER_EVENT = 2
# However long a receiver asks to be left alone, it is tried again within a quarter of an hour.
RETRY_AFTER_MAX = 900.0
JITTER = 0.1

Random = Callable[[], float]


class Kind(Enum):
    """What an answer means for the schedules."""

    SUCCESS = "success"
    # The receiver said no to this event: any 4xx that does not ask for patience.
    REFUSAL = "refusal"
    # The receiver did not do its work: no answer, 5xx, a redirect.
    FAILURE = "failure"
    # The receiver takes nothing just now, and says so: 408, 425, 429, a full queue, no credits.
    BUSY = "busy"
    # 410: the receiver wants no more at all.
    GONE = "gone"


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
    return Kind.FAILURE, DeliveryReason.FAILED_STATUS


def event_delay(tries: int, random: Random) -> float:
    """Seconds until an event that was tried `tries` times is tried again."""
    base = EVENT_DELAYS[min(max(tries, 1), len(EVENT_DELAYS)) - 1]
    return _spread(base, random)


def probe_delay(failed_probes: int, retry_after: float | None, random: Random) -> float:
    """Seconds until an open circuit is probed again; a Retry-After can only make it longer."""
    grown = min(PROBE_FIRST * 2.0 ** min(failed_probes, 20), PROBE_LAST)
    return max(_spread(grown, random), retry_after or 0.0)


def _spread(seconds: float, random: Random) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * random())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery after an attempt; `delay` in seconds, if it is tried again."""

    state: DeliveryState
    reason: DeliveryReason
    counts: bool
    delay: float | None = None


# What ends without an attempt.
EXPIRED = Verdict(DeliveryState.EXPIRED, DeliveryReason.MAX_AGE, counts=False)
SIMULATED = Verdict(DeliveryState.SIMULATED, DeliveryReason.SIMULATION, counts=False)


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
    """What becomes of a delivery.

    `tries` are those counted before this attempt; `others_passed`: whether the webhook accepted
    another event since this one was first tried. Only then is a refusal final, and a failure
    exhausted: as long as nothing passes, it is the receiver that is at fault and not the event.
    """
    if kind is Kind.SUCCESS:
        return Verdict(DeliveryState.DELIVERED, reason, counts=not probe)
    if kind is Kind.GONE or probe:
        return Verdict(DeliveryState.RETRYING, reason, counts=False, delay=0.0)
    tried = tries + 1
    if others_passed and kind is Kind.REFUSAL and tried >= REFUSED_AFTER:
        return Verdict(DeliveryState.REFUSED, reason, counts=True)
    if others_passed and tried >= EXHAUSTED_AFTER:
        return Verdict(DeliveryState.REFUSED, DeliveryReason.EXHAUSTED, counts=True)
    delay = max(event_delay(tried, random), retry_after or 0.0)
    return Verdict(DeliveryState.RETRYING, reason, counts=True, delay=delay)


class Circuit:
    """Whether a webhook is sent to. Open means: keep everything, probe now and then.

    Times are seconds of a monotonic clock. `strict` webhooks have one event in hand at a time,
    so their circuit waits neither for failures over three of them nor for ten refused: after five
    attempts at the same one, the probes find out whether others pass.
    """

    def __init__(self) -> None:
        self.opened = False
        self.failed_probes = 0
        self.next_probe = 0.0
        self.probed_id = 0
        self._probes_of_event = 0
        self._failures = 0
        self._failed_events: set[int] = set()
        self._refused_events: set[int] = set()

    def restore(self, failed_probes: int, next_probe: float) -> None:
        """Open as it was when the process that ran before stopped."""
        self.opened = True
        self.failed_probes = failed_probes
        self.next_probe = next_probe

    def succeed(self) -> bool:
        """Count a success; True if that closed the circuit."""
        was_open = self.opened
        self.opened = False
        self.failed_probes = 0
        self.probed_id = 0
        self._probes_of_event = 0
        self._failures = 0
        self._failed_events.clear()
        self._refused_events.clear()
        return was_open

    def fail(self, kind: Kind, delivery_id: int, *, strict: bool) -> bool:
        """Count a failure or refusal while closed; True if the circuit should open now."""
        if self.opened:
            return False
        self._refused_events.add(delivery_id)
        if kind is not Kind.REFUSAL or strict:
            self._failures += 1
            self._failed_events.add(delivery_id)
        events = 1 if strict else OPEN_AFTER_EVENTS
        if self._failures >= OPEN_AFTER_FAILURES and len(self._failed_events) >= events:
            return True
        return len(self._refused_events) >= OPEN_AFTER_REFUSALS

    def open(self, now: float, retry_after: float | None, random: Random) -> None:
        """Stop sending; the first probe goes out after PROBE_FIRST."""
        self.opened = True
        self.failed_probes = 0
        self.next_probe = now + probe_delay(0, retry_after, random)

    def probe_failed(
        self, delivery_id: int, now: float, retry_after: float | None, random: Random
    ) -> None:
        """Count a failed probe and set the time of the next one."""
        self._probes_of_event = self._probes_of_event + 1 if delivery_id == self.probed_id else 1
        self.probed_id = delivery_id
        self.failed_probes += 1
        self.next_probe = now + probe_delay(self.failed_probes, retry_after, random)

    def wants_another(self) -> bool:
        """Whether the next probe goes to another event than the last."""
        return self._probes_of_event >= PROBES_PER_EVENT
