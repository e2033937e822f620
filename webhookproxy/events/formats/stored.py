"""A format as the database keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhookproxy.events.formats.definition import (
    Encoding,
    Format,
    FormatKind,
    IfMissing,
    Kept,
    Less,
    Row,
    RowKind,
    RowStep,
    StepKind,
)
from webhookproxy.events.newer_version import NewerVersion


def stored_format(given: Format) -> dict[str, Any] | None:
    """Return a format as plain JSON; None for the default."""
    if given == Format():
        return None
    stored: dict[str, Any] = {"kind": given.kind.value, "encoding": given.encoding.value}
    if given.rows:
        stored["rows"] = [_stored_row(each) for each in given.rows]
    if given.less != Less():
        stored["less"] = {
            "kept": given.less.kept.value,
            "paths": list(given.less.paths),
            "masked": list(given.less.masked),
        }
    return stored


def read_format(stored: Mapping[str, Any] | None) -> Format:
    """Return the format from the database's form. Raises NewerVersion for one that is unknown.

    Nothing may be sent in the default format instead.
    """
    if stored is None:
        return Format()
    try:
        less = stored.get("less")
        return Format(
            FormatKind(stored["kind"]),
            Encoding(stored["encoding"]),
            tuple(map(_read_row, stored.get("rows", ()))),
            Less()
            if less is None
            else Less(Kept(less["kept"]), tuple(less["paths"]), tuple(less["masked"])),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NewerVersion from error


def _stored_row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind.value,
        "paths": list(row.paths),
        "text": row.text,
        "steps": [
            {"kind": each.kind.value, "table": dict(each.table), "default": each.default}
            for each in row.steps
        ],
        "if_missing": row.if_missing.value,
    }


def _read_row(stored: Mapping[str, Any]) -> Row:
    return Row(
        stored["name"],
        RowKind(stored["kind"]),
        tuple(stored["paths"]),
        stored["text"],
        tuple(
            RowStep(StepKind(each["kind"]), dict(each["table"]), each["default"])
            for each in stored["steps"]
        ),
        IfMissing(stored["if_missing"]),
    )
