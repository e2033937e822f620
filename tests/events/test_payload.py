"""Reading packets: bytes that are kept, values that are hidden, packets that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookproxy.events import payload
from webhookproxy.events.catalog import CATALOG, CREDENTIAL_KEYS
from webhookproxy.events.payload import MAX_PAYLOAD_BYTES, TooLarge, Unreadable, read

TRICKY = st.sampled_from(
    [
        *sorted(CREDENTIAL_KEYS),
        "my_token",
        "token ",
        'x"token',
        '"token":"x"',
        '\\"token\\":\\"x\\"',
        "ends in a backslash \\",
        "\\",
        '"',
        '\\"',
        "Token",
        "[{",
        "}]",
        "NaN",
        "\\u0074oken",
    ]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | TRICKY
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
STYLES = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t ")]),
    }
)


def hidden_by_value(value: Any) -> tuple[Any, int]:
    """Hide credentials in a value instead of a text: the oracle."""
    if isinstance(value, dict):
        total, result = 0, {}
        for key, inner in value.items():
            new, count = ("[oculto]", 1) if key in CREDENTIAL_KEYS else hidden_by_value(inner)
            result[key], total = new, total + count
        return result, total
    if isinstance(value, list):
        pairs = [hidden_by_value(inner) for inner in value]
        return [new for new, _ in pairs], sum(count for _, count in pairs)
    return value, 0


def escape_every_letter(text: str) -> str:
    """Return the JSON with the lower-case letters and "_" of every string escaped."""
    result, in_string, skip = [], False, 0
    for i, c in enumerate(text):
        if skip:
            skip -= 1
        elif in_string and c == "\\":
            skip = 5 if text[i + 1] == "u" else 1
        elif c == '"':
            in_string = not in_string
        elif in_string and (c == "_" or "a" <= c <= "z"):
            c = f"\\u{ord(c):04X}"
        result.append(c)
    return "".join(result)


@given(VALUES, STYLES)
def test_credentials_are_replaced_and_everything_else_stays_byte_for_byte(
    value: Any, style: dict[str, Any]
) -> None:
    text = json.dumps(value, **style)
    expected, count = hidden_by_value(value)
    event = read(f'["name",{text}]', hide_credentials=True)
    assert event.hidden == count
    assert event.payload == json.dumps(expected, **style)


@given(VALUES, STYLES)
def test_escaped_keys_are_the_same_keys(value: Any, style: dict[str, Any]) -> None:
    text = escape_every_letter(json.dumps(value, **style))
    assert json.loads(text) == value
    expected, count = hidden_by_value(value)
    event = read(f'["name",{text}]', hide_credentials=True)
    assert event.hidden == count
    assert json.loads(event.payload) == expected
    assert event.hidden or event.payload == text


@given(VALUES, STYLES)
def test_nothing_changes_when_credentials_are_not_hidden(value: Any, style: dict[str, Any]) -> None:
    text = json.dumps(value, **style)
    assert read(f' [ "name" , {text} ] \n', hide_credentials=False).payload == text


@given(st.lists(VALUES, min_size=2, max_size=4), STYLES)
def test_several_arguments_become_a_list_of_their_texts(
    values: list[Any], style: dict[str, Any]
) -> None:
    texts = ",".join(json.dumps(value, **style) for value in values)
    event = read(f'["name",{texts}]', hide_credentials=False)
    assert event.payload == f"[{texts}]"
    assert event.order_key == ""


@pytest.mark.parametrize("name", CATALOG)
def test_every_sample_is_read_unchanged_and_without_its_credentials(name: str) -> None:
    sample = CATALOG[name].sample
    text = json.dumps(sample, ensure_ascii=False)
    packet = json.dumps([name, sample], ensure_ascii=False)
    assert read(packet, hide_credentials=False).payload == text
    event = read(packet, hide_credentials=True)
    expected, count = hidden_by_value(sample)
    assert event.payload == json.dumps(expected, ensure_ascii=False)
    assert (event.name, event.hidden) == (name, count)
    assert "TOKEN_SINTETICO" not in event.payload


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('{"token":"x"}', '{"token":"[oculto]"}'),
        ('{"token" :  "x" }', '{"token" :  "[oculto]" }'),
        ('{"token":null,"a":1}', '{"token":"[oculto]","a":1}'),
        ('{"token":-1.5e3}', '{"token":"[oculto]"}'),
        ('{"token":true}', '{"token":"[oculto]"}'),
        ('{"token":""}', '{"token":"[oculto]"}'),
        ('{"token":"a\\\\","b":"c"}', '{"token":"[oculto]","b":"c"}'),
        ('{"token":"a\\"}"}', '{"token":"[oculto]"}'),
        ('{"token":{"a":"}","token":[1]},"b":2}', '{"token":"[oculto]","b":2}'),
        ('{"token":[["]"],{"x":"\\""}] ,"b":2}', '{"token":"[oculto]" ,"b":2}'),
        ('{"token":{}}', '{"token":"[oculto]"}'),
        ('{"a":"\\\\","token":"x"}', '{"a":"\\\\","token":"[oculto]"}'),
        ('{"\\u0074oken":"x"}', '{"\\u0074oken":"[oculto]"}'),
        ('{"api\\u005Fkey":"x"}', '{"api\\u005Fkey":"[oculto]"}'),
        ('[{"a":[{"password":"x"}]}]', '[{"a":[{"password":"[oculto]"}]}]'),
        ('{"token":"x","token":"y"}', '{"token":"[oculto]","token":"[oculto]"}'),
        ('{"token":NaN}', '{"token":"[oculto]"}'),
    ],
)
def test_the_value_of_a_credential_is_hidden(sent: str, kept: str) -> None:
    event = read(f'["name",{sent}]', hide_credentials=True)
    assert event.payload == kept
    assert event.hidden == kept.count("[oculto]")


@pytest.mark.parametrize(
    "sent",
    [
        '{"my_token":"x"}',
        '{"tokens":"x"}',
        '{"Token":"x"}',
        '{" token":"x"}',
        '{"a":"token"}',
        '["token","x"]',
        '"token"',
        '{"a":"\\"token\\":\\"x\\""}',
        '{"x\\"token":"y"}',
        '{"x\\\\\\"token":"y"}',
        '{"\\\\u0074oken":"y"}',
        '{"a":"\\\\","b":":"}',
    ],
)
def test_what_only_looks_like_a_credential_stays(sent: str) -> None:
    event = read(f'["token",{sent}]', hide_credentials=True)
    assert event == payload.Event("token", sent, "", 0)


@pytest.mark.parametrize(
    ("packet", "name", "kept"),
    [
        ('["n"]', "n", "null"),
        ('["n",null]', "n", "null"),
        ('["n","bare"]', "n", '"bare"'),
        ('["n", 1, [2] ]', "n", "[1, [2] ]"),
        ('["a\\",\\"b",7]', 'a","b', "7"),
        ('["",1]', "", "1"),
        ('["n",{"a":"\\ud800"}]', "n", '{"a":"\\ud800"}'),
        ('["n","\ud800"]', "n", '"\\ud800"'),
        ('["n",[NaN,-Infinity,Infinity,"NaN"]]', "n", '[null,null,null,"NaN"]'),
        ('["n",1234567890123456789012345678901234567890]', "n", "1234567890" * 4),
        ('["n",1e999]', "n", "1e999"),
        ('["n",1.10]', "n", "1.10"),
        ('["n","\\u0000"]', "n", '"\\u0000"'),
        ('["\\ud800\\u0000\\n",1]', "\\ud800\\x00\\n", "1"),
        ('["ação",1]', "ação", "1"),
    ],
)
def test_odd_packets_have_a_defined_form(packet: str, name: str, kept: str) -> None:
    event = read(packet, hide_credentials=True)
    assert (event.name, event.payload) == (name, kept)
    (event.name + event.payload).encode("utf-8")


def test_an_integer_of_5000_digits_is_readable() -> None:
    digits = "9" * 5_000
    event = read(f'["n",{{"agent":{{"id":{digits}}}}}]', hide_credentials=True)
    assert event.payload == f'{{"agent":{{"id":{digits}}}}}'
    assert event.order_key.startswith("agent:#")


def test_the_ordering_key_survives_what_only_the_standard_module_reads() -> None:
    event = read('["agent-is-idle",{"agent":{"id":7},"x":NaN}]', hide_credentials=True)
    assert event.order_key == "agent:7"


def test_a_long_name_is_cut() -> None:
    event = read(json.dumps(["n" * 201, 1]), hide_credentials=True)
    assert event.name == "n" * 199 + "…"
    assert read(json.dumps(["n" * 200, 1]), hide_credentials=True).name == "n" * 200


@pytest.mark.parametrize(
    ("packet", "error_class", "head"),
    [
        ("[]", "NoName", "[]"),
        ("{}", "NotAList", "{}"),
        ("7", "NotAList", "7"),
        ("[null]", "NameNotText", "[null]"),
        ("[1,{}]", "NameNotText", "[1,{}]"),
        ("", "JSONDecodeError", ""),
        ('["n",{"phone":"5541900000001', "JSONDecodeError", '["…",{"…":"…"'),
        ('["n","a\\', "JSONDecodeError", '["…","…"'),
        ('["n","a\nb"]', "JSONDecodeError", '["…","…"]'),
        ('["tok"en","SECRET"]', "JSONDecodeError", '["…"…"…"…"…"'),
        ("['n', 'SECRET']", "JSONDecodeError", "[…, …]"),
        ('["n",1]["m",2]', "JSONDecodeError", '["…",1]["…",2]'),
    ],
)
def test_what_is_no_event_is_unreadable_and_shows_no_text(
    packet: str, error_class: str, head: str
) -> None:
    with pytest.raises(Unreadable) as caught:
        read(packet, hide_credentials=True)
    assert caught.value.error_class == error_class
    assert caught.value.length == len(packet)
    assert caught.value.head == head


@pytest.mark.parametrize("depth", [1_024, 5_000, 400_000])
def test_what_is_too_deep_is_unreadable(depth: int) -> None:
    with pytest.raises(Unreadable) as caught:
        read('["n",' + "[" * depth + "]" * depth + "]", hide_credentials=True)
    assert caught.value.error_class == "RecursionError"


def test_what_is_just_not_too_deep_is_readable() -> None:
    text = "[" * 1_023 + '{"token":1}' + "]" * 1_023
    with pytest.raises(Unreadable):
        read(f'["n",{text}]', hide_credentials=True)
    text = "[" * 1_022 + '{"token":1}' + "]" * 1_022
    assert read(f'["n",{text}]', hide_credentials=True).hidden == 1


@pytest.mark.parametrize("tail", ["", '"', "]", "\\"])
def test_broken_text_full_of_quotes_is_refused_quickly(tail: str) -> None:
    # A regex that tried every quote again would need minutes for this.
    packet = '["n","' + '\\"' * 400_000 + tail
    with pytest.raises(Unreadable):
        read(packet, hide_credentials=True)


def test_a_payload_of_exactly_the_limit_is_accepted() -> None:
    text = '"' + "x" * (MAX_PAYLOAD_BYTES - 2) + '"'
    assert read(f'["n",{text}]', hide_credentials=True).payload == text


@pytest.mark.parametrize(
    ("argument", "length"),
    [
        ('"' + "x" * (MAX_PAYLOAD_BYTES - 1) + '"', MAX_PAYLOAD_BYTES + 1),
        ('"' + "é" * (MAX_PAYLOAD_BYTES // 2) + '"', MAX_PAYLOAD_BYTES + 2),
        ('"' + "é" * MAX_PAYLOAD_BYTES + '"', 2 * MAX_PAYLOAD_BYTES + 2),
    ],
    ids=["one byte", "only in bytes", "before parsing"],
)
def test_a_payload_above_the_limit_is_too_large(argument: str, length: int) -> None:
    with pytest.raises(TooLarge) as caught:
        read(f'["call-ended",{argument}]', hide_credentials=True)
    assert caught.value.name == "call-ended"
    assert caught.value.length == length
    assert caught.value.head == '["…","…"'


def test_hiding_cannot_push_a_payload_past_the_limit() -> None:
    argument = "[" + ",".join(['{"token":1}'] * 80_000) + "]"
    assert len(argument) < MAX_PAYLOAD_BYTES
    with pytest.raises(TooLarge):
        read(f'["n",{argument}]', hide_credentials=True)
    assert read(f'["n",{argument}]', hide_credentials=False).payload == argument


def test_a_name_that_cannot_be_read_does_not_keep_a_payload_from_being_too_large() -> None:
    with pytest.raises(TooLarge) as caught:
        read(f'["\x01",{"1" * (MAX_PAYLOAD_BYTES + 1)}]', hide_credentials=True)
    assert caught.value.name == "…"


def test_a_megabyte_without_a_name_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        read("[" + "1," * MAX_PAYLOAD_BYTES, hide_credentials=True)
