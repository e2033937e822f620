"""The filter in the address of the list of events."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import abort
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from webhookproxy.events.catalog import CATALOG
from webhookproxy.models import Company, HourlyEvents
from webhookproxy.models.deliveries.periods import first_event
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.search.question import Question
from webhookproxy.search.typed import name_patterns
from webhookproxy.web.shared import figures
from webhookproxy.web.shared.access import company_or_404, sees_personal, visible_companies
from webhookproxy.web.shared.address import (
    CHOICES_MAX,
    check_period,
    number_of,
    period_span,
    query_of,
)

WORDS_MAX = 200
# Names that came in the last SEEN_HOURS are offered beside the catalogue's.
SEEN_HOURS = 24


@dataclass(frozen=True, slots=True)
class Owner:
    """The company of a row."""

    name: str
    timezone: str


@dataclass(slots=True)
class EventFilter:
    """A filter that this account may use; `companies` are those it may see, by number."""

    name: str = ""
    period: str = ""
    words: str = ""
    before: int | None = None
    after: int | None = None
    company: Company | None = None
    companies: dict[int, Owner] = field(default_factory=dict)

    @classmethod
    def read(cls, args: MultiDict[str, str], session: Session) -> EventFilter:
        """Return the filter in an address. Answers 404 to what is unknown or may not be seen."""
        chosen = cls(args.get("evento", "").strip()[:WORDS_MAX], args.get("periodo", ""))
        check_period(chosen.period)
        chosen.words = args.get("busca", "").strip()[:WORDS_MAX]
        if chosen.words and not sees_personal():
            # A search says whether a telephone is there, digit by digit.
            abort(403)
        chosen.before = number_of(args.get("antes", ""), "event")
        chosen.after = number_of(args.get("depois", ""), "event")
        company_id = number_of(args.get("empresa", ""), "company")
        if company_id is not None:
            chosen.company = company_or_404(company_id)
        chosen._offer(session)
        return chosen

    def _offer(self, session: Session) -> None:
        query = select(Company.id, Company.name, Company.timezone).where(
            Company.deleted_at.is_(None)
        )
        allowed = visible_companies(session)
        if allowed is not None:
            query = query.where(Company.id.in_(allowed))
        rows = session.execute(query.order_by(Company.name, Company.id))
        self.companies = {row.id: Owner(row.name, row.timezone) for row in rows}

    @property
    def choices(self) -> dict[int, str]:
        """Return the companies to choose from, CHOICES_MAX at most, by name."""
        return {number: of.name for number, of in list(self.companies.items())[:CHOICES_MAX]}

    @property
    def timezone(self) -> str:
        """Return the chosen company's timezone."""
        return self.company.timezone if self.company else DEFAULT_TIMEZONE

    def names(self, session: Session) -> list[str]:
        """Return the names to suggest: the catalogue's, and those the company got lately."""
        only = self.company.id if self.company else next(iter(self.companies), None)
        if only is None or (self.company is None and len(self.companies) > 1):
            return sorted(CATALOG)
        seen = select(HourlyEvents.name).where(
            HourlyEvents.company_id == only, HourlyEvents.hour > figures.this_hour() - SEEN_HOURS
        )
        return sorted({*CATALOG, *session.scalars(seen.distinct())})

    def question(self, session: Session) -> Question:
        """Return the filter as a question to the search."""
        begins, ends = period_span(self.period, self.timezone)
        return Question(
            frozenset([self.company.id] if self.company else self.companies),
            words=self.words,
            names=name_patterns(self.name, self.names(session)) if self.name else (),
            since=0 if begins is None else first_event(session, begins),
            until=None if ends is None else first_event(session, ends),
            before=self.before,
            after=self.after,
        )

    def query(self, **changed: str | None) -> str:
        """Return the address's query with some fields changed, for the first page."""
        fields: dict[str, str | None] = {
            "busca": self.words,
            "empresa": f"company_{self.company.id}" if self.company else None,
            "evento": self.name,
            "periodo": self.period,
            **changed,
        }
        return query_of(fields)

    @property
    def is_narrow(self) -> bool:
        """Return whether anything is filtered or searched for."""
        return bool(self.words or self.name or self.period or self.company)
