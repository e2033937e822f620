"""What conditions would have done, and the payload to click on, as the two databases know them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from tests.support.application import application, make_company
from tests.web.support.deliveries import event_row, insert
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.extensions import db
from webhookproxy.web.filters import sample as filter_sample
from webhookproxy.web.filters.sample import Sample, find_sample
from webhookproxy.web.filters.trial import Trial, try_conditions

NAME = "call-was-connected"


def tried(app: Flask, company: int, *conditions: Condition) -> Trial:
    with app.app_context():
        place = app.extensions["search"]
        return try_conditions(db.session(), place, company, NAME, conditions)


def sample_of(app: Flask, company: int) -> Sample:
    with app.app_context():
        return find_sample(db.session(), app.extensions["search"], company, NAME, "", {"d.e"})


def test_the_events_of_an_index_and_those_that_are_newer_are_tried(
    database_url: str, tmp_path: Path
) -> None:
    with application(database_url, tmp_path) as app:
        company = make_company(app)
        rows = [
            event_row(n, company, name=NAME if n % 2 else "outro", payload=f'{{"n": {n}}}')
            for n in range(1, 101)
        ]
        insert(app, rows[:60])
        assert app.test_cli_runner().invoke(args=["search", "rebuild"]).exit_code == 0
        insert(app, rows[60:])
        found = tried(app, company, Condition("n", Operator.GREATER, "40"))
        assert (found.sent, found.looked_at, found.behind, found.cut) == (30, 50, 0, False)
        assert [each.public_id for each in found.some_sent][:2] == [
            f"evt_{number:032x}" for number in (99, 97)
        ]
        assert sample_of(app, company).public_id == f"evt_{99:032x}"


def test_what_cannot_be_looked_into_is_sent_as_at_intake(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    company = make_company(app)
    insert(app, [event_row(1, company, name=NAME, payload="{no json")])
    found = tried(app, company, Condition("n", Operator.EXISTS))
    assert (found.sent, found.looked_at) == (1, 1)
    assert "cannot look into a payload of 8 characters" in caplog.text
    assert sample_of(app, company).branches == ()


def test_a_payload_is_shown_object_by_object_and_a_large_one_is_folded(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = make_company(app)
    payload = {"a": {"x y": 1, "b": {"c": [1, {"k": None}]}}, "d": {"e": "é"}, "top": True}
    insert(app, [event_row(1, company, name=NAME, payload=json.dumps(payload))])
    found = sample_of(app, company)
    assert [(each.path, [leaf.name for leaf in each.leaves]) for each in found.branches] == [
        ("", ["top"]),
        ("a", ['["x y"]']),
        ("a.b.c", ["[0]"]),
        ("a.b.c[1]", ["k"]),
        ("d", ["e"]),
    ]
    assert all(each.is_open for each in found.branches)
    assert not found.cut
    monkeypatch.setattr(filter_sample, "OPEN_MAX", 2)
    # The first object is open, and those that a condition is about.
    opened = [each.path for each in sample_of(app, company).branches if each.is_open]
    assert opened == ["", "a", "d"]
    monkeypatch.setattr(filter_sample, "FIELDS_MAX", 2)
    found = sample_of(app, company)
    assert found.cut
    assert len(found.paths) == 2


def test_a_payload_that_is_as_deep_as_may_be_is_shown(app: Flask) -> None:
    company = make_company(app)
    deep = '{"k":' * 1_000 + "1" + "}" * 1_000
    insert(app, [event_row(1, company, name=NAME, payload=deep)])
    (branch,) = sample_of(app, company).branches
    # No condition may have a path that is so long.
    assert [leaf.take for leaf in branch.leaves] == [""]
