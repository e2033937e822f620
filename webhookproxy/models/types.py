"""Column types: ids, instants, numbers of days, and secrets."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Dialect, Index, Integer, Text, text
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from webhookproxy.config.keys import Keyring

EPOCH = date(1970, 1, 1)
# SQLite uses a column as the row's own id, without another index, only if its type is INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index of the rows that meet an SQL condition, on both databases."""
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def to_ms(instant: datetime) -> int:
    """Return an aware instant as milliseconds since 1970; raise ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError("A time without a zone is ambiguous: give it one (utc_now()).")
    return round(instant.timestamp() * 1000)


def optional_ms(instant: datetime | None) -> int | None:
    """Return to_ms of an instant that may be missing."""
    return None if instant is None else to_ms(instant)


def from_ms(milliseconds: int) -> datetime:
    """Return milliseconds since 1970 as an aware UTC instant."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def day_number(day: date) -> int:
    """Return the number of a day, as the tables store it: days since 1970."""
    return (day - EPOCH).days


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as milliseconds since 1970.

    The contract uses milliseconds, both databases compare integers alike, and the code that writes
    thousands of rows a second passes the number on unchanged.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return optional_ms(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_ms(value)


class Secret(TypeDecorator[str]):
    """A text that is stored encrypted (webhookproxy.config.keys)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else keyring().encrypt(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else keyring().decrypt(value)


_keyring: Keyring | None = None


def use_keyring(keyring: Keyring) -> None:
    """Set the keys of this process; create_app calls it once."""
    # A row cannot pass an argument to its column types, so the keys are global.
    global _keyring
    _keyring = keyring


def keyring() -> Keyring:
    """Return the keys of this process; raise RuntimeError before create_app has set them."""
    if _keyring is None:
        raise RuntimeError("The data keys are not loaded: build the app with create_app first.")
    return _keyring
