"""Nested values as a form, as PHP and Bitrix24 read them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

from tests.events.formats.support import php_holds, php_reads
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.formats.definition import Fault, Unrenderable
from webhookproxy.events.formats.form_encoding import write_form
from webhookproxy.events.formats.values import read_values


def test_a_form_is_written_as_php_writes_it() -> None:
    given = {
        "fields": {"TITLE": "Ligação de João & Cia", "OPEN": True, "OLD": False, "X": None},
        "list": [{"VALUE": "+5541", "TYPE": "WORK"}, 2],
        "empty": [],
        "none": {},
        "text": "",
    }
    # As http_build_query of PHP 8 writes it.
    assert write_form(given) == (
        b"fields%5BTITLE%5D=Liga%C3%A7%C3%A3o+de+Jo%C3%A3o+%26+Cia&fields%5BOPEN%5D=1"
        b"&fields%5BOLD%5D=0&list%5B0%5D%5BVALUE%5D=%2B5541&list%5B0%5D%5BTYPE%5D=WORK"
        b"&list%5B1%5D=2&text="
    )


@pytest.mark.parametrize(
    ("payload", "form"),
    [
        ('{"a": 1.10, "b": -0, "c": 1e5}', "a=1.10&b=-0&c=1e5"),
        ('{"a": 1234567890123456789012345678901234567890}', f"a={'1234567890' * 4}"),
        ('{"a": NaN, "b": -Infinity, "c": 1}', "c=1"),
        ('["x", "y"]', "0=x&1=y"),
        ('{"a": [[1, []], [2]]}', "a[0][0]=1&a[1][0]=2"),
        ('{"": {"a": 1}}', "[a]=1"),
        (r'{"cut": "\ud83d!", "whole": "\ud83d\ude00", "text": "\\ud83d"}',
         "cut=�!&whole=😀&text=\\ud83d"),
        ("{}", ""),
    ],
)  # fmt: skip
def test_odd_values_have_a_defined_form(payload: str, form: str) -> None:
    body = write_form(read_values(payload)).decode("ascii")
    assert unquote(body.replace("+", " "), errors="strict") == form


@pytest.mark.parametrize("name", CATALOG)
def test_php_reads_every_sample(name: str) -> None:
    sample = CATALOG[name].sample
    read = php_reads(write_form(read_values(json.dumps(sample)))) if sample else {}
    assert read == (php_holds(sample) or {})


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ("7", Fault.NO_FIELDS),
        ("null", Fault.NO_FIELDS),
        ('"text"', Fault.NO_FIELDS),
        ("{no json", Fault.NOT_JSON),
        ("[" * 1_000 + "]" * 1_000, Fault.TOO_DEEP),
        ("[" * 100_000 + "]" * 100_000, Fault.TOO_DEEP),
        ('{"k":' * 101 + "1" + "}" * 101, Fault.TOO_DEEP),
        (json.dumps({"k": "x" * 262_144}), Fault.TOO_LARGE),
        (json.dumps({"k": "€" * 120_000}, ensure_ascii=False), Fault.TOO_LARGE),
        (json.dumps({"k" * 2_001: 1}), Fault.TOO_LARGE),
        # Without a bound of names this would be 50 GB.
        (json.dumps({"k" * 200_000: [1] * 20_000}), Fault.TOO_LARGE),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_form_has_a_sentence(payload: str, fault: Fault) -> None:
    with pytest.raises(Unrenderable) as refused:
        write_form(read_values(payload))
    assert refused.value.code is fault
    assert refused.value.detail.endswith(".")


def test_a_hundred_levels_are_written() -> None:
    value: Any = "x"
    for _ in range(100):
        value = {"k": value}
    assert unquote(write_form(value).decode()) == "k" + "[k]" * 99 + "=x"
