"""What a request has in another form than its operation takes, in words, with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from webhookproxy.api.shared.problems import Mistake

# By pydantic's code: the words, in Portuguese and in English, with what its context has.
_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "missing": ("Falta este campo.", "This field is missing."),
        "extra_forbidden": ("Este campo não existe.", "There is no such field."),
        "string_type": ("Deve ser um texto.", "Must be a text."),
        "int_type": ("Deve ser um número inteiro.", "Must be a whole number."),
        "int_parsing": ("Deve ser um número inteiro.", "Must be a whole number."),
        "int_from_float": ("Deve ser um número inteiro.", "Must be a whole number."),
        "float_type": ("Deve ser um número.", "Must be a number."),
        "float_parsing": ("Deve ser um número.", "Must be a number."),
        "bool_type": ("Deve ser true ou false.", "Must be true or false."),
        "bool_parsing": ("Deve ser true ou false.", "Must be true or false."),
        "list_type": ("Deve ser uma lista.", "Must be a list."),
        "dict_type": ("Deve ser um objeto.", "Must be an object."),
        "model_type": ("Deve ser um objeto.", "Must be an object."),
        "enum": ("Deve ser um destes: {expected}.", "Must be one of {expected}."),
        "literal_error": ("Deve ser um destes: {expected}.", "Must be one of {expected}."),
        "greater_than_equal": ("Deve ser no mínimo {ge}.", "Must be at least {ge}."),
        "less_than_equal": ("Deve ser no máximo {le}.", "Must be at most {le}."),
        "string_too_long": (
            "Deve ter no máximo {max_length} caracteres.",
            "Must have at most {max_length} characters.",
        ),
        "string_too_short": (
            "Deve ter no mínimo {min_length} caracteres.",
            "Must have at least {min_length} characters.",
        ),
        "too_long": (
            "Deve ter no máximo {max_length} itens.",
            "Must have at most {max_length} items.",
        ),
        "too_short": (
            "Deve ter no mínimo {min_length} itens.",
            "Must have at least {min_length} items.",
        ),
        "timezone_aware": (
            "A hora precisa de um fuso, como 2026-01-31T10:00:00Z.",
            "The time needs a zone, as in 2026-01-31T10:00:00Z.",
        ),
        "value_error": (
            "Não é um id como webhook_7.",
            "Is not an id such as webhook_7.",
        ),
    }
)
_TIME = (
    "Deve ser uma hora como 2026-01-31T10:00:00Z.",
    "Must be a time such as 2026-01-31T10:00:00Z.",
)
_NUL = ("Não pode ter o caractere NUL.", "Must not have the character NUL.")
_OTHER = ("Não é um valor aceito aqui.", "This value is not accepted here.")


def mistakes_of(error: ValidationError, where: str) -> list[Mistake]:
    """Return the mistakes; `where` is "body" or "query". Never the values: they may be secret."""
    found = []
    for each in error.errors(include_url=False, include_input=False):
        portuguese, english = _words(each["type"], each.get("ctx", {}))
        path = _path(each["loc"], where)
        found.append(Mistake(path=path, message=portuguese, message_en=english))
    return found


def is_not_json(error: ValidationError) -> bool:
    """Return whether the text was no JSON at all."""
    return any(each["type"] == "json_invalid" for each in error.errors(include_url=False))


def nul_in(value: Any, place: tuple[int | str, ...] = ()) -> list[Mistake]:
    """Return a mistake for each text in a body that has a NUL, which PostgreSQL cannot store."""
    if isinstance(value, str):
        path = _path(place, "body")
        return [Mistake(path=path, message=_NUL[0], message_en=_NUL[1])] if "\0" in value else []
    inside: Iterable[tuple[int | str, Any]] = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    return [each for name, part in inside for each in nul_in(part, (*place, name))]


def _words(kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    if kind.startswith(("datetime_", "date_")):
        return _TIME
    portuguese, english = _WORDS.get(kind, _OTHER)
    try:
        return portuguese.format(**context), english.format(**context)
    except KeyError:
        return _OTHER


def _path(place: tuple[int | str, ...], where: str) -> str:
    if where == "query":
        return str(place[0]) if place else ""
    # RFC 6901: "~" and "/" inside a name are written with "~".
    names = (str(each).replace("~", "~0").replace("/", "~1") for each in place)
    return "".join(f"/{name}" for name in names)
