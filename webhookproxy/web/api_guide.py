"""The API's description as a page for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, render_template

from webhookproxy.api import SUBJECTS
from webhookproxy.api.shared.description import description
from webhookproxy.web.shared.access import readers

blueprint = Blueprint("api_guide", __name__)

_TYPES = {
    "string": "texto",
    "integer": "número inteiro",
    "number": "número",
    "boolean": "true ou false",
    "array": "lista",
    "object": "objeto",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of what an operation takes or answers."""

    name: str
    kind: str
    is_required: bool
    text: str = ""


@dataclass(slots=True)
class Shown:
    """An operation as the page shows it."""

    method: str
    path: str
    name: str
    summary: str
    scope: str
    query: list[Field] = field(default_factory=list)
    body: list[Field] = field(default_factory=list)
    answer: list[Field] = field(default_factory=list)


@blueprint.get("/api")
@readers
def show() -> str:
    """Show every operation by its subject."""
    return render_template("api.html", subjects=_subjects(description(SUBJECTS)))


def _subjects(whole: dict[str, Any]) -> dict[str, list[Shown]]:
    found: dict[str, list[Shown]] = {tag["name"]: [] for tag in whole["tags"]}
    schemas = whole["components"]["schemas"]
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(_shown(method, path, operation, schemas))
    return found


def _shown(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Shown:
    shown = Shown(
        method.upper(),
        path,
        operation["operationId"],
        operation["summary"],
        operation["description"],
    )
    shown.query = [
        Field(
            each["name"],
            _kind(each["schema"], schemas),
            each.get("required", False),
            each.get("description", "").replace("`", ""),
        )
        for each in operation.get("parameters", ())
        if each["in"] == "query"
    ]
    shown.body = _fields(operation.get("requestBody", {}), schemas)
    good = next(answer for status, answer in operation["responses"].items() if status < "300")
    shown.answer = _fields(good, schemas)
    return shown


def _fields(content: dict[str, Any], schemas: dict[str, Any]) -> list[Field]:
    """Return the fields of a body or an answer; none of one that is not JSON of ours."""
    schema = content.get("content", {}).get("application/json", {}).get("schema", {})
    schema = _of(schema, schemas)
    required = schema.get("required", ())
    return [
        Field(name, _kind(each, schemas), name in required)
        for name, each in schema.get("properties", {}).items()
    ]


def _kind(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Return the type of a field in words: an id by its kind, a list by what is in it."""
    if "$ref" in schema:
        inside = _of(schema, schemas)
        if "enum" in inside:
            return " · ".join(map(str, inside["enum"]))
        return _TYPES.get(inside.get("type", "object"), "objeto")
    if choices := schema.get("anyOf"):
        return " ou ".join(dict.fromkeys(_kind(each, schemas) for each in choices))
    if schema.get("format") == "date-time":
        return "hora RFC 3339"
    if (pattern := schema.get("pattern", "")).startswith("^") and "_" in pattern:
        return f"{pattern[1:].partition('_')[0]}_…"
    if "items" in schema:
        return f"lista de {_kind(schema['items'], schemas)}"
    return _TYPES.get(schema.get("type", ""), "qualquer valor")


def _of(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schema that a reference names, or the schema itself."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schemas.get(name, schema)
    return found
