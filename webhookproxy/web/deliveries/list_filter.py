"""The filter in the address of the list of deliveries."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import abort
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from webhookproxy.models import Company, Webhook
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.search.deliveries import Wanted
from webhookproxy.web.deliveries.listing import STATES
from webhookproxy.web.shared.access import company_or_404, visible_companies, webhook_or_404
from webhookproxy.web.shared.address import (
    CHOICES_MAX,
    check_period,
    number_of,
    period_span,
    query_of,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A webhook that can be chosen, with its company."""

    id: int
    name: str
    company_id: int
    company: str
    timezone: str


@dataclass(slots=True)
class Filter:
    """A filter that this account may use, and what it can choose from.

    `webhooks` are those it may see, by number; `everything` says that these are all webhooks.
    """

    state: str = ""
    event: str = ""
    period: str = ""
    before: int | None = None
    after: int | None = None
    company: Company | None = None
    webhook: Webhook | None = None
    webhooks: dict[int, Choice] = field(default_factory=dict)
    everything: bool = False

    @classmethod
    def read(cls, args: MultiDict[str, str], session: Session) -> Filter:
        """Return the filter in an address. Answers 404 to what is unknown or may not be seen."""
        state, period = args.get("estado", "").replace("todas", ""), args.get("periodo", "")
        check_period(period)
        if state not in STATES:
            abort(404)
        chosen = cls(state, args.get("evento", "").strip()[:200], period)
        chosen.before = number_of(args.get("antes", ""), "delivery")
        chosen.after = number_of(args.get("depois", ""), "delivery")
        company_id = number_of(args.get("empresa", ""), "company")
        webhook_id = number_of(args.get("webhook", ""), "webhook")
        if company_id is not None:
            chosen.company = company_or_404(company_id)
        if webhook_id is not None:
            chosen._choose(webhook_or_404(webhook_id))
        chosen._offer(session)
        return chosen

    def _choose(self, webhook: Webhook) -> None:
        # A user who changes the company in the form leaves the old webhook beside it.
        if self.company is None or self.company.id == webhook.company_id:
            self.webhook, self.company = webhook, company_or_404(webhook.company_id)

    def _offer(self, session: Session) -> None:
        query = (
            select(Webhook.id, Webhook.name, Company.id, Company.name, Company.timezone)
            .join(Company, Company.id == Webhook.company_id)
            .where(Webhook.deleted_at.is_(None), Company.deleted_at.is_(None))
            .order_by(Company.name, Company.id, Webhook.name, Webhook.id)
        )
        allowed = visible_companies(session)
        if allowed is not None:
            query = query.where(Webhook.company_id.in_(allowed))
        self.everything = allowed is None and self.company is None
        self.webhooks = {row[0]: Choice(*row) for row in session.execute(query)}

    @property
    def companies(self) -> dict[int, str]:
        """Return the companies to choose from by name: CHOICES_MAX at most, and the chosen one."""
        found = self._all_companies()
        shown = dict(list(found.items())[:CHOICES_MAX])
        if self.company is not None:
            shown.setdefault(self.company.id, self.company.name)
        return shown

    @property
    def choices(self) -> list[Choice]:
        """Return the webhooks to choose from: CHOICES_MAX at most, and the chosen one."""
        found = self._all_choices()
        chosen = self.webhook
        return [
            each
            for place, each in enumerate(found)
            if place < CHOICES_MAX or (chosen is not None and each.id == chosen.id)
        ]

    @property
    def cut(self) -> tuple[int, int]:
        """Return the number of companies and of webhooks to choose from; 0 if all are shown."""
        counts = len(self._all_companies()), len(self._all_choices())
        companies, webhooks = (each if each > CHOICES_MAX else 0 for each in counts)
        return companies, webhooks

    def _all_companies(self) -> dict[int, str]:
        return {choice.company_id: choice.company for choice in self.webhooks.values()}

    def _all_choices(self) -> list[Choice]:
        company = self.company
        return [c for c in self.webhooks.values() if company is None or c.company_id == company.id]

    @property
    def timezone(self) -> str:
        """Return the chosen company's timezone."""
        return self.company.timezone if self.company else DEFAULT_TIMEZONE

    def wanted(self) -> Wanted:
        """Return the filter for the search."""
        webhooks = frozenset(
            choice.id
            for choice in self.webhooks.values()
            if (self.company is None or choice.company_id == self.company.id)
            and (self.webhook is None or choice.id == self.webhook.id)
        )
        since_ms, until_ms = period_span(self.period, self.timezone)
        return Wanted(
            webhooks,
            STATES[self.state][1],
            self.event,
            since_ms=since_ms,
            until_ms=until_ms,
            before=self.before,
            after=self.after,
            everything=self.everything,
        )

    def query(self, **changed: str | None) -> str:
        """Return the address's query with some fields changed, for the first page."""
        fields: dict[str, str | None] = {
            "estado": self.state,
            "empresa": f"company_{self.company.id}" if self.company and not self.webhook else None,
            "webhook": f"webhook_{self.webhook.id}" if self.webhook else None,
            "evento": self.event,
            "periodo": self.period,
            **changed,
        }
        return query_of(fields)

    @property
    def is_narrow(self) -> bool:
        """Return whether anything is filtered for."""
        return bool(self.state or self.event or self.period or self.company)
