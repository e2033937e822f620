"""What a payload says about its call: telephone, agent, campaign, queue, outcome, duration.

PATHS is the one table of where 3C Plus puts them, in every shape of the catalogue: events of a call
(`call`), its history (`callHistory`), agents (`agent`, `user`, `spied`), chats and messages. Of the
paths to a fact the first that leads to a usable value counts. Everything that needs a fact of a
payload asks here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from webhookproxy.events.code_words import meaning
from webhookproxy.events.payload_paths import MISSING, Step, find, parse_path

# A longer text is no name, telephone or code.
TEXT_MAX = 120
SECONDS_MAX = 1_000_000
_CLOCK = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])")
# What 3C Plus writes for "none", and what stands where a credential was.
_NONE = ("-", "[oculto]")


class Fact(StrEnum):
    """A fact of a call."""

    TELEPHONE = "telephone"
    AGENT = "agent"
    AGENT_ID = "agent_id"
    CAMPAIGN = "campaign"
    CAMPAIGN_ID = "campaign_id"
    QUEUE = "queue"
    OUTCOME = "outcome"
    QUALIFICATION = "qualification"
    HANGUP = "hangup"
    MODE = "mode"
    DURATION = "duration"


PATHS: Mapping[Fact, tuple[str, ...]] = MappingProxyType(
    {
        Fact.TELEPHONE: (
            *("call.phone", "callHistory.number", "callHistory.phone"),
            *("callHistory.mailing_data.phone", "mailing.phone", "schedule.phone"),
            *("chat.number", "message.number", "data.chat.number", "data.message.number"),
        ),
        Fact.AGENT: (
            *("agent.name", "callHistory.agent.name", "callHistory.agent", "user.name"),
            *("spied.name", "chat.agent.name", "chatDetails.agent_name", "message.agent.name"),
            *("data.chat.agent.name", "data.message.agent.name"),
        ),
        Fact.AGENT_ID: (
            *("agent.id", "callHistory.agent.id", "callHistory.agent_id", "call.agent"),
            *("agent_id", "user.id", "spied.id", "chat.agent.id", "message.agent_id"),
            *("data.agent_id", "chat.protocol.agent_id"),
        ),
        Fact.CAMPAIGN: ("campaign.name", "callHistory.campaign.name", "callHistory.campaign"),
        Fact.CAMPAIGN_ID: (
            *("call.campaign_id", "callHistory.campaign.id", "callHistory.campaign_id"),
            *("campaign.id", "campaignId"),
        ),
        Fact.QUEUE: (
            *("callHistory.queue_name", "callHistory.queue.name", "call.queue_name"),
            *("call.queue.name", "queue.name", "consultedQueue.name"),
        ),
        # A call's status; for an event without a call, the agent's.
        Fact.OUTCOME: (
            *("callHistory.status", "callHistory.status_id", "call.status"),
            *("agentStatus", "agent.status", "agent.agent_status.status"),
        ),
        Fact.QUALIFICATION: (
            *("callHistory.qualification.name", "callHistory.qualification"),
            "chatDetails.qualification.name",
        ),
        Fact.HANGUP: ("callHistory.hangup_cause", "call.hangup_cause", "hangupCause.id"),
        Fact.MODE: ("callHistory.call_mode", "callHistory.mode", "call.call_mode"),
        # Seconds or HH:MM:SS. The time of talking; if no one answered, of calling.
        Fact.DURATION: (
            *("callHistory.speaking_time", "callHistory.speaking_with_agent_time"),
            *("callHistory.calling_time", "chatDetails.total_time"),
        ),
    }
)
# Without a duration of its own a call lasted from the first of these moments to its end.
BEGINS = ("call.connected_time", "call.answered_time", "call.dialed_time")
END = "call.hangup_time"

_STEPS: Mapping[str, tuple[Step, ...]] = {
    path: parse_path(path)
    for path in {path for paths in PATHS.values() for path in paths} | {*BEGINS, END}
}


@dataclass(frozen=True, slots=True)
class CallFacts:
    """The facts of one payload, or of several; what is not known is empty.

    `outcome`, `hangup` and `mode` are in words, a code without words as it came. `duration` is in
    seconds.
    """

    telephone: str = ""
    agent: str = ""
    agent_id: str = ""
    campaign: str = ""
    campaign_id: str = ""
    queue: str = ""
    outcome: str = ""
    qualification: str = ""
    hangup: str = ""
    mode: str = ""
    duration: int | None = None

    def updated(self, later: CallFacts) -> CallFacts:
        """Return these facts with what a later event of the same call knows better."""
        mine = {each.name: getattr(self, each.name) for each in fields(self)}
        new = {each.name: getattr(later, each.name) for each in fields(later)}
        return CallFacts(
            **{name: mine[name] if value in ("", None) else value for name, value in new.items()}
        )


NO_FACTS = CallFacts()


class Value(NamedTuple):
    """A fact of a payload as it came: where it stands, and its text."""

    fact: Fact
    path: str
    text: str


def facts_in(payload: str) -> CallFacts:
    """Return the facts of a payload's text; none if it is no JSON. Never raises."""
    try:
        return facts_of(orjson.loads(payload))
    except orjson.JSONDecodeError:
        return NO_FACTS


def facts_of(payload: Any) -> CallFacts:
    """Return the facts of a parsed payload."""
    return CallFacts(
        telephone=_first(payload, Fact.TELEPHONE, usable_text),
        agent=_first(payload, Fact.AGENT, _name),
        agent_id=_first(payload, Fact.AGENT_ID, usable_id),
        campaign=_first(payload, Fact.CAMPAIGN, _name),
        campaign_id=_first(payload, Fact.CAMPAIGN_ID, usable_id),
        queue=_first(payload, Fact.QUEUE, _name),
        outcome=_code(payload, Fact.OUTCOME),
        qualification=_first(payload, Fact.QUALIFICATION, _name),
        hangup=_code(payload, Fact.HANGUP),
        mode=_code(payload, Fact.MODE),
        duration=duration_of(payload),
    )


def values_in(payload: str) -> list[Value]:
    """Return the facts of a payload's text as they came, each at its first path with a value.

    A code is not put into words: a filter compares what came. None if it is no JSON.
    """
    try:
        parsed = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return []
    return [found for fact in PATHS if (found := _value(parsed, fact)) is not None]


def _value(payload: Any, fact: Fact) -> Value | None:
    for path in PATHS[fact]:
        if text := usable_text(find(payload, _STEPS[path])):
            return Value(fact, path, text)
    return None


def _first(payload: Any, fact: Fact, read: Callable[[Any], str]) -> str:
    for path in PATHS[fact]:
        text = read(find(payload, _STEPS[path]))
        if text:
            return text
    return ""


def _code(payload: Any, fact: Fact) -> str:
    for path in PATHS[fact]:
        value = find(payload, _STEPS[path])
        text = usable_text(value)
        if text:
            return meaning(path, value) or text
    return ""


def usable_text(value: Any) -> str:
    """Return a text or a whole number as text; "" for everything else."""
    if type(value) is int:
        return str(value) if abs(value) < 10**18 else ""
    if type(value) is not str or not 0 < len(value) <= TEXT_MAX:
        return ""
    plain = " ".join(value.split())
    return plain if plain.isprintable() and plain not in _NONE else ""


def _name(value: Any) -> str:
    return usable_text(value) if type(value) is str else ""


def usable_id(value: Any) -> str:
    """Return a number of 3C Plus as text; 0 means none."""
    text = usable_text(value)
    return "" if text == "0" else text


def duration_of(payload: Any) -> int | None:
    """Return a call's seconds of talking; if no one answered, of calling."""
    known: int | None = None
    for path in PATHS[Fact.DURATION]:
        seconds = usable_seconds(find(payload, _STEPS[path]))
        if seconds:
            return seconds
        known = seconds if known is None else known
    end = _moment(find(payload, _STEPS[END]))
    begins = (_moment(find(payload, _STEPS[path])) for path in BEGINS)
    begin = next((each for each in begins if each), None)
    if end and begin and 0 <= end - begin <= SECONDS_MAX:
        return end - begin
    return known


def usable_seconds(value: Any) -> int | None:
    """Return a number of seconds, or of "HH:MM:SS"; None for everything else."""
    if value is MISSING or isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if 0 <= value <= SECONDS_MAX else None
    text = usable_text(value)
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, seconds = map(int, clock.groups())
        return hours * 3600 + minutes * 60 + seconds
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None


def _moment(value: Any) -> int | None:
    """Return seconds since 1970."""
    text = usable_text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) == 10 else None
