"""The conditions that an event's payload must meet: paths, operators and values.

The rules; docs/dev/decisions/0013 says why:

* A value is text, as it was typed or clicked. Text in the form of a JSON number equals that
  number and every text that writes it: 7 == 7.0 == "7" == "7.0" (but "007" is not a number). `true`
  and `false` equal the booleans and the texts. `null` equals null only; quoted, `"null"`, it is
  text. Quotes around a value are JSON's: for text with spaces at an end, and for the empty text.
* "igual", "maior", "menor" and "contém" hold only for a value that exists. "diferente" and "não
  contém" are their exact opposites, so they hold for a path that does not exist.
* "existe" holds when the path leads to a value, null too.
* "maior" and "menor" compare numbers as numbers, ISO dates and times as instants (UTC if they name
  no zone), and other texts letter by letter; a value of another kind is neither.
* "contém" looks for the value in a text or a number as it is written, without regard to capitals,
  and for an equal item in a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import orjson

from webhookproxy.events.code_words import meaning
from webhookproxy.events.payload_paths import MISSING, find, parse_path

WORDS_MAX = 300


class Operator(StrEnum):
    """How a value is compared; forms and the database use these words."""

    EQUAL = "igual"
    DIFFERENT = "diferente"
    GREATER = "maior"
    LESS = "menor"
    CONTAINS = "contem"
    LACKS = "nao_contem"
    EXISTS = "existe"


LABELS: Mapping[Operator, str] = MappingProxyType(
    {
        Operator.EQUAL: "é igual a",
        Operator.DIFFERENT: "é diferente de",
        Operator.GREATER: "é maior que",
        Operator.LESS: "é menor que",
        Operator.CONTAINS: "contém",
        Operator.LACKS: "não contém",
        Operator.EXISTS: "existe",
    }
)

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,59})(?:\.[0-9]{1,60})?(?:[eE][-+]?[0-9]{1,4})?")


def read_payload(text: str) -> Any:
    """Return the value of a stored payload, for conditions; raise ValueError if it is not JSON.

    Numbers that orjson refuses come as their text, which is equal to them.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a payload; `value` is text (see the module)."""

    path: str
    operator: Operator
    value: str = ""

    def words(self) -> str:
        """Return the condition in Portuguese, at most WORDS_MAX characters.

        For example "call.agent é igual a 7", or "call.status é igual a 5 (não atendida)".
        """
        words = f"{self.path} {LABELS[self.operator]}"
        if self.operator is not Operator.EXISTS:
            words += f" {self.value}"
        if self.code_words:
            words += f" ({self.code_words})"
        return words if len(words) <= WORDS_MAX else f"{words[: WORDS_MAX - 1]}…"

    @property
    def code_words(self) -> str:
        """Return what the code means that the value must, or must not, be; "" for no code."""
        is_whole = self.operator in (Operator.EQUAL, Operator.DIFFERENT)
        return meaning(self.path, self.value) if is_whole else ""


class Compiled:
    """The conditions of one webhook for one event, made ready for many payloads."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._tests = [(each, parse_path(each.path), _holds(each)) for each in conditions]

    def failing(self, payload: Any) -> Condition | None:
        """Return the first condition that does not hold; None if all do."""
        for condition, steps, holds in self._tests:
            if not holds(find(payload, steps)):
                return condition
        return None

    def failing_text(self, payload: str) -> Condition | None:
        """Return the first condition that a stored payload does not meet; None if all hold.

        None too if it cannot be read: such an event is sent, as at intake.
        """
        try:
            return self.failing(read_payload(payload))
        except ValueError:
            return None


def text_of(value: Any) -> str:
    """Return a payload's value as the text of a condition, so that "igual" holds for it."""
    if isinstance(value, str):
        plain = value == value.strip() and value.isprintable() and not value.startswith('"')
        if plain and value not in ("", "null"):
            return value
        return json.dumps(value, ensure_ascii=not value.isprintable())
    return _written(value)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _meant(value: str) -> tuple[str, bool]:
    """Return the text that a condition's value stands for, and whether it stands for null."""
    if value.startswith('"'):
        try:
            text = json.loads(value)
        except ValueError:
            return value, False
        return (text if isinstance(text, str) else value), False
    return value, value == "null"


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _number_of(found: Any) -> Decimal | int | None:
    """Return a found value as a number, if it is one or writes one."""
    kind = type(found)
    if kind is int:
        return found  # type: ignore[no-any-return]
    if kind is str:
        return _number(found)
    # Through its text, because 0.1 was sent, and not the nearest binary fraction.
    return Decimal(repr(found)) if kind is float else None


def _instant(found: Any) -> datetime | None:
    if type(found) is not str or len(found) < len("2024-01-01") or found[4:5] != "-":
        return None
    try:
        instant = datetime.fromisoformat(found)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


Test = Callable[[Any], bool]


def _holds(condition: Condition) -> Test:
    """Return the test of a found value, which may be MISSING."""
    text, null = _meant(condition.value)
    match condition.operator:
        case Operator.EXISTS:
            return lambda found: found is not MISSING
        case Operator.EQUAL:
            return _equal(text, null)
        case Operator.DIFFERENT:
            return _contrary(_equal(text, null))
        case Operator.CONTAINS:
            return _contains(text, null)
        case Operator.LACKS:
            return _contrary(_contains(text, null))
        case Operator.GREATER:
            return _compared(text, 1)
        case Operator.LESS:
            return _compared(text, -1)


def _contrary(holds: Test) -> Test:
    return lambda found: not holds(found)


def _equal(text: str, null: bool) -> Test:
    number = _number(text)

    def holds(found: Any) -> bool:
        kind = type(found)
        if found is None:
            return null
        if null or found is MISSING:
            return False
        if kind is bool:
            return text == ("true" if found else "false")
        if kind is str and found == text:
            return True
        return number is not None and _number_of(found) == number

    return holds


def _contains(text: str, null: bool) -> Test:
    equal, folded = _equal(text, null), text.casefold()

    def holds(found: Any) -> bool:
        kind = type(found)
        if kind is list:
            return any(equal(item) for item in found)
        if null:
            return False
        if kind is str:
            return folded in found.casefold()
        return (kind is int or kind is float) and folded in _written(found).casefold()

    return holds


def _compared(text: str, sign: int) -> Test:
    """Return the test for above (sign 1) or below (-1); a value of another kind is neither."""
    number, instant = _number(text), _instant(text)

    def holds(found: Any) -> bool:
        if number is not None:
            given = _number_of(found)
            return given is not None and (given > number if sign > 0 else given < number)
        if instant is not None:
            when = _instant(found)
            return when is not None and (when > instant if sign > 0 else when < instant)
        return type(found) is str and (found > text if sign > 0 else found < text)

    return holds
