"""Stub."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("users", __name__)


@blueprint.get("/usuarios")
def index() -> str:
    return ""
