"""What people and their monitors see."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from webhookproxy.web import health


def init_app(app: Flask) -> None:
    """Register every page, and believe exactly as many proxies as there are in front."""
    hops = app.config["PROXY_HOPS"]
    if hops:
        # mypy: a method may be replaced on an instance, as Werkzeug documents.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    app.register_blueprint(health.blueprint)
