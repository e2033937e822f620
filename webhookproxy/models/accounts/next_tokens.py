"""The token that follows a company's present one: laid ready, tried, and switched to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.models.audit import Action, Actor, record_company, record_company_edit
from webhookproxy.models.companies import Company, edit_company, refuse_taken
from webhookproxy.models.types import Id, Instant, Secret
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import ConnectionReason
from webhookproxy.rules import Refused
from webhookproxy.rules.companies import check_company


class NextToken(Base):
    """The next token of a company; what its trial said is empty until it was tried.

    It is removed when the company's token, server or agent changes (see edit_company).
    """

    __tablename__ = "next_tokens"
    __table_args__ = (Index("uq_next_tokens_company_id", "company_id", unique=True),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    company_id: Mapped[int] = mapped_column(Id, ForeignKey("companies.id", ondelete="CASCADE"))
    token: Mapped[str] = mapped_column(Secret)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    laid_at: Mapped[datetime] = mapped_column(Instant)
    tried_at: Mapped[datetime | None] = mapped_column(Instant)
    # A ConnectionReason: what the socket said.
    answer: Mapped[str | None] = mapped_column(String(30))
    # Whose it is, as far as 3C Plus says it.
    role: Mapped[str | None] = mapped_column(String(120))
    organisation: Mapped[str | None] = mapped_column(String(64))

    @property
    def is_accepted(self) -> bool:
        """Whether the socket accepted it when it was tried."""
        return self.answer == ConnectionReason.ACCEPTED

    @property
    def is_refused(self) -> bool:
        """Whether the socket refused it when it was tried."""
        return self.answer in (ConnectionReason.REFUSED, ConnectionReason.REFUSED_FOR_NOW)


def next_token_of(session: Session, company_id: int) -> NextToken | None:
    """Return the next token of a company, if one is ready."""
    return session.scalar(select(NextToken).where(NextToken.company_id == company_id))


def lay_ready(
    session: Session,
    company: Company,
    token: str,
    expires_at: datetime | None,
    policy: Policy,
    actor: Actor,
) -> None:
    """Lay a token ready, in place of one that was ready before. Raises Refused if it cannot be."""
    wanted = check_company(replace(company.input(), token=token), policy)
    if token == company.token:
        raise Refused.one(
            "token",
            "This is the token that the company has now.",
            "Este é o token que a empresa já usa.",
        )
    refuse_taken(session, wanted, but=company.id)
    forget(session, company.id)
    now = utc_now()
    session.add(NextToken(company_id=company.id, token=token, expires_at=expires_at, laid_at=now))
    session.flush()
    record_company(session, actor, Action.NEXT_TOKEN_CHANGED, company.id, "laid ready")


def forget(session: Session, company_id: int) -> bool:
    """Remove the next token; return whether there was one."""
    found = next_token_of(session, company_id)
    if found is None:
        return False
    session.delete(found)
    session.flush()
    return True


def switch(session: Session, company: Company, policy: Policy, actor: Actor) -> bool:
    """Make the next token the company's, which opens a new socket; return whether that was done.

    It is done only with one that was tried and accepted. Raises Refused if another company got the
    same token meanwhile.
    """
    found = next_token_of(session, company.id)
    if found is None or not found.is_accepted:
        return False
    before = company.input()
    given = replace(before, token=found.token, token_expires_at=found.expires_at)
    edit_company(session, company, given, policy)
    record_company(session, actor, Action.NEXT_TOKEN_CHANGED, company.id, "switched to")
    record_company_edit(session, actor, before, company)
    return True
