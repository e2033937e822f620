"""The circuit: when sending to a webhook stops, and how often it is probed. No input, no output."""

from __future__ import annotations

from collections import deque

from webhookproxy.delivery.outcomes.retry import Kind, Random, probe_delay

# A circuit opens after this many attempts without a working receiver, over this many events,
OPEN_AFTER_FAILURES = 5
OPEN_AFTER_EVENTS = 3
# or when all first attempts of REFUSALS_SECONDS were refused: at least OPEN_AFTER_REFUSALS of them,
# over at least REFUSALS_SPREAD seconds.
REFUSALS_SECONDS = 600.0
OPEN_AFTER_REFUSALS = 50
REFUSALS_SPREAD = 60.0
# Failed probes of one event after which the next probe goes to another.
PROBES_PER_EVENT = 2
# Refusals within this many seconds are counted together, so that a flood of them costs no memory.
_COUNTED_TOGETHER = 5.0


class FirstAttempts:
    """Whether all first attempts of the last ten minutes were refused.

    Retries, resends and probes say nothing here: they are of those that were refused before.
    """

    def __init__(self) -> None:
        # When a first attempt came to something else, last.
        self._other = float("-inf")
        # Refusals since then: when some seconds began, and how many were in them.
        self._refused: deque[tuple[float, int]] = deque()

    def note(self, now: float, *, refused: bool) -> None:
        """Count a first attempt."""
        if not refused:
            self._other = now
            self._refused.clear()
        elif self._refused and now - self._refused[-1][0] < _COUNTED_TOGETHER:
            began, count = self._refused.pop()
            self._refused.append((began, count + 1))
        else:
            self._refused.append((now, 1))
        while self._refused and now - self._refused[0][0] > REFUSALS_SECONDS:
            self._refused.popleft()

    def all_refused(self, now: float) -> bool:
        """Return whether there were enough of them, and nothing else."""
        if not self._refused or now - self._other <= REFUSALS_SECONDS:
            return False
        enough = sum(count for _, count in self._refused) >= OPEN_AFTER_REFUSALS
        return enough and now - self._refused[0][0] >= REFUSALS_SPREAD

    def forget(self) -> None:
        """Begin again: the circuit closed."""
        self._other = float("-inf")
        self._refused.clear()


class Circuit:
    """Whether a webhook is sent to. Open means: keep everything, probe now and then.

    Times are seconds of a monotonic clock. `strict` webhooks have one event in hand at a time,
    so their circuit waits neither for failures over three of them nor for many refused: after
    five attempts at the same one, the probes find out whether others pass.
    """

    def __init__(self) -> None:
        self.opened = False
        self.failed_probes = 0
        self.next_probe = 0.0
        self.probed_id = 0
        self._probes_of_event = 0
        self._failures = 0
        self._failed_events: set[int] = set()
        self._firsts = FirstAttempts()

    def restore(self, failed_probes: int, next_probe: float) -> None:
        """Open as it was when the process that ran before stopped."""
        self.opened = True
        self.failed_probes = failed_probes
        self.next_probe = next_probe

    def succeed(self, now: float, *, first: bool = False) -> bool:
        """Count a success, and return whether it closed the circuit.

        `first`: it was the first attempt at an event.
        """
        was_open = self.opened
        if was_open:
            self._firsts.forget()
        elif first:
            self._firsts.note(now, refused=False)
        self.opened = False
        self.failed_probes = 0
        self.probed_id = 0
        self._probes_of_event = 0
        self._failures = 0
        self._failed_events.clear()
        return was_open

    def fail(self, kind: Kind, delivery_id: int, now: float, *, first: bool, strict: bool) -> bool:
        """Count a failure while closed, and return whether the circuit should open now."""
        if self.opened:
            return False
        of_one_event = kind in (Kind.REFUSAL, Kind.ERROR)
        if first:
            self._firsts.note(now, refused=of_one_event)
        if of_one_event and not strict:
            return first and self._firsts.all_refused(now)
        self._failures += 1
        self._failed_events.add(delivery_id)
        events = 1 if strict else OPEN_AFTER_EVENTS
        return self._failures >= OPEN_AFTER_FAILURES and len(self._failed_events) >= events

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
