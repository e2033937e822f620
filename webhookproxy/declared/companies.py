"""A company as declared data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from webhookproxy.declared.groups import OrNull, Record
from webhookproxy.declared.shapes import Flag, Text, Whole
from webhookproxy.rules.companies import (
    DEFAULT_TIMEZONE,
    CompanyInput,
    check_retention,
    read_expiry,
)

# Their values go in and never come out.
SECRETS = ("token", "rest_token")
COMPANY = Record(
    {
        "name": Text("As the pages show it."),
        "token": Text("API token of a manager of the company."),
        "token_expires": OrNull(Text("The day on which the token ends, like 2026-12-31.")),
        "socket_url": Text("The Socket.IO server (the setting SOCKET_URL)."),
        "agent_id": Text("Connect as this agent (none)."),
        "threec_id": Text("The company's number at 3C Plus."),
        "timezone": Text(f"For the times on the pages ({DEFAULT_TIMEZONE})."),
        "retention_days": OrNull(Whole("How long events are kept (the setting RETENTION_DAYS).")),
        "hide_credentials": Flag("Replace credentials in payloads (true)."),
        "recover_calls": Flag("Ask 3C Plus for the calls of gaps afterwards (true)."),
        "sweep_calls": Flag("Also ask every 30 minutes, for the last 3 hours (false)."),
        "rest_token": OrNull(Text("A second token, for REST only; null: that of the socket.")),
        "observe_second": Flag("Compare a second socket with the first; drop its events (false)."),
        "rest_url": Text("The REST of 3C Plus (https://app.3c.plus)."),
        "recording_links": Flag("Send a link to the recording of each call (false)."),
        "recording_days": Whole("For how many days such a link opens (30)."),
    },
)


def given_company(read: Mapping[str, Any], most_days: int) -> dict[str, Any]:
    """Return the fields that COMPANY has read, by the names of CompanyInput. Raises Refused.

    `most_days` is the setting RETENTION_DAYS.
    """
    given = dict(read)
    check_retention(given.get("retention_days"), most_days)
    if "token_expires" in given:
        given["token_expires_at"] = read_expiry(given.pop("token_expires") or "")
    return given


def declared_company(stored: CompanyInput) -> dict[str, Any]:
    """Return a company as COMPANY reads it: what differs from the default, and no token."""
    declared: dict[str, Any] = {"name": stored.name, "socket_url": stored.socket_url}
    expires = stored.token_expires_at
    if expires is not None:
        declared["token_expires"] = f"{expires.astimezone(ZoneInfo(DEFAULT_TIMEZONE)):%Y-%m-%d}"
    default = CompanyInput("", "", "")
    for name in (
        *("agent_id", "threec_id", "timezone", "retention_days", "hide_credentials"),
        *("recover_calls", "sweep_calls", "rest_url", "recording_links", "recording_days"),
        "observe_second",
    ):
        if getattr(stored, name) != getattr(default, name):
            declared[name] = getattr(stored, name)
    return declared
