"""A question to the search, and its answer."""

from __future__ import annotations

from dataclasses import dataclass

from webhookproxy.search.terms import Group


@dataclass(frozen=True, slots=True)
class Question:
    """The events that are wanted; an empty field does not narrow the search.

    `words` are as typed: a telephone, a call's id, an agent, a CPF, an event's id, any short value
    or its beginning. `name` and `order_key` are exact; of `names`, patterns, an
    event's name fits one. The others are ids of events: from `since` on, below `until`, and for
    paging only below `before`, or only above `after`.
    """

    companies: frozenset[int]
    words: str = ""
    name: str = ""
    order_key: str = ""
    names: Group = ()
    since: int = 0
    until: int | None = None
    before: int | None = None
    after: int | None = None

    @property
    def low(self) -> int:
        """The lowest id that may be answered."""
        return max(self.since, 1, 0 if self.after is None else self.after + 1)

    def high(self, newest: int) -> int:
        """Return the highest id that may be answered; `newest` is the highest of all."""
        ends = [end - 1 for end in (self.until, self.before) if end is not None]
        return min([newest, *ends])

    @property
    def ascending(self) -> bool:
        """Whether the lowest ids come first."""
        return self.after is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """Ids of events, newest first.

    `more`: the direction of paging has more. `behind`: so many of the newest events are not
    indexed yet and were not read. `cut`: more events may fit than were read, so the user should
    type more.
    """

    ids: list[int]
    more: bool = False
    behind: int = 0
    cut: bool = False
