"""Every operation of the API, with the ids of rows that exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Flask

from tests.web.conftest import Place
from tests.web.support.addresses import is_of_api

# What an operation needs, if that is anything.
_BODIES: dict[str, dict[str, Any]] = {
    "rotate_webhook_secret": {"secret": "canary-secret-of-a-walk"},
    "resend_some": {"ids": ["delivery_1"]},
}


def body_of(endpoint: str) -> dict[str, Any] | None:
    """Return a body that an operation takes; None if it needs none."""
    return _BODIES.get(endpoint.partition(".")[2])


def operations(app: Flask, place: Place, event: str = "evt_1") -> Iterator[tuple[str, str, str]]:
    """Yield the endpoint, the method and the path under /api/v1 of each operation."""
    values = {
        "company": f"company_{place.company}",
        "webhook": f"webhook_{place.webhook}",
        "delivery": "delivery_1",
        "resend": "resend_1",
        "event": event,
        "name": "call-was-connected",
    }
    with app.test_request_context():
        urls = app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            if not is_of_api(rule) or rule.endpoint == "api_description.show":
                continue
            path = urls.build(rule.endpoint, {name: values[name] for name in rule.arguments})
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                # Without it the answer would never end.
                path += "?seconds=0" * (rule.endpoint == "api_stream.follow_events")
                yield rule.endpoint, method, path.removeprefix("/api/v1")
