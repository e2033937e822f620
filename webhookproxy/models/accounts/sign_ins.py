"""Logins: one row for each browser, so that a logout ends the cookie and does not only hide it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.models.accounts.people import User
from webhookproxy.models.types import Id, Instant

# ASVS 7.3 asks for a limit on the whole login, and for one on the time without a request.
LIFETIME = timedelta(hours=12)
IDLE = timedelta(hours=4)
# `seen_at` is not written more often than this: a page must not cost a write.
SEEN_STEP = timedelta(minutes=5)
# How long a login waits for the second factor after the password.
PENDING_LIFETIME = timedelta(minutes=5)


class SignIn(Base):
    """One login of a user. The browser's cookie has the key; the row has only the key's hash."""

    __tablename__ = "sign_ins"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)


class PendingSignIn(Base):
    """A login that has the right password and still needs the second factor.

    It has its own table and is no SignIn with a mark, so no query for logins can find it.
    """

    __tablename__ = "pending_sign_ins"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


def sign_in(session: Session, user_id: int) -> str:
    """Add a login and return its key. Logins that are over are deleted, to keep the table small."""
    now = utc_now()
    key = secrets.token_urlsafe(32)
    session.execute(delete(SignIn).where(SignIn.created_at < now - LIFETIME))
    session.add(SignIn(key_hash=key_hash(key), user_id=user_id, created_at=now, seen_at=now))
    return key


def signed_in(session: Session, key: str) -> tuple[User, bool] | None:
    """Return the user of a login, and whether `touch_sign_in` is due; None if the login is over."""
    now = utc_now()
    row = session.execute(
        select(User, SignIn.seen_at)
        .join(SignIn, SignIn.user_id == User.id)
        .where(
            SignIn.key_hash == key_hash(key),
            SignIn.created_at > now - LIFETIME,
            SignIn.seen_at > now - IDLE,
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1] < now - SEEN_STEP)


def touch_sign_in(session: Session, key: str) -> None:
    """Write down that a login was used now."""
    session.execute(
        update(SignIn).where(SignIn.key_hash == key_hash(key)).values(seen_at=utc_now())
    )


def sign_out(session: Session, key: str) -> None:
    """End one login: its cookie is worth nothing from now on."""
    session.execute(delete(SignIn).where(SignIn.key_hash == key_hash(key)))


def sign_out_everywhere(session: Session, user_id: int, *, but: str | None = None) -> None:
    """End every login of a user, pending ones too, except the one with the key `but`."""
    kept = "" if but is None else key_hash(but)
    session.execute(delete(PendingSignIn).where(PendingSignIn.user_id == user_id))
    session.execute(delete(SignIn).where(SignIn.user_id == user_id, SignIn.key_hash != kept))


def set_password(
    session: Session,
    user: User,
    password_hash: str,
    *,
    but: str | None,
    typed_by_other: bool = False,
) -> None:
    """Give a user a new password and end every login except the one with the key `but`.

    If another person typed it, the user must choose one of their own at the next login.
    """
    user.password_hash, user.must_change_password = password_hash, typed_by_other
    sign_out_everywhere(session, user.id, but=but)


def begin_sign_in(session: Session, user_id: int) -> str:
    """Add a pending login and return its key. Pending logins that are over are deleted."""
    now = utc_now()
    key = secrets.token_urlsafe(32)
    session.execute(delete(PendingSignIn).where(PendingSignIn.created_at < now - PENDING_LIFETIME))
    session.add(PendingSignIn(key_hash=key_hash(key), user_id=user_id, created_at=now))
    return key


def pending_user(session: Session, key: str) -> User | None:
    """Return the user of a pending login; None if it is over."""
    return session.scalar(
        select(User)
        .join(PendingSignIn, PendingSignIn.user_id == User.id)
        .where(
            PendingSignIn.key_hash == key_hash(key),
            PendingSignIn.created_at > utc_now() - PENDING_LIFETIME,
        )
    )


def end_pending_sign_in(session: Session, key: str) -> None:
    """Delete a pending login, because the second factor completed it."""
    session.execute(delete(PendingSignIn).where(PendingSignIn.key_hash == key_hash(key)))


def key_hash(key: str) -> str:
    """Return the hash of a login's key, which is all that is stored of it."""
    return hashlib.sha256(key.encode()).hexdigest()
