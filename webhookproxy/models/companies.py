"""Companies: their token, the wish to be connected, and the actual state of the connection."""

from __future__ import annotations

import secrets
from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, delete, false, select, text
from sqlalchemy.orm import Mapped, Session, column_property, defer, mapped_column, relationship
from sqlalchemy.orm.interfaces import ORMOption

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.models.installation.changes import note_change
from webhookproxy.models.types import Id, Instant, Secret, keyring, partial_index
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import RECOVERED_GAP, ConnectionReason, ConnectionState, gap_words
from webhookproxy.rules import Refused
from webhookproxy.rules.companies import DEFAULT_RECORDING_DAYS, CompanyInput, check_company
from webhookproxy.rules.platform import is_left_host


class Company(Base):
    """A 3C Plus company, whose events come in with its token."""

    __tablename__ = "companies"
    __table_args__ = (
        # A deleted company keeps its row until the purge, and can be registered again.
        partial_index(
            "uq_companies_live_fingerprint",
            "token_fingerprint",
            where="deleted_at IS NULL",
            unique=True,
        ),
        partial_index("uq_companies_file_key", "file_key", where="deleted_at IS NULL", unique=True),
        # Receivers keep the number: it is never given to another company.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    threec_id: Mapped[str] = mapped_column(String(64), default="")
    token: Mapped[str] = mapped_column(Secret)
    token_fingerprint: Mapped[str] = mapped_column(String(64))
    socket_url: Mapped[str] = mapped_column(String(2048))
    agent_id: Mapped[str] = mapped_column(String(64), default="")
    timezone: Mapped[str] = mapped_column(String(64))
    hide_credentials: Mapped[bool] = mapped_column(default=True)
    should_connect: Mapped[bool] = mapped_column(default=False)
    # Whether calls that no socket brought are asked for, and where: empty is the default.
    recover_calls: Mapped[bool] = mapped_column(server_default=false(), default=False)
    rest_url: Mapped[str] = mapped_column(String(2048), server_default="", default="")
    # The token that REST is asked with, if not that of the socket.
    rest_token: Mapped[str | None] = mapped_column(Secret)
    # Known without decrypting it.
    has_rest_token: Mapped[bool] = column_property(rest_token.is_not(None))
    # Whether they are also asked for every half an hour, gap or not.
    sweep_calls: Mapped[bool] = mapped_column(server_default=false(), default=False)
    # Whether histories carry a link to the call's recording, and for how many days it opens.
    recording_links: Mapped[bool] = mapped_column(server_default=false(), default=False)
    recording_days: Mapped[int] = mapped_column(
        SmallInteger, server_default=text("30"), default=DEFAULT_RECORDING_DAYS
    )
    # The links are derived from it. It never changes: a body that is made again has its link.
    recording_key: Mapped[str | None] = mapped_column(Secret, deferred=True)
    # Links made up to this moment open nothing.
    recordings_revoked_ms: Mapped[int | None] = mapped_column(Id)
    # Whether a second socket is opened and compared with the first one; its events are dropped.
    observe_second: Mapped[bool] = mapped_column(server_default=false(), default=False)
    # When the token ends, as its owner said: 3C Plus does not tell.
    token_expires_at: Mapped[datetime | None] = mapped_column(Instant)
    # None means the setting RETENTION_DAYS, which is also the maximum.
    retention_days: Mapped[int | None] = mapped_column(SmallInteger)
    # The key by which a configuration file manages it, if one does.
    file_key: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant, default=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)
    version: Mapped[int] = mapped_column(default=1)
    connection: Mapped[Connection] = relationship(back_populates="company", uselist=False)

    # StaleDataError refuses to overwrite another user's newer version.
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy declares it so

    @property
    def rest_identity(self) -> tuple[str, str]:
        """The token and the agent with which REST is asked."""
        return (self.rest_token, "") if self.rest_token else (self.token, self.agent_id)

    @property
    def is_at_left_host(self) -> bool:
        """Whether its socket is at an address that 3C Plus is leaving."""
        return is_left_host(self.socket_url)

    def input(self) -> CompanyInput:
        """Return the fields that would store this company again."""
        names = (field.name for field in fields(CompanyInput))
        return CompanyInput(**{name: getattr(self, name) for name in names})


class Connection(Base):
    """The actual state of a company's connection; only the process that owns it writes it.

    Only `one_socket_at` is also removed by those who connect the company again.

    The state is valid only while `fence` is the lease's and the lease's heartbeat is fresh.
    """

    __tablename__ = "connections"

    company_id: Mapped[int] = mapped_column(
        ForeignKey("companies.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[str] = mapped_column(String(20), default=ConnectionState.DISCONNECTED.value)
    reason: Mapped[str] = mapped_column(String(30), default=ConnectionReason.NOT_WISHED.value)
    since: Mapped[datetime] = mapped_column(Instant, default=utc_now)
    # The first refusal of the token, until it is accepted, changed or no longer wished.
    refused_since: Mapped[datetime | None] = mapped_column(Instant)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    socket_id: Mapped[str | None] = mapped_column(String(64))
    # What 3C Plus said when it refused the last attempt, redacted.
    answer: Mapped[str | None] = mapped_column(String(64))
    fence: Mapped[int] = mapped_column(Id, default=0)
    events: Mapped[int] = mapped_column(Id, default=0)
    last_event_at: Mapped[datetime | None] = mapped_column(Instant)
    malformed: Mapped[int] = mapped_column(Id, default=0)
    # When 3C Plus was seen to end the socket because a second one with the same token came.
    one_socket_at: Mapped[datetime | None] = mapped_column(Instant)
    # What asks a server that can recover events for those after the ones that are stored, written
    # with them; see listener.sessions. The session opens the events as a token does.
    session: Mapped[str | None] = mapped_column(Secret, deferred=True)
    session_offset: Mapped[str | None] = mapped_column(String(128))
    session_replayed: Mapped[int | None] = mapped_column(Id)
    company: Mapped[Company] = relationship(back_populates="connection")


class SecondSocket(Base):
    """What was seen of a company's second socket since it was asked for.

    The owner of the sockets makes and updates it; it is deleted when the company asks again.
    """

    __tablename__ = "second_sockets"

    company_id: Mapped[int] = mapped_column(
        ForeignKey("companies.id", ondelete="CASCADE"), primary_key=True
    )
    began_at: Mapped[datetime] = mapped_column(Instant)
    counted_at: Mapped[datetime] = mapped_column(Instant)
    state: Mapped[str] = mapped_column(String(20))
    # How often the second socket was opened.
    joins: Mapped[int] = mapped_column(default=0)
    # Events that both brought; that one alone did although both had to; that only a socket brought
    # which had just joined; and by how many places the order differed at most.
    paired: Mapped[int] = mapped_column(Id, default=0)
    unpaired: Mapped[int] = mapped_column(Id, default=0)
    replayed: Mapped[int] = mapped_column(Id, default=0)
    displacement: Mapped[int] = mapped_column(Id, default=0)


# The note of a gap that began because the owner of the socket ended without closing it.
OWNER_DIED = "owner_died"


class Gap(Base):
    """A time without a socket although one was wished; unless `recovered`, its events are lost."""

    __tablename__ = "gaps"
    __table_args__ = (Index("ix_gaps_company_id_started_at", "company_id", "started_at"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id", ondelete="CASCADE"))
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(String(30))
    note: Mapped[str | None] = mapped_column(Text)
    # Whether the server sent all of its events when the next socket was opened.
    recovered: Mapped[bool] = mapped_column(server_default=false(), default=False)

    @property
    def why(self) -> str:
        """Why there was no socket, in one Portuguese sentence."""
        is_over, died = self.ended_at is not None, self.note == OWNER_DIED
        words = gap_words(ConnectionReason(self.reason), is_over=is_over, died=died)
        return f"{words} {RECOVERED_GAP}" if self.recovered else words


def tokens_later() -> list[ORMOption]:
    """Return options to read a token when it is asked for: decrypting takes time, and may fail."""
    return [defer(each) for each in (Company.token, Company.rest_token)]


_CONNECTED_BY = ("token", "socket_url", "agent_id", "rest_url")
_FORGET_NEXT_TOKEN = text("DELETE FROM next_tokens WHERE company_id = :company")


def fingerprint_text(socket_url: str, agent_id: str, token: str) -> str:
    """Return the text behind `token_fingerprint`: these three together identify a connection."""
    return "\n".join((socket_url, agent_id, token))


def refuse_taken(session: Session, given: CompanyInput, but: int | None) -> str:
    """Return the fingerprint of a connection. Raises Refused if another company has the same."""
    whole = fingerprint_text(given.socket_url, given.agent_id, given.token)
    marks = keyring().fingerprints(whole)
    taken = select(Company.id).where(
        Company.token_fingerprint.in_(marks), Company.deleted_at.is_(None), Company.id != (but or 0)
    )
    if session.scalar(taken) is not None:
        raise Refused.one(
            "token",
            "This token is already registered for this socket host and agent: two connections "
            "with one token would send every event twice.",
            "Este token já está cadastrado para este servidor e agente: duas conexões com o "
            "mesmo token enviariam cada evento em dobro.",
        )
    return marks[0]


def create_company(session: Session, given: CompanyInput, policy: Policy) -> Company:
    """Create a company, not connected; raise Refused with all problems of the fields."""
    clean = check_company(given, policy)
    mark = refuse_taken(session, clean, but=None)
    company = Company(**asdict(clean), token_fingerprint=mark, connection=Connection())
    _give_recording_key(company)
    session.add(company)
    session.flush()
    note_change(session, company.id)
    return company


def edit_company(session: Session, company: Company, given: CompanyInput, policy: Policy) -> None:
    """Replace the fields of a company; a new token, host or agent needs a new socket.

    The next token that was laid ready was meant, and tried, for the old ones.
    """
    clean = check_company(given, policy)
    if any(getattr(company, name) != getattr(clean, name) for name in _CONNECTED_BY):
        session.execute(_FORGET_NEXT_TOKEN, {"company": company.id})
    mark = refuse_taken(session, clean, but=company.id)
    if mark != company.token_fingerprint or clean.observe_second > company.observe_second:
        # What was seen of its sockets is no longer about this, or is asked for again.
        company.connection.one_socket_at = None
        session.execute(delete(SecondSocket).where(SecondSocket.company_id == company.id))
    company.token_fingerprint = mark
    for name, value in asdict(clean).items():
        setattr(company, name, value)
    _give_recording_key(company)
    session.flush()
    note_change(session, company.id)


def _give_recording_key(company: Company) -> None:
    if company.recording_links and company.recording_key is None:
        company.recording_key = secrets.token_urlsafe(32)


def wish_connection(session: Session, company: Company, *, connected: bool) -> bool:
    """Wish a company connected or not; return False if that was the wish already.

    The button and the command change only this wish: the process that owns the sockets makes the
    actual state follow it.
    """
    if company.should_connect == connected:
        return False
    company.should_connect = connected
    if connected:
        # What was seen of the server may have changed since.
        company.connection.one_socket_at = None
    session.flush()
    note_change(session, company.id)
    return True


def find_company(session: Session, company_id: int) -> Company:
    """Return a company that is not deleted; raise Refused if the number has none."""
    company = session.get(Company, company_id)
    if company is None or company.deleted_at is not None:
        raise Refused.one(
            "company",
            f"There is no company_{company_id}: `flask company list` shows the companies.",
            f"Não há empresa company_{company_id}.",
        )
    return company


def delete_company(session: Session, company: Company) -> None:
    """Mark the company as deleted: no page shows it, and its socket closes.

    The process that owns the sockets cancels waiting deliveries and removes the rows in batches.
    """
    company.deleted_at = utc_now()
    company.should_connect = False
    session.flush()
    note_change(session, company.id)
