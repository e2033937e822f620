"""Settings: defaults, rules, and what Flask is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from webhookproxy.config.settings import SETTINGS, ConfigError, ephemeral_disk_warning, load

KEYS = {"SECRET_KEY": "s" * 32, "DATA_KEYS": "d" * 32}


def loaded(environ: dict[str, str], **overrides: Any) -> dict[str, Any]:
    return load({**KEYS, **environ}, overrides, "/srv/instance")


def test_every_setting_of_the_specification_is_there_once() -> None:
    names = (
        "DATABASE_URL LEASE_DATABASE_URL SECRET_KEY DATA_KEYS SOCKET_URL ALLOW_PRIVATE_TARGETS "
        "ALLOW_HTTP PUBLIC_URL TRUSTED_HOSTS PROXY_HOPS PORT LOG_LEVEL LOG_LINES_PER_SECOND "
        "RETENTION_DAYS UNWANTED_HOURS AUDIT_DAYS MAX_DATA_GB TRUSTED_PROXIES"
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
    assert config["PORT"] == 5000
    assert config["LOG_LINES_PER_SECOND"] == 200
    assert config["RETENTION_DAYS"] == 7
    assert config["UNWANTED_HOURS"] == 24
    assert (config["MAX_DATA_GB"], config["MAX_DATA_BYTES"]) == (0, 0)
    assert loaded({"MAX_DATA_GB": "2.5"})["MAX_DATA_BYTES"] == 2_500_000_000
    assert config["SQLALCHEMY_DATABASE_URI"] == "sqlite:////srv/instance/webhookproxy.sqlite"
    assert config["TRUSTED_HOSTS"] is None


@pytest.mark.parametrize("text", ["1", "true", "YES", " 1 "])
def test_a_switch_is_on_for_one_true_and_yes(text: str) -> None:
    assert loaded({"ALLOW_HTTP": text})["ALLOW_HTTP"] is True


@pytest.mark.parametrize("text", ["0", "False", "no", ""])
def test_a_switch_is_off_for_nought_false_no_and_nothing(text: str) -> None:
    assert loaded({"ALLOW_HTTP": text})["ALLOW_HTTP"] is False


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ALLOW_HTTP", "on"),
        ("ALLOW_HTTP", "2"),
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "9" * 5000),
        ("PORT", "٣"),
        ("PROXY_HOPS", "6"),
        ("LOG_LEVEL", "TRACE"),
        ("LOG_LINES_PER_SECOND", "0"),
        ("RETENTION_DAYS", "0.5"),
        ("UNWANTED_HOURS", "0"),
        ("MAX_DATA_GB", "-1"),
        ("MAX_DATA_GB", "0.001"),
        ("MAX_DATA_GB", "1e3"),
        ("MAX_DATA_GB", "100001"),
        ("SOCKET_URL", "socket.3c.plus"),
        ("SOCKET_URL", "https://user:canary@socket.3c.plus"),
        ("SOCKET_URL", "https://socket.3c.plus/?token=canary"),
        ("PUBLIC_URL", "ftp://example.com"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://example.com:port"),
        ("PUBLIC_URL", "https://[::1"),
        ("TRUSTED_HOSTS", "https://example.com"),
        ("DATABASE_URL", "mysql://user:canary@host/db"),
        ("DATABASE_URL", "postgres://user:canary@host:port/db"),
        ("LEASE_DATABASE_URL", "sqlite:////srv/canary.sqlite"),
    ],
)
def test_a_bad_value_stops_with_the_variable_and_the_rule_but_not_the_value(
    name: str, text: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} must .*: correct it or remove it\.$") as error:
        loaded({name: text})
    assert "canary" not in str(error.value)
    assert error.value.__suppress_context__


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("pgbouncer=true", r"does not know \(pgbouncer\)"),
        ("sslmode=require&schema=public", r"does not know \(schema\)"),
        ("sslmode=canary", r"means nothing to PostgreSQL \(sslmode\)"),
        ("target_session_attrs=canary", r"means nothing to PostgreSQL \(target_session_attrs\)"),
    ],
)
@pytest.mark.parametrize("name", ["DATABASE_URL", "LEASE_DATABASE_URL"])
def test_an_option_with_which_no_connection_can_ever_be_made_stops_the_start(
    name: str, options: str, complaint: str
) -> None:
    urls = dict.fromkeys(("DATABASE_URL", "LEASE_DATABASE_URL"), "postgres://user@host/db")
    urls[name] = f"postgres://user:canary@host/db?{options}"
    with pytest.raises(ConfigError, match=rf"^{name} .*{complaint}: correct it") as error:
        loaded(urls)
    assert "canary" not in str(error.value)


def test_what_needs_a_session_of_its_own_goes_straight_to_the_database() -> None:
    pooled, direct = "postgresql+psycopg://u@pooler/db", "postgresql+psycopg://u@server/db"
    config = loaded({"DATABASE_URL": pooled, "LEASE_DATABASE_URL": direct})
    assert (config["SQLALCHEMY_DATABASE_URI"], config["OWN_SESSION_URL"]) == (pooled, direct)
    assert loaded({"DATABASE_URL": pooled})["OWN_SESSION_URL"] == pooled
    with pytest.raises(ConfigError, match="LEASE_DATABASE_URL needs a DATABASE_URL"):
        loaded({"LEASE_DATABASE_URL": direct})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_means_psycopg_3(scheme: str) -> None:
    config = loaded({"DATABASE_URL": f"{scheme}://user:pass@host:5432/db?sslmode=require"})
    wanted = "postgresql+psycopg://user:pass@host:5432/db?sslmode=require"
    assert config["SQLALCHEMY_DATABASE_URI"] == wanted


def test_cookies_are_for_https_only_when_the_public_address_is_https() -> None:
    plain, https = loaded({}), loaded({"PUBLIC_URL": "https://relay.example.com/"})
    assert (plain["SESSION_COOKIE_SECURE"], plain["SESSION_COOKIE_NAME"]) == (False, "session")
    assert (https["SESSION_COOKIE_SECURE"], https["SESSION_COOKIE_NAME"]) == (
        True,
        "__Host-session",
    )
    assert https["REMEMBER_COOKIE_SECURE"] is True
    for config in (plain, https):
        assert config["SESSION_COOKIE_SAMESITE"] == "Lax"
        assert config["SESSION_COOKIE_HTTPONLY"] is True
        assert config["REMEMBER_COOKIE_HTTPONLY"] is True
        assert config["PERMANENT_SESSION_LIFETIME"] == timedelta(hours=12)
        assert config["MAX_CONTENT_LENGTH"] == 1_048_576


def test_trusted_hosts_follow_the_public_address_unless_they_are_set() -> None:
    public = {"PUBLIC_URL": "https://relay.example.com:8443"}
    assert loaded(public)["TRUSTED_HOSTS"] == ["relay.example.com", "localhost", "127.0.0.1"]
    explicit = loaded({**public, "TRUSTED_HOSTS": "a.example, .b.example"})
    assert explicit["TRUSTED_HOSTS"] == ["a.example", ".b.example"]


def test_a_request_for_a_host_that_is_not_trusted_is_refused() -> None:
    app = Flask("hosts")
    app.config.update(loaded({"PUBLIC_URL": "https://relay.example.com"}))
    client = app.test_client()
    assert client.get("/", base_url="https://elsewhere.example").status_code == 400
    assert client.get("/", base_url="https://relay.example.com:8443").status_code == 404
    assert client.get("/", base_url="http://127.0.0.1:5000").status_code == 404


@pytest.mark.parametrize("environ", [{"DYNO": "web.1"}, {"PUBLIC_URL": "https://r.example.com"}])
def test_a_public_server_refuses_to_start_with_private_targets(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="ALLOW_PRIVATE_TARGETS=1 would let"):
        loaded({**environ, "ALLOW_PRIVATE_TARGETS": "1"})


def test_private_targets_are_allowed_on_a_machine_that_is_not_public() -> None:
    assert loaded({"ALLOW_PRIVATE_TARGETS": "1"})["ALLOW_PRIVATE_TARGETS"] is True


def test_overrides_win_over_the_environment_and_reach_flasks_own_settings() -> None:
    config = loaded(
        {"PORT": "1", "ALLOW_HTTP": "0"},
        PORT="8000",
        ALLOW_HTTP=True,
        TESTING=True,
        MAX_CONTENT_LENGTH=5,
        DATA_KEYS=("n" * 32, "o" * 32),
    )
    assert (config["PORT"], config["ALLOW_HTTP"], config["TESTING"]) == (8000, True, True)
    assert config["MAX_CONTENT_LENGTH"] == 5
    assert config["DATA_KEYS"] == ("n" * 32, "o" * 32)


def test_a_bad_override_is_refused_like_a_bad_variable() -> None:
    with pytest.raises(ConfigError, match="PORT must"):
        loaded({}, PORT="many")


def test_short_or_missing_keys_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SECRET_KEY must have at least 32 characters and has 5"):
        loaded({"SECRET_KEY": "short"})
    with pytest.raises(ConfigError, match="SECRET_KEY is missing"):
        load({}, {}, tmp_path)


def test_a_dyno_with_sqlite_is_warned_that_its_disk_is_wiped() -> None:
    warning = ephemeral_disk_warning(loaded({"DYNO": "web.1"}))
    assert warning is not None
    assert "DATABASE_URL" in warning
    assert ephemeral_disk_warning(loaded({})) is None
    on_postgresql = loaded({"DYNO": "web.1", "DATABASE_URL": "postgres://u:p@host/db"})
    assert ephemeral_disk_warning(on_postgresql) is None
