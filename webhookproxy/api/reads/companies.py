"""Companies, with the state of their connections."""

from __future__ import annotations

from pydantic import BaseModel

from webhookproxy.api.shared.access import company_of, visible_companies
from webhookproxy.api.shared.ids import CompanyId, Time
from webhookproxy.api.shared.operations import Given, Operations
from webhookproxy.api.shared.paging import Page, PageQuery
from webhookproxy.engine.liveness import shown_state
from webhookproxy.engine.owners import Owners, read_owners
from webhookproxy.extensions import db
from webhookproxy.models import Company
from webhookproxy.reasons import CONNECTION_WORDS

operations = Operations("companies", "Empresas")


class CompanyPath(Given):
    """The company of an address."""

    company: CompanyId


class ConnectionState(BaseModel):
    """The connection to 3C Plus as it is now; `should_connect` is what was asked for."""

    should_connect: bool
    state: str
    reason: str
    reason_en: str
    since: Time
    events: int
    last_event_at: Time | None


class CompanyAnswer(BaseModel):
    """A company; `version` is that of its settings, and its token never leaves the server."""

    id: CompanyId
    version: str
    file_key: str | None
    name: str
    threec_id: str
    agent_id: str
    socket_url: str
    timezone: str
    hide_credentials: bool
    retention_days: int | None
    token_expires_at: Time | None
    rest_url: str
    has_rest_token: bool
    recover_calls: bool
    sweep_calls: bool
    recording_links: bool
    recording_days: int
    observe_second: bool
    created_at: Time
    connection: ConnectionState


class CompanyPage(Page):
    """A page of companies, the oldest first."""

    items: list[CompanyAnswer]


@operations.reads("/companies", CompanyPage, "Lista as empresas")
def list_companies(query: PageQuery) -> CompanyPage:
    """List the companies that the caller may see."""
    session, after = db.session(), query.after()
    wanted = visible_companies().limit(query.limit + 1)
    if after is not None:
        wanted = wanted.where(Company.id > after)
    rows, owners = session.scalars(wanted).all(), read_owners(session)
    shown, next_cursor = query.cut(rows, lambda company: (company.id,))
    return CompanyPage(
        items=[answer_of(company, owners) for company in shown], next_cursor=next_cursor
    )


@operations.reads("/companies/<company>", CompanyAnswer, "Mostra uma empresa")
def show_company(path: CompanyPath) -> CompanyAnswer:
    """Show one company."""
    return answer_of(company_of(path.company), read_owners(db.session()))


def answer_of(company: Company, owners: Owners) -> CompanyAnswer:
    """Return a company as the API answers it."""
    return CompanyAnswer(
        id=company.id,
        version=str(company.version),
        file_key=company.file_key,
        name=company.name,
        threec_id=company.threec_id,
        agent_id=company.agent_id,
        socket_url=company.socket_url,
        timezone=company.timezone,
        hide_credentials=company.hide_credentials,
        retention_days=company.retention_days,
        token_expires_at=company.token_expires_at,
        rest_url=company.rest_url,
        has_rest_token=company.has_rest_token,
        recover_calls=company.recover_calls,
        sweep_calls=company.sweep_calls,
        recording_links=company.recording_links,
        recording_days=company.recording_days,
        observe_second=company.observe_second,
        created_at=company.created_at,
        connection=connection_of(company, owners),
    )


def connection_of(company: Company, owners: Owners) -> ConnectionState:
    """Return a company's connection; never connected on an old heartbeat."""
    connection = company.connection
    state, reason = shown_state(connection, owners, wished=company.should_connect)
    return ConnectionState(
        should_connect=company.should_connect,
        state=state.value,
        reason=reason.value,
        reason_en=CONNECTION_WORDS[reason].english,
        since=connection.since,
        events=connection.events,
        last_event_at=connection.last_event_at,
    )
