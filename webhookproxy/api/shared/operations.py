"""The operations of the API: each has a scope, the types of what it takes, and of its answer.

    operations = Operations("webhooks", "Webhooks")

    @operations.reads("/webhooks/<webhook>", WebhookAnswer, "Mostra um webhook")
    def show_webhook(path: WebhookPath) -> WebhookAnswer: ...

The arguments `path`, `query` and `body` are pydantic models; OpenAPI's description is made from
them. A function returns a model, or a whole response.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, ValidationError

from webhookproxy.api.shared.access import require
from webhookproxy.api.shared.mistakes import is_not_json, mistakes_of, nul_in
from webhookproxy.api.shared.problems import MEDIA_TYPE, PREFIX, ApiProblem
from webhookproxy.models.accounts.api_tokens import Scope
from webhookproxy.request_extensions import csrf
from webhookproxy.rules import Refused

V = TypeVar("V", bound=Callable[..., Any])
Answers = type[BaseModel] | None

_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
# Every operation may answer these: no token, no right, nothing there, too many, no database.
_ALWAYS = {
    status: {"description": said, "content": {MEDIA_TYPE: _PROBLEM}}
    for status, said in (
        (400, "O pedido não pode ser lido"),
        (401, "Sem um token que valha"),
        (403, "Sem o escopo"),
        (404, "Não encontrado"),
        (408, "O pedido demorou demais"),
        (409, "Mudou ao mesmo tempo"),
        (412, "Alguém salvou uma versão mais nova"),
        (413, "O corpo é grande demais"),
        (415, "O corpo não é JSON"),
        (422, "O pedido tem erros"),
        (429, "Pedidos demais"),
        (500, "Falha do servidor"),
        (503, "O banco de dados não responde"),
    )
}
_MARK = "_operation"


class Given(BaseModel):
    """The base of what an operation takes: a field that it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class _Operation:
    scope: Scope
    status: int


class Operations(APIBlueprint):
    """The operations of one subject."""

    def __init__(self, name: str, subject: str) -> None:
        super().__init__(
            f"api_{name}",
            __name__,
            url_prefix=PREFIX,
            abp_tags=[Tag(name=subject)],
            abp_security=[{"token": []}],
            operation_id_callback=_name_of,
        )
        csrf.exempt(self)
        self.register_error_handler(ApiProblem, lambda problem: problem.answer)
        self.register_error_handler(Refused, lambda refused: ApiProblem.of(refused).answer)

    def reads(
        self, rule: str, answers: Answers, summary: str, *, scope: Scope = Scope.READ
    ) -> Callable[[V], V]:
        """Register an operation that changes nothing; `answers` None: not JSON of ours."""
        return self._operation("GET", rule, answers, summary, _Operation(scope, 200))

    def acts(
        self,
        rule: str,
        answers: Answers,
        summary: str,
        *,
        scope: Scope = Scope.OPERATE,
        status: int = 200,
        method: str = "POST",
    ) -> Callable[[V], V]:
        """Register an operation that changes something."""
        return self._operation(method, rule, answers, summary, _Operation(scope, status))

    def _operation(
        self, method: str, rule: str, answers: Answers, summary: str, operation: _Operation
    ) -> Callable[[V], V]:
        good: Any = {"content": {"*/*": {}}} if answers is None else answers
        if operation.status == HTTPStatus.NO_CONTENT:
            good = {"description": "Feito"}
        register = getattr(self, method.lower())(
            rule,
            summary=summary,
            description=f"Escopo: `{operation.scope}`.",
            responses={**_ALWAYS, operation.status: good},
        )

        def mark(view: V) -> V:
            setattr(view, _MARK, operation)
            register(view)
            return view

        return mark

    # The library's own asks for its errors at the app; ours knows the token before anything else.
    @staticmethod
    def create_view_func(  # type: ignore[override]
        func: Callable[..., Any], *takes: type[BaseModel] | None, **_: Any
    ) -> Callable[..., Response]:
        """Return the view: it asks for the scope, reads what is given, and writes the answer."""
        header, _cookie, path, query, _form, body, _raw = takes
        operation: _Operation = getattr(func, _MARK)

        @wraps(func)
        def view(**found: str) -> Response:
            require(operation.scope)
            given: dict[str, BaseModel] = {}
            if header is not None:
                given["header"] = _read_header(header)
            if path is not None:
                given["path"] = _read_path(path, found)
            if query is not None:
                given["query"] = _read_query(query)
            if body is not None:
                given["body"] = _read_body(body)
            made = func(**given)
            return made if isinstance(made, Response) else _written(made, operation.status)

        return view


def _name_of(name: str, **_: str) -> str:
    """Return the operation's id: the name of its function."""
    return name


def _read_path(path: type[BaseModel], found: dict[str, str]) -> BaseModel:
    try:
        return path.model_validate(found)
    except ValidationError:
        # An id of another kind is no id of anything here.
        raise ApiProblem(404) from None


def _read_header(header: type[BaseModel]) -> BaseModel:
    names = [field.alias or name for name, field in header.model_fields.items()]
    values = {name: request.headers[name] for name in names if name in request.headers}
    try:
        return header.model_validate(values)
    except ValidationError as error:
        raise ApiProblem(422, mistakes_of(error, "query")) from None


def _read_query(query: type[BaseModel]) -> BaseModel:
    try:
        return query.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise ApiProblem(422, mistakes_of(error, "query")) from None


def _read_body(body: type[BaseModel]) -> BaseModel:
    text = request.get_data()
    if text and request.mimetype != "application/json":
        raise ApiProblem(415)
    try:
        made = body.model_validate_json(text or b"{}", strict=True)
    except ValidationError as error:
        if is_not_json(error):
            raise ApiProblem(400) from None
        raise ApiProblem(422, mistakes_of(error, "body")) from None
    if mistakes := nul_in(made.model_dump(mode="json")):
        raise ApiProblem(422, mistakes)
    return made


def _written(made: BaseModel, status: int) -> Response:
    """Return the answer as JSON; half a character of a payload becomes its escape."""
    plain = made.model_dump(mode="json")
    try:
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        text = json.dumps(plain, allow_nan=False).encode()
    answer = Response(text, status, mimetype="application/json")
    if (version := plain.get("version")) is not None:
        answer.set_etag(version)
    return answer
