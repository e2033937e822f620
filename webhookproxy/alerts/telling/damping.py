"""When a person is told of what, what goes together, and what waits.

Functions of times in seconds: no clock and no database. A person is told of a change at once, but
what is alike goes together, what changes too often comes in a digest, and a person gets at most
MESSAGES_MAX messages in an hour.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from webhookproxy.models.alerts.messages import MessageKind, Part

HOUR = 3_600.0
# A change waits this long for others that are alike.
GATHER = 20.0
# A person gets no more messages in an hour than this, digests included; from the smaller number on
# everything goes into digests.
MESSAGES_MAX = 12
SINGLE_MAX = 8
DIGEST_EVERY = 900.0
# More groups than this at the same time are one digest.
GROUPS_MAX = 3
# After this number of changes of one state in an hour the next ones come in digests, with this time
# between two of them.
CHANGES_MAX = 3
CHANGING_EVERY = 1_800.0


@dataclass(frozen=True, slots=True)
class Change:
    """Something to tell of an alert. `subject` is the state that changed, `group` what is alike.

    `at` is when it was to be told. An urgent change waits neither for others nor for the morning.
    """

    subject: Hashable
    alert: int
    part: Part
    group: Hashable
    at: float
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What a person was told: when messages were made, digests among them, and when of which state.

    Only the last hour counts.
    """

    sent: Sequence[float] = ()
    digests: Sequence[float] = ()
    told: Mapping[Hashable, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planned:
    """A message to make now. `changing` says how often a state changed in an hour, if too often."""

    kind: MessageKind
    changes: tuple[Change, ...]
    changing: Mapping[Hashable, int] = field(default_factory=dict)


_KINDS = {
    Part.OPENED: MessageKind.OPENED,
    Part.CLOSED: MessageKind.CLOSED,
    Part.REMINDED: MessageKind.REMINDER,
}


def plan(now: float, changes: Sequence[Change], past: Past, *, quiet: bool) -> list[Planned]:
    """Return the messages to make now; what is in none of them waits.

    The caller gives the closing of an alert only if its opening was told or is among the changes.
    """
    due = [each for each in changes if each.urgent or not quiet]
    sent = sum(now - HOUR < each <= now for each in past.sent)
    planned = [_single(group) for group in _groups(each for each in due if each.urgent)]
    planned = planned[: max(0, MESSAGES_MAX - sent)]
    sent += len(planned)
    calm, lively, changing = _split(now, [each for each in due if not each.urgent], past)
    groups = [each for each in _groups(calm) if _is_ready(now, each)]
    is_much = sent + len(groups) > SINGLE_MAX
    if not is_much and len(groups) <= GROUPS_MAX:
        planned += [_single(group, changing) for group in groups]
        sent += len(groups)
        groups = []
    rest = [*(each for group in groups for each in group), *lively]
    waits = is_much and any(now - each < DIGEST_EVERY for each in past.digests)
    # The last message of an hour is kept for what is urgent.
    if rest and not waits and sent < MESSAGES_MAX - 1:
        planned.append(Planned(MessageKind.DIGEST, tuple(rest), changing))
    return planned


def _split(
    now: float, changes: Sequence[Change], past: Past
) -> tuple[list[Change], list[Change], dict[Hashable, int]]:
    """Return the changes to tell as they come, those for a digest, and what changes too often."""
    counts = Counter(each.subject for each in changes if each.part is not Part.REMINDED)
    calm: list[Change] = []
    lively: list[Change] = []
    changing: dict[Hashable, int] = {}
    for change in changes:
        told = [each for each in past.told.get(change.subject, ()) if now - each < HOUR]
        many = len(told) + counts[change.subject]
        if many >= CHANGES_MAX:
            changing[change.subject] = many
        if len(told) < CHANGES_MAX:
            calm.append(change)
        elif now - max(told) >= CHANGING_EVERY:
            lively.append(change)
    return calm, lively, changing


def _groups(changes: Iterable[Change]) -> list[list[Change]]:
    """Return what goes together, the oldest group first."""
    parts: dict[int, set[Part]] = defaultdict(set)
    found: dict[Hashable, list[Change]] = defaultdict(list)
    listed = sorted(changes, key=lambda each: each.at)
    for change in listed:
        parts[change.alert].add(change.part)
    for change in listed:
        # What is over before it was told of is told of once.
        is_over = parts[change.alert] >= {Part.OPENED, Part.CLOSED}
        key = (is_over, change.group) if is_over else (is_over, change.group, change.part)
        found[key].append(change)
    return list(found.values())


def _is_ready(now: float, group: Sequence[Change]) -> bool:
    return now - min(each.at for each in group) >= GATHER


def _single(group: Sequence[Change], changing: Mapping[Hashable, int] | None = None) -> Planned:
    parts = {each.part for each in group}
    kind = _KINDS[parts.pop()] if len(parts) == 1 else MessageKind.DIGEST
    own = {each.subject for each in group}
    many = {key: count for key, count in (changing or {}).items() if key in own}
    return Planned(kind, tuple(group), many)
