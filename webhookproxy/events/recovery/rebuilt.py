"""The event of a call, made from its row in `GET /calls`, in the shape that the socket sends.

What the row has under another name or in another form is put where the socket has it; every other
column stays under its own name. What the row does not have is left out.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import orjson

from webhookproxy.events.formats.moments import ZONE as BRASILIA
from webhookproxy.events.recovery.histories import HISTORY, Row, id_of

_CLOCK = re.compile(r"(-?)([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
# An address that carries a token in its query.
_TOKEN = re.compile(r"[?&][a-z_]*token=", re.IGNORECASE)
_NONE = "-"

# A column that became a part of something else.
_TAKEN = frozenset(
    {
        *("id", "_id", "phone", "call_date", "status_id", "behavior"),
        *("agent", "agent_id", "campaign", "campaign_id", "qualification", "qualification_id"),
    }
)
_FLAGS = frozenset({"recorded", "ended_by_agent"})


def packet_of(row: Row) -> str:
    """Return the event as the text of a packet: its name and its payload."""
    return orjson.dumps([HISTORY, payload_of(row)]).decode("utf-8")


def payload_of(row: Row) -> dict[str, Any]:
    """Return the payload of `call-history-was-created` for a call."""
    record: dict[str, Any] = {
        "number": row.get("number") or row.get("phone"),
        "campaign": _named(row, "campaign"),
        "agent": _agent(row),
        "qualification": _qualification(row),
        "status": _number(row.get("status_id", row.get("status"))),
        "call_date": _call_date(row),
    }
    for name, value in row.items():
        if name not in _TAKEN and name not in record:
            record[name] = _converted(name, value)
    return {"callHistory": {**record, "_id": id_of(row)}}


def order_key_of(row: Row) -> str:
    """Return the ordering key of a call whose other events are not known here."""
    telephony_id = row.get("telephony_id")
    if isinstance(telephony_id, str) and 0 < len(telephony_id) <= 100:
        return f"call:{telephony_id}"
    return f"call:{id_of(row)}"


def _named(row: Row, name: str) -> Any:
    """Return a thing with its id and name; what is whole already stays as it is."""
    value = row.get(name)
    if isinstance(value, dict):
        return value
    if value is None and f"{name}_id" not in row:
        return None
    return {"id": _number(row.get(f"{name}_id")), "name": _text(value)}


def _agent(row: Row) -> Any:
    agent = _named(row, "agent")
    if isinstance(agent, dict) and agent.get("id") is None:
        # So the socket writes a call that no agent took.
        return {**agent, "id": 0}
    return agent


def _qualification(row: Row) -> Any:
    qualification = _named(row, "qualification")
    if isinstance(qualification, dict) and "behavior" in row:
        return {**qualification, "behavior": _number(row["behavior"])}
    return qualification


def _converted(name: str, value: Any) -> Any:
    if name.endswith("_time"):
        return seconds(value)
    if name == "hangup_cause":
        return _number(value)
    if name in _FLAGS:
        return _flag(value)
    if isinstance(value, str) and (query := _TOKEN.search(value)):
        # A token of the whole organisation must not reach a receiver.
        return value[: query.start()]
    return value


def seconds(value: Any) -> Any:
    """Return a duration in seconds: `00:01:05` and `65` are 65. Anything else stays."""
    if isinstance(value, str) and (match := _CLOCK.fullmatch(value)):
        sign, *parts = match.groups()
        hours, minutes, rest = map(int, parts)
        return (hours * 3600 + minutes * 60 + rest) * (-1 if sign else 1)
    return _number(value)


def _number(value: Any) -> Any:
    """Return a number that came as a text as a number; `-` is none, anything else stays."""
    if isinstance(value, str):
        return int(value) if _NUMBER.fullmatch(value) else _text(value)
    return value


def _text(value: Any) -> Any:
    return None if value in (_NONE, "") else value


def _flag(value: Any) -> Any:
    if isinstance(value, str | int):
        return {"1": True, "true": True, "0": False, "false": False}.get(str(value).lower(), value)
    return value


def _call_date(row: Row) -> Any:
    """Return the moment of the call as the socket writes it, in UTC."""
    for name, zone in (("call_date_rfc3339", UTC), ("call_date", BRASILIA)):
        try:
            moment = datetime.fromisoformat(row[name])
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return row.get("call_date")
