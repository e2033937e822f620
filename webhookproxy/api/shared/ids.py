"""Ids and times as JSON has them: a text with its kind, such as `company_12`, never a number."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from webhookproxy.events.contract import timestamp
from webhookproxy.models.types import to_ms

# Eighteen digits fit every database's integer.
_NUMBER = "[1-9][0-9]{0,17}"


def _read(kind: str, given: Any, info: ValidationInfo) -> Any:
    """Return the number of an id that a request has; a number of our own is that already."""
    if isinstance(given, int) and info.mode == "python":
        return given
    found = re.fullmatch(f"{kind}_({_NUMBER})", given, re.ASCII) if isinstance(given, str) else None
    if found is None:
        raise ValueError(f"id:{kind}")
    return int(found[1])


def _write(kind: str, number: int) -> str:
    return f"{kind}_{number}"


def _schema(kind: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{kind}_{_NUMBER}$"})


CompanyId = Annotated[
    int,
    BeforeValidator(partial(_read, "company")),
    PlainSerializer(partial(_write, "company"), return_type=str),
    _schema("company"),
]
WebhookId = Annotated[
    int,
    BeforeValidator(partial(_read, "webhook")),
    PlainSerializer(partial(_write, "webhook"), return_type=str),
    _schema("webhook"),
]
DeliveryId = Annotated[
    int,
    BeforeValidator(partial(_read, "delivery")),
    PlainSerializer(partial(_write, "delivery"), return_type=str),
    _schema("delivery"),
]
ResendId = Annotated[
    int,
    BeforeValidator(partial(_read, "resend")),
    PlainSerializer(partial(_write, "resend"), return_type=str),
    _schema("resend"),
]
EventId = Annotated[str, Field(pattern="^evt_[A-Za-z0-9]{1,36}$")]


def _rfc3339(at: datetime) -> str:
    return timestamp(to_ms(at.astimezone(UTC)))


# A time: RFC 3339, UTC, milliseconds.
Time = Annotated[
    datetime,
    PlainSerializer(_rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
