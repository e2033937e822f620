"""A webhook as declared data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from webhookproxy.declared.formats import (
    FILTERS,
    FORMAT,
    declared_filters,
    declared_format,
    given_filters,
    given_format,
)
from webhookproxy.declared.groups import ListOf, MapOf, OrNull, Record
from webhookproxy.declared.shapes import Flag, Number, Text, Whole
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.rules import Refused
from webhookproxy.rules.success import OF_FIELD, OF_TEXT
from webhookproxy.rules.webhooks import WebhookInput, WebhookState

_ASKED = (*OF_FIELD, *OF_TEXT)
_SUCCESS = OrNull(
    Record(
        {
            "operator": Text("On a field: igual, existe; on the text: contem, nao_contem.", _ASKED),
            "path": Text("The field of a JSON answer, like result.id."),
            "value": Text("What it is compared with; existe needs none."),
        },
        required=("operator",),
        about="What an answer with a 2xx must say to count as success; null: nothing (default).",
    )
)
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
        "headers": OrNull(MapOf(Text(), "Own headers: the value of each by its name.")),
        "success_rule": _SUCCESS,
        "state": Text(
            "active sends, paused keeps, simulated does everything but the POST.",
            tuple(WebhookState),
        ),
        "parallelism": Whole("POSTs at the same time, 1 to 64; 1: strict order (8)."),
        "timeout": Number("Seconds for a whole POST, 1 to 60 (15)."),
        "rate_limit": OrNull(Number("POSTs a second, at most; null: no limit (default).")),
        "max_age": Number("Hours in which an event is tried, 1 to 168 (72)."),
        "takes_recovered": Flag("Send recovered calls too (true)."),
    },
)
# Where the rules speak of a field by another name.
_PLACES = {
    "success": "success_rule/operator",
    "success_path": "success_rule/path",
    "success_text": "success_rule/value",
}


def in_places(refused: Refused) -> Refused:
    """Return the problems of a webhook's rules by the places of declared data."""
    return Refused(
        [replace(each, field=_PLACES.get(each.field, each.field)) for each in refused.problems]
    )


def _given_rule(read: Mapping[str, str] | None) -> Condition | None:
    if read is None:
        return None
    return Condition(read.get("path", ""), Operator(read["operator"]), read.get("value", ""))


_READ: Mapping[str, Callable[[Any], Any]] = {
    "events": lambda read: None if read is None else tuple(read),
    "filters": given_filters,
    "format": given_format,
    "headers": lambda read: tuple((read or {}).items()),
    "success_rule": _given_rule,
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
        "success_rule": _declared_rule(stored.success_rule),
        "state": stored.state.value,
        "parallelism": stored.parallelism,
        "timeout": plain_number(stored.timeout),
        "rate_limit": None if stored.rate_limit is None else plain_number(stored.rate_limit),
        "max_age": plain_number(stored.max_age),
        "takes_recovered": stored.takes_recovered,
    }
    changed = {
        name: value
        for name, value in values.items()
        if getattr(stored, name) != getattr(default, name)
    }
    return {"name": stored.name, "url": stored.url} | changed


def _declared_rule(stored: Condition | None) -> dict[str, str] | None:
    if stored is None:
        return None
    texts = {"path": stored.path, "value": stored.value}
    return {"operator": stored.operator.value} | {k: text for k, text in texts.items() if text}


def plain_number(value: float) -> float:
    """Return a whole number without its ".0"."""
    return int(value) if value == int(value) else value
