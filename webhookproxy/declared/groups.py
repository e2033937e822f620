"""The shapes of declared values that hold others: lists, names of the writer's choosing, fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from webhookproxy.declared.shapes import Schema, Shape, Text, about, below, is_unicode
from webhookproxy.rules import Problems

# As much of a typed name as a sentence shows.
_SHOWN = 60
_NO_FIELDS = ("This must have fields with names.", "Isto deve ter campos com nomes.")


@dataclass(frozen=True, slots=True)
class OrNull:
    """A value, or null."""

    shape: Shape

    def read(self, value: object, path: str, problems: Problems) -> Any:
        """See Shape."""
        return None if value is None else self.shape.read(value, path, problems)

    def schema(self) -> Schema:
        """See Shape."""
        found = self.shape.schema()
        words = found.pop("description", "")
        return {"anyOf": [found, {"type": "null"}]} | about(words)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one shape."""

    shape: Shape
    about: str = ""

    def read(self, value: object, path: str, problems: Problems) -> list[Any]:
        """See Shape."""
        if not isinstance(value, list):
            problems.add(path, "This must be a list.", "Isto deve ser uma lista.")
            return []
        return [
            self.shape.read(each, below(path, str(at)), problems) for at, each in enumerate(value)
        ]

    def schema(self) -> Schema:
        """See Shape."""
        return {"type": "array", "items": self.shape.schema()} | about(self.about)


@dataclass(frozen=True, slots=True)
class MapOf:
    """Values of one shape by names of the writer's choosing; `names` is the form of a name."""

    shape: Shape
    about: str = ""
    names: str = ""

    def read(self, value: object, path: str, problems: Problems) -> dict[str, Any]:
        """See Shape."""
        if not isinstance(value, dict):
            problems.add(path, *_NO_FIELDS)
            return {}
        found = {}
        for name, each in value.items():
            inside = below(path, str(name)[:_SHOWN])
            if not isinstance(name, str) or not is_unicode(name):
                problems.add(
                    inside,
                    "This name must be a text: put it between quotes.",
                    "Este nome deve ser um texto: escreva-o entre aspas.",
                )
            elif self.names and re.fullmatch(self.names, name) is None:
                problems.add(
                    inside,
                    "This name must have 1 to 64 letters without accents, digits, dots, hyphens "
                    "and underscores, and begin with a letter or a digit.",
                    "Este nome deve ter de 1 a 64 letras sem acento, dígitos, pontos, hífens e "
                    "sublinhados, e começar com uma letra ou um dígito.",
                )
            else:
                found[name] = self.shape.read(each, inside, problems)
        return found

    def schema(self) -> Schema:
        """See Shape."""
        found: Schema = {"type": "object", "additionalProperties": self.shape.schema()}
        if self.names:
            found["propertyNames"] = {"pattern": f"^(?:{self.names})$"}
        return found | about(self.about)


@dataclass(frozen=True, slots=True)
class Record:
    """Named fields, all optional but the `required` ones; what was read has those that came."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    about: str = ""

    def read(self, value: object, path: str, problems: Problems) -> dict[str, Any]:
        """See Shape."""
        if not isinstance(value, dict):
            problems.add(path, *_NO_FIELDS)
            return {}
        for name in value.keys() - self.fields.keys():
            self._refuse(str(name), path, problems)
        for name in self.required:
            if name not in value:
                problems.add(
                    below(path, name),
                    "This field is missing: write it.",
                    "Este campo falta: escreva-o.",
                )
        return {
            name: shape.read(value[name], below(path, name), problems)
            for name, shape in self.fields.items()
            if name in value
        }

    def _refuse(self, name: str, path: str, problems: Problems) -> None:
        """Note an unknown field, and the known one that it may mean."""
        near = get_close_matches(name[:_SHOWN], self.fields, n=1)
        known = ", ".join(near or sorted(self.fields))
        problems.add(
            below(path, name[:_SHOWN]),
            f"There is no such field here: {'do you mean' if near else 'the fields are'} {known}"
            f"{'?' if near else '.'}",
            f"Não há este campo aqui: {'seria' if near else 'os campos são'} {known}"
            f"{'?' if near else '.'}",
        )

    def schema(self) -> Schema:
        """See Shape."""
        found: Schema = {
            "type": "object",
            "properties": {name: shape.schema() for name, shape in self.fields.items()},
            "additionalProperties": False,
        }
        if self.required:
            found["required"] = list(self.required)
        return found | about(self.about)


@dataclass(frozen=True, slots=True)
class ShortOr:
    """A single word, or the whole record that it is short for."""

    word: Text
    whole: Record

    def read(self, value: object, path: str, problems: Problems) -> Any:
        """See Shape."""
        shape: Shape = self.word if isinstance(value, str) else self.whole
        return shape.read(value, path, problems)

    def schema(self) -> Schema:
        """See Shape."""
        found = self.whole.schema()
        words = found.pop("description", "")
        return {"anyOf": [self.word.schema(), found]} | about(words)
