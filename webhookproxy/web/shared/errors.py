"""Error pages: what went wrong, and where to go next."""

from __future__ import annotations

import logging
from math import ceil

from flask import Flask, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, SecurityError, TooManyRequests
from werkzeug.wrappers import Response

from webhookproxy.api.shared.problems import answer as problem
from webhookproxy.api.shared.problems import asks_api
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.events.newer_version import NewerVersion
from webhookproxy.logs.redaction import hide_typed
from webhookproxy.web.shared.access import FromOtherSite
from webhookproxy.web.shared.drafts import SECRET_FIELDS

logger = logging.getLogger(__name__)

_OTHER_HOST = (
    "Este servidor não atende por este nome. Use o endereço combinado; se for este, inclua-o em "
    "PUBLIC_URL ou TRUSTED_HOSTS e reinicie.\n"
)
_NEWER = (
    "Uma versão mais nova deste programa salvou algo que esta não conhece: volte à versão mais "
    "nova."
)


def init_app(app: Flask) -> None:
    """Give every error a page without the exception's text, and hide what was typed from logs."""
    app.before_request(_hide_what_is_typed)
    app.teardown_request(lambda _error: hide_typed(()))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(StoreUnavailable, lambda _error: page(503))
    app.register_error_handler(SQLAlchemyError, _database)
    app.register_error_handler(NewerVersion, _newer_version)
    app.register_error_handler(Exception, _unexpected)


def _hide_what_is_typed() -> None:
    fields = request.form.items(multi=True)
    secrets = [text for name, text in fields if name in SECRET_FIELDS]
    # What is searched for is often a person's telephone or name.
    hide_typed(secrets + request.args.getlist("busca"))


def page(status: int, minutes: int = 1, *, other_site: bool = False) -> Response:
    """Return the page for a status, without reading the database; for the API a problem."""
    if asks_api():
        return problem(status)
    given = {"status": status, "minutes": minutes, "other_site": other_site, "back": _above()}
    body = render_template("error.html", **given)
    return Response(body, status, mimetype="text/html")


def _above() -> str:
    """Return the address of the thing that an action was about, as of /webhooks/webhook_7/testar.

    The action itself is a POST, and cannot be opened.
    """
    return request.path.rpartition("/")[0]


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        # For example a redirect to the address with a slash at its end.
        return error.get_response()
    if isinstance(error, SecurityError):
        # For another host no address can be built, and so no page.
        return Response(_OTHER_HOST, 400, mimetype="text/plain")
    # Our limits say seconds; Werkzeug allows dates too.
    wait = error.retry_after if isinstance(error, TooManyRequests) else None
    minutes = ceil(wait / 60) if isinstance(wait, int) else 1
    answer = page(error.code, minutes, other_site=isinstance(error, FromOtherSite))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            answer.headers[name] = value
    return answer


def _database(error: SQLAlchemyError) -> Response:
    logger.error("a page could not read the database: %s", type(error).__name__)
    return page(503)


def _newer_version(error: NewerVersion) -> Response:
    return problem(409, words=(_NEWER, str(error))) if asks_api() else page(409)


def _unexpected(error: Exception) -> Response:
    logger.error("a page failed: %s", type(error).__name__, exc_info=error)
    return page(500)
