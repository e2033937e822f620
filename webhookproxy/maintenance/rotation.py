"""The rotation of data keys: everything encrypted again with the newest one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, Table, Text, column, select, table, update
from sqlalchemy.sql.expression import TableClause

from webhookproxy.config.keys import Keyring, KeyringError
from webhookproxy.database.store import Store
from webhookproxy.models import schema
from webhookproxy.models.companies import Company, fingerprint_text
from webhookproxy.models.installation.keycheck import KeyCheck
from webhookproxy.models.types import Secret, keyring

# Rows in one transaction: each costs the writer a tenth of a millisecond.
BATCH = 100

_FINGERPRINT = "token_fingerprint"
_FINGERPRINTED = ("socket_url", "agent_id", _FINGERPRINT)


@dataclass(slots=True)
class Rotated:
    """How many secrets were encrypted again, had the newest key already, or open with no key."""

    done: int = 0
    already: int = 0
    closed: int = 0


def rotate_keys(store: Store) -> Rotated:
    """Encrypt with the newest key all secrets of older keys, and make their fingerprints again.

    A server may run at the same time if it has the newest key: a value that is saved during the
    rotation is never overwritten. If it stops half way, run it again: finished rows are skipped.
    Secrets that no key opens are counted and left unchanged.
    """
    total = Rotated()
    for each in sorted(schema().tables.values(), key=_check_row_last):
        after: int | None = 0
        while _secrets(each) and after is not None:
            after, batch = store.run(partial(_rotate_batch, each=each, after=after))
            total.done += batch.done
            total.already += batch.already
            total.closed += batch.closed
    return total


def _check_row_last(each: Table) -> tuple[bool, str]:
    # An interrupted rotation must not count as complete when the old key is removed.
    return each.name == KeyCheck.__tablename__, each.name


def _secrets(each: Table) -> list[str]:
    return [found.name for found in each.columns if isinstance(found.type, Secret)]


def _rotate_batch(connection: Connection, each: Table, after: int) -> tuple[int | None, Rotated]:
    """Rotate the next rows. Return the id of the last one, None if there are no more."""
    batch, ring, secrets = Rotated(), keyring(), _secrets(each)
    # The rows of a table that extends another one have the other's number.
    key = next(iter(each.primary_key)).name
    more = _FINGERPRINTED if each.name == Company.__tablename__ else ()
    plain = table(each.name, column(key), *(column(name, Text) for name in (*secrets, *more)))
    last = None
    for row in connection.execute(_next_rows(plain, key, after)).mappings().all():
        last = row[key]
        changed = _with_newest_key(row, secrets, ring, batch)
        if more:
            changed |= _new_fingerprint(row, ring)
        if changed:
            # A value that was saved in the meantime was encrypted with the newest key.
            same = [plain.c[name] == row[name] for name in changed]
            connection.execute(update(plain).where(plain.c[key] == last, *same).values(changed))
    return last, batch


def _next_rows(plain: TableClause, key: str, after: int) -> Select[Any]:
    return select(plain).where(plain.c[key] > after).order_by(plain.c[key]).limit(BATCH)


def _with_newest_key(
    row: Mapping[Any, Any], secrets: list[str], ring: Keyring, batch: Rotated
) -> dict[str, str]:
    """Return the row's secrets of older keys, encrypted with the newest key."""
    changed = {}
    for name in secrets:
        stored = row[name]
        if stored is None:
            continue
        if ring.is_newest(stored):
            batch.already += 1
            continue
        try:
            changed[name] = ring.encrypt(ring.decrypt(stored))
            batch.done += 1
        except KeyringError:
            batch.closed += 1
    return changed


def _new_fingerprint(row: Mapping[Any, Any], ring: Keyring) -> dict[str, str]:
    """Return the company's fingerprint by the newest key, if it has another one."""
    try:
        token = ring.decrypt(row["token"])
    except KeyringError:
        return {}
    made = ring.fingerprint(fingerprint_text(row["socket_url"], row["agent_id"], token))
    return {} if made == row[_FINGERPRINT] else {_FINGERPRINT: made}
