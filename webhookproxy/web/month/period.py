"""A month of the calendar, in a company's timezone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NAMES = (
    *("janeiro", "fevereiro", "março", "abril", "maio", "junho"),
    *("julho", "agosto", "setembro", "outubro", "novembro", "dezembro"),
)
_TEXT = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Month:
    """One month; `text` is how an address names it."""

    year: int
    number: int
    timezone: str

    @classmethod
    def read(cls, text: str, timezone: str) -> Month | None:
        """Return the month that a text such as "2026-11" names; None if it names none."""
        found = _TEXT.fullmatch(text)
        return cls(int(found[1]), int(found[2]), timezone) if found else None

    @classmethod
    def of(cls, instant: datetime, timezone: str) -> Month:
        """Return the month of an instant."""
        local = instant.astimezone(ZoneInfo(timezone))
        return cls(local.year, local.month, timezone)

    @property
    def text(self) -> str:
        """Return the month as in an address: "2026-11"."""
        return f"{self.year}-{self.number:02d}"

    @property
    def name(self) -> str:
        """Return the month as on a page: "novembro de 2026"."""
        return f"{NAMES[self.number - 1]} de {self.year}"

    @property
    def begins(self) -> datetime:
        """Return the first instant of the month, in UTC."""
        first = datetime(self.year, self.number, 1, tzinfo=ZoneInfo(self.timezone))
        return first.astimezone(UTC)

    @property
    def ends(self) -> datetime:
        """Return the first instant after the month, in UTC."""
        return self.moved(1).begins

    def moved(self, months: int) -> Month:
        """Return the month that is `months` later."""
        count = self.year * 12 + self.number - 1 + months
        return Month(count // 12, count % 12 + 1, self.timezone)
