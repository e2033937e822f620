"""A format as the database keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhookproxy.events.formats.definition import Encoding, Format, FormatKind


def stored_format(given: Format) -> dict[str, Any] | None:
    """Return a format as plain JSON; None for the default."""
    if given == Format():
        return None
    return {"kind": given.kind.value, "encoding": given.encoding.value}


def read_format(stored: Mapping[str, Any] | None) -> Format:
    """Return the format from the database's form. Raises ValueError for one that is unknown.

    A newer version may have stored it: then nothing may be sent in the default format instead.
    """
    if stored is None:
        return Format()
    return Format(FormatKind(stored["kind"]), Encoding(stored["encoding"]))
