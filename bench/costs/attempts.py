"""`python -m bench.costs.attempts`: what own headers and a rule of success cost an attempt.

An attempt is everything of it but the network: the request's headers and bytes, and what its
answer means. A webhook with neither is measured twice: the difference is what the machine adds.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from requests import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from bench.rows import Row, conclude
from webhookproxy.delivery.sending.sender import Sender
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.models.deliveries.tables import Due, Facts
from webhookproxy.models.webhooks import Webhook
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http.message import message_of, route_of
from webhookproxy.rules.success import stored_success_rule

REPEATS, ROUNDS = 1_000, 15
URL = "https://crm.example.com/hook"
POLICY = Policy(allow_private=False, allow_http=False)
PAYLOAD = '{"call": {"id": 1, "phone": "5541900000001", "status": "7"}, "agent": {"id": 12}}'
DUE = Due(1, 1, "k", 0, 0, 1, None, None, Facts("evt_1", 1, "x", PAYLOAD, "s", "…", 1))
OWN = "\n".join(f"X-Own-{number}: value-{number}-of-a-header" for number in range(10))
IS_OK = stored_success_rule(Condition("ok", Operator.EQUAL, "true"))


class _Answering:
    """The client of a receiver that answers at once."""

    def __init__(self) -> None:
        self._route = route_of("POST", URL, POLICY)

    def send(self, request: PreparedRequest, timeout: float) -> Response:  # noqa: ARG002
        """Write the request's bytes, and answer."""
        message_of(self._route, request)
        response = Response()
        response.status_code = 200
        response.headers = CaseInsensitiveDict({"Content-Type": "application/json"})
        response.url, response._content = URL, b'{"ok":true}'
        return response


def attempts() -> list[Row]:
    """Measure an attempt of each kind of webhook."""
    kinds: dict[str, dict[str, Any]] = {
        "neither": {},
        "neither, again": {},
        "ten headers": {"headers": OWN},
        "a rule of success": {"success_rule": IS_OK},
    }
    senders = {name: _sender(fields) for name, fields in kinds.items()}
    # In turn, so that all kinds see the same machine. Other programs can only add time.
    rounds = [{name: _cost(each) for name, each in senders.items()} for _ in range(ROUNDS)]
    return [
        Row(f"µs of an attempt, {name}", f"{min(found[name] for found in rounds):.1f}")
        for name in kinds
    ]


def _sender(fields: dict[str, Any]) -> Sender:
    given = {"id": 1, "url": URL, "timeout": 5.0, "parallelism": 1, "secret": "s" * 32}
    sender = Sender(Webhook(**given, **fields), POLICY, Resolver(), time.time)
    sender._client = _Answering()  # type: ignore[assignment]
    return sender


def _cost(sender: Sender) -> float:
    began = time.process_time()
    for _ in range(REPEATS):
        sender.send(DUE)
    return (time.process_time() - began) / REPEATS * 1e6


if __name__ == "__main__":
    sys.exit(conclude(attempts()))
