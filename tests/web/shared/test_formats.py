"""Bodies laid out for reading keep every character that means something."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.support.application import least_processor_time
from webhookproxy.web.shared.formats import pretty

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def without_space(text: str) -> str:
    return "".join(text.split())


def test_what_parsing_would_lose_stays() -> None:
    text = '{"n":1.50,"n":1e400,"s":"a\\u00e7\\/\\"{,}: ","e":{},"l":[],"b":[true,null]}'
    assert pretty(text) == (
        '{\n  "n": 1.50,\n  "n": 1e400,\n  "s": "a\\u00e7\\/\\"{,}: ",\n  "e": {},\n  "l": [],\n'
        '  "b": [\n    true,\n    null\n  ]\n}'
    )


@given(JSON, st.booleans())
def test_only_white_space_between_the_parts_differs(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    shown = pretty(text)
    assert without_space(shown) == without_space(text)
    assert json.loads(shown) == value


def test_a_string_without_its_end_takes_a_bounded_time() -> None:
    assert least_processor_time(lambda: pretty('"' + "a" * 200_000)) < 0.2
