"""The second factor of a login: an app's key, and the recovery codes for when it is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

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

# So long a key is shown to whoever gave the password, until a first code proves that it arrived.
TO_CONFIRM = timedelta(minutes=10)


class SecondFactor(Base):
    """A user's key; it is asked for from `confirmed_at` on, and not before."""

    __tablename__ = "second_factors"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(
        Id, ForeignKey("users.id", ondelete="CASCADE"), unique=True
    )
    key: Mapped[str] = mapped_column(Secret)
    begun_at: Mapped[datetime] = mapped_column(Instant)
    # The hash of the login that saw the password: no other one is shown the key.
    begun_in: Mapped[str] = mapped_column(String(64))
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    # Of the last code that was taken; it and those before it are worth nothing any more.
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(Base):
    """A code that was not used yet; here there is only its hash."""

    __tablename__ = "recovery_codes"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)


class Means(StrEnum):
    """With what somebody showed that it is them."""

    APP = "app"
    RECOVERY_CODE = "recovery_code"


def on_since(session: Session, user_id: int) -> datetime | None:
    """Since when the second factor of a user is asked for; None if it is not."""
    return session.scalar(select(SecondFactor.confirmed_at).where(SecondFactor.user_id == user_id))


def users_with_it(session: Session) -> frozenset[int]:
    """Everybody whose second factor is asked for."""
    query = select(SecondFactor.user_id).where(SecondFactor.confirmed_at.is_not(None))
    return frozenset(session.scalars(query))


def codes_left(session: Session, user_id: int) -> int:
    """How many recovery codes a user has not used."""
    query = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    return session.scalar(query) or 0


def begin(session: Session, user_id: int, login: str) -> None:
    """Make a key, which only this login is shown; Refused if the second factor is on."""
    if on_since(session, user_id) is not None:
        raise Refused.one("", "The second factor is on already.", "O segundo fator já está ligado.")
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
    made = SecondFactor(
        user_id=user_id, key=new_key(), begun_at=datetime.now(UTC), begun_in=key_hash(login)
    )
    session.add(made)


def begun(session: Session, user_id: int, login: str) -> SecondFactor | None:
    """The factor that this login is turning on; None if there is none, or it took too long."""
    return session.scalar(
        select(SecondFactor).where(
            SecondFactor.user_id == user_id,
            SecondFactor.confirmed_at.is_(None),
            SecondFactor.begun_in == key_hash(login),
            SecondFactor.begun_at > datetime.now(UTC) - TO_CONFIRM,
        )
    )


def confirm(session: Session, user_id: int, login: str, code: str) -> list[str]:
    """Turn it on, for the app shows the right code, and end every other login.

    Returns the recovery codes, which nobody can be shown again. Refused if the code is wrong, or
    `begin` was too long ago.
    """
    factor = begun(session, user_id, login)
    if factor is None:
        raise Refused.one(
            "", "The time to confirm is over.", "O tempo para confirmar acabou: comece de novo."
        )
    step = matching_step(factor.key, code, datetime.now(UTC))
    if step is None:
        raise Refused.one(
            "code",
            "The code is wrong.",
            "O código não confere. Veja se o relógio do celular está certo e digite o de agora.",
        )
    factor.confirmed_at, factor.last_step = datetime.now(UTC), step
    sign_out_everywhere(session, user_id, but=login)
    return new_recovery_codes(session, user_id)


def prove(session: Session, user_id: int, *, code: str, recovery: str) -> Means | None:
    """Use up the app's code, or the recovery code if one is given; None if it is not good.

    Of two logins with one code, however close together, only one is let through.
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
    step = None if factor is None else matching_step(factor.key, code, datetime.now(UTC))
    if step is None:
        return None
    later = update(SecondFactor).where(
        SecondFactor.user_id == user_id, SecondFactor.last_step < step
    )
    noted = session.scalar(later.values(last_step=step).returning(SecondFactor.id))
    return None if noted is None else Means.APP


def new_recovery_codes(session: Session, user_id: int) -> list[str]:
    """Recovery codes in place of all that there were; only their hashes are kept."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(code_hash=recovery_hash(code), user_id=user_id) for code in codes)
    return codes


def turn_off(session: Session, user_id: int, *, but: str | None) -> bool:
    """Ask for it no more, and end every login but the one with the key `but`.

    False if it was off already; then nothing ends.
    """
    was_on = on_since(session, user_id) is not None
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    if was_on:
        sign_out_everywhere(session, user_id, but=but)
    return was_on
