from __future__ import annotations

import os
from pathlib import Path

import pytest

from webhookproxy.declared.references import SECRET_BYTES, resolver
from webhookproxy.rules import Refused

VARIABLES = {
    "WEBHOOKPROXY_SECRET_CRM": "canary-of-the-variable",
    "WEBHOOKPROXY_SECRET_EMPTY": "",
    "DATA_KEYS": "canary-of-the-server",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of secrets, beside a file that is none of them."""
    inside = tmp_path / "secrets"
    (inside / "..data").mkdir(parents=True)
    (inside / "..data" / "real").write_text("canary-behind-a-link\n")
    (inside / "link").symlink_to("..data/real")
    (inside / "crm").write_text("canary-of-the-file\r\n")
    (inside / "latin").write_bytes(b"\xe7\xe3o")
    (inside / "long").write_text("x" * (SECRET_BYTES + 1))
    (inside / "empty").write_text("\n")
    (tmp_path / "keys").write_text("canary-outside")
    (inside / "out").symlink_to(tmp_path / "keys")
    os.mkfifo(inside / "pipe")
    return inside


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("literal", "literal"),
        ("https://crm.example.com/", "https://crm.example.com/"),
        ("env:WEBHOOKPROXY_SECRET_CRM", "canary-of-the-variable"),
        ("file:crm", "canary-of-the-file"),
        ("file:link", "canary-behind-a-link"),
        ("file:..data/real", "canary-behind-a-link"),
    ],
)
def test_a_reference_is_what_it_names(folder: Path, text: str, meant: str) -> None:
    assert resolver(VARIABLES, folder)(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        *("env:DATA_KEYS", "env:", "env:WEBHOOKPROXY_SECRET_", "env:WEBHOOKPROXY_SECRET_NONE"),
        *("env:WEBHOOKPROXY_SECRET_EMPTY", "env:webhookproxy_secret_crm"),
        *("file:../keys", "file:out", "file:/etc/hostname", "file:crm/../../keys", "file:missing"),
        *("file:", "file:.", "file:..data", "file:pipe", "file:latin", "file:long", "file:empty"),
        *("file:a\x00b", f"file:{'x' * 5000}"),
    ],
)
def test_nothing_else_can_be_named(folder: Path, text: str) -> None:
    with pytest.raises(Refused) as refused:
        resolver(VARIABLES, folder)(text)
    assert "canary" not in str(refused.value)


def test_a_file_needs_the_folder_to_be_named() -> None:
    with pytest.raises(Refused, match="needs --secrets"):
        resolver(VARIABLES, None)("file:crm")
