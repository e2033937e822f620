"""The description of the API in OpenAPI 3.1, made from the types of its operations."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, json

from webhookproxy.api.shared.operations import Operations
from webhookproxy.api.shared.problems import PREFIX, Mistake, Problem
from webhookproxy.version import __version__

_WORDS = (
    "Empresas, webhooks, eventos, entregas e o que houve com eles, para programas. Um token de API "
    "vai no cabeçalho `Authorization: Bearer whp_…`. Erros são problemas da RFC 9457; horas são "
    "RFC 3339 em UTC; ids são textos com o seu tipo, como `webhook_7`."
)


@lru_cache(maxsize=1)
def description(subjects: tuple[Operations, ...]) -> dict[str, Any]:
    """Return the whole description."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for subject in subjects:
        for rule, item in subject.paths.items():
            paths.setdefault(rule, {}).update(_plain(item))
        schemas.update({name: _plain(each) for name, each in subject.components_schemas.items()})
    _free_bodies(paths, schemas)
    for model in (Problem, Mistake):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    return {
        "openapi": "3.1.0",
        "info": {"title": "webhookproxy", "version": __version__, "description": _WORDS},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(map(_subject, subjects))],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def blueprint_of(subjects: tuple[Operations, ...]) -> Blueprint:
    """Return the page of the description; it tells of no installation, so it needs no token."""
    blueprint = Blueprint("api_description", __name__, url_prefix=PREFIX)

    @blueprint.get("/openapi.json")
    def show() -> Response:
        text = json.dumps(description(subjects), ensure_ascii=False)
        return Response(text, mimetype="application/json")

    return blueprint


def _free_bodies(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say that a body may be left out if no field of it is required."""
    for methods in paths.values():
        for operation in methods.values():
            body = operation.get("requestBody")
            if body is not None:
                name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                body["required"] = bool(schemas[name].get("required"))


def _subject(operations: Operations) -> str:
    return str(operations.abp_tags[0].name)


def _plain(found: Any) -> dict[str, Any]:
    plain: dict[str, Any] = found.model_dump(
        mode="json", by_alias=True, exclude_unset=True, warnings=False
    )
    return plain
