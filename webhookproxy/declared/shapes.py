"""The shapes of single declared values: each reads a plain value, and describes what it accepts.

A problem names the path of its value, like `companies/acme/webhooks/crm/timeout`. Only the kinds
of values are checked here: the limits belong to the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from webhookproxy.rules import Problems

Schema = dict[str, Any]


class Shape(Protocol):
    """One kind of value."""

    def read(self, value: object, path: str, problems: Problems) -> Any:
        """Return the value, read; note in `problems` what is wrong with it."""

    def schema(self) -> Schema:
        """Return the JSON Schema of what `read` accepts."""


def below(path: str, name: str) -> str:
    """Return the path of a field; as in a JSON pointer "/" divides, and stands as ~1 in a name."""
    written = name.replace("~", "~0").replace("/", "~1")
    return f"{path}/{written}" if path else written


@dataclass(frozen=True, slots=True)
class Text:
    """A text; with `words`, one of these."""

    about: str = ""
    words: tuple[str, ...] = ()

    def read(self, value: object, path: str, problems: Problems) -> str:
        """See Shape."""
        if not isinstance(value, str):
            problems.add(
                path,
                "This must be a text: put it between quotes.",
                "Isto deve ser um texto: escreva-o entre aspas.",
            )
            return ""
        if self.words and value not in self.words:
            words = ", ".join(self.words)
            problems.add(
                path, f"This must be one of {words}.", f"Isto deve ser um destes: {words}."
            )
        elif not is_unicode(value):
            problems.add(
                path,
                "This text has half of a character: write it again.",
                "Este texto tem a metade de um caractere: escreva-o de novo.",
            )
            return ""
        return value

    def schema(self) -> Schema:
        """See Shape."""
        found: Schema = {"type": "string"}
        if self.words:
            found["enum"] = list(self.words)
        return found | about(self.about)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number; with `only`, this one."""

    about: str = ""
    only: int | None = None

    def read(self, value: object, path: str, problems: Problems) -> int:
        """See Shape."""
        if isinstance(value, float) and value.is_integer():
            # It is a whole number for JSON.
            value = int(value)
        # True is a number for Python.
        if not isinstance(value, int) or isinstance(value, bool):
            problems.add(path, "This must be a whole number.", "Isto deve ser um número inteiro.")
            return 0
        if self.only is not None and value != self.only:
            problems.add(path, f"This must be {self.only}.", f"Isto deve ser {self.only}.")
        return value

    def schema(self) -> Schema:
        """See Shape."""
        found: Schema = {"type": "integer"}
        if self.only is not None:
            found["const"] = self.only
        return found | about(self.about)


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    about: str = ""

    def read(self, value: object, path: str, problems: Problems) -> float:
        """See Shape."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                pass
        problems.add(path, "This must be a number.", "Isto deve ser um número.")
        return 0.0

    def schema(self) -> Schema:
        """See Shape."""
        return {"type": "number"} | about(self.about)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    about: str = ""

    def read(self, value: object, path: str, problems: Problems) -> bool:
        """See Shape."""
        if isinstance(value, bool):
            return value
        problems.add(path, "This must be true or false.", "Isto deve ser true ou false.")
        return False

    def schema(self) -> Schema:
        """See Shape."""
        return {"type": "boolean"} | about(self.about)


def about(text: str) -> Schema:
    """Return the part of a schema that says what a value is for."""
    return {"description": text} if text else {}


def is_unicode(text: str) -> bool:
    """Return whether a text has whole characters only: JSON can write half of one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
