"""A sender to any URL, and a delivery to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.delivery.waiting.window_rows import NOW_MS
from webhookproxy.delivery.sending.body import RecordingKey
from webhookproxy.delivery.sending.sender import Sender
from webhookproxy.models.deliveries.tables import Due, Facts
from webhookproxy.models.webhooks import Webhook
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy

PAYLOAD = '{"b": 1.10, "a": "\\u00e9 é", "n": 12345678901234567890123456789}'
FACTS = Facts("evt_7", 3, "call-was-created", PAYLOAD, "sid-1", "abcd…wxyz", NOW_MS)
DUE = Due(1, 9, "k", 2, 4, NOW_MS, None, None, FACTS)

MakeSender = Callable[..., Sender]


@pytest.fixture
def make() -> Iterator[MakeSender]:
    made: list[Sender] = []

    def make(url: str, recording_key: RecordingKey | None = None, **fields: object) -> Sender:
        given = {"id": 9, "timeout": 5.0, "parallelism": 8, "url": url, **fields}
        policy = Policy(allow_private=True, allow_http=False)
        webhook, now = Webhook(**given), NOW_MS / 1000
        made.append(Sender(webhook, policy, Resolver(), lambda: now, recording_key=recording_key))
        return made[-1]

    yield make
    for sender in made:
        sender.close()
