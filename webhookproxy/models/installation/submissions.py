"""Forms that were sent: each is carried out once, so a double click changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import String, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant

KEPT = timedelta(days=1)


class Submission(Base):
    """A form that was sent: its key, and the number of the row that it made or changed."""

    __tablename__ = "submissions"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    made: Mapped[int] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Instant)


def once(session: Session, key: str, act: Callable[[], int]) -> tuple[int, bool]:
    """Carry out a form, unless one with this key was carried out before.

    Return the number that `act` returned, now or then, and whether it ran now. Two submissions at
    the same moment follow one another: every write goes through one store, and of two processes
    the second fails on the key and writes nothing.
    """
    before = session.get(Submission, key)
    if before is not None:
        return before.made, False
    now = utc_now()
    session.execute(delete(Submission).where(Submission.at < now - KEPT))
    made = act()
    session.add(Submission(key=key, made=made, at=now))
    return made, True


class KeyReused(Exception):
    """A key of the sender's choosing came before, with something else."""


def once_with_key(
    session: Session, key: str, content: str, act: Callable[[], int]
) -> tuple[int, bool]:
    """Carry out a request with a key of its sender's choosing, see once.

    Raises KeyReused if the key came before with other content. There is a row for the key and one
    for both, because hashes are all that is kept.
    """
    own, both = _hash(key), _hash(key, content)
    if session.get(Submission, own) is None:
        session.add(Submission(key=own, made=0, at=utc_now()))
    elif session.get(Submission, both) is None:
        raise KeyReused
    return once(session, both, act)


def _hash(*parts: str) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
