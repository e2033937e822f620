"""The link to a recording in a payload's text."""

from __future__ import annotations

import json

import pytest

from webhookproxy.platform.recording_links import (
    is_askable,
    may_be_recorded,
    recording_token,
    recording_url,
    with_recording,
)

URL = recording_url("https://proxy.example", "t" * 22)
PAYLOADS = {
    "as it came, but for the last brace": (
        '{"callHistory": {"n": 1.10, "a":"\\u00e9"} }',
        f'{{"callHistory": {{"n": 1.10, "a":"\\u00e9"}} ,"recording_url":"{URL}"}}',
    ),
    "white space around it": ('{"a":1}\n ', f'{{"a":1,"recording_url":"{URL}"}}'),
    "an empty object": ("{ }", f'{{ "recording_url":"{URL}"}}'),
    "no object": ("[1]", "[1]"),
    "the field is there already": ('{"recording_url":1}', '{"recording_url":1}'),
}


@pytest.mark.parametrize(("payload", "expected"), PAYLOADS.values(), ids=PAYLOADS)
def test_the_link_is_the_last_field_and_all_else_stays_as_it_came(
    payload: str, expected: str
) -> None:
    assert with_recording(payload, URL) == expected
    json.loads(expected)


def test_a_token_is_the_same_for_the_same_event_and_for_no_other() -> None:
    token = recording_token("key", "evt_1")
    assert len(token) == 22
    assert token == recording_token("key", "evt_1")
    assert token not in (recording_token("key", "evt_2"), recording_token("yek", "evt_1"))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"callHistory": {"_id": "a"}}, True),
        ({"callHistory": {"_id": "a", "recorded": True}}, True),
        ({"callHistory": {"_id": "a", "recorded": False}}, False),
        ({"call": {"_id": "a", "recorded": "0"}}, False),
        ({"agent": {}}, False),
    ],
)
def test_a_history_that_says_so_has_no_recording(payload: object, expected: bool) -> None:
    assert may_be_recorded(payload) is expected


@pytest.mark.parametrize("text", ["", "../me", "a/b", "a?b", "a%2f", "a b", "é", "a" * 65])
def test_an_odd_id_is_no_part_of_an_address(text: str) -> None:
    assert not is_askable(text)
