"""Stub."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("webhooks", __name__)


@blueprint.get("/webhooks/<webhook:webhook_id>")
def show(webhook_id: int) -> str:
    return ""


@blueprint.get("/empresas/<company:company_id>/webhooks/novo")
def create(company_id: int) -> str:
    return ""
