"""What a webhook's format is, what a body is made of, and why one cannot be made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

# A path between braces, in the text of a row of *montado*.
PLACE = re.compile(r"\{([^{}]*)\}")


class FormatKind(StrEnum):
    """The shape of a body; forms and the database use these words."""

    STANDARD = "padrao"
    NATIVE = "nativo"
    PAYLOAD = "payload"
    SOCKET2WEBHOOK = "socket2webhook"
    CALL = "resumo"
    MAPPED = "montado"

    @property
    def holds_payload(self) -> bool:
        """Return whether the body holds the payload, so that less of it can be sent."""
        return self not in (FormatKind.CALL, FormatKind.MAPPED)


LABELS: Mapping[FormatKind, str] = MappingProxyType(
    {
        FormatKind.STANDARD: "padrão",
        FormatKind.NATIVE: "webhook nativo da 3C Plus",
        FormatKind.PAYLOAD: "só o payload",
        FormatKind.SOCKET2WEBHOOK: "socket2webhook",
        FormatKind.CALL: "resumo da ligação",
        FormatKind.MAPPED: "montado",
    }
)


class Encoding(StrEnum):
    """How a body is written."""

    JSON = "json"
    FORM = "form"


ENCODING_LABELS: Mapping[Encoding, str] = MappingProxyType(
    {Encoding.JSON: "JSON", Encoding.FORM: "formulário (application/x-www-form-urlencoded)"}
)
CONTENT_TYPES: Mapping[Encoding, str] = MappingProxyType(
    {
        Encoding.JSON: "application/json",
        Encoding.FORM: "application/x-www-form-urlencoded",
    }
)


class RowKind(StrEnum):
    """Where the value of a row of *montado* comes from."""

    VALUE = "valor"
    CONSTANT = "constante"
    TEXT = "texto"


ROW_LABELS: Mapping[RowKind, str] = MappingProxyType(
    {
        RowKind.VALUE: "valor do evento",
        RowKind.CONSTANT: "constante",
        RowKind.TEXT: "texto com valores",
    }
)


class StepKind(StrEnum):
    """What is made of a row's value."""

    TEXT = "texto"
    NUMBER = "numero"
    DIGITS = "digitos"
    E164 = "e164"
    NATIONAL = "nacional"
    SECONDS = "segundos"
    DATE_ISO = "data_iso"
    DATE_BRAZILIAN = "data_br"
    DATE_UNIX = "data_unix"
    UPPER = "maiusculas"
    LOWER = "minusculas"
    TABLE = "tabela"
    MASK = "mascara"


STEP_LABELS: Mapping[StepKind, str] = MappingProxyType(
    {
        StepKind.TEXT: "como texto",
        StepKind.NUMBER: "como número",
        StepKind.DIGITS: "só os dígitos",
        StepKind.E164: "telefone em E.164",
        StepKind.NATIONAL: "telefone nacional",
        StepKind.SECONDS: "segundos",
        StepKind.DATE_ISO: "data ISO",
        StepKind.DATE_BRAZILIAN: "dd/mm/aaaa hh:mm",
        StepKind.DATE_UNIX: "data Unix",
        StepKind.UPPER: "MAIÚSCULAS",
        StepKind.LOWER: "minúsculas",
        StepKind.TABLE: "tabela",
        StepKind.MASK: "máscara",
    }
)


class IfMissing(StrEnum):
    """What is sent for a row without a value."""

    LEAVE_OUT = "deixar_fora"
    EMPTY = "vazio"
    DO_NOT_SEND = "nao_enviar"


MISSING_LABELS: Mapping[IfMissing, str] = MappingProxyType(
    {
        IfMissing.LEAVE_OUT: "deixar fora",
        IfMissing.EMPTY: "mandar vazio",
        IfMissing.DO_NOT_SEND: "não enviar o evento",
    }
)


@dataclass(frozen=True, slots=True)
class RowStep:
    """One step. Only a table has rows; its default is None if an unknown text has no value."""

    kind: StepKind
    table: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One field of the receiver's body: where it stands, and what its value is.

    A value is the first of `paths` that is not empty. `text` is a constant, or a text with the
    paths of values in braces: "{campaign.name} - {call.phone}".
    """

    name: str
    kind: RowKind = RowKind.VALUE
    paths: tuple[str, ...] = ()
    text: str = ""
    steps: tuple[RowStep, ...] = ()
    if_missing: IfMissing = IfMissing.LEAVE_OUT


class Kept(StrEnum):
    """Which fields of a payload are sent."""

    ALL = "tudo"
    ONLY = "so"
    WITHOUT = "sem"


@dataclass(frozen=True, slots=True)
class Less:
    """What is sent of a payload: `paths` are kept or left out, `masked` show nothing."""

    kept: Kept = Kept.ALL
    paths: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """The body that a webhook asks for; the default is the body of `contract.body`.

    `rows` are those of *montado*; `less` is for the formats that hold the payload.
    """

    kind: FormatKind = FormatKind.STANDARD
    encoding: Encoding = Encoding.JSON
    rows: tuple[Row, ...] = ()
    less: Less = Less()


class Fault(StrEnum):
    """Why an event has no body in a format."""

    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    NO_FIELDS = "no_fields"
    NOT_A_CALL = "not_a_call"
    NO_VALUE = "no_value"
    BAD_FORMAT = "bad_format"
    NO_FORMAT = "no_format"


class Unrenderable(Exception):
    """An event has no body in this format, and nothing of it may be sent.

    `detail` is a Portuguese sentence without any value of the payload.
    """

    def __init__(self, code: Fault, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
