"""The terms of an event, and the meaning of a typed text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webhookproxy.events.catalog import CATALOG
from webhookproxy.search.terms import (
    LENGTH_MAX,
    LENGTH_MIN,
    TERMS_MAX,
    Sieve,
    fits,
    fold,
    readings_of,
    terms_of,
)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)
# Generating these takes long on a busy machine.
patient = settings(suppress_health_check=[HealthCheck.too_slow])
DIGITS = st.text("0123456789", min_size=8, max_size=15)
MARKS = st.sampled_from(["", " ", "-", ".", "(", ")", "/"])
PUNCTUATION = st.lists(MARKS, min_size=15, max_size=15)


def terms(value: Any, key: str = "k") -> list[str]:
    """The terms of a payload with one value, without the event's name."""
    return terms_of("e", "", json.dumps({key: value}, ensure_ascii=False))[:-1]


def found(typed: str, payload: Any) -> bool:
    """Return whether any reading of a typed text fits an event with this payload."""
    text = json.dumps(payload)
    return any(Sieve(reading).matches("e", "", text) for reading in readings_of(typed))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("José  da CONCEIÇÃO", ["vjose da conceicao"]),
        ("ﬁcha Ⅳ", ["vficha iv"]),
        (7007, ["v7007"]),
        (12, []),
        ("ab", []),
        ("a" * 64, ["v" + "a" * 64]),
        ("a" * 65, []),
        (True, []),
        (None, []),
        (1.5, ["v1.5"]),
        ("5542999998888", ["v5542999998888", "r8888999992455"]),
        (5542999998888, ["v5542999998888", "r8888999992455"]),
        ("(42) 99999-8888", ["v(42) 99999-8888", "v42999998888", "r88889999924"]),
        ("5542999998888@c.us", ["v5542999998888@c.us", "v5542999998888", "r8888999992455"]),
        ("123.456.789-09", ["v123.456.789-09", "v12345678909", "r90987654321"]),
        ("1234567", ["v1234567"]),
        ("1234567890123456", ["v1234567890123456"]),
        ("2026-11-23T12:00:00.123456+00:00", []),
        ("2026-11-23 09:00:00", []),
        ("23/11/2026 09:00", []),
        ("09:00:00", []),
        ("[oculto]", []),
        ("[oculto]@c.us", []),
        ("a\x00b\x1b", []),
        ("a\ud800b", []),
        (["one", {"two": "two"}, ["one"]], ["vone", "vtwo"]),
    ],
)
def test_a_value_has_these_terms(value: Any, expected: list[str]) -> None:
    assert terms(value) == expected


def test_seconds_since_1970_are_no_value_where_the_key_says_that_they_are_a_time() -> None:
    for key in ("dialed_time", "answered_at", "createdAt", "start_date"):
        assert terms(1790000000, key) == terms("1790000000123", key) == []
    assert terms("1790000000", "phone") != []


@pytest.mark.parametrize(
    "payload", ["", "{", "null", "7", '"short"', "[1, 2]", "NaN", '{"a": NaN}', '{"a": "\\ud800"}']
)
def test_an_odd_payload_leaves_the_name_and_the_key(payload: str) -> None:
    assert terms_of("name", "call:1", payload)[-2:] == ["nname", "kcall:1"]


def test_a_very_deep_or_long_payload_is_read_as_far_as_it_is_worth() -> None:
    assert terms_of("name", "", "[" * 900 + '"deep"' + "]" * 900) == ["vdeep", "nname"]
    many = json.dumps([f"value-{number}" for number in range(5_000)])
    assert len(terms_of("name", "", many)) == TERMS_MAX + 1


@patient
@given(JSON)
def test_terms_are_short_printable_and_each_there_once(payload: Any) -> None:
    made = terms_of("name", "key", json.dumps(payload))
    assert len(made) == len(set(made)) <= TERMS_MAX + 2
    for term in made:
        assert term.isprintable()
        term.encode()
        assert LENGTH_MIN <= len(term) - 1 <= LENGTH_MAX or term in ("nname", "kkey")


@patient
@given(DIGITS, PUNCTUATION, PUNCTUATION)
def test_a_number_is_found_however_both_are_punctuated(
    digits: str, stored: list[str], typed: list[str]
) -> None:
    def punctuated(marks: list[str]) -> str:
        return "".join(mark + digit for mark, digit in zip(marks, digits, strict=False)).strip()

    assert found(punctuated(typed), {"phone": punctuated(stored)})


@patient
@given(st.text("0123456789", min_size=12, max_size=13), st.integers(8, 11))
def test_a_number_is_found_by_its_last_digits(digits: str, length: int) -> None:
    assert found(digits[-length:], {"phone": digits})
    assert found(digits[-length:], {"phone": int("9" + digits)})


@patient
@given(st.text(min_size=1, max_size=40), st.integers(3, 40))
def test_a_value_is_found_by_its_beginning_without_case_or_accents(text: str, length: int) -> None:
    beginning = fold(text)[:length].strip()
    if terms(text) and beginning:
        assert found(beginning, {"a": 1, "b": [text]})
        assert found(text, {"b": text})


@patient
@given(JSON, st.text(max_size=12))
def test_the_sieve_lets_through_exactly_what_fits(payload: Any, typed: str) -> None:
    text = json.dumps(payload)
    for reading in readings_of(typed):
        expected = fits(terms_of("name", "key", text), reading)
        assert Sieve(reading).matches("name", "key", text) is expected


def test_every_event_of_the_catalogue_has_terms_and_few_enough() -> None:
    for name, event in CATALOG.items():
        made = terms_of(name, "", json.dumps(event.sample))
        assert 1 <= len(made) <= TERMS_MAX
