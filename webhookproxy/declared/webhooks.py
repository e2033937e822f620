"""A webhook as declared data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from webhookproxy.declared.formats import (
    FILTERS,
    FORMAT,
    declared_filters,
    declared_format,
    given_filters,
    given_format,
)
from webhookproxy.declared.groups import ListOf, OrNull, Record
from webhookproxy.declared.shapes import Number, Text, Whole
from webhookproxy.rules.webhooks import WebhookInput, WebhookState

# Their values go in and never come out.
SECRETS = ("authorization", "secret")
WEBHOOK = Record(
    {
        "name": Text("As the pages show it."),
        "url": Text("Where each POST goes."),
        "events": OrNull(
            ListOf(Text(), "The events that are sent; null: all, also future ones (default).")
        ),
        "filters": FILTERS,
        "format": FORMAT,
        "authorization": OrNull(Text("The header Authorization; null: none.")),
        "secret": OrNull(Text("Signs every POST; null: none.")),
        "state": Text(
            "active sends, paused keeps, simulated does everything but the POST.",
            tuple(WebhookState),
        ),
        "parallelism": Whole("POSTs at the same time, 1 to 64; 1: strict order (8)."),
        "timeout": Number("Seconds for a whole POST, 1 to 60 (15)."),
        "rate_limit": OrNull(Number("POSTs a second, at most; null: no limit (default).")),
        "max_age": Number("Hours in which an event is tried, 1 to 168 (72)."),
    },
)
_READ: Mapping[str, Callable[[Any], Any]] = {
    "events": lambda read: None if read is None else tuple(read),
    "filters": given_filters,
    "format": given_format,
    "state": WebhookState,
}


def given_webhook(read: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that WEBHOOK has read, by the names of WebhookInput."""
    return {name: _READ[name](value) if name in _READ else value for name, value in read.items()}


def declared_webhook(stored: WebhookInput) -> dict[str, Any]:
    """Return a webhook as WEBHOOK reads it: what differs from the default, and no secret."""
    default = WebhookInput(stored.name, stored.url)
    values = {
        "events": None if stored.events is None else list(stored.events),
        "filters": declared_filters(stored.filters),
        "format": declared_format(stored.format),
        "state": stored.state.value,
        "parallelism": stored.parallelism,
        "timeout": plain_number(stored.timeout),
        "rate_limit": None if stored.rate_limit is None else plain_number(stored.rate_limit),
        "max_age": plain_number(stored.max_age),
    }
    changed = {
        name: value
        for name, value in values.items()
        if getattr(stored, name) != getattr(default, name)
    }
    return {"name": stored.name, "url": stored.url} | changed


def plain_number(value: float) -> float:
    """Return a whole number without its ".0"."""
    return int(value) if value == int(value) else value
