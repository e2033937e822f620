"""How the text of a setting is read, and what is refused."""

from __future__ import annotations

import pytest

from tests.config.test_settings import loaded
from webhookproxy.config.settings import ConfigError


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
        ("BIND", "localhost"),
        ("BIND", "0.0.0.0:80"),
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
        ("METRICS_TOKEN", "canary"),
        ("METRICS_TOKEN", "canary with two spaces"),
        ("HEARTBEAT_URL", "hc-ping.com/canary"),
        ("HEARTBEAT_URL", "https:///canary"),
        ("HEARTBEAT_URL", "https://user:canary@hc-ping.com/"),
        ("HEARTBEAT_URL", "https://hc-ping.com:port/canary"),
        ("HEARTBEAT_URL", "https://hc-ping.com/a canary"),
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


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_means_psycopg_3(scheme: str) -> None:
    config = loaded({"DATABASE_URL": f"{scheme}://user:pass@host:5432/db?sslmode=require"})
    wanted = "postgresql+psycopg://user:pass@host:5432/db?sslmode=require"
    assert config["SQLALCHEMY_DATABASE_URI"] == wanted
