"""A receiver's text is readable in every encoding."""

from __future__ import annotations

import gzip
import zlib

import pytest

from webhookproxy.network.http.text import INFLATED_MAX, readable

WORDS = "Não há telefone: “ação” inválida"
JSON = "application/json"


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        (f"{JSON}; charset=ISO-8859-1", "situação".encode("latin-1")),
        (f'{JSON}; Charset="iso-8859-1"', "situação".encode("latin-1")),
        (f"{JSON};charset=windows-1252", "situação".encode("cp1252")),
        (f"{JSON}; charset=latin1", "situação".encode("latin-1")),
        (f"{JSON}; charset=utf-8", "situação".encode()),
        (f"{JSON}; charset=utf8", "situação".encode()),
        (f"{JSON}; charset=shift_jis", "situação".encode()),
        (f"{JSON}; charset=", "situação".encode()),
        (JSON, "situação".encode()),
        (JSON, "situação".encode("cp1252")),
        ("", "\ufeffsituação".encode()),
    ],
)
def test_the_declared_charset_counts_else_what_the_bytes_say(
    content_type: str, content: bytes
) -> None:
    assert readable({"Content-Type": content_type}, content) == "situação"


def test_a_character_that_was_cut_does_not_spoil_the_others() -> None:
    assert readable({}, "situação".encode()[:-2]) == "situaç\N{REPLACEMENT CHARACTER}"
    assert readable({}, b"a\x81") == "a\N{REPLACEMENT CHARACTER}"
    assert readable({"Content-Type": "x; charset=utf-8"}, b"a\xff") == (
        "a\N{REPLACEMENT CHARACTER}"
    )


def raw_deflate(data: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return made.compress(data) + made.flush()


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", gzip.compress(WORDS.encode())),
        ("X-GZIP", gzip.compress(WORDS.encode())),
        ("deflate", zlib.compress(WORDS.encode())),
        ("deflate", raw_deflate(WORDS.encode())),
        ("identity", WORDS.encode()),
    ],
)
def test_what_is_compressed_without_being_asked_is_inflated(encoding: str, content: bytes) -> None:
    assert readable({"Content-Encoding": encoding}, content) == WORDS


def test_a_compressed_answer_that_was_cut_shows_its_beginning() -> None:
    assert readable({"Content-Encoding": "gzip"}, gzip.compress(WORDS.encode())[:-9]).startswith(
        "Não há"
    )


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "gzip, gzip"])
def test_what_cannot_be_inflated_is_named(encoding: str) -> None:
    shown = readable({"Content-Encoding": encoding}, b"\x1f\x8b" * 100)
    assert shown == f"resposta compactada ({encoding})"


def test_a_bomb_is_inflated_no_further_than_is_kept() -> None:
    bomb = gzip.compress(bytes(64_000_000))
    assert len(readable({"Content-Encoding": "gzip"}, bomb)) == INFLATED_MAX


def test_an_answer_without_body_says_nothing() -> None:
    assert readable({"Content-Encoding": "gzip"}, b"") == ""
