"""What every answer says about itself to the browser."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

from flask import Flask, Response, g, request

# Every page works without a line of script or style inside itself; Tabler's own style sheet
# draws some icons from data: addresses.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)
_HSTS = "max-age=31536000; includeSubDomains"


def init_app(app: Flask) -> None:
    """Have every answer carry the headers."""

    def add(response: Response) -> Response:
        response.headers.update(_always(app))
        if g.get("account") is not None or request.method != "GET":
            response.headers["Cache-Control"] = "no-store"
        return response

    app.after_request(add)


def for_static(app: Flask) -> Callable[[MutableMapping[str, str], str, str], None]:
    """The same for the static files, which are sent before Flask is asked."""
    always = _always(app)

    def add(headers: MutableMapping[str, str], _path: str, _url: str) -> None:
        for name, value in always.items():
            headers[name] = value

    return add


def _always(app: Flask) -> dict[str, str]:
    found = {
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if app.config["PREFERRED_URL_SCHEME"] == "https":
        found["Strict-Transport-Security"] = _HSTS
    return found
