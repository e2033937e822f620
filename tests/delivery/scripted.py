"""The sending half on a database of its own, where a test decides what every POST comes to."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest.mock import patch

import gevent
from gevent.event import AsyncResult

from tests.delivery.lanes_world import Sending, sending
from tests.support import application as world
from webhookproxy.delivery.lanes.services import LaneServices
from webhookproxy.delivery.outcomes import retry
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.delivery.sending.body import standard_body
from webhookproxy.delivery.sending.sender import Sender
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.models.webhooks import Webhook
from webhookproxy.reasons import DeliveryReason

KINDS = {
    Kind.SUCCESS: (200, DeliveryReason.ACCEPTED),
    Kind.REFUSAL: (404, DeliveryReason.REFUSED_STATUS),
    Kind.ERROR: (500, DeliveryReason.FAILED_STATUS),
    Kind.FAILURE: (503, DeliveryReason.FAILED_STATUS),
}


@dataclass
class Post:
    """A request that waits for its answer."""

    due: Due
    body: bytes
    answer: AsyncResult[Outcome] = field(default_factory=AsyncResult)

    def end(self, kind: Kind) -> None:
        """Answer it."""
        status, reason = KINDS[kind]
        self.answer.set(Outcome(kind, reason, self.due.facts.received_ms, 1, status=status))


class Script:
    """Every request of the lanes, in the order they left."""

    def __init__(self) -> None:
        self.posts: list[Post] = []

    @property
    def waiting(self) -> list[Post]:
        """Those that were not answered."""
        return [post for post in self.posts if not post.answer.ready()]

    def sender(self, services: LaneServices, webhook: Webhook) -> Sender:
        """What the lanes send with."""
        script = self

        class Scripted(Sender):
            def send(self, due: Due) -> Outcome:
                post = Post(due, standard_body(due))
                script.posts.append(post)
                outcome = post.answer.get()
                assert outcome is not None
                return outcome

        return Scripted(webhook, services.policy, services.resolver, services.clock)


@contextmanager
def scripted() -> Iterator[tuple[Sending, Script]]:
    """A sending half whose retries and probes are due at once."""
    script = Script()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path = folder / "queue.sqlite"
        path.write_bytes(_migrated())
        stack.enter_context(
            patch.multiple(
                retry,
                JITTER=0.0,
                EVENT_DELAYS=(0.001,),
                REFUSAL_DELAYS=(0.001,),
                PROBE_FIRST=0.001,
                PROBE_LAST=0.001,
            )
        )
        stack.enter_context(
            patch.object(LaneServices, "sender", lambda own, webhook: script.sender(own, webhook))
        )
        app = stack.enter_context(world.application(f"sqlite:///{path}", folder))
        yield stack.enter_context(sending(app)), script


def quiet(half: Sending, script: Script) -> None:
    """Wait until nothing happens any more but for requests that wait for their answer."""
    calm = 0
    seen: tuple[int, int] = (-1, -1)
    for _ in range(2_000):
        assert half.lanes.results.drain(20)
        gevent.sleep(0.002)
        now = (len(script.posts), len(script.waiting))
        calm = calm + 1 if now == seen and not _alarmed(half) else 0
        seen = now
        if calm == 3:
            return
    raise AssertionError("the lanes do not come to rest")


def _alarmed(half: Sending) -> bool:
    """Whether a lane will look for work within a moment: every schedule is one of milliseconds."""
    alarms = [lane._alarm for lane in half.lanes._lanes.values()]
    soon = time.monotonic() + 0.5
    return any(alarm._timer is not None and alarm._at < soon for alarm in alarms)


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite"
        world.migrate(f"sqlite:///{path}")
        return path.read_bytes()
