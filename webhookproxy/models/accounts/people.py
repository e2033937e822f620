"""Users, and which companies an operator or a reader may see."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from argon2 import PasswordHasher
from sqlalchemy import ForeignKey, String, delete, false, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant
from webhookproxy.rules import Refused
from webhookproxy.rules.people import check_email, check_password

# OWASP's argon2id profile of 19 MiB: a login costs the small server 0.1 s of one thread.
hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class User(Base):
    """A person who may log in; an administrator sees every company.

    A reader sees the companies that were granted, with personal data masked, and changes nothing.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_reader: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Another person typed the password: the user must choose one before anything else.
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(Instant, default=utc_now)


class Grant(Base):
    """An operator's or a reader's right to one company."""

    __tablename__ = "grants"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    company_id: Mapped[int] = mapped_column(
        ForeignKey("companies.id", ondelete="CASCADE"), primary_key=True
    )


def create_user(
    session: Session, email: str, password_hash: str, *, admin: bool, reader: bool = False
) -> User:
    """Add a user: an operator unless it says otherwise. Raises Refused for a wrong or taken e-mail.

    The caller hashes the password before the write transaction, because hashing takes 0.1 s.
    """
    address = check_email(email)
    if session.scalar(select(User.id).where(User.email == address)) is not None:
        raise Refused.one(
            "email",
            "There is already a user with this address.",
            "Já existe um usuário com este e-mail.",
        )
    user = User(email=address, password_hash=password_hash, is_admin=admin, is_reader=reader)
    session.add(user)
    session.flush()
    return user


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password. Raises Refused if it is too short or too long."""
    check_password(password)
    return hasher.hash(password)


def find_user(session: Session, email: str) -> User:
    """Return the user with this e-mail. Raises Refused if there is none."""
    user = session.scalar(select(User).where(User.email == email.strip().lower()))
    if user is None:
        raise Refused.one(
            "email",
            "There is no user with this address: `flask user list` shows them.",
            "Não há usuário com este e-mail.",
        )
    return user


def change_role(session: Session, user: User, *, admin: bool, reader: bool = False) -> None:
    """Make a user an administrator, a reader, or else an operator.

    Raises Refused for the last administrator.
    """
    if not admin:
        _keep_an_administrator(session, user)
    user.is_admin, user.is_reader = admin, reader


def delete_user(session: Session, user: User | None) -> None:
    """Delete a user with the logins and grants. Raises Refused for the last administrator."""
    if user is not None:
        _keep_an_administrator(session, user)
        session.delete(user)


def _keep_an_administrator(session: Session, user: User) -> None:
    # Locked where the database can: two processes must not take away the last two at once.
    query = select(User.id).where(User.is_admin).order_by(User.id).with_for_update()
    administrators = set(session.scalars(query))
    if administrators == {user.id}:
        raise Refused.one(
            "role",
            f"{user.email} is the only administrator: make another user one first.",
            "Este é o único administrador: torne outra pessoa administradora antes.",
        )


def granted_companies(session: Session, user_id: int) -> frozenset[int]:
    """Return the numbers of the companies that an operator or a reader may see."""
    return frozenset(session.scalars(select(Grant.company_id).where(Grant.user_id == user_id)))


def grant_only(session: Session, user: User, company_ids: Collection[int]) -> None:
    """Let an operator or a reader see these companies and no other."""
    session.execute(
        delete(Grant).where(Grant.user_id == user.id, Grant.company_id.not_in(company_ids))
    )
    for company_id in company_ids:
        grant(session, user, company_id)


def grant(session: Session, user: User, company_id: int) -> bool:
    """Let an operator or a reader see a company; return False if they could already."""
    if session.get(Grant, (user.id, company_id)) is not None:
        return False
    session.add(Grant(user_id=user.id, company_id=company_id))
    return True


def revoke(session: Session, user: User, company_id: int) -> bool:
    """Take the right to a company away; return False if there was none."""
    found = session.get(Grant, (user.id, company_id))
    if found is None:
        return False
    session.delete(found)
    return True
