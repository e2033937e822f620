"""A list as a CSV file for Excel in Portuguese, sent while it is read and never whole in memory.

It is read in rounds. Between two of them no connection to the database is held, however slowly
somebody downloads, and everything else gets its turn.
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

# Of one file, and of one round; a search for what is rare ends after so many rounds.
ROWS_MAX = 100_000
ROUND = 500
ROUNDS_MAX = 1_000

# Excel takes a file without it for Windows-1252.
_MARK = "\ufeff"
# A cell that begins so is a formula to a spreadsheet, also behind what it does not show.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"(?<![0-9])[0-9]{6,9}(?=[0-9]{4}(?![0-9]))")


@dataclass(frozen=True, slots=True)
class Round:
    """Some rows, and the number before which the next ones are to be sought; None: no more.

    `note` is what the reader of the file must know of them.
    """

    rows: Sequence[Sequence[object]]
    rest: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file: `read` gives the rows before a number (None: the newest), at most so many.

    `where` says where the list goes on that begins before a number.
    """

    name: str
    header: Sequence[str]
    read: Callable[[int | None, int], Round]
    where: Callable[[int], str]
    start: int | None = None


def send(sheet: Sheet) -> Response:
    """The file, for whoever is asking; it ends with a line about what is not in it."""
    lines = stream_with_context(_lines(sheet, access.account().key))
    answer = Response(lines, mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{sheet.name}.csv")
    # Otherwise a proxy such as nginx may keep it until it has it all.
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _lines(sheet: Sheet, key: str) -> Iterator[str]:
    # What the request itself has read so far.
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
    """One round; None once the login is over."""
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
    """A moment as the two columns of it: there, as Excel takes it, and in UTC as programs do."""
    if moment is None:
        return "", ""
    instant = from_ms(moment) if isinstance(moment, int) else moment
    local = instant.astimezone(ZoneInfo(timezone))
    utc = instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{local:%d/%m/%Y %H:%M:%S}", utc


def masked(order_key: str) -> str:
    """The key with every run of digits as long as a telephone or a CPF down to its last four."""
    return _NUMBER.sub("…", order_key)
