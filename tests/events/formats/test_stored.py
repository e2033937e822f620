"""A format as the database keeps it, and as it is typed."""

from __future__ import annotations

import json

import pytest

from webhookproxy.events.formats.definition import Encoding, Format, FormatKind
from webhookproxy.events.formats.stored import read_format, stored_format
from webhookproxy.rules import Refused
from webhookproxy.rules.formats import chosen_format


def test_every_format_comes_back_from_the_database_as_it_was() -> None:
    for kind in FormatKind:
        for encoding in Encoding:
            wanted = chosen_format(kind.value, encoding.value)
            assert read_format(json.loads(json.dumps(stored_format(wanted)))) == wanted


def test_the_default_is_stored_as_nothing() -> None:
    assert stored_format(Format()) is None
    assert read_format(None) == Format()


def test_a_format_of_another_version_is_not_taken_for_the_default() -> None:
    with pytest.raises(ValueError, match="newer version"):
        read_format({"kind": "xml", "encoding": "json"})


def test_a_word_that_is_no_format_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refused) as refused:
        chosen_format("xml", "yaml")
    assert [each.field for each in refused.value.problems] == ["format", "encoding"]
    assert all("socket2webhook" in each for each in (refused.value.problems[0].portuguese,))
