"""Links that let a guest, who has no login, see the state of one company and nothing else."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.models.accounts.link_tokens import hash_of, new_token
from webhookproxy.models.accounts.revocable import Revocable
from webhookproxy.models.companies import Company
from webhookproxy.models.types import Id, Instant
from webhookproxy.rules import Problems, Refused, check_name

DAYS_MAX = 30
# Links of a company that are valid at the same time.
LINKS_MAX = 20
# A page that is looked at all day must not cost a write each time.
NOTED_EVERY = timedelta(hours=1)
# How long a link is still listed after its end.
LISTED_AFTER = timedelta(days=30)


class GuestLink(Revocable, Base):
    """One link; only the hash of its token is stored. `used_at` is written once an hour."""

    __tablename__ = "guest_links"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    company_id: Mapped[int] = mapped_column(
        Id, ForeignKey("companies.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(120))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def use_is_due(self) -> bool:
        """Return whether no use was noted within the last hour."""
        return self.used_at is None or self.used_at < utc_now() - NOTED_EVERY


def make_guest_link(
    session: Session, company_id: int, name: str, days: int
) -> tuple[GuestLink, str]:
    """Add a link; return it with its token, which nothing can show again.

    Raises Refused for a bad name, for other than 1 to DAYS_MAX days, and beyond LINKS_MAX links.
    """
    now = utc_now()
    problems = Problems()
    name = check_name(name, "de quem vai usar o link", problems)
    if not 1 <= days <= DAYS_MAX:
        problems.add(
            "days",
            f"A link is valid for 1 to {DAYS_MAX} days.",
            f"Um link vale de 1 a {DAYS_MAX} dias.",
        )
    problems.raise_any()
    _forget_old(session, company_id, now)
    if len([each for each in guest_links(session, company_id) if each.is_valid]) >= LINKS_MAX:
        raise Refused.one(
            "name",
            f"The company has {LINKS_MAX} valid links: revoke one first.",
            f"A empresa já tem {LINKS_MAX} links que valem: revogue um antes.",
        )
    token = new_token()
    link = GuestLink(
        company_id=company_id,
        name=name,
        token_hash=hash_of(token),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(link)
    session.flush()
    return link, token


def guest_links(session: Session, company_id: int | None = None) -> Sequence[GuestLink]:
    """Return the links of a company, or of all, the newest first."""
    query = select(GuestLink).order_by(GuestLink.id.desc())
    if company_id is not None:
        query = query.where(GuestLink.company_id == company_id)
    return session.scalars(query).all()


def guest_link_of(session: Session, token: str) -> GuestLink | None:
    """Return the valid link with this token, of a company that exists; else None."""
    return guest_link_with(session, hash_of(token))


def guest_link_with(session: Session, token_hash: str) -> GuestLink | None:
    """Return the valid link with this hash of its token, of a company that exists; else None."""
    link = session.scalar(
        select(GuestLink)
        .join(Company, Company.id == GuestLink.company_id)
        .where(GuestLink.token_hash == token_hash, Company.deleted_at.is_(None))
    )
    if link is None or not hmac.compare_digest(link.token_hash, token_hash):
        return None
    return link if link.is_valid else None


def find_guest_link(session: Session, link_id: int) -> GuestLink:
    """Return a link. Raises Refused if there is none with this number."""
    link = session.get(GuestLink, link_id)
    if link is None:
        raise Refused.one(
            "",
            f"There is no guest link {link_id}: `flask guest list` shows them.",
            "Este link não existe mais.",
        )
    return link


def _forget_old(session: Session, company_id: int, now: datetime) -> None:
    ended = func.coalesce(GuestLink.revoked_at, GuestLink.expires_at)
    session.execute(
        delete(GuestLink).where(GuestLink.company_id == company_id, ended < now - LISTED_AFTER)
    )
