"""Every setting: its name, default, unit and reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from webhookproxy.config import keys, parse
from webhookproxy.config.alert_settings import ALERT_SETTINGS
from webhookproxy.config.flask_settings import flask_settings
from webhookproxy.config.keys import ConfigError
from webhookproxy.config.process_settings import PROCESS_SETTINGS, refuse_shares
from webhookproxy.config.setting import Setting

__all__ = ["SETTINGS", "ConfigError", "Setting", "ephemeral_disk_warning", "load"]

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DATABASE_URL",
        "",
        "address",
        "Empty keeps everything in instance/webhookproxy.sqlite; postgres:// and postgresql:// "
        "addresses are for servers whose disk does not last.",
        parse.database,
    ),
    Setting(
        "LEASE_DATABASE_URL",
        "",
        "address",
        "Empty takes DATABASE_URL; if that leads through a pooler that shares sessions (PgBouncer "
        "in transaction mode), this one must lead straight to the same PostgreSQL.",
        parse.postgresql,
    ),
    Setting(
        "SECRET_KEY",
        "",
        "32 or more characters",
        "Signs the session cookies; empty takes instance/secret_key, which bin/serve creates.",
        str,
    ),
    Setting(
        "DATA_KEYS",
        "",
        "keys of 32 or more characters, newest first, separated by commas",
        "Encrypt tokens and secrets in the database; empty takes instance/data_keys, which "
        "bin/serve creates.",
        str,
    ),
    Setting(
        "SOCKET_URL",
        "https://socket.3c.plus",
        "address",
        "The Socket.IO server of 3C Plus, for every company that names no other.",
        parse.origin,
    ),
    Setting(
        "ALLOW_PRIVATE_TARGETS",
        "0",
        "0 or 1",
        "1 lets sockets and webhooks reach loopback and private addresses, over plain http too: "
        "development and tests only, so a public server refuses to start with it.",
        parse.switch,
    ),
    Setting(
        "ALLOW_HTTP",
        "0",
        "0 or 1",
        "1 lets webhooks be plain http to public addresses, because some CRMs have no https.",
        parse.switch,
    ),
    Setting(
        "REST_HOSTS",
        "",
        "host names separated by commas",
        "Hosts that may be asked for calls with a company's token, besides those under 3c.plus: "
        "for tests and simulators.",
        parse.hosts,
    ),
    Setting(
        "PUBLIC_URL",
        "",
        "address",
        "Where people open the pages; https makes the cookies travel encrypted only.",
        parse.origin,
    ),
    Setting(
        "TRUSTED_HOSTS",
        "",
        "host names separated by commas",
        "Requests for any other host are refused; empty means the host of PUBLIC_URL and "
        "loopback, or any host if there is no PUBLIC_URL.",
        parse.hosts,
    ),
    Setting(
        "PROXY_HOPS",
        "0",
        "proxies",
        "How many proxies stand in front (1 on Heroku): more than there are would let visitors "
        "forge their address.",
        parse.number(0, 5),
    ),
    Setting(
        "TRUSTED_PROXIES",
        "",
        "addresses or networks separated by commas",
        "The peers whose forwarded addresses are trusted when PROXY_HOPS is not 0; empty means "
        "loopback, and on Heroku its router.",
        parse.networks,
    ),
    Setting(
        "BIND",
        "127.0.0.1",
        "IP address",
        "The address of this machine on which the pages are served; 0.0.0.0 is all of them, which "
        "the Procfile and the Dockerfile set, because there a router stands in front.",
        parse.address,
    ),
    Setting(
        "PORT",
        "5000",
        "TCP port",
        "Where the pages are served; hosting services set it themselves, and 0 takes a free one.",
        parse.number(0, 65_535),
    ),
    *PROCESS_SETTINGS,
    Setting(
        "LOG_LEVEL",
        "INFO",
        "DEBUG, INFO, WARNING or ERROR",
        "INFO prints a line for each event and webhook, DEBUG prints them above the limit too.",
        parse.level,
    ),
    Setting(
        "LOG_LINES_PER_SECOND",
        "200",
        "lines per second",
        "Above it the lines of events and webhooks become one summary, because printing each "
        "would cost a sixth of the time there is for an event.",
        parse.number(1, 100_000),
    ),
    Setting(
        "RETENTION_DAYS",
        "7",
        "days",
        "How long events and deliveries are kept; payloads hold personal data, so no longer than "
        "a retry or a question about last week needs.",
        parse.number(1, 365),
    ),
    Setting(
        "MAX_DATA_GB",
        "0",
        "GB of 1,000,000,000 bytes",
        "Near it the oldest events without waiting deliveries are removed early; 0 is no limit "
        "but the disk's.",
        parse.gigabytes,
    ),
    Setting(
        "UNWANTED_HOURS",
        "24",
        "hours",
        "How long events that no webhook asked for are kept, for looking at what arrives.",
        parse.number(1, 8_760),
    ),
    Setting(
        "AUDIT_DAYS",
        "365",
        "days",
        "How long the audit is kept; never less than 31, because the database itself refuses to "
        "delete its entries for 30 and its clock may differ.",
        parse.number(31, 3_650),
    ),
    Setting(
        "API_REQUESTS_PER_SECOND",
        "10",
        "requests per second",
        "How many requests one token may make to /api/v1; above it the answer is 429.",
        parse.number(1, 1_000),
    ),
    *ALERT_SETTINGS,
    Setting(
        "METRICS_TOKEN",
        "",
        "16 or more characters",
        "What Prometheus sends as a Bearer token to read /metrics; empty means that there is no "
        "such page.",
        parse.bearer,
    ),
    Setting(
        "HEARTBEAT_URL",
        "",
        "address",
        "Called each minute by the owner of the sockets while /saude would answer 200, so that a "
        "monitor elsewhere notices when this program is gone; empty calls nothing.",
        parse.web_address,
    ),
)


# The variable that a hosting service sets, and what it is called: each of them wipes the disk at a
# restart, except where a volume is mounted.
_WIPED_DISKS = {
    "DYNO": "Heroku dyno",
    "RENDER": "Render service",
    "RAILWAY_ENVIRONMENT": "Railway service",
    "K_SERVICE": "Cloud Run service",
    "FLY_APP_NAME": "Fly machine",
    "KUBERNETES_SERVICE_HOST": "Kubernetes pod",
}


def load(
    environ: Mapping[str, str], overrides: Mapping[str, Any], instance_path: str | Path
) -> dict[str, Any]:
    """Return the complete configuration for Flask: settings, keys, and what is derived from them.

    `overrides` wins over the environment and may also hold settings of Flask and its extensions.
    Its texts are parsed like the environment's; other values are taken as they are. Raises
    ConfigError, whose sentence never shows a secret.
    """
    texts = {**environ, **{name: v for name, v in overrides.items() if isinstance(v, str)}}
    config = {setting.name: _value(setting, texts, overrides) for setting in SETTINGS}
    config["HOSTING"] = next((name for each, name in _WIPED_DISKS.items() if texts.get(each)), "")
    config["ON_HEROKU"] = bool(texts.get("DYNO"))
    _refuse_unsafe(config)
    if not isinstance(overrides.get("DATA_KEYS", ""), str):
        texts["DATA_KEYS"] = " ".join(overrides["DATA_KEYS"])
    loaded = keys.load(texts, instance_path)
    config["SECRET_KEY"] = loaded.secret_key
    config["DATA_KEYS"] = loaded.data_keys
    config.update(flask_settings(config, Path(instance_path)))
    own = {setting.name for setting in SETTINGS}
    config.update({name: value for name, value in overrides.items() if name not in own})
    return config


def _value(setting: Setting, texts: Mapping[str, str], overrides: Mapping[str, Any]) -> Any:
    if setting.name in overrides and not isinstance(overrides[setting.name], str):
        return overrides[setting.name]
    text = texts.get(setting.name, "").strip() or setting.default
    try:
        return setting.parse(text)
    except ValueError as rule:
        # The value itself stays out of the sentence: an address can carry a password.
        raise ConfigError(f"{setting.name} {rule}: correct it or remove it.") from None


def _refuse_unsafe(config: Mapping[str, Any]) -> None:
    public = config["ON_HEROKU"] or config["PUBLIC_URL"].startswith("https://")
    if public and config["ALLOW_PRIVATE_TARGETS"]:
        raise ConfigError(
            "ALLOW_PRIVATE_TARGETS=1 would let webhooks reach the private network of a public "
            "server: remove it (ALLOW_HTTP=1 is what plain http to public addresses needs)."
        )
    if config["LEASE_DATABASE_URL"] and not config["DATABASE_URL"].startswith("postgresql"):
        raise ConfigError(
            "LEASE_DATABASE_URL needs a DATABASE_URL of the same PostgreSQL: set it, or remove "
            "this one."
        )
    refuse_shares(config)
    if config["SMTP_URL"] and not config["SMTP_FROM"]:
        raise ConfigError("SMTP_URL needs SMTP_FROM, the sender's address: set it.")


def ephemeral_disk_warning(config: Mapping[str, Any]) -> str | None:
    """Return the sentence for a hosting service that wipes the disk with the data, else None.

    Source: a dyno is restarted at least daily and its files are deleted then
    (devcenter.heroku.com/articles/dyno-restarts).
    """
    url = make_url(config["SQLALCHEMY_DATABASE_URI"])
    if not config["HOSTING"] or url.get_backend_name() != "sqlite":
        return None
    folders = Path(url.database or "").absolute().parents
    if any(folder.is_mount() for folder in folders if folder != Path("/")):
        return None
    return (
        f"Everything stored here is lost at the next restart: this {config['HOSTING']} keeps its "
        "data in SQLite, on a disk that is wiped each time. Set DATABASE_URL to a PostgreSQL (on "
        "Heroku the Heroku Postgres add-on does), or to a SQLite file on a volume."
    )
