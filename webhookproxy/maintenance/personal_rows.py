"""The rows that have a person's number, with their masked texts; read a batch at a time.

The texts are looked at in a thread of their own, so that the server does its other work meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gevent
from gevent.threadpool import ThreadPool
from sqlalchemy import Engine, text

from webhookproxy.maintenance.personal import PersonalNumber
from webhookproxy.models.deliveries.tables import KEPT_BACK
from webhookproxy.models.events import newest_event
from webhookproxy.models.installation.numbers import floor
from webhookproxy.models.types import keyring

# Rows read at a time, and written in one transaction at most; fewer if their texts are long.
BATCH = 100
CHARACTERS = 200_000
# No event is committed later than this after it got its number.
LATE_MS = 120_000

_pool = ThreadPool(1)


@dataclass(frozen=True, slots=True)
class Place:
    """A table with texts; `keys` has the columns that order it, each with what is below all."""

    table: str
    keys: Mapping[str, int | str]
    texts: tuple[str, ...]
    also: tuple[str, ...] = ()
    where: str = "TRUE"

    def query(self) -> str:
        """Return the query for the rows after the one with these keys."""
        # PostgreSQL's driver would parse a text that is JSON.
        texts = [f"CAST({each} AS TEXT) AS {each}" for each in self.texts]
        others = [each for each in (*self.keys, *self.also) if each not in self.texts]
        columns = ", ".join(others + texts)
        keys, marks = ", ".join(self.keys), ", ".join(f":{each}" for each in self.keys)
        return (
            f"SELECT {columns} FROM {self.table} WHERE {self.where} AND ({keys}) > ({marks})"
            f" ORDER BY {keys} LIMIT :batch"
        )


ATTEMPTS = Place(
    "attempts", {"delivery_id": 0, "number": 0}, ("detail", "answer", "answer_headers")
)
CONDITIONS = Place("deliveries", {"id": 0}, ("condition",), where=KEPT_BACK)
HOURS = Place("hourly_events", {"company_id": 0, "hour": 0, "name": ""}, ("name",))
RESENDS = Place("bulk_resends", {"id": 0}, ("event",))
COMPARISONS = Place("day_comparisons", {"id": 0}, ("result",))

# Columns whose texts are encrypted.
SEALED = ("headers",)

# Texts that people typed: the table, the word before a row's number, and the columns.
SETTINGS = (
    (
        "companies",
        "company",
        ("name", "file_key", "threec_id", "agent_id", "socket_url", "rest_url"),
    ),
    (
        "webhooks",
        "webhook",
        ("name", "file_key", "url", "events", "filters", "body_format", "success_rule", "headers"),
    ),
    ("past_formats", "past_format", ("body_format",)),
    ("users", "user", ("email",)),
    ("guest_links", "guest", ("name",)),
    ("api_tokens", "token", ("name",)),
    ("alert_addresses", "alert_address", ("label",)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row with the number: its columns, its masked texts (none if all are as they were).

    `apart` says that the area code and the rest of the number are in two fields of it.
    """

    columns: Mapping[str, Any]
    masked: Mapping[str, str]
    apart: bool


def rows_with(reading: Engine, number: PersonalNumber, place: Place) -> Iterator[list[Row]]:
    """Yield the rows of a table in which the number is, or is apart, in non-empty batches."""
    after: Mapping[str, Any] = place.keys
    while rows := _read(reading, place, {key: after[key] for key in place.keys}):
        after = rows[-1]
        found: list[Row] = _pool.apply(_look, (number, place, rows))
        if found:
            yield found


def events_until(moment_ms: int, reading: Engine) -> Place:
    """Return the events that arrived up to this moment: more arrive while they are read.

    Those that are stored now belong to them also if a clock that was ahead gave them their time.
    """
    with reading.connect() as connection:
        last = newest_event(connection)
    texts, also = ("payload", "order_key", "name"), ("company_id", "public_id")
    where = f"(received_ms <= {moment_ms} OR id <= {last})"
    return Place("events", {"id": 0}, texts, also, where)


def committed_late(events: Place, moment_ms: int) -> Place:
    """Return those events that were perhaps committed after others with higher numbers were read.

    Owners of sockets do not wait for each other, and one may be ahead with its numbers.
    """
    return replace(events, keys={"id": floor(moment_ms - LATE_MS, 0)})


def masked_rows(reading: Engine, number: PersonalNumber, place: Place) -> Iterator[list[Row]]:
    """Yield the rows whose texts change, in non-empty batches."""
    for batch in rows_with(reading, number, place):
        if masked := [row for row in batch if row.masked]:
            yield masked


def settings_with(reading: Engine, number: PersonalNumber) -> list[str]:
    """Return the settings with the number, like "webhook_3 url"."""
    return [
        f"{word}_{row.columns['id']} {column}"
        for table, word, columns in SETTINGS
        for batch in masked_rows(reading, number, Place(table, {"id": 0}, columns))
        for row in batch
        for column in row.masked
    ]


def _read(reading: Engine, place: Place, after: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    # The server must do other work between two batches.
    gevent.sleep(0)
    rows: list[Mapping[str, Any]] = []
    characters = 0
    options = {"stream_results": True, "max_row_buffer": 4}
    with reading.connect().execution_options(**options) as connection:
        result = connection.execute(text(place.query()), {**after, "batch": BATCH}).mappings()
        while characters < CHARACTERS and (row := result.fetchone()) is not None:
            rows.append(dict(row))
            characters += sum(len(row[each] or "") for each in place.texts)
        result.close()
    return rows


def _look(number: PersonalNumber, place: Place, rows: list[Mapping[str, Any]]) -> list[Row]:
    found = []
    for row in rows:
        masked, apart = {}, False
        for column in place.texts:
            written = row[column] or ""
            if column in SEALED and written:
                written = keyring().decrypt(written)
            if column in ("payload", "result"):
                hidden = number.mask_json(written)
                apart = apart or (column == "payload" and number.is_apart(hidden))
            else:
                # The form NFKC of a letter may be longer than its column.
                hidden = number.mask_text(written)[: len(written)]
            if hidden != written:
                masked[column] = hidden
        if masked or apart:
            found.append(Row(row, masked, apart))
    return found
