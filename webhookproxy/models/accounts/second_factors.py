"""The second factor of a login: an app's key, and the recovery codes for when it is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.models.accounts.one_time_codes import (
    RECOVERY_CODES,
    matching_step,
    new_key,
    new_recovery_code,
    recovery_hash,
)
from webhookproxy.models.accounts.sign_ins import key_hash, sign_out_everywhere
from webhookproxy.models.types import Id, Instant, Secret
from webhookproxy.rules import Refused

# How long a key is shown to the user, until a first code proves that the app has it.
TO_CONFIRM = timedelta(minutes=10)


class SecondFactor(Base):
    """A user's key; a login asks for it from `confirmed_at` on."""

    __tablename__ = "second_factors"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(
        Id, ForeignKey("users.id", ondelete="CASCADE"), unique=True
    )
    key: Mapped[str] = mapped_column(Secret)
    begun_at: Mapped[datetime] = mapped_column(Instant)
    # The hash of the login in which the password was given: no other login is shown the key.
    begun_in: Mapped[str] = mapped_column(String(64))
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    # The step of the last code that was used: that code and older ones are refused.
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(Base):
    """A code that was not used yet; only its hash is stored."""

    __tablename__ = "recovery_codes"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)


class Means(StrEnum):
    """The second factor that a user gave."""

    APP = "app"
    RECOVERY_CODE = "recovery_code"


def on_since(session: Session, user_id: int) -> datetime | None:
    """Return since when a user's second factor is on; None if it is off."""
    return session.scalar(select(SecondFactor.confirmed_at).where(SecondFactor.user_id == user_id))


def users_with_it(session: Session) -> frozenset[int]:
    """Return the numbers of the users whose second factor is on."""
    query = select(SecondFactor.user_id).where(SecondFactor.confirmed_at.is_not(None))
    return frozenset(session.scalars(query))


def codes_left(session: Session, user_id: int) -> int:
    """Return how many recovery codes a user has left."""
    query = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    return session.scalar(query) or 0


def begin(session: Session, user_id: int, login: str) -> None:
    """Make a key, which only this login is shown. Raises Refused if the second factor is on."""
    if on_since(session, user_id) is not None:
        raise Refused.one("", "The second factor is on already.", "O segundo fator já está ligado.")
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
    made = SecondFactor(
        user_id=user_id, key=new_key(), begun_at=utc_now(), begun_in=key_hash(login)
    )
    session.add(made)


def begun(session: Session, user_id: int, login: str) -> SecondFactor | None:
    """Return the factor that this login is turning on; None without one, or after too long."""
    return session.scalar(
        select(SecondFactor).where(
            SecondFactor.user_id == user_id,
            SecondFactor.confirmed_at.is_(None),
            SecondFactor.begun_in == key_hash(login),
            SecondFactor.begun_at > utc_now() - TO_CONFIRM,
        )
    )


def confirm(session: Session, user_id: int, login: str, code: str) -> list[str]:
    """Turn the second factor on if the app's code is right, and end every other login.

    Return the recovery codes, which are never shown again. Raises Refused if the code is wrong, or
    `begin` was too long ago.
    """
    factor = begun(session, user_id, login)
    if factor is None:
        raise Refused.one(
            "", "The time to confirm is over.", "O tempo para confirmar acabou: comece de novo."
        )
    step = matching_step(factor.key, code, utc_now())
    if step is None:
        raise Refused.one(
            "code",
            "The code is wrong.",
            "O código não confere. Veja se o relógio do celular está certo e digite o de agora.",
        )
    factor.confirmed_at, factor.last_step = utc_now(), step
    sign_out_everywhere(session, user_id, but=login)
    return new_recovery_codes(session, user_id)


def prove(session: Session, user_id: int, *, code: str, recovery: str) -> Means | None:
    """Use up the app's code, or the recovery code if one is given; return None if it is wrong.

    Of two logins with one code, however close together, only one succeeds.
    """
    if recovery:
        spent = delete(RecoveryCode).where(
            RecoveryCode.user_id == user_id, RecoveryCode.code_hash == recovery_hash(recovery)
        )
        gone = session.scalar(spent.returning(RecoveryCode.code_hash))
        return None if gone is None else Means.RECOVERY_CODE
    query = select(SecondFactor).where(
        SecondFactor.user_id == user_id, SecondFactor.confirmed_at.is_not(None)
    )
    factor = session.scalar(query)
    step = None if factor is None else matching_step(factor.key, code, utc_now())
    if step is None:
        return None
    later = update(SecondFactor).where(
        SecondFactor.user_id == user_id, SecondFactor.last_step < step
    )
    noted = session.scalar(later.values(last_step=step).returning(SecondFactor.id))
    return None if noted is None else Means.APP


def new_recovery_codes(session: Session, user_id: int) -> list[str]:
    """Replace a user's recovery codes and return the new ones; only their hashes are stored."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(code_hash=recovery_hash(code), user_id=user_id) for code in codes)
    return codes


def turn_off(session: Session, user_id: int, *, but: str | None) -> bool:
    """Turn the second factor off, and end every login except the one with the key `but`.

    Return False if it was off already; then no login ends.
    """
    was_on = on_since(session, user_id) is not None
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    if was_on:
        sign_out_everywhere(session, user_id, but=but)
    return was_on
