"""The queue against its promises: real lanes, journal and database, and a receiver by script."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.delivery.scripted import Post, quiet, scripted
from tests.support.application import rows
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.rules.webhooks import WebhookState

MAX_AGE_HOURS = 2.0
ENDED = ("delivered", "refused", "expired", "cancelled")


class QueueMachine(RuleBasedStateMachine):
    """Stores, answers, crashes, expires, pauses, edits and takes over."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.half, self.script = self.stack.enter_context(scripted())
        self.webhook = 0
        self.parallelism = 1
        self.stored = 0
        self.looked_at = 0
        self.bodies: dict[int, bytes] = {}
        self.accepted: Counter[int] = Counter()
        # Accepted, and lost with the process before it was written: these may come again.
        self.unknown: set[int] = set()
        self.order: dict[str, list[int]] = {}
        self.ended: dict[int, Any] = {}
        self.paused = False
        # The highest number that became too old.
        self.aged = 0
        self.rows: list[Any] = []

    @initialize(
        parallelism=st.sampled_from([1, 2, 4]), keys=st.text("abc", min_size=6, max_size=20)
    )
    def begin(self, parallelism: int, keys: str) -> None:
        self.parallelism = parallelism
        self.webhook = self.half.webhook(
            "http://127.0.0.1:4001/", parallelism=parallelism, max_age=MAX_AGE_HOURS
        )
        self._store(keys)

    @rule(keys=st.text("abc", min_size=1, max_size=8))
    def store(self, keys: str) -> None:
        self._store(keys)

    @rule(picks=st.lists(st.integers(0, 7), min_size=1, max_size=6))
    def accept(self, picks: list[int]) -> None:
        for pick in picks:
            self._answer_one(pick, Kind.SUCCESS)

    @rule(picks=st.lists(st.integers(0, 7), min_size=1, max_size=6))
    def fail(self, picks: list[int]) -> None:
        for pick in picks:
            self._answer_one(pick, Kind.FAILURE)

    @rule(pick=st.integers(0, 7), kind=st.sampled_from([Kind.REFUSAL, Kind.ERROR]))
    def refuse(self, pick: int, kind: Kind) -> None:
        self._answer_one(pick, kind)

    @rule(pick=st.integers(0, 7), answered=st.booleans())
    def crash(self, pick: int, answered: bool) -> None:
        waiting = self.script.waiting
        if answered and waiting:
            # Accepted in the moment of the crash, so it was not written.
            post = waiting[pick % len(waiting)]
            self.accepted[post.due.id] += 1
            self.unknown.add(post.due.id)
        self.half.crash()
        for post in waiting:
            post.answer.set_exception(RuntimeError("the process died"))
        self._rest()

    @rule()
    def take_over(self) -> None:
        """Stop in order, as by SIGTERM, and have the next owner begin."""
        self._stop()
        self._start()

    @rule()
    def expire(self) -> None:
        """Let so much time pass, while no process runs, that whatever waits is too old."""
        self._stop()
        self.aged = max(row.id for row in rows(self.half.app, "SELECT id FROM deliveries"))
        passed = round((MAX_AGE_HOURS + 1) * 3_600_000)
        self.half.execute(
            f"UPDATE deliveries SET born_ms = born_ms - {passed} WHERE ended_ms IS NULL"
        )
        self._start()

    @rule()
    def edit(self) -> None:
        self.half.edit(self.webhook, timeout=5.0)
        self._rest()

    @rule(keys=st.text("abc", min_size=1, max_size=4))
    def pause_for_a_while(self, keys: str) -> None:
        """Pause, have more come in, and resume."""
        self.half.switch(self.webhook, WebhookState.PAUSED)
        self._rest()
        self.paused = True
        self._store(keys)
        self.paused = False
        self.half.switch(self.webhook, WebhookState.ACTIVE)
        self._rest()

    @invariant()
    def no_more_are_under_way_than_may_be(self) -> None:
        # A save lets requests to the old address end while new ones begin.
        keys = Counter(post.due.order_key for post in self.script.waiting)
        assert all(count == 1 for count in keys.values()), keys
        assert len(self.script.waiting) <= self.parallelism

    def teardown(self) -> None:
        """In the end everything that was stored has ended, with a reason, and is counted."""
        try:
            self._finish()
        finally:
            self.stack.close()

    def _finish(self) -> None:
        self._rest()
        # On a busy machine the lanes seem to rest before they do.
        until = time.monotonic() + 60
        while any(row.ended_ms is None for row in self.rows) and time.monotonic() < until:
            for post in self.script.waiting:
                self._answer(post, Kind.SUCCESS)
            self._rest()
        found = rows(self.half.app, "SELECT id, state, reason FROM deliveries ORDER BY id")
        assert len(found) == self.stored
        assert all(row.state in ENDED and row.reason for row in found), found
        assert all(self.accepted[row.id] for row in found if row.state == "delivered")
        self.half.check_totals(self.webhook)

    def _stop(self) -> None:
        for post in self.script.waiting:
            self._answer(post, Kind.SUCCESS)
        self.half.end()

    def _start(self) -> None:
        self.half.build()
        self.half.begin()
        while self.half.housekeeping.step():
            pass
        self._rest()

    def _store(self, keys: str) -> None:
        for key in keys:
            self.half.arrive(1, key=key)
        self.stored += len(keys)
        self._rest()

    def _answer_one(self, pick: int, kind: Kind) -> None:
        # Which are under way may differ from run to run: no rule's precondition asks for it.
        if waiting := self.script.waiting:
            self._answer(waiting[pick % len(waiting)], kind)
        self._rest()

    def _answer(self, post: Post, kind: Kind) -> None:
        self.accepted[post.due.id] += kind is Kind.SUCCESS
        post.end(kind)

    def _rest(self) -> None:
        quiet(self.half, self.script)
        query = "SELECT id, order_key, ended_ms FROM deliveries ORDER BY id"
        self.rows = list(rows(self.half.app, query))
        for post in self.script.posts[self.looked_at :]:
            self._check(post)
        self.looked_at = len(self.script.posts)
        self._check_ended()

    def _check(self, post: Post) -> None:
        """One more request left: may it?"""
        due = post.due
        assert not self.paused, "a paused webhook was sent to"
        assert due.id not in self.ended, "it had ended"
        assert not self.accepted[due.id] or due.id in self.unknown, "accepted before"
        earlier = [
            row.id
            for row in self.rows
            if row.order_key == due.order_key and row.id < due.id and row.ended_ms is None
        ]
        # In strict order a probe may overtake: that is what lets a poison end.
        assert self.parallelism == 1 or not set(earlier) - set(+self.accepted), "one waits"
        assert self.bodies.setdefault(due.id, post.body) == post.body, "other bytes"
        seen = self.order.setdefault(due.order_key, [])
        if due.id not in seen:
            assert not seen or due.id > seen[-1], "an earlier one of its key came later"
            seen.append(due.id)

    def _check_ended(self) -> None:
        query = "SELECT id, state, reason FROM deliveries WHERE ended_ms IS NOT NULL"
        now = {row.id: (row.state, row.reason) for row in rows(self.half.app, query)}
        assert self.ended.items() <= now.items(), "what ended changed"
        expired = [number for number, (state, _) in now.items() if state == "expired"]
        assert all(number <= self.aged for number in expired), "expired too early"
        self.ended = now


QUIET_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": [HealthCheck.too_slow],
}
TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=5, stateful_step_count=10, **QUIET_SETTINGS)


# Thousands of steps, each of which waits until the lanes rest, pass the usual limit of a test.
@pytest.mark.timeout(900)
@pytest.mark.slow
class TestQueueMachineAtLength(QueueMachine.TestCase):  # type: ignore[misc, valid-type]  # made
    settings = settings(max_examples=40, stateful_step_count=40, **QUIET_SETTINGS)
