"""The guide for users, docs/uso/guia.md, as a page, and the links that lead to its parts."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Flask, abort, current_app, render_template

from webhookproxy.web.guide_text import contents_of, html_of
from webhookproxy.web.shared.access import readers

blueprint = Blueprint("guide", __name__)

_FILE = "docs/uso/guia.md"


def init_app(app: Flask) -> None:
    """Read the guide, if it is there, and tell the templates whether it is."""
    path = Path(app.root_path).parent / _FILE
    app.extensions["guide"] = path.read_text(encoding="utf-8") if path.is_file() else ""
    app.context_processor(lambda: {"has_guide": bool(app.extensions["guide"])})


@blueprint.get("/guia")
@readers
def show() -> str:
    """Show the guide. Answers 404 on an installation without it."""
    text: str = current_app.extensions["guide"]
    if not text:
        abort(404)
    given = {"contents": contents_of(text), "guide": html_of(text)}
    return render_template("guide.html", **given)
