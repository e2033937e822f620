"""Light, dark, or as the system is: a choice in a cookie, so that no page flashes."""

from __future__ import annotations

from flask import Blueprint, Flask, current_app, redirect, request
from werkzeug.wrappers import Response

from webhookproxy.web.login.sessions import is_own_page
from webhookproxy.web.shared.access import public

blueprint = Blueprint("theme", __name__)

COOKIE = "theme"
# By what the cookie holds: the word of the page.
THEMES = {"light": "Claro", "dark": "Escuro", "": "Sistema"}
_YEAR = 31_536_000


def init_app(app: Flask) -> None:
    """Give the choice to every page."""
    app.context_processor(lambda: {"theme": _chosen(), "themes": THEMES})


def _chosen() -> str:
    theme = request.cookies.get(COOKIE, "")
    return theme if theme in THEMES else ""


def _page_before() -> str:
    """Return the page that had the button: a browser names it, except on the pages of guests."""
    given = request.form.get("volta", "")
    if not given and (request.referrer or "").startswith(request.host_url):
        given = f"/{(request.referrer or '').removeprefix(request.host_url)}"
    return given if is_own_page(given) else "/"


@blueprint.post("/tema")
@public
def choose() -> Response:
    """Keep the choice in this browser, and go back to the page that had the button."""
    theme = request.form.get("tema", "")
    answer = redirect(_page_before(), code=303)
    if theme not in THEMES or not theme:
        answer.delete_cookie(COOKIE)
        return answer
    secure = current_app.config["PREFERRED_URL_SCHEME"] == "https"
    answer.set_cookie(COOKIE, theme, max_age=_YEAR, secure=secure, httponly=True, samesite="Lax")
    return answer
