"""A stream of numbered events, and the account of the received ones."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field

from flask import Flask

from tests.support.application import make_company, make_webhook, rows, wait_until
from tests.support.receiver import Receiver
from tests.support.simulator_process import SimulatorProcess

# The tolerance between the emit's answer here and the rows' times.
SLACK_MS = 500
_MARKER = "COALESCE(note, '') IN ('too_large', 'unreadable')"


@dataclass
class Stream:
    """One company's events, in order of their stamp `seq`, to one webhook in strict order."""

    app: Flask
    simulator: SimulatorProcess
    receiver: Receiver
    token: str = field(default_factory=lambda: f"canary-{secrets.token_hex(16)}")
    # The wall time in milliseconds at which each number left, while a socket was open.
    sent: dict[int, float] = field(default_factory=dict)

    def begin(self) -> None:
        """Create the company, wished connected, and its webhook."""
        company = make_company(self.app, self.simulator.url, self.token, connected=True)
        make_webhook(self.app, company, self.receiver.url(), parallelism=1)

    def emit(self, count: int, size: int = 0) -> None:
        """Emit `count` events, each with extra characters."""
        for _ in range(count):
            number = len(self.sent) + 1
            # Each is its own call: webhooks without strict order send them side by side.
            call = {"telephony_id": f"call-{number}"}
            payload = {"seq": number, "call": call, "ballast": "x" * size}
            answer = self.simulator.control("emit", token=self.token, event="x", args=[payload])
            if answer["sockets"]:
                self.sent[number] = time.time() * 1000

    def stored(self) -> list[int]:
        """Return the stamps in the database, in order of arrival."""
        query = f"SELECT payload FROM events WHERE NOT ({_MARKER}) ORDER BY id"
        found = rows(self.app, query)
        return [json.loads(row.payload)["seq"] for row in found]

    def received(self) -> list[int]:
        """Return the stamps at the receiver, in order of arrival."""
        return [json.loads(each.body)["payload"]["seq"] for each in self.receiver.requests]

    def wait_for_all(self, seconds: float = 60.0) -> None:
        """Wait until every stored event has arrived."""
        wait_until(lambda: len(set(self.received())) >= len(self.sent), seconds, "all has arrived")

    def markers(self) -> int:
        """Return how many events are in the database without what came."""
        return int(rows(self.app, f"SELECT COUNT(*) FROM events WHERE {_MARKER}")[0][0])

    def check(self, doubled: int = 0) -> None:
        """Check that nothing is lost, the order is kept, and at most `doubled` came twice."""
        assert self.stored() == sorted(self.sent)
        received = self.received()
        assert list(dict.fromkeys(received)) == sorted(self.sent)
        assert len(received) - len(set(received)) <= doubled

    def check_but_for_gaps(self, doubled: int = 0) -> list[int]:
        """Check the same, except for events of a recorded gap; return the missing stamps."""
        stored, received = self.stored(), self.received()
        gaps = [(row.started_at, row.ended_at) for row in rows(self.app, "SELECT * FROM gaps")]
        missing = sorted(set(self.sent) - set(stored))
        untold = [n for n in missing if not any(_within(self.sent[n], gap) for gap in gaps)]
        # An event that could not be read for want of memory is stored as a marker.
        assert len(untold) <= self.markers(), (
            f"no gap of {gaps} has {[(number, self.sent[number]) for number in untold]}"
        )
        assert stored == sorted(set(stored))
        assert list(dict.fromkeys(received)) == stored
        assert len(received) - len(set(received)) <= doubled
        return missing


def _within(at: float, gap: tuple[int, int | None]) -> bool:
    started, ended = gap
    return started - SLACK_MS <= at <= (at if ended is None else ended + SLACK_MS)
