"""What people and their monitors see."""

from __future__ import annotations

from flask import Flask

from webhookproxy.web import health


def init_app(app: Flask) -> None:
    """Register every page."""
    app.register_blueprint(health.blueprint)
