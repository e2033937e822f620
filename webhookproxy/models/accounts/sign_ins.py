"""Who is logged in: one row per browser, so that a logout ends a cookie and not just hides it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import ForeignKey, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.accounts.people import User
from webhookproxy.models.types import Id, Instant

# ASVS 7.3: a bound on the whole, and one on being idle.
LIFETIME = timedelta(hours=12)
IDLE = timedelta(hours=4)
# `seen_at` is written at most so often: a page must not cost a write.
SEEN_STEP = timedelta(minutes=5)
# So long the second factor is waited for after the password.
HALF_LIFETIME = timedelta(minutes=5)


class SignIn(Base):
    """One login of a user; its key is in the browser's cookie, here there is only its hash."""

    __tablename__ = "sign_ins"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)


class HalfSignIn(Base):
    """A login that has the right password and still needs the second factor.

    It is no SignIn with a mark: nothing that asks who is logged in can take it for one.
    """

    __tablename__ = "half_sign_ins"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


def sign_in(session: Session, user_id: int) -> str:
    """A new login's key; those that are over go, so that the table stays small."""
    now = datetime.now(UTC)
    key = secrets.token_urlsafe(32)
    session.execute(delete(SignIn).where(SignIn.created_at < now - LIFETIME))
    session.add(SignIn(key_hash=key_hash(key), user_id=user_id, created_at=now, seen_at=now))
    return key


def signed_in(session: Session, key: str) -> tuple[User, bool] | None:
    """The user of a login that still holds, and whether it is time to call `saw`; else None."""
    now = datetime.now(UTC)
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


def saw(session: Session, key: str) -> None:
    """Note that a login is being used."""
    session.execute(
        update(SignIn).where(SignIn.key_hash == key_hash(key)).values(seen_at=datetime.now(UTC))
    )


def sign_out(session: Session, key: str) -> None:
    """End one login; its cookie is worth nothing from now on."""
    session.execute(delete(SignIn).where(SignIn.key_hash == key_hash(key)))


def sign_out_everywhere(session: Session, user_id: int, *, but: str | None = None) -> None:
    """End every login of a user, also those half done, but the one with this key."""
    kept = "" if but is None else key_hash(but)
    session.execute(delete(HalfSignIn).where(HalfSignIn.user_id == user_id))
    session.execute(delete(SignIn).where(SignIn.user_id == user_id, SignIn.key_hash != kept))


def half_sign_in(session: Session, user_id: int) -> str:
    """The key of a login whose password was right; those that are over go."""
    now = datetime.now(UTC)
    key = secrets.token_urlsafe(32)
    session.execute(delete(HalfSignIn).where(HalfSignIn.created_at < now - HALF_LIFETIME))
    session.add(HalfSignIn(key_hash=key_hash(key), user_id=user_id, created_at=now))
    return key


def half_signed_in(session: Session, key: str) -> User | None:
    """The user who gave the password in that login, if it is not over."""
    return session.scalar(
        select(User)
        .join(HalfSignIn, HalfSignIn.user_id == User.id)
        .where(
            HalfSignIn.key_hash == key_hash(key),
            HalfSignIn.created_at > datetime.now(UTC) - HALF_LIFETIME,
        )
    )


def end_half_sign_in(session: Session, key: str) -> None:
    """End a login that was half done, for it is whole now."""
    session.execute(delete(HalfSignIn).where(HalfSignIn.key_hash == key_hash(key)))


def key_hash(key: str) -> str:
    """What is stored of a login's key."""
    return hashlib.sha256(key.encode()).hexdigest()
