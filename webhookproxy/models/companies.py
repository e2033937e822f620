"""Companies: their token, the wish to be connected, and what their connection is in fact."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from webhookproxy.extensions import Base
from webhookproxy.models.installation.changes import note_change
from webhookproxy.models.types import Id, Instant, Secret, keyring
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import ConnectionReason, ConnectionState
from webhookproxy.rules import Refused
from webhookproxy.rules.companies import CompanyInput, check_company


class Company(Base):
    """A 3C Plus company: whose events come in, and with which token."""

    __tablename__ = "companies"
    __table_args__ = (
        # Deleted companies keep their row until it is purged, and may be registered anew.
        Index(
            "uq_companies_live_fingerprint",
            "token_fingerprint",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
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
    # None: as long as the setting RETENTION_DAYS says, which is also the most.
    retention_days: Mapped[int | None] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(Instant, default=lambda: datetime.now(UTC))
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)
    version: Mapped[int] = mapped_column(default=1)
    connection: Mapped[Connection] = relationship(back_populates="company", uselist=False)

    # Saving over somebody else's newer version is refused (StaleDataError) instead of hiding it.
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy declares it so

    def input(self) -> CompanyInput:
        """The fields as they would be given to store this company again."""
        return CompanyInput(
            name=self.name,
            token=self.token,
            socket_url=self.socket_url,
            threec_id=self.threec_id,
            agent_id=self.agent_id,
            timezone=self.timezone,
            hide_credentials=self.hide_credentials,
            retention_days=self.retention_days,
        )


class Connection(Base):
    """What the connection of a company is in fact; written only by the process that owns it.

    A state holds only as long as `fence` is the lease's and the lease's heartbeat is fresh.
    """

    __tablename__ = "connections"

    company_id: Mapped[int] = mapped_column(
        ForeignKey("companies.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[str] = mapped_column(String(20), default=ConnectionState.DISCONNECTED.value)
    reason: Mapped[str] = mapped_column(String(30), default=ConnectionReason.NOT_WISHED.value)
    since: Mapped[datetime] = mapped_column(Instant, default=lambda: datetime.now(UTC))
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    socket_id: Mapped[str | None] = mapped_column(String(64))
    fence: Mapped[int] = mapped_column(Id, default=0)
    events: Mapped[int] = mapped_column(Id, default=0)
    last_event_at: Mapped[datetime | None] = mapped_column(Instant)
    malformed: Mapped[int] = mapped_column(Id, default=0)
    company: Mapped[Company] = relationship(back_populates="connection")


class Gap(Base):
    """A stretch without a socket although one was wished; what was emitted in it is lost."""

    __tablename__ = "gaps"
    __table_args__ = (Index("ix_gaps_company_id_started_at", "company_id", "started_at"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id", ondelete="CASCADE"))
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(String(30))
    note: Mapped[str | None] = mapped_column(Text)


def fingerprint_text(socket_url: str, agent_id: str, token: str) -> str:
    """What `token_fingerprint` is the fingerprint of: these three make a connection one."""
    return "\n".join((socket_url, agent_id, token))


def _refuse_taken(session: Session, given: CompanyInput, but: int | None) -> str:
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
    """A new company, not connected; Refused with all that is wrong with the fields."""
    clean = check_company(given, policy)
    company = Company(
        name=clean.name,
        threec_id=clean.threec_id,
        token=clean.token,
        token_fingerprint=_refuse_taken(session, clean, but=None),
        socket_url=clean.socket_url,
        agent_id=clean.agent_id,
        timezone=clean.timezone,
        hide_credentials=clean.hide_credentials,
        retention_days=clean.retention_days,
        connection=Connection(),
    )
    session.add(company)
    session.flush()
    note_change(session, company.id)
    return company


def edit_company(session: Session, company: Company, given: CompanyInput, policy: Policy) -> None:
    """Replace the fields of a company; a new token, host or agent makes its socket anew."""
    clean = check_company(given, policy)
    company.token_fingerprint = _refuse_taken(session, clean, but=company.id)
    company.name = clean.name
    company.threec_id = clean.threec_id
    company.token = clean.token
    company.socket_url = clean.socket_url
    company.agent_id = clean.agent_id
    company.timezone = clean.timezone
    company.hide_credentials = clean.hide_credentials
    company.retention_days = clean.retention_days
    session.flush()
    note_change(session, company.id)


def wish_connection(session: Session, company: Company, *, connected: bool) -> bool:
    """Wish a company connected or not; False if that was the wish already.

    The wish is all that the button and the command change: the process that owns the sockets
    closes the difference between it and the fact.
    """
    if company.should_connect == connected:
        return False
    company.should_connect = connected
    session.flush()
    note_change(session, company.id)
    return True


def find_company(session: Session, company_id: int) -> Company:
    """A company that is not deleted; Refused if there is none with this number."""
    company = session.get(Company, company_id)
    if company is None or company.deleted_at is not None:
        raise Refused.one(
            "company",
            f"There is no company_{company_id}: `flask company list` shows those there are.",
            f"Não há empresa company_{company_id}.",
        )
    return company


def delete_company(session: Session, company: Company) -> None:
    """Leave a tombstone: nothing shows the company any more, and its socket closes.

    The process that owns the sockets cancels what waits and removes the rows in batches.
    """
    company.deleted_at = datetime.now(UTC)
    company.should_connect = False
    session.flush()
    note_change(session, company.id)
