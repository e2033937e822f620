"""The conditions of a filter: their operators, values and paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookproxy.events.conditions import (
    LABELS,
    WORDS_MAX,
    Compiled,
    Condition,
    Operator,
    read_payload,
    text_of,
)
from webhookproxy.events.payload_paths import (
    MISSING,
    BadPath,
    find,
    format_path,
    parse_path,
    values_of,
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
JSON = st.recursive(
    SCALARS,
    lambda each: st.one_of(
        st.lists(each, max_size=4), st.dictionaries(st.text(), each, max_size=4)
    ),
    max_leaves=12,
)


def holds(operator: Operator, value: str, found: Any = MISSING) -> bool:
    payload = {} if found is MISSING else {"x": found}
    return Compiled([Condition("x", operator, value)]).failing(payload) is None


@pytest.mark.parametrize("value", ["7", "7.0", "70e-1", '"7"'])
@pytest.mark.parametrize("found", [7, 7.0, "7", "7.0"])
def test_a_number_equals_the_text_that_writes_it(value: str, found: Any) -> None:
    assert holds(Operator.EQUAL, value, found)
    assert not holds(Operator.DIFFERENT, value, found)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("7", "007"),
        ("7", True),
        ("1", True),
        ("7", [7]),
        ("7", " 7"),
        ("Ana", "ana"),
        ("0.1", 0.1000000001),
        ("12345678901234567", 12345678901234568),
        ("true", "True"),
        ("", None),
        ("{}", {}),
    ],
)
def test_what_is_written_otherwise_is_something_else(value: str, found: Any) -> None:
    assert not holds(Operator.EQUAL, value, found)


def test_null_is_not_the_text_null() -> None:
    assert holds(Operator.EQUAL, "null", None)
    assert not holds(Operator.EQUAL, "null", "null")
    assert holds(Operator.EQUAL, '"null"', "null")
    assert not holds(Operator.EQUAL, '"null"', None)
    assert not holds(Operator.EQUAL, "null")
    assert not holds(Operator.CONTAINS, "null", "null")


def test_a_boolean_equals_its_word() -> None:
    for found in (True, "true"):
        assert holds(Operator.EQUAL, "true", found)
        assert not holds(Operator.EQUAL, "false", found)


def test_the_empty_text_is_written_with_quotes() -> None:
    assert holds(Operator.EQUAL, '""', "")
    assert not holds(Operator.EQUAL, '""', None)
    assert not holds(Operator.EQUAL, '""')


@pytest.mark.parametrize("operator", list(Operator))
def test_where_a_path_leads_nowhere_only_the_contraries_hold(operator: Operator) -> None:
    assert holds(operator, "7") is (operator in (Operator.DIFFERENT, Operator.LACKS))


def test_what_is_null_exists() -> None:
    assert holds(Operator.EXISTS, "", None)


@pytest.mark.parametrize(
    ("value", "found", "order"),
    [
        ("7", 10, 1),
        ("7", "10", 1),
        ("7", 7.0, 0),
        ("0.3", 0.1, -1),
        ("2024-01-31", "2024-02-01T00:00:00.000Z", 1),
        ("2024-01-01T12:00:00-03:00", "2024-01-01T14:00:00Z", -1),
        ("2024-01-01T12:00:00-03:00", "2024-01-01 15:00:00", 0),
        ("00:03:20", "00:10:00", 1),
        ("7", "dez", None),
        ("7", None, None),
        ("7", True, None),
        ("2024-01-31", "ontem", None),
        ("2024-01-31", 3000, None),
        ("b", ["c"], None),
    ],
)
def test_larger_and_smaller_compare_what_is_of_one_kind(
    value: str, found: Any, order: int | None
) -> None:
    assert holds(Operator.GREATER, value, found) is (order == 1)
    assert holds(Operator.LESS, value, found) is (order == -1)


@pytest.mark.parametrize(
    ("value", "found", "there"),
    [
        ("maria", "Ana MARIA Souza", True),
        ("9912", 5511991234567, True),
        ("7", ["a", 7.0], True),
        ("null", [None], True),
        ("vip", ["VIP"], False),
        ("b", {"b": 1}, False),
        ("u", None, False),
        ("t", True, False),
    ],
)
def test_a_text_a_number_and_a_list_may_contain_a_value(
    value: str, found: Any, there: bool
) -> None:
    assert holds(Operator.CONTAINS, value, found) is there
    assert holds(Operator.LACKS, value, found) is not there


def test_the_first_condition_that_does_not_hold_is_told() -> None:
    first, second, third = (Condition(path, Operator.EQUAL, "1") for path in "abc")
    compiled = Compiled([first, second, third])
    assert compiled.failing({"a": 1, "b": 2, "c": 3}) is second
    assert compiled.failing({"a": 1, "b": 1, "c": 1}) is None
    assert Compiled([]).failing(None) is None


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("call.status", ("call", "status")),
        ("tags[0]", ("tags", 0)),
        ("[1].name", (1, "name")),
        ("a.0", ("a", "0")),
        ('["a.b"].c', ("a.b", "c")),
        (r'x["diz \"oi\""][2]', ("x", 'diz "oi"', 2)),
        ("situação-é_1", ("situação-é_1",)),
        ('[""]', ("",)),
    ],
)
def test_a_path_is_keys_and_numbers(path: str, steps: tuple[str | int, ...]) -> None:
    assert parse_path(path) == steps
    assert format_path(steps) == path


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "a..b", "a.[0]", "a[", "a[x]", "a[-1]", "a[01]", "a b", '["\\x"]', "a]"],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(BadPath):
        parse_path(text)


@given(st.lists(st.one_of(st.text(), st.integers(0, 999_999)), min_size=1, max_size=6))
def test_every_path_can_be_written_and_read_again(steps: list[str | int]) -> None:
    assert parse_path(format_path(steps)) == tuple(steps)


@given(JSON)
def test_every_value_that_is_offered_can_be_clicked(payload: Any) -> None:
    for path, value in values_of(payload, 1000):
        assert find(payload, parse_path(path)) == value
        assert Compiled([Condition(path, Operator.EQUAL, text_of(value))]).failing(payload) is None


@given(JSON, st.sampled_from(list(Operator)), st.one_of(SCALARS.map(text_of), st.text()))
def test_no_payload_and_no_value_stop_a_filter(found: Any, operator: Operator, value: str) -> None:
    assert holds(operator, value, found) in (True, False)


@given(JSON, st.one_of(SCALARS.map(text_of), st.text()))
def test_the_contraries_are_exact(found: Any, value: str) -> None:
    assert holds(Operator.EQUAL, value, found) is not holds(Operator.DIFFERENT, value, found)
    assert holds(Operator.CONTAINS, value, found) is not holds(Operator.LACKS, value, found)
    order = [holds(each, value, found) for each in (Operator.GREATER, Operator.LESS)]
    assert order.count(True) <= 1


@given(SCALARS, SCALARS)
def test_equality_does_not_depend_on_who_is_the_value(one: Any, other: Any) -> None:
    assert holds(Operator.EQUAL, text_of(one), other) is holds(Operator.EQUAL, text_of(other), one)


def test_only_so_many_values_are_listed_and_in_their_order() -> None:
    payload = {"b": [1, {"c": None}], "a": {"x": "y"}, "z": [], "w": {}}
    assert values_of(payload, 10) == [("b[0]", 1), ("b[1].c", None), ("a.x", "y")]
    assert values_of(payload, 2) == [("b[0]", 1), ("b[1].c", None)]
    assert values_of("text", 10) == []
    assert len(values_of([0] * 100_000, 50)) == 50


def test_a_payload_is_read_as_it_is_stored_also_what_orjson_does_not_take() -> None:
    assert read_payload('{"a":[1,null]}') == {"a": [1, None]}
    huge = read_payload('{"a":"\\ud800","n":1,"big":' + "9" * 5000 + "}")
    assert Compiled([Condition("n", Operator.EQUAL, "1")]).failing(huge) is None
    test = Compiled([Condition("n", Operator.EQUAL, "1")])
    assert test.failing_text('{"n":2}') is not None
    for text in ("", "{", "[" * 100_000):
        assert test.failing_text(text) is None
        with pytest.raises(ValueError):  # noqa: PT011 - json and orjson say it in their own words
            read_payload(text)


def test_the_words_fit_and_never_hold_what_came() -> None:
    assert (
        Condition("call.status", Operator.EQUAL, "7").words()
        == "call.status é igual a 7 (finalizada)"
    )
    assert Condition("call.agent", Operator.EQUAL, "7").words() == "call.agent é igual a 7"
    assert Condition("call.status", Operator.LESS, "7").words() == "call.status é menor que 7"
    assert Condition("call.id", Operator.EXISTS, "x").words() == "call.id existe"
    assert len(Condition("p" * 200, Operator.LACKS, "v" * 200).words()) == WORDS_MAX
    assert set(LABELS) == set(Operator)


def test_a_deep_payload_is_listed_and_looked_into() -> None:
    text = '{"a":' * 1000 + "1" + "}" * 1000
    [(path, value)] = values_of(read_payload(text), 5)
    assert value == 1
    assert path == ".".join("a" * 1000)
