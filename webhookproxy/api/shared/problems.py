"""Errors as RFC 9457 problems, in Portuguese and English, with the place of each mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType

from flask import Response, request
from pydantic import BaseModel, Field

from webhookproxy.rules import Refused

PREFIX = "/api/v1"
MEDIA_TYPE = "application/problem+json"
# Of a list with a thousand mistakes the first say enough.
_MISTAKES_MAX = 50

# By the status: what it means, in Portuguese and in English.
_WORDS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: ("Não entendemos este pedido.", "The request cannot be read."),
        401: (
            "Falta um token que valha: envie Authorization: Bearer whp_… no cabeçalho.",
            "A valid token is missing: send it in the header Authorization: Bearer whp_…",
        ),
        403: ("Este token não pode fazer isto.", "This token may not do this."),
        404: (
            "Não encontrado, ou este token não pode ver.",
            "Not found, or this token may not see it.",
        ),
        405: (
            "Este endereço não tem este método: o cabeçalho Allow diz quais tem.",
            "This address does not have this method: the header Allow says which it has.",
        ),
        408: ("O pedido demorou demais para chegar.", "The request took too long to arrive."),
        409: ("Isto mudou ao mesmo tempo: leia e tente de novo.", "Changed meanwhile: read again."),
        412: (
            "Alguém salvou uma versão mais nova: leia de novo e repita com o ETag novo.",
            "Someone saved a newer version: read it again, and repeat with the new ETag.",
        ),
        413: ("O corpo é grande demais: o limite é 1 MB.", "The body is too large: at most 1 MB."),
        415: (
            "Envie JSON, com Content-Type: application/json.",
            "Send JSON, with Content-Type: application/json.",
        ),
        422: ("O pedido tem erros: veja a lista.", "The request has mistakes: see the list."),
        429: (
            "Pedidos demais por segundo: espere o que diz Retry-After.",
            "Too many requests a second: wait as long as Retry-After says.",
        ),
        500: ("Algo falhou aqui, e está no log do servidor.", "The server failed, and logged it."),
        503: (
            "O banco de dados não responde agora: tente de novo em instantes.",
            "The database does not answer now: try again in some seconds.",
        ),
    }
)


class Mistake(BaseModel):
    """One mistake: the place as a JSON pointer into the body, or the name of a parameter."""

    path: str
    message: str
    message_en: str


class Problem(BaseModel):
    """An RFC 9457 problem: `detail` is Portuguese, `detail_en` English."""

    type: str = Field(default="about:blank")
    title: str
    status: int
    detail: str
    detail_en: str
    errors: list[Mistake] = Field(default_factory=list)


class ApiProblem(Exception):
    """An operation cannot be done; `answer` is the response that says why."""

    def __init__(
        self,
        status: int,
        mistakes: Sequence[Mistake] = (),
        words: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status)
        self.answer = answer(status, mistakes, words, headers)

    @classmethod
    def of(cls, refused: Refused) -> ApiProblem:
        """Return the problem that a rule has with what was given."""
        mistakes = [
            Mistake(
                path=f"/{each.field}" if each.field else "",
                message=each.portuguese,
                message_en=each.english,
            )
            for each in refused.problems
        ]
        return cls(422, mistakes)


def asks_api() -> bool:
    """Return whether the request is for the API, so that its errors are problems, not pages."""
    return request.path.startswith(f"{PREFIX}/")


def answer(
    status: int,
    mistakes: Sequence[Mistake] = (),
    words: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem with this status; `words` replace those of the status."""
    portuguese, english = words or _WORDS.get(status, _WORDS[500 if status >= 500 else 400])
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=portuguese,
        detail_en=english,
        errors=list(mistakes[:_MISTAKES_MAX]),
    )
    made = Response(problem.model_dump_json(), status, mimetype=MEDIA_TYPE)
    made.headers.extend(dict(headers or {}))
    if status == 401:
        made.headers["WWW-Authenticate"] = 'Bearer realm="webhookproxy"'
    return made
