"""One row that only the right data keys open."""

from __future__ import annotations

from sqlalchemy import Connection, Text, select, type_coerce
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Secret


class KeyCheck(Base):
    """Row 1, made by the migration: if it does not open, no other secret does.

    `flask keys rotate` encrypts it last, so it also says whether an old key can be removed.
    """

    __tablename__ = "key_check"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    text: Mapped[str] = mapped_column(Secret)


def stored_check(connection: Connection) -> str | None:
    """Return the row's text as it is stored, encrypted; None without a row."""
    found: str | None = connection.scalar(select(type_coerce(KeyCheck.text, Text)))
    return found
