"""The diagnosis of a company: the guide's three troubles, checked one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, current_app, render_template, request, url_for
from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.delivery.sending.trial import prepare_trial
from webhookproxy.engine.liveness import shown_state
from webhookproxy.engine.owners import read_owners
from webhookproxy.extensions import db
from webhookproxy.listener.client import Address
from webhookproxy.models import Company, Webhook
from webhookproxy.models.audit import Action, record_company, record_webhook
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.network.guard import masked_url
from webhookproxy.platform.rest import Access, shared_rest
from webhookproxy.reasons import ConnectionState
from webhookproxy.rules.companies import first_token_base
from webhookproxy.rules.platform import rest_base
from webhookproxy.troubles.now import trouble_of
from webhookproxy.web.connection.panel import shown_now
from webhookproxy.web.diagnosis.events import connection_step, events_steps, why_no_post
from webhookproxy.web.diagnosis.findings import TROUBLES, Check, Mark, explanation
from webhookproxy.web.diagnosis.live import Found, Way, ask
from webhookproxy.web.diagnosis.token_owner import OWNER, REST_OWNER, owner_steps
from webhookproxy.web.diagnosis.words import token_step, trouble_steps, url_steps
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import actor, company_or_404
from webhookproxy.web.shared.forms import policy, write
from webhookproxy.web.webhooks.words import ShownWebhook, shown_webhook, with_answers

blueprint = Blueprint("diagnosis", __name__)

# The URLs of at most this many webhooks are tried at once.
WEBHOOKS_MAX = 20


@blueprint.get("/empresas/<company:company_id>/diagnostico")
def show(company_id: int) -> str:
    """Show what is known without asking anyone."""
    return _page(company_or_404(company_id), None, sending=True)


@blueprint.post("/empresas/<company:company_id>/diagnostico")
def check(company_id: int) -> str:
    """Ask 3C Plus and every URL now, and show all findings."""
    throttle.limit("diagnosis", throttle.address())
    company = company_or_404(company_id)
    sending = request.form.get("teste") == "sim"
    allowed = policy()
    address, ways = _address(company), _ways(company, sending=sending)
    owners = _owners(company)
    _note(company, ways)
    # Hold no transaction while waiting for the answers.
    db.session.rollback()
    found = ask(address, ways, allowed, owners)
    return _page(company_or_404(company_id), found, sending=sending)


def _owners(company: Company) -> dict[str, Callable[[], Mapping[str, Any]]]:
    """Return what asks 3C Plus whose each token is; nothing without an address of its REST."""
    allowed, asked = policy(), {}
    if first := first_token_base(company.input(), allowed):
        asked[OWNER] = Access(company.id, first, company.token, company.agent_id)
    second = rest_base(company.socket_url, company.rest_url, allowed)
    if second and company.rest_token:
        asked[REST_OWNER] = Access(company.id, second, company.rest_token)
    rest = shared_rest(current_app.extensions)
    return {name: partial(rest.me, access) for name, access in asked.items()}


def _address(company: Company) -> Address | None:
    """Return the address to ask about the token; None while the connection itself shows it."""
    owners = read_owners(db.session())
    state, _ = shown_state(company.connection, owners, wished=company.should_connect)
    if state is not ConnectionState.DISCONNECTED:
        return None
    return Address(company.socket_url, company.token, company.agent_id)


def _ways(company: Company, *, sending: bool) -> list[Way]:
    session = db.session()
    return [
        Way(
            each.id,
            each.url,
            None
            if why_no_post(each, wanted=sending)
            else prepare_trial(session, each, None, policy()),
        )
        for each in _webhooks(session, company)[:WEBHOOKS_MAX]
    ]


def _webhooks(session: Session, company: Company) -> list[Webhook]:
    """Return the company's webhooks, those in trouble first."""
    webhooks, now = live_webhooks(session, [company.id]), utc_now()
    return sorted(webhooks, key=lambda each: trouble_of(each, now) is None)


def _note(company: Company, ways: list[Way]) -> None:
    who, company_id = actor(), company.id
    tested = [each.webhook_id for each in ways if each.trial is not None]

    def job(session: Session) -> None:
        record_company(session, who, Action.DIAGNOSED, company_id)
        for webhook_id in tested:
            record_webhook(session, who, Action.WEBHOOK_TESTED, company_id, webhook_id)

    write(job)


def _page(company: Company, found: Found | None, *, sending: bool) -> str:
    webhooks = _webhooks(db.session(), company)
    checks = _checks(company, webhooks, found, sending=sending)
    # A socket comes before everything else: without one nothing arrives anywhere.
    steps = [step for each in checks for step in each.steps]
    steps.sort(key=lambda step: step.name not in ("Token", "Conexão"))
    return render_template(
        "diagnosis/show.html",
        company=company,
        checks=checks,
        why=explanation(steps),
        problems=sum(
            any(step.mark is Mark.BAD for step in each.steps)
            for each in checks
            # A silence is the effect of what is wrong elsewhere.
            if each.anchor != "eventos"
        ),
        unknown=any(step.mark is Mark.UNKNOWN for step in steps),
        asked_at=None if found is None else utc_now(),
        sending=sending,
        more=len(webhooks) > WEBHOOKS_MAX,
        most=WEBHOOKS_MAX,
    )


def _checks(
    company: Company, webhooks: list[Webhook], found: Found | None, *, sending: bool
) -> list[Check]:
    session = db.session()
    shown = shown_now(session, [company])[company.id]
    healths = with_answers(session, [shown_webhook(each, company.timezone) for each in webhooks])
    asked = None if found is None else found.token
    token = token_step(shown, company.timezone, asked)
    owners = owner_steps(company, {} if found is None else found.owners)
    connection = connection_step(company, shown)
    return [
        Check("token", "Token inválido?", [token, *owners]),
        *(_url_check(each, found, sending=sending) for each in healths[:WEBHOOKS_MAX]),
        Check(
            "eventos",
            "Eventos não chegando?",
            [connection, *events_steps(session, company, shown, healths)],
        ),
    ]


def _url_check(shown: ShownWebhook, found: Found | None, *, sending: bool) -> Check:
    webhook = shown.webhook
    tried = None if found is None else found.urls.get(webhook.id)
    why_not = why_no_post(webhook, wanted=sending)
    link = (url_for("webhooks.show", webhook_id=webhook.id), "Ver o webhook")
    steps = [
        replace(each, whose=webhook.name, link=link if each.mark in TROUBLES else None)
        for each in url_steps(webhook, tried, why_not)
    ]
    # The answer to a test of this moment says more than the last one.
    if tried is None or tried.result is None:
        steps = [*trouble_steps(shown), *steps]
    title = f"URL não acessível? {webhook.name}"
    return Check(f"webhook_{webhook.id}", title, steps, masked_url(webhook.url))
