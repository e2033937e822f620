"""The spellings of a telephone or CPF that are one number, and texts without it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhookproxy.maintenance import personal
from webhookproxy.maintenance.personal import read_number
from webhookproxy.rules import Refused
from webhookproxy.search.terms import fits, readings_of, terms_of

PHONE = "11987654321"


@pytest.mark.parametrize(
    "typed",
    [
        *("11987654321", "5511987654321", "+55 (11) 98765-4321", "55 11 98765 4321"),
        *("+55.11.98765.4321", " 11 98765/4321 ", "(11)98765-4321"),
    ],
)
def test_a_number_may_be_typed_in_any_usual_way(typed: str) -> None:
    assert read_number(typed).mask_text(f"x {PHONE} y") == "x [oculto] y"


@pytest.mark.parametrize(
    "typed",
    [
        *("", "987654321", "123456789", "119876543210", "551198765432109", "4411987654321"),
        *("ana@example.com", "11 98765-4321 x", "\uff11\uff11987654321", "1198765\n4321"),
    ],
)
def test_what_is_no_number_is_refused_without_repeating_it(typed: str) -> None:
    with pytest.raises(Refused) as caught:
        read_number(typed)
    (problem,) = caught.value.problems
    for sentence in (problem.english, problem.portuguese):
        assert sentence.endswith(".")
        assert not typed or typed not in sentence


@pytest.mark.parametrize(
    "written",
    [
        "11987654321",
        "5511987654321",
        "+5511987654321",
        "005511987654321",
        "00 55 11 98765-4321",
        "011987654321",
        "0 15 11 98765-4321",
        "(11) 98765-4321",
        "+55 (11) 9 8765-4321",
        "11.98765.4321",
        "11_98765_4321",
        "55 - 11 98765\u20114321",
        "11\u00a098765\u00a04321",
        "sip:5511987654321@proxy.example",
        "5511987654321@c.us",
        "https://x.example/rec/20260101-5511987654321-77.mp3",
        "https://x.example/?to=%2B55%2011%2098765%2D4321&x=1",
        "https://x.example/?q=%2011987654321",
        "a11987654321b",
        "1700000000.5511987654321",
        "11  -  98765  -  4321",
        "11 98765     4321",
        "11\n98765\t\r\n4321",
        "11\u202f98765\u20604321",
        "11\u200b98765\ufeff4321",
        "11,98765,4321",
        "11:98765:4321",
        "11*98765*4321",
        "11'98765'4321",
        "11;98765|4321",
        "11&nbsp;98765-4321",
        "11&#160;98765&#x2d;4321",
        "11\\u002d98765\\u202f4321",
        "https://x.example/?q=11%0A98765%3A4321",
        "\uff11\uff11\uff19\uff18\uff17\uff16\uff15\uff14\uff13\uff12\uff11",
        "+55 (\uff11\uff11) \uff19\uff18\uff17\uff16\uff15-\uff14\uff13\uff12\uff11",
        "\u246a 98765-432\u00b9",
        "\\u0031\\u0031987654\\uff13\\u0032\\u0031",
        "1\ufe0f\u20e31\ufe0f\u20e39876\ufe0f\u20e354321",
    ],
)
def test_a_number_is_found_however_it_is_written(written: str) -> None:
    number = read_number(PHONE)
    masked = number.mask_text(written)
    assert "[oculto]" in masked
    assert not any(part in masked for part in ("98765", "8765", "4321"))
    for text in (
        json.dumps({"a": [written], written: 1}),
        json.dumps({"a": [written], written: 1}, ensure_ascii=False),
        json.dumps(json.dumps({"inner": written})),
        json.dumps(written).replace("/", "\\/"),
    ):
        masked = number.mask_json(text)
        json.loads(masked)
        assert "98765" not in masked
        assert "4321" not in masked


@pytest.mark.parametrize(
    "written",
    [
        "119876543210",
        "1198765432",
        "111987654321",
        "2111987654321",
        "11987654322",
        "11a987654321",
        "tel 11         987654321",
        "evt_018cc251f40070008000011987654321",
        "um um nove oito sete",
    ],
)
def test_another_number_stays(written: str) -> None:
    number = read_number(PHONE)
    assert number.mask_text(written) == written
    text = json.dumps({"a": written})
    assert number.mask_json(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"phone":11987654321,"b":1}', '{"phone":"[oculto]","b":1}'),
        ("[5511987654321]", '["[oculto]"]'),
        ("[11987654321.0, -11987654321]", '["[oculto]", "[oculto]"]'),
        ("[119876543210, 11.987654321e8, 1e11]", "[119876543210, 11.987654321e8, 1e11]"),
        ("[1.1987654321e10, 119876543.21E+2, 1e999]", '["[oculto]", "[oculto]", 1e999]'),
        # The search takes the point for a separator.
        ("[1.1987654321]", '["[oculto]"]'),
        ('{"a": "11 98765-4321" , "n":1.10}', '{"a": "[oculto]" , "n":1.10}'),
        ('["\\"11987654321\\\\"]', '["\\"[oculto]\\\\"]'),
        ('["\\u002b11987654321 \\ud83d"]', '["\\u002b[oculto] \\ud83d"]'),
        ('["11\\u00a098765\\u20114321"]', '["[oculto]"]'),
        ('["\\u00a011987654321"]', '["\\u00a0[oculto]"]'),
        ('["\\u00f311987654321\\n"]', '["\\u00f3[oculto]\\n"]'),
        ('["\\\\u00e011987654321\\\\"]', '["\\\\u00e0[oculto]\\\\"]'),
    ],
)
def test_json_stays_json_and_the_rest_of_it_as_it_was(text: str, masked: str) -> None:
    assert read_number(PHONE).mask_json(text) == masked


def test_a_cpf_that_lost_its_zero_in_a_json_number_is_found() -> None:
    number = read_number("012.345.678-90")
    assert number.mask_json('{"cpf":1234567890,"id":12345678901}') == (
        '{"cpf":"[oculto]","id":12345678901}'
    )
    # In a text it could be another person's telephone.
    assert number.mask_json('{"tel":"1234567890"}') == '{"tel":"1234567890"}'


def test_a_number_does_not_show_itself() -> None:
    assert "9876" not in repr(read_number(PHONE))


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ('{"ddd":"11","n":"987654321"}', True),
        ('{"ddd":11,"n":98765432}', False),
        ('{"area": "011", "n": "9 8765-4321"}', True),
        ('{"ddd":11,"n":987654321}', True),
        ('{"ddd":"(11)","n":"98765\\u00a04321"}', True),
        ('{"ddd":"21","n":"987654321"}', False),
        ('{"n":"987654321","at":"2026-11-01 11:00"}', False),
        ('{"ddd":"11","n":"[oculto]"}', False),
    ],
)
def test_an_area_code_in_a_field_of_its_own_is_seen_and_left(text: str, apart: bool) -> None:
    number = read_number(PHONE)
    assert number.mask_json(text) == text
    assert number.is_apart(text) is apart


_FORMS = [chr(first) for first in (0xFF10, 0x1D7CE, 0x1D7F6)]
_DIGITS = {
    digit: st.sampled_from([digit] * 3 + [chr(ord(form) + int(digit)) for form in _FORMS])
    for digit in "0123456789"
}
_BETWEEN = st.text(
    st.sampled_from(" -().,:/*'_\t\n\u00a0\u202f\u2060\u2011\u0301\u200b"), max_size=8
)


@st.composite
def _spellings(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(["", "55", "+55", "0055", "0", "015"]))
    often_none = st.just("") | _BETWEEN
    return prefix + "".join(draw(_DIGITS[each]) + draw(often_none) for each in PHONE)


@given(
    value=_spellings() | st.sampled_from([int(PHONE), float(PHONE), 1.1987654321, -int(PHONE)]),
    suffix=st.sampled_from(["", "@c.us", ") ", 60 * "-", 99 * " "]),
    ascii_only=st.booleans(),
)
def test_what_the_search_finds_by_a_number_it_finds_not_once_that_is_masked(
    value: object, suffix: str, ascii_only: bool
) -> None:
    if isinstance(value, str):
        # Also separators without number, in the middle.
        value = (value[:-5] + suffix + value[-5:]) if suffix.isspace() else value + suffix
    payload = json.dumps({"phone": value}, ensure_ascii=ascii_only)
    masked = read_number(PHONE).mask_json(payload)
    json.loads(masked)
    for typed in (PHONE, "55" + PHONE, "+55 (11) 98765-4321"):
        for reading in readings_of(typed):
            assert not fits(terms_of("name", "", masked), reading)
    if not isinstance(value, str) or not suffix.isspace():
        assert "[oculto]" in masked


@pytest.mark.parametrize("fill", ["0    ", "1\\u00a0", "&nbsp;", "\u2460 "])
def test_a_number_is_found_wherever_a_long_text_is_cut_into_pieces(fill: str) -> None:
    number, written = read_number(PHONE), "55 (11) 98765\\u00204321"
    for before in range(personal._PIECE - 40, personal._PIECE + 10):
        text = (fill * before)[:before].rstrip("\\u0a") + f"x {written} x" + fill * 300
        assert number.mask_text(text) == text.replace(written, "[oculto]")


_TEXTS = st.text(st.sampled_from('0123456789 -()+./\\"ação\u00a0\n'), max_size=20)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=3 * settings().max_examples)
@given(
    value=_VALUES, ascii_only=st.booleans(), spaced=st.sampled_from(["{}", "+{}", "({})", "55{}"])
)
def test_any_json_is_masked_to_json_without_the_number(
    value: object, ascii_only: bool, spaced: str
) -> None:
    number = read_number(PHONE)
    whole = {"before": value, "phone": spaced.format("11 98765-4321"), "after": value}
    text = json.dumps(whole, ensure_ascii=ascii_only)
    masked = number.mask_json(text)
    assert json.loads(masked)["phone"].strip(")") == "[oculto]"
    assert number.mask_json(masked) == masked
    if number.mask_json(json.dumps(value, ensure_ascii=ascii_only)) == json.dumps(
        value, ensure_ascii=ascii_only
    ):
        assert json.loads(masked)["before"] == json.loads(masked)["after"] == value
