"""The audit for administrators: who did what, when and from where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, abort, current_app, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import db
from webhookproxy.models import Company, Delivery, Event, User, Webhook
from webhookproxy.models.audit import PAGE, Action, AuditEntry, Entries, find_entries
from webhookproxy.web.admin.audit_words import ACTIONS, PROGRAMS, detail_words, who_words
from webhookproxy.web.shared.access import administrators
from webhookproxy.web.shared.address import digits, number_of, query_of

blueprint = Blueprint("audit", __name__)

PERIODS = {"": "Tudo", "24h": "24 horas", "7d": "7 dias", "30d": "30 dias", "90d": "90 dias"}
_LENGTHS = {"24h": 1, "7d": 7, "30d": 30, "90d": 90}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The filter in the address."""

    who: str = ""
    action: str = ""
    company: int | None = None
    period: str = ""
    before: int | None = None

    @classmethod
    def read(cls, args: MultiDict[str, str]) -> Chosen:
        """Return the filter in an address. Answers 404 to what does not exist."""
        action, period = args.get("acao", ""), args.get("periodo", "")
        if period not in PERIODS or (action and action not in list(Action)):
            abort(404)
        before = args.get("antes", "")
        return cls(
            args.get("pessoa", "").strip().lower()[:254],
            action,
            number_of(args.get("empresa", ""), "company"),
            period,
            digits(before) if before else None,
        )

    def entries(self, session: Session, count: int = PAGE) -> Entries:
        """Return one page of the entries that the filter asks for."""
        days = _LENGTHS.get(self.period)
        return find_entries(
            session,
            who=self.who or None,
            action=Action(self.action) if self.action else None,
            company_id=self.company,
            since=None if days is None else utc_now() - timedelta(days=days),
            before=self.before,
            limit=count,
        )

    def query(self, before: int | None = None) -> str:
        """Return the address's query for another page of the same filter."""
        fields = {
            "pessoa": self.who,
            "acao": self.action,
            "empresa": f"company_{self.company}" if self.company else "",
            "periodo": self.period,
            "antes": before,
        }
        return query_of(fields)

    @property
    def is_narrow(self) -> bool:
        """Return whether anything is filtered for."""
        return bool(self.who or self.action or self.company or self.period)


@blueprint.get("/auditoria")
@administrators
def index() -> str:
    """List who did what, newest first."""
    chosen, session = Chosen.read(request.args), db.session()
    page = chosen.entries(session)
    companies = session.scalars(select(Company).order_by(Company.name)).all()
    return render_template(
        "admin/audit.html",
        chosen=chosen,
        page=page,
        companies={company.id: company for company in companies},
        people=[*session.scalars(select(User.email).order_by(User.email)), *PROGRAMS],
        links=_links(session, page.entries),
        names=_names(session, page.entries),
        actions=ACTIONS,
        periods=PERIODS,
        who_words=who_words,
        detail_words=detail_words,
        days=current_app.config["AUDIT_DAYS"],
    )


def _links(session: Session, entries: Sequence[AuditEntry]) -> dict[str, str]:
    """Return the addresses of the subjects that still exist, by their public ids."""
    webhooks = _ids(entries, "webhook")
    live = select(Webhook.id).where(Webhook.id.in_(webhooks), Webhook.deleted_at.is_(None))
    links = {
        f"webhook_{each}": url_for("webhooks.show", webhook_id=each)
        for each in session.scalars(live)
    }
    deliveries = _ids(entries, "delivery")
    for each in session.scalars(select(Delivery.id).where(Delivery.id.in_(deliveries))):
        links[f"delivery_{each}"] = url_for("deliveries.show", delivery_id=each)
    events = [entry.subject for entry in entries if entry.subject.startswith("evt_")]
    for public_id in session.scalars(select(Event.public_id).where(Event.public_id.in_(events))):
        links[public_id] = url_for("events.show", public_id=public_id)
    return links


def _names(session: Session, entries: Sequence[AuditEntry]) -> dict[str, str]:
    """Return the names of the webhooks of these entries, deleted ones too, by their public ids."""
    webhooks = _ids(entries, "webhook")
    rows = session.execute(select(Webhook.id, Webhook.name).where(Webhook.id.in_(webhooks)))
    return {f"webhook_{row.id}": row.name for row in rows}


def _ids(entries: Iterable[AuditEntry], kind: str) -> list[int]:
    found = (entry.subject.partition("_") for entry in entries)
    return [int(number) for named, _, number in found if named == kind and number.isdecimal()]
