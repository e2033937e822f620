"""What this process sent since it started: how many attempts, with what result, how quickly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from webhookproxy.counts import Durations
from webhookproxy.delivery.outcomes.ledger import Result
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.reasons import DeliveryState


def total(tallies: Sequence[Tally]) -> Tally:
    """Return the sum of several; of one, that one."""
    if len(tallies) == 1:
        return tallies[0]
    found = Tally()
    for each in tallies:
        for kind, count in each.attempts.items():
            found.attempts[kind] += count
        found.answered.add_all(each.answered)
        found.delivered.add_all(each.delivered)
    return found


class Tally:
    """Counts results that were committed.

    `attempts` has the POSTs by what their answers mean, `answered` how long each took, `delivered`
    the times from the arrival of an event to its acceptance.
    """

    def __init__(self) -> None:
        self.attempts = dict.fromkeys(Kind, 0)
        self.answered = Durations()
        self.delivered = Durations()

    def add(self, group: Iterable[Result]) -> None:
        """Count a group of results."""
        for result in group:
            for post in () if result.outcome is None else result.outcome.posts:
                self.attempts[post.kind] += 1
                self.answered.add(post.duration_ms)
            if result.verdict.state is DeliveryState.DELIVERED:
                # The clock may have been set back meanwhile.
                took = result.now_ms - result.due.facts.received_ms
                self.delivered.add(took if took > 0 else 0)
