"""A company is connected and disconnected."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webhookproxy.api.reads.companies import CompanyAnswer, CompanyPath, answer_of
from webhookproxy.api.shared.access import caller, company_of
from webhookproxy.api.shared.operations import Operations
from webhookproxy.api.shared.writing import write
from webhookproxy.engine.owners import read_owners
from webhookproxy.extensions import db
from webhookproxy.models.audit import Action, record_company
from webhookproxy.models.companies import find_company, wish_connection

operations = Operations("company_actions", "Empresas")


@operations.acts("/companies/<company>/connect", CompanyAnswer, "Conecta uma empresa")
def connect_company(path: CompanyPath) -> CompanyAnswer:
    """Wish a company connected; the process that owns the sockets connects it."""
    return _wish(path.company, connected=True)


@operations.acts("/companies/<company>/disconnect", CompanyAnswer, "Desconecta uma empresa")
def disconnect_company(path: CompanyPath) -> CompanyAnswer:
    """Wish a company disconnected."""
    return _wish(path.company, connected=False)


def _wish(company_id: int, *, connected: bool) -> CompanyAnswer:
    company_of(company_id)
    who, action = caller().actor, Action.CONNECT if connected else Action.DISCONNECT

    def job(session: Session) -> None:
        if wish_connection(session, find_company(session, company_id), connected=connected):
            record_company(session, who, action, company_id)

    write(job, company_id)
    return answer_of(company_of(company_id), read_owners(db.session()))
