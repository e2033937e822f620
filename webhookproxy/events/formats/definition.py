"""What a webhook's format is, what a body is made of, and why one cannot be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class FormatKind(StrEnum):
    """The shape of a body; forms and the database use these words."""

    STANDARD = "padrao"
    NATIVE = "nativo"
    PAYLOAD = "payload"
    SOCKET2WEBHOOK = "socket2webhook"
    CALL = "resumo"


LABELS: Mapping[FormatKind, str] = MappingProxyType(
    {
        FormatKind.STANDARD: "padrão",
        FormatKind.NATIVE: "webhook nativo da 3C Plus",
        FormatKind.PAYLOAD: "só o payload",
        FormatKind.SOCKET2WEBHOOK: "socket2webhook",
        FormatKind.CALL: "resumo da ligação",
    }
)


class Encoding(StrEnum):
    """How a body is written."""

    JSON = "json"
    FORM = "form"


CONTENT_TYPES: Mapping[Encoding, str] = MappingProxyType(
    {
        Encoding.JSON: "application/json",
        Encoding.FORM: "application/x-www-form-urlencoded",
    }
)


@dataclass(frozen=True, slots=True)
class Format:
    """The body that a webhook asks for; the default is the body of `contract.body`."""

    kind: FormatKind = FormatKind.STANDARD
    encoding: Encoding = Encoding.JSON


@dataclass(frozen=True, slots=True)
class Source:
    """What a body is made of: the arguments of `contract.body`."""

    event: str
    payload: str
    socket_id: str
    token_mask: str
    received_at_ms: int
    webhook_id: int
    company_id: int
    event_id: str


class Fault(StrEnum):
    """Why an event has no body in a format."""

    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    NO_FIELDS = "no_fields"
    NOT_A_CALL = "not_a_call"


class Unrenderable(Exception):
    """An event has no body in this format, and nothing of it may be sent.

    `detail` is a Portuguese sentence without any value of the payload.
    """

    def __init__(self, code: Fault, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
