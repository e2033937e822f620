"""The entries that the pages of alerts leave in the audit."""

from __future__ import annotations

from flask import Flask

from tests.support.application import rows


def audited(app: Flask) -> list[tuple[str, str]]:
    query = "SELECT action, detail FROM audit WHERE action LIKE 'alert%' ORDER BY id"
    return [tuple(row) for row in rows(app, query)]
