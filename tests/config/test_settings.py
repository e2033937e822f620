"""Settings: their defaults, and what stops the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from webhookproxy.config.settings import SETTINGS, ConfigError, ephemeral_disk_warning, load

KEYS = {"SECRET_KEY": "s" * 32, "DATA_KEYS": "d" * 32}


def loaded(environ: dict[str, str], **overrides: Any) -> dict[str, Any]:
    return load({**KEYS, **environ}, overrides, "/srv/instance")


def test_every_setting_of_the_specification_is_there_once() -> None:
    names = (
        "DATABASE_URL LEASE_DATABASE_URL SECRET_KEY DATA_KEYS SOCKET_URL ALLOW_PRIVATE_TARGETS "
        "ALLOW_HTTP PUBLIC_URL TRUSTED_HOSTS PROXY_HOPS BIND PORT LOG_LEVEL LOG_LINES_PER_SECOND "
        "RETENTION_DAYS UNWANTED_HOURS AUDIT_DAYS MAX_DATA_GB TRUSTED_PROXIES "
        "SMTP_URL SMTP_FROM TELEGRAM_URL SLACK_URL NTFY_URL "
        "METRICS_TOKEN HEARTBEAT_URL API_REQUESTS_PER_SECOND TAKE_OVER REST_HOSTS SHARES SHARDS_MAX"
    )
    assert sorted(setting.name for setting in SETTINGS) == sorted(names.split())


def test_every_setting_says_its_unit_and_its_reason_in_a_sentence() -> None:
    for setting in SETTINGS:
        assert setting.unit
        assert setting.reason.endswith(".")
        setting.parse(setting.default)


def test_the_defaults_are_those_of_the_specification() -> None:
    config = loaded({})
    assert config["SOCKET_URL"] == "https://socket.3c.plus"
    assert config["ALLOW_PRIVATE_TARGETS"] is False
    assert config["ALLOW_HTTP"] is False
    assert (config["BIND"], config["PORT"]) == ("127.0.0.1", 5000)
    assert config["LOG_LINES_PER_SECOND"] == 200
    assert config["RETENTION_DAYS"] == 7
    assert config["UNWANTED_HOURS"] == 24
    assert (config["MAX_DATA_GB"], config["MAX_DATA_BYTES"]) == (0, 0)
    assert loaded({"MAX_DATA_GB": "2.5"})["MAX_DATA_BYTES"] == 2_500_000_000
    assert config["SQLALCHEMY_DATABASE_URI"] == "sqlite:////srv/instance/webhookproxy.sqlite"
    assert config["TRUSTED_HOSTS"] is None


@pytest.mark.parametrize("environ", [{"DYNO": "web.1"}, {"PUBLIC_URL": "https://r.example.com"}])
def test_a_public_server_refuses_to_start_with_private_targets(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="ALLOW_PRIVATE_TARGETS=1 would let"):
        loaded({**environ, "ALLOW_PRIVATE_TARGETS": "1"})


def test_private_targets_are_allowed_on_a_machine_that_is_not_public() -> None:
    assert loaded({"ALLOW_PRIVATE_TARGETS": "1"})["ALLOW_PRIVATE_TARGETS"] is True


def test_a_bad_override_is_refused_like_a_bad_variable() -> None:
    with pytest.raises(ConfigError, match="PORT must"):
        loaded({}, PORT="many")


def test_short_or_missing_keys_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SECRET_KEY must have at least 32 characters and has 5"):
        loaded({"SECRET_KEY": "short"})
    with pytest.raises(ConfigError, match="SECRET_KEY is missing"):
        load({}, {}, tmp_path)


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("DYNO", "Heroku dyno"),
        ("RENDER", "Render service"),
        ("RAILWAY_ENVIRONMENT", "Railway service"),
        ("K_SERVICE", "Cloud Run service"),
        ("FLY_APP_NAME", "Fly machine"),
        ("KUBERNETES_SERVICE_HOST", "Kubernetes pod"),
    ],
)
def test_where_the_disk_is_wiped_sqlite_outside_a_volume_is_warned_of(
    variable: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: str(path) in ("/", "/data"))
    warning = ephemeral_disk_warning(loaded({variable: "x"}))
    assert warning is not None
    assert f"this {name} keeps" in warning
    assert "DATABASE_URL" in warning
    for url in ("postgres://u:p@host/db", "sqlite:////data/relay/events.sqlite"):
        assert ephemeral_disk_warning(loaded({variable: "x", "DATABASE_URL": url})) is None
    assert ephemeral_disk_warning(loaded({})) is None


def test_the_mail_server_is_a_secret_and_needs_a_sender() -> None:
    url = "smtp://ana:canary-mail-password@mail.example.com"
    with pytest.raises(ConfigError, match="SMTP_URL needs SMTP_FROM") as caught:
        loaded({"SMTP_URL": url})
    assert "canary" not in str(caught.value)
    with pytest.raises(ConfigError, match="SMTP_URL must be") as caught:
        loaded({"SMTP_URL": f"{url}/x", "SMTP_FROM": "avisos@example.com"})
    assert "canary" not in str(caught.value)
    config = loaded({"SMTP_URL": url, "SMTP_FROM": "avisos@example.com"})
    assert config["SMTP_URL"].password == "canary-mail-password"
    assert "canary" not in repr(config)
