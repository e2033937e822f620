"""What the address of the list of deliveries asks for."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from flask import abort
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from webhookproxy.models import Company, Webhook
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.web.deliveries.listing import STATES, Wanted
from webhookproxy.web.shared import figures
from webhookproxy.web.shared.access import company_or_404, visible_companies, webhook_or_404

_HOUR_MS = 3_600_000
PERIODS = {"": "Tudo", "1h": "Última hora", "hoje": "Hoje", "24h": "24 horas", "7d": "7 dias"}
_LENGTHS = {"1h": _HOUR_MS, "24h": 24 * _HOUR_MS, "7d": 7 * 24 * _HOUR_MS}
# A choice among more webhooks than these is made on a company's page.
CHOICES_MAX = 200


def period_begins(period: str, timezone: str) -> int | None:
    """When one of PERIODS began, in milliseconds since 1970; None for all the time there is."""
    if period == "hoje":
        return figures.first_hour_of_today(timezone) * _HOUR_MS
    return round(time.time() * 1000) - _LENGTHS[period] if period else None


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

    `webhooks` are those it may see, by number; `everything` says that these are all there are.
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
        """The filter in an address; 404 for what is unknown or somebody else's."""
        state, period = args.get("estado", "").replace("todas", ""), args.get("periodo", "")
        if state not in STATES or period not in PERIODS:
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
        # Whoever changes the company in the form leaves the old webhook standing beside it.
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
        """The companies to choose from, CHOICES_MAX at most, by name."""
        found = {choice.company_id: choice.company for choice in self.webhooks.values()}
        return dict(list(found.items())[:CHOICES_MAX])

    @property
    def choices(self) -> list[Choice]:
        """The webhooks to choose from: the chosen company's, or CHOICES_MAX of all."""
        company = self.company
        of_company = (
            c for c in self.webhooks.values() if company is None or c.company_id == company.id
        )
        return list(of_company)[:CHOICES_MAX]

    @property
    def timezone(self) -> str:
        """The chosen company's timezone."""
        return self.company.timezone if self.company else DEFAULT_TIMEZONE

    def wanted(self) -> Wanted:
        """The same for the search."""
        webhooks = frozenset(
            choice.id
            for choice in self.webhooks.values()
            if (self.company is None or choice.company_id == self.company.id)
            and (self.webhook is None or choice.id == self.webhook.id)
        )
        return Wanted(
            webhooks,
            STATES[self.state][1],
            self.event,
            since_ms=period_begins(self.period, self.timezone),
            before=self.before,
            after=self.after,
            everything=self.everything,
        )

    def query(self, **changed: str | None) -> str:
        """The address's query with something changed; the first page unless that is changed."""
        fields: dict[str, str | None] = {
            "estado": self.state,
            "empresa": f"company_{self.company.id}" if self.company and not self.webhook else None,
            "webhook": f"webhook_{self.webhook.id}" if self.webhook else None,
            "evento": self.event,
            "periodo": self.period,
            **changed,
        }
        return "?" + urlencode({name: value for name, value in fields.items() if value})

    @property
    def is_narrow(self) -> bool:
        """Whether anything is filtered for."""
        return bool(self.state or self.event or self.period or self.company)


def number_of(text: str, kind: str) -> int | None:
    """The number in an id of that kind, None for no text; 404 for anything else."""
    if not text:
        return None
    prefix, _, number = text.partition("_")
    if prefix != kind or not (number.isascii() and number.isdigit()) or len(number) > 18:
        abort(404)
    return int(number)
