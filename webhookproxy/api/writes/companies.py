"""A company is registered, edited and deleted."""

from __future__ import annotations

from flask import Response, current_app
from sqlalchemy.orm import Session

from webhookproxy.api.reads.companies import CompanyAnswer, CompanyPath, answer_of
from webhookproxy.api.shared.access import caller, company_of
from webhookproxy.api.shared.operations import Operations
from webhookproxy.api.shared.problems import ApiProblem
from webhookproxy.api.writes.bodies import CompanyBody, NewCompanyBody
from webhookproxy.api.writes.conditions import MatchHeader, OnceHeader
from webhookproxy.declared.companies import given_company
from webhookproxy.engine.owners import read_owners
from webhookproxy.extensions import db
from webhookproxy.models import companies
from webhookproxy.models.accounts.api_tokens import Scope
from webhookproxy.models.audit import Action, record_company, record_company_edit
from webhookproxy.rules.companies import CompanyInput, changed_company

operations = Operations("company_writes", "Empresas")


@operations.acts(
    "/companies", CompanyAnswer, "Cadastra uma empresa", scope=Scope.ADMINISTER, status=201
)
def create_company(header: OnceHeader, body: NewCompanyBody) -> CompanyAnswer:
    """Register a company, not connected yet."""
    who, allowed = caller(), current_app.extensions["policy"]
    if who.only is not None:
        words = (
            "Este token vale só para algumas empresas, e não cadastra outras.",
            "This token is for some companies only, and registers no others.",
        )
        raise ApiProblem(403, words=words)
    actor, usual = who.actor, {"socket_url": current_app.config["SOCKET_URL"]}
    given = given_company(body.read(), current_app.config["RETENTION_DAYS"])

    def act(session: Session) -> int:
        made = companies.create_company(session, CompanyInput(**{**usual, **given}), allowed).id
        record_company(session, actor, Action.COMPANY_CREATED, made)
        return made

    return _answer(header.create(act))


@operations.acts(
    "/companies/<company>",
    CompanyAnswer,
    "Muda uma empresa",
    scope=Scope.ADMINISTER,
    method="PATCH",
)
def edit_company(path: CompanyPath, header: MatchHeader, body: CompanyBody) -> CompanyAnswer:
    """Change the fields that are given, and no other."""
    company_of(path.company)
    actor, allowed = caller().actor, current_app.extensions["policy"]
    given = given_company(body.read(), current_app.config["RETENTION_DAYS"])

    def job(session: Session) -> None:
        found = companies.find_company(session, path.company)
        header.check(found)
        before = found.input()
        changed = changed_company(before, given, allowed)
        companies.edit_company(session, found, changed, allowed)
        record_company_edit(session, actor, before, found)

    header.write(job, path.company)
    return _answer(path.company)


@operations.acts(
    "/companies/<company>",
    None,
    "Exclui uma empresa",
    scope=Scope.ADMINISTER,
    status=204,
    method="DELETE",
)
def delete_company(path: CompanyPath, header: MatchHeader) -> Response:
    """Delete a company with its webhooks, its events and the deliveries that wait."""
    company_of(path.company)
    actor = caller().actor

    def job(session: Session) -> None:
        found = companies.find_company(session, path.company)
        header.check(found)
        companies.delete_company(session, found)
        record_company(session, actor, Action.COMPANY_DELETED, path.company)

    header.write(job, path.company)
    return Response(status=204)


def _answer(company_id: int) -> CompanyAnswer:
    return answer_of(company_of(company_id), read_owners(db.session()))
