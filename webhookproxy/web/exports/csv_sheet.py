"""A list as a CSV file for Excel in Portuguese, sent while it is read and never whole in memory.

It is read in rounds. Between two rounds it holds no connection to the database, however slow the
download is, and everything else gets its turn.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from zoneinfo import ZoneInfo

import gevent
from flask import Response, stream_with_context

from webhookproxy.extensions import db
from webhookproxy.logs.redaction import one_line
from webhookproxy.models.types import from_ms
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.web.shared import access
from webhookproxy.web.shared.formats import number

# Rows of one file, rows of one round, and the rounds after which a search for rare rows ends.
ROWS_MAX = 100_000
ROUND = 500
ROUNDS_MAX = 1_000

# Excel reads a file without this mark as Windows-1252.
_MARK = "\ufeff"
# A spreadsheet takes such a cell for a formula, also after characters that it does not show.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"(?<![0-9])[0-9]{6,9}(?=[0-9]{4}(?![0-9]))")


@dataclass(frozen=True, slots=True)
class Round:
    """Some rows, and the number before which the next ones are searched (None: no more).

    `note` is a sentence about them for the end of the file.
    """

    rows: Sequence[Sequence[object]]
    rest: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file: `read(before, most)` returns `most` rows older than a number (None: the newest).

    `where` returns the address of the list that begins before a number.
    """

    name: str
    header: Sequence[str]
    read: Callable[[int | None, int], Round]
    where: Callable[[int], str]
    start: int | None = None


def send(sheet: Sheet) -> Response:
    """Return the file as an answer; it ends with lines about what is not in it."""
    lines = stream_with_context(_lines(sheet, access.account().key))
    answer = Response(lines, mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{sheet.name}.csv")
    # Without it a proxy such as nginx may keep the file until it is complete.
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _lines(sheet: Sheet, key: str) -> Iterator[str]:
    # Let go of what the request itself has read.
    db.session.remove()
    yield _MARK + _text([sheet.header])
    before, left, notes = sheet.start, ROWS_MAX, dict[str, None]()
    for _ in range(ROUNDS_MAX):
        found = _read(sheet, before, min(ROUND, left), key)
        if found is None:
            yield _text([["O arquivo para aqui: seu acesso terminou enquanto ele era baixado."]])
            return
        yield _text(found.rows)
        left, before = left - len(found.rows), found.rest
        notes |= {found.note: None} if found.note else {}
        if before is None or not left:
            break
        gevent.sleep(0)
    if before is not None:
        rows, most = number(ROWS_MAX - left), number(ROWS_MAX)
        notes[
            f"O arquivo para aqui, com {rows} linhas (no máximo {most}). O resto: abra"
            f" {sheet.where(before)} e baixe de novo."
        ] = None
    yield _text([note] for note in notes)


def _read(sheet: Sheet, before: int | None, most: int, key: str) -> Round | None:
    """Return one round; None if the login has ended."""
    try:
        return sheet.read(before, most) if access.holds(key) else None
    finally:
        db.session.remove()


def _text(rows: Iterable[Sequence[object]]) -> str:
    written = StringIO()
    writer = csv.writer(written, delimiter=";", lineterminator="\r\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = one_line(str(value))
    return f"'{text}" if _FORMULA.match(str(value)) else text


def times(moment: datetime | int | None, timezone: str = DEFAULT_TIMEZONE) -> tuple[str, str]:
    """Return a moment as two columns: local time as Excel reads it, and UTC for programs."""
    if moment is None:
        return "", ""
    instant = from_ms(moment) if isinstance(moment, int) else moment
    local = instant.astimezone(ZoneInfo(timezone))
    utc = instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{local:%d/%m/%Y %H:%M:%S}", utc


def masked(order_key: str) -> str:
    """Return the key with only the last four digits of what is as long as a telephone or a CPF."""
    return _NUMBER.sub("…", order_key)
