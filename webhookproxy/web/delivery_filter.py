"""What the address of the list of deliveries asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from flask import abort
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.datastructures import MultiDict

from webhookproxy.models import Company, Webhook
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.web import figures
from webhookproxy.web.access import company_or_404, visible_companies, webhook_or_404
from webhookproxy.web.delivery_list import STATES, Wanted, now_ms

_HOUR_MS = 3_600_000
PERIODS = {"": "Tudo", "1h": "Última hora", "hoje": "Hoje", "24h": "24 horas", "7d": "7 dias"}
_LENGTHS = {"1h": _HOUR_MS, "24h": 24 * _HOUR_MS, "7d": 7 * 24 * _HOUR_MS}
# A choice among more webhooks than these is made on the company's page.
CHOICES_MAX = 200


@dataclass(slots=True)
class Filter:
    """A filter that this account may use, and what it can choose from."""

    state: str = ""
    event: str = ""
    period: str = ""
    before: int | None = None
    company: Company | None = None
    webhook: Webhook | None = None
    webhooks: list[Webhook] = field(default_factory=list)
    companies: dict[int, Company] = field(default_factory=dict)

    @classmethod
    def read(cls, args: MultiDict[str, str], session: Session) -> Filter:
        """The filter in an address; 404 for what is unknown or somebody else's."""
        state, period = args.get("estado", ""), args.get("periodo", "")
        if state not in STATES or period not in PERIODS:
            abort(404)
        chosen = cls(state, args.get("evento", "").strip()[:200], period)
        chosen.before = _number(args.get("antes", ""), "delivery")
        company_id = _number(args.get("empresa", ""), "company")
        webhook_id = _number(args.get("webhook", ""), "webhook")
        if webhook_id is not None:
            chosen.webhook = webhook_or_404(webhook_id)
            company_id = chosen.webhook.company_id
        if company_id is not None:
            chosen.company = company_or_404(company_id)
        chosen._offer(session)
        return chosen

    def _offer(self, session: Session) -> None:
        query = select(Webhook, Company).join(Company, Company.id == Webhook.company_id)
        query = query.where(Webhook.deleted_at.is_(None), Company.deleted_at.is_(None))
        query = query.options(joinedload(Webhook.health))
        allowed = visible_companies(session)
        if allowed is not None:
            query = query.where(Webhook.company_id.in_(allowed))
        for webhook, company in session.execute(query.order_by(Company.name, Webhook.id)):
            self.webhooks.append(webhook)
            self.companies[company.id] = company

    @property
    def timezone(self) -> str:
        """The chosen company's timezone."""
        return self.company.timezone if self.company else DEFAULT_TIMEZONE

    def wanted(self) -> Wanted:
        """The same for the query."""
        webhooks = [
            each.id
            for each in self.webhooks
            if (self.company is None or each.company_id == self.company.id)
            and (self.webhook is None or each.id == self.webhook.id)
        ]
        return Wanted(webhooks, STATES[self.state][1], self.event, self._since(), None, self.before)

    def _since(self) -> int | None:
        if self.period == "hoje":
            return figures.first_hour_of_today(self.timezone) * _HOUR_MS
        return now_ms() - _LENGTHS[self.period] if self.period else None

    def query(self, **changed: str | int | None) -> str:
        """The address's query with something changed; the first page unless `antes` is given."""
        fields: dict[str, str | int | None] = {
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


def _number(text: str, kind: str) -> int | None:
    if not text:
        return None
    prefix, _, number = text.partition("_")
    if prefix != kind or not (number.isascii() and number.isdigit()) or len(number) > 18:
        abort(404)
    return int(number)
