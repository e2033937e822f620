"""The security headers of every answer."""

from __future__ import annotations

from wsgiref.headers import Headers

from flask import Flask, Response, request

# No page has a script or a style inside itself. Tabler's style sheet draws some icons from data:
# addresses.
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


def add_to_file(headers: Headers, *, https: bool) -> None:
    """Add the headers of a static file, which is served before the application is asked."""
    headers["X-Content-Type-Options"] = "nosniff"
    # A drawing that is opened by itself could run its own script.
    headers["Content-Security-Policy"] = _POLICY
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if https:
        headers["Strict-Transport-Security"] = _HSTS


def keep_address_secret(answer: Response) -> Response:
    """Keep the address of a page, which has a token, from other sites and from search engines."""
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer


def init_app(app: Flask) -> None:
    """Add the headers to every answer."""
    https = app.config["PREFERRED_URL_SCHEME"] == "https"

    def add(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        # A page whose address is a secret says less.
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if https:
            response.headers["Strict-Transport-Security"] = _HSTS
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    app.after_request(add)
