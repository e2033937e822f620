"""Links with which a user who forgot the password chooses another: one hour, one use."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ForeignKey, String, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.models.accounts.link_tokens import hash_of, new_token
from webhookproxy.models.accounts.people import User
from webhookproxy.models.accounts.sign_ins import set_password
from webhookproxy.models.types import Id, Instant

VALID_FOR = timedelta(hours=1)


class PasswordLink(Base):
    """A link that was not used yet; a user has one at most. Only its token's hash is stored."""

    __tablename__ = "password_links"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        Id, ForeignKey("users.id", ondelete="CASCADE"), unique=True
    )
    expires_at: Mapped[datetime] = mapped_column(Instant)


def make_password_link(session: Session, user_id: int) -> str:
    """Add a user's link and return its token. The user's older link, and all that ended, go."""
    now = utc_now()
    gone = or_(PasswordLink.user_id == user_id, PasswordLink.expires_at <= now)
    session.execute(delete(PasswordLink).where(gone))
    token = new_token()
    session.add(
        PasswordLink(token_hash=hash_of(token), user_id=user_id, expires_at=now + VALID_FOR)
    )
    return token


def opens_something(session: Session, token: str) -> bool:
    """Return whether there is a valid link with this token."""
    query = select(PasswordLink.user_id).where(*_valid(token))
    return session.scalar(query) is not None


def change_with_link(session: Session, token: str, password_hash: str) -> User | None:
    """Use the link up, give its user the new password, and end all of the user's logins.

    Return None if the link is over. Of two requests with one link only one succeeds.
    """
    spent = delete(PasswordLink).where(*_valid(token)).returning(PasswordLink.user_id)
    user_id = session.scalar(spent)
    user = None if user_id is None else session.get(User, user_id)
    if user is not None:
        set_password(session, user, password_hash, but=None)
    return user


def _valid(token: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    # The database compares hashes of 128 random bits: how long that takes says nothing.
    return PasswordLink.token_hash == hash_of(token), PasswordLink.expires_at > utc_now()
