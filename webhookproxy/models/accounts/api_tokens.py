"""Tokens for programs: each acts for one user, within the scopes and companies chosen for it."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.models.accounts.link_tokens import hash_of
from webhookproxy.models.accounts.people import User
from webhookproxy.models.accounts.revocable import Revocable
from webhookproxy.models.types import Id, Instant
from webhookproxy.rules import Problems, Refused, check_name

# Programs that look for lost secrets know a token by its beginning.
PREFIX = "whp_"
DAYS_MAX = 366
# Tokens of a user that are valid at the same time.
TOKENS_MAX = 50
# A request must not cost a write each time.
NOTED_EVERY = timedelta(minutes=1)
# How long a token is still listed after its end.
LISTED_AFTER = timedelta(days=30)


class Scope(StrEnum):
    """The rights that a token may have; every token has READ."""

    READ = "read"
    PAYLOADS = "payloads"
    OPERATE = "operate"
    ADMINISTER = "administer"


class ApiToken(Revocable, Base):
    """One token; only its hash is stored. `used_at` is written once a minute.

    `company_ids` None means every company that its user may see.
    """

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(60))
    company_ids: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def chosen(self) -> frozenset[Scope]:
        """Return the scopes that were chosen for the token."""
        return frozenset(map(Scope, self.scopes.split()))

    @property
    def use_is_due(self) -> bool:
        """Return whether no use was noted within the last minute."""
        return self.used_at is None or self.used_at < utc_now() - NOTED_EVERY


def rights_of(user: User) -> frozenset[Scope]:
    """Return the scopes that a user's role allows now; none before they chose their password."""
    if user.must_change_password:
        return frozenset()
    if user.is_admin:
        return frozenset(Scope)
    if user.is_reader:
        return frozenset({Scope.READ})
    return frozenset({Scope.READ, Scope.PAYLOADS, Scope.OPERATE})


def make_api_token(
    session: Session,
    user: User,
    name: str,
    scopes: Collection[Scope],
    days: int,
    company_ids: Collection[int] | None = None,
) -> tuple[ApiToken, str]:
    """Add a token; return it with its text, which nothing can show again.

    Raises Refused for a bad name, for other than 1 to DAYS_MAX days, for no company at all, for a
    scope that the user's role does not have, and beyond TOKENS_MAX tokens.
    """
    now = utc_now()
    problems = Problems()
    name = check_name(name, "do token", problems)
    wanted = frozenset({*scopes, Scope.READ})
    _check(user, wanted, days, company_ids, problems)
    problems.raise_any()
    _forget_old(session, user.id, now)
    if len([each for each in api_tokens(session, user.id) if each.is_valid]) >= TOKENS_MAX:
        raise Refused.one(
            "name",
            f"The user has {TOKENS_MAX} valid tokens: revoke one first.",
            f"Já há {TOKENS_MAX} tokens que valem: revogue um antes.",
        )
    token = PREFIX + secrets.token_urlsafe(32)
    made = ApiToken(
        user_id=user.id,
        name=name,
        token_hash=hash_of(token),
        scopes=" ".join(each for each in Scope if each in wanted),
        company_ids=None if company_ids is None else sorted(company_ids),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(made)
    session.flush()
    return made, token


def _check(
    user: User,
    wanted: frozenset[Scope],
    days: int,
    company_ids: Collection[int] | None,
    problems: Problems,
) -> None:
    if not 1 <= days <= DAYS_MAX:
        problems.add(
            "days",
            f"A token is valid for 1 to {DAYS_MAX} days.",
            f"Um token vale de 1 a {DAYS_MAX} dias.",
        )
    if company_ids is not None and not company_ids:
        problems.add(
            "companies",
            "No company is chosen: choose one, or all of them.",
            "Escolha ao menos uma empresa, ou todas.",
        )
    if too_much := sorted(wanted - rights_of(user)):
        problems.add(
            "scopes",
            f"{user.email} may not {', '.join(too_much)}, so a token of this user cannot either.",
            "Um token não pode mais do que você: tire o que o seu papel não permite.",
        )


def api_tokens(session: Session, user_id: int | None = None) -> Sequence[ApiToken]:
    """Return the tokens of a user, or of all, the newest first."""
    query = select(ApiToken).order_by(ApiToken.id.desc())
    if user_id is not None:
        query = query.where(ApiToken.user_id == user_id)
    return session.scalars(query).all()


def api_token_of(session: Session, token: str) -> tuple[ApiToken, User] | None:
    """Return the valid token with this text, and its user; else None."""
    hashed = hash_of(token)
    row = session.execute(
        select(ApiToken, User)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.token_hash == hashed)
    ).one_or_none()
    if row is None or not hmac.compare_digest(row[0].token_hash, hashed):
        return None
    return (row[0], row[1]) if row[0].is_valid else None


def note_use(session: Session, token_id: int) -> None:
    """Write down that a token was used now; call it only when `use_is_due`."""
    found = session.get(ApiToken, token_id)
    if found is not None:
        found.used_at = utc_now()


def find_api_token(session: Session, token_id: int) -> ApiToken:
    """Return a token. Raises Refused if there is none with this number."""
    found = session.get(ApiToken, token_id)
    if found is None:
        raise Refused.one(
            "",
            f"There is no token_{token_id}: `flask token list` shows them.",
            "Este token não existe mais.",
        )
    return found


def _forget_old(session: Session, user_id: int, now: datetime) -> None:
    ended = func.coalesce(ApiToken.revoked_at, ApiToken.expires_at)
    session.execute(delete(ApiToken).where(ApiToken.user_id == user_id, ended < now - LISTED_AFTER))
