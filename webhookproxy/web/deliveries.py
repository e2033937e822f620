"""Stub."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("deliveries", __name__)


@blueprint.get("/entregas")
def index() -> str:
    return ""


@blueprint.get("/entregas/<delivery:delivery_id>")
def show(delivery_id: int) -> str:
    return ""
