"""The body of an event in a webhook's format."""

from __future__ import annotations

import json
from typing import Any

from webhookproxy.events import contract
from webhookproxy.events.contract import Source
from webhookproxy.events.formats.call_summary import summarise
from webhookproxy.events.formats.definition import (
    CONTENT_TYPES,
    Encoding,
    Format,
    FormatKind,
    Less,
)
from webhookproxy.events.formats.form_encoding import write_form
from webhookproxy.events.formats.less import lessened
from webhookproxy.events.formats.mapping import mapped
from webhookproxy.events.formats.values import read_values, write_values

ALL = Less()
# The payload's key; in *nativo* it is the name of the event.
_PAYLOAD_KEYS = {FormatKind.STANDARD: "payload", FormatKind.SOCKET2WEBHOOK: "data"}


def render(wanted: Format, source: Source) -> tuple[bytes, str]:
    """Return the body and its Content-Type, always the same for the same arguments.

    Raises Unrenderable, and nothing else. Then nothing of the event may be sent.
    """
    if wanted.encoding is Encoding.FORM:
        body = write_form(_fields(wanted, source))
    elif wanted.kind.holds_payload:
        if wanted.less != ALL:
            kept = lessened(wanted.less, read_values(source.payload))
            source = source._replace(payload=write_values(kept).decode())
        body = _text(wanted.kind, source)
    else:
        body = write_values(_fields(wanted, source))
    return body, CONTENT_TYPES[wanted.encoding]


def _text(kind: FormatKind, source: Source) -> bytes:
    """Return the body as JSON. The payload's text goes in as it is, as in contract.body."""
    match kind:
        case FormatKind.STANDARD:
            return contract.body(source)
        case FormatKind.NATIVE:
            text = f"{{{contract.repeated_json(source.event)}:{source.payload}}}"
        case FormatKind.PAYLOAD:
            text = source.payload
        case _:
            text = (
                f'{{"event_type":{contract.repeated_json(source.event)},'
                f'"company_id":"company_{source.company_id}",'
                f'"timestamp":"{contract.timestamp(source.received_at_ms)}",'
                f'"data":{source.payload}}}'
            )
    # A lone surrogate can only be inside a string, where its backslash form is its JSON escape.
    return text.encode("utf-8", "backslashreplace")


def _fields(wanted: Format, source: Source) -> Any:
    """Return the fields of the body."""
    kind = wanted.kind
    if kind is FormatKind.MAPPED:
        return mapped(wanted, source)
    values = read_values(source.payload)
    if kind is FormatKind.CALL:
        return summarise(source, values)
    values = lessened(wanted.less, values)
    if kind is FormatKind.PAYLOAD:
        return values
    around: dict[str, Any] = json.loads(_text(kind, source._replace(payload="null")))
    around[_PAYLOAD_KEYS.get(kind, source.event)] = values
    return around
