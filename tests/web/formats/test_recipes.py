"""Each recipe makes what the public documentation of its receiver demands."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from tests.events.formats.support import make_source, php_reads
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.formats.definition import Format, Unrenderable
from webhookproxy.events.formats.rendering import render
from webhookproxy.web.formats.draft import Draft
from webhookproxy.web.formats.recipes import recipes


def bitrix24_takes(body: bytes) -> dict[str, Any]:
    """Return the fields of a lead, as crm.lead.add demands them; fail for anything else."""
    sent = php_reads(body)
    assert set(sent) == {"fields"}
    fields: dict[str, Any] = sent["fields"]
    assert fields["TITLE"]
    for phone in fields["PHONE"].values():
        assert re.fullmatch(r"\+[0-9]{8,15}", phone["VALUE"])
        assert phone["VALUE_TYPE"] in ("WORK", "MOBILE", "HOME")
    assert parse_qs(body.decode("ascii"), strict_parsing=True)
    return fields


@pytest.mark.parametrize("event", ["call-was-connected", "call-history-was-created"])
def test_bitrix24_takes_the_lead(event: str) -> None:
    body, content_type = render(recipes()["bitrix24-lead"].format, make_source(event))
    assert content_type == "application/x-www-form-urlencoded"
    fields = bitrix24_takes(body)
    assert fields["TITLE"] == "Ligação (41) 90000-0001"
    assert fields["NAME"] == "Cliente 1"
    assert fields["COMMENTS"].endswith(", evt_018cc251f4007000800000000000002a")


def test_an_event_without_a_telephone_makes_no_lead() -> None:
    with pytest.raises(Unrenderable):
        render(recipes()["bitrix24-lead"].format, make_source("agent-is-idle"))


def test_every_recipe_says_what_was_read_and_when() -> None:
    for key, each in recipes().items():
        assert re.fullmatch(r"[a-z0-9-]+", key)
        assert urlsplit(each.documentation).scheme == urlsplit(each.address).scheme == "https"
        assert re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", each.read)
        assert set(each.events) <= set(CATALOG)
        assert each.yours
        assert each.repeat


def test_a_recipe_takes_the_place_of_what_the_form_had() -> None:
    draft = Draft.of(Format())
    draft.change(MultiDict({"recipe": "bitrix24-lead"}))
    assert draft.checked() == recipes()["bitrix24-lead"].format
    with pytest.raises(BadRequest):
        draft.change(MultiDict({"recipe": "nothing"}))
