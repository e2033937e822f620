"""The checks of a webhook's format."""

from __future__ import annotations

from webhookproxy.events.formats.definition import Encoding, Format, FormatKind
from webhookproxy.rules import Problems


def chosen_format(kind: str, encoding: str) -> Format:
    """Return the format that was chosen by its words. Raises Refused."""
    problems = Problems()
    if kind not in list(FormatKind):
        words = ", ".join(FormatKind)
        problems.add(
            "format",
            f"{kind[:60]!r} is not a format: choose one of {words}.",
            f"{kind[:60]!r} não é um formato: escolha um destes: {words}.",
        )
    if encoding not in list(Encoding):
        words = ", ".join(Encoding)
        problems.add(
            "encoding",
            f"{encoding[:60]!r} is not an encoding: choose one of {words}.",
            f"{encoding[:60]!r} não é um jeito de escrever o corpo: escolha um destes: {words}.",
        )
    problems.raise_any()
    return Format(FormatKind(kind), Encoding(encoding))
