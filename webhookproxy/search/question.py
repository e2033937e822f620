"""What the search is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for: what is empty does not narrow it.

    `words` are as typed: a telephone, a call's id, an agent, a CPF, an event's id, any short value
    or its beginning. `name` and `order_key` are exact. The others are ids of events: the lowest
    that is wanted, the one from which on none is, and for paging only lower, or only higher ids
    than this one.
    """

    companies: frozenset[int]
    words: str = ""
    name: str = ""
    order_key: str = ""
    since: int = 0
    until: int | None = None
    before: int | None = None
    after: int | None = None

    @property
    def low(self) -> int:
        """The lowest id that may be answered."""
        return max(self.since, 1, 0 if self.after is None else self.after + 1)

    def high(self, newest: int) -> int:
        """The highest, where `newest` is the highest there is."""
        ends = [end - 1 for end in (self.until, self.before) if end is not None]
        return min([newest, *ends])

    @property
    def ascending(self) -> bool:
        """Whether the lowest ids are the nearest."""
        return self.after is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """Ids of events, newest first.

    `more`: there are more in the direction of paging. `behind`: how many of the newest events
    could not be looked at, because they are not indexed yet. `cut`: more fits than was looked at,
    so that more should be typed.
    """

    ids: list[int]
    more: bool = False
    behind: int = 0
    cut: bool = False
