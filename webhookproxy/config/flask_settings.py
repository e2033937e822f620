"""The configuration of Flask and its extensions, derived from our settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SESSION_LIFETIME = timedelta(hours=12)
MAX_REQUEST_BYTES = 1_048_576

# Werkzeug compares hosts without their port; the two loopback names are for health checks.
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1")
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# A dyno is reached only through Heroku's router, from this network.
_HEROKU = (ip_network("10.0.0.0/8"),)


def flask_settings(config: Mapping[str, Any], instance: Path) -> dict[str, Any]:
    """Return the configuration of Flask and its extensions."""
    https = config["PUBLIC_URL"].startswith("https://")
    hosts = list(config["TRUSTED_HOSTS"])
    if not hosts and config["PUBLIC_URL"]:
        hosts = [urlsplit(config["PUBLIC_URL"]).hostname or "", *_LOOPBACK_HOSTS]
    database = config["DATABASE_URL"] or f"sqlite:///{instance / 'webhookproxy.sqlite'}"
    return {
        # Pages read through the first one; writers and locks need their own sessions.
        "SQLALCHEMY_DATABASE_URI": database,
        "OWN_SESSION_URL": config["LEASE_DATABASE_URL"] or database,
        "MAX_DATA_BYTES": round(config["MAX_DATA_GB"] * 1_000_000_000),
        # Over plain http a browser refuses a Secure cookie and a __Host- name, and a form without
        # the cookie has no CSRF token.
        "SESSION_COOKIE_NAME": "__Host-session" if https else "session",
        "SESSION_COOKIE_SECURE": https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": SESSION_LIFETIME,
        "REMEMBER_COOKIE_SECURE": https,
        "REMEMBER_COOKIE_HTTPONLY": True,
        "REMEMBER_COOKIE_SAMESITE": "Lax",
        "REMEMBER_COOKIE_DURATION": SESSION_LIFETIME,
        "PREFERRED_URL_SCHEME": "https" if https else "http",
        "MAX_CONTENT_LENGTH": MAX_REQUEST_BYTES,
        # Werkzeug's default is half of it, but the refusal says 1 MB.
        "MAX_FORM_MEMORY_SIZE": MAX_REQUEST_BYTES,
        "TRUSTED_HOSTS": hosts or None,
        "TRUSTED_PROXIES": config["TRUSTED_PROXIES"]
        or (_HEROKU if config["ON_HEROKU"] else _LOOPBACK),
        # A form is valid as long as its session.
        "WTF_CSRF_TIME_LIMIT": None,
        # The messages of the forms come from WTForms' own Portuguese, not from Flask-Babel.
        "WTF_I18N_ENABLED": False,
        # A live page must reach the browser line by line. Static files are compressed in advance.
        "COMPRESS_STREAMS": False,
        "COMPRESS_ALGORITHM": ["gzip"],
        "COMPRESS_MIMETYPES": ["text/html"],
    }
