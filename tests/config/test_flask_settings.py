"""What Flask and its extensions are told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from tests.config.test_settings import loaded
from webhookproxy.config.settings import ConfigError


def test_what_needs_a_session_of_its_own_goes_straight_to_the_database() -> None:
    pooled, direct = "postgresql+psycopg://u@pooler/db", "postgresql+psycopg://u@server/db"
    config = loaded({"DATABASE_URL": pooled, "LEASE_DATABASE_URL": direct})
    assert (config["SQLALCHEMY_DATABASE_URI"], config["OWN_SESSION_URL"]) == (pooled, direct)
    assert loaded({"DATABASE_URL": pooled})["OWN_SESSION_URL"] == pooled
    with pytest.raises(ConfigError, match="LEASE_DATABASE_URL needs a DATABASE_URL"):
        loaded({"LEASE_DATABASE_URL": direct})


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
