"""Column types: ids, instants and secrets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from webhookproxy.config.keys import Keyring

# SQLite makes a column the row's own id, without an index beside it, only if it says INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970 of an aware instant; a naive one is refused with ValueError."""
    if instant.tzinfo is None:
        raise ValueError("A time without a zone is ambiguous: give it one (datetime.now(UTC)).")
    return round(instant.timestamp() * 1000)


def optional_ms(instant: datetime | None) -> int | None:
    """The same, of an instant that may be missing."""
    return None if instant is None else to_ms(instant)


def from_ms(milliseconds: int) -> datetime:
    """The aware UTC instant of so many milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as milliseconds since 1970.

    The contract speaks of milliseconds, both databases compare integers the same way, and the
    paths that write thousands of rows a second pass the number through untouched.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return optional_ms(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_ms(value)


class Secret(TypeDecorator[str]):
    """A text that is stored only encrypted (`MultiFernet`, webhookproxy.keys)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else keyring().encrypt(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else keyring().decrypt(value)


_keyring: Keyring | None = None


def use_keyring(keyring: Keyring) -> None:
    """Set the keys of this process; create_app calls it once."""
    # A column type cannot be handed an argument by its row, so the keys live here.
    global _keyring
    _keyring = keyring


def keyring() -> Keyring:
    """The keys of this process; RuntimeError before create_app has set them."""
    if _keyring is None:
        raise RuntimeError("The data keys are not loaded: build the app with create_app first.")
    return _keyring
