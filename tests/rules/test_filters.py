"""The filters that may be stored, and their way through a webhook's edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import make_company, make_webhook, store_of
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.models.deliveries.tables import CONDITION_MAX
from webhookproxy.models.webhooks import edit_webhook, find_webhook
from webhookproxy.rules import Refused
from webhookproxy.rules.filters import (
    CONDITIONS_MAX,
    FILTERED_EVENTS_MAX,
    PATH_MAX,
    VALUE_MAX,
    check_filters,
    read_filters,
    stored_filters,
)
from webhookproxy.rules.webhooks import WebhookInput

GOOD = Condition("call.status", Operator.EQUAL, "7")


def problems(filters: Mapping[str, Sequence[Condition]]) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as refused:
        check_filters(filters)
    return [(each.english, each.portuguese) for each in refused.value.problems]


def test_nothing_is_no_filter() -> None:
    assert check_filters(None) is None
    assert check_filters({}) is None
    assert check_filters({"x": []}) is None
    assert stored_filters(None) is None
    assert read_filters(None) is None


def test_what_is_given_is_trimmed_and_what_is_said_twice_is_kept_once() -> None:
    exists = Condition(" tags[0] ", Operator.EXISTS, "left over")
    typed = Condition(" call.status", Operator.EQUAL, " 7 ")
    found = check_filters({"x": [typed, GOOD, exists]})
    assert found == {"x": (GOOD, Condition("tags[0]", Operator.EXISTS))}


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (replace(GOOD, path="call..status"), "não é um campo"),
        (replace(GOOD, path=""), "não é um campo"),
        (replace(GOOD, path="p" * (PATH_MAX + 1)), "passa de 150"),
        (replace(GOOD, value=" "), 'para o texto vazio, escreva ""'),
        (replace(GOOD, value="v" * (VALUE_MAX + 1)), "use um trecho"),
        (replace(GOOD, value="a\nb"), "quebras de linha"),
    ],
)
def test_a_condition_that_cannot_be_is_refused_in_words(condition: Condition, said: str) -> None:
    [(english, portuguese)] = problems({"x": [condition]})
    assert said in portuguese
    assert english.endswith(".")


def test_there_is_a_limit_to_conditions_and_to_events() -> None:
    many = [replace(GOOD, value=str(number)) for number in range(CONDITIONS_MAX + 1)]
    assert "no máximo 20" in problems({"x": many})[0][1]
    names = {f"event-{number}": [GOOD] for number in range(FILTERED_EVENTS_MAX + 1)}
    assert "no máximo 100" in problems(names)[0][1]
    assert "não é um nome de evento" in problems({" name": [GOOD]})[0][1]


def test_the_longest_condition_fits_into_a_delivery() -> None:
    longest = Condition("p" * PATH_MAX, Operator.DIFFERENT, "v" * VALUE_MAX)
    assert check_filters({"x": [longest]})
    assert not longest.words().endswith("…")
    assert len(longest.words()) <= CONDITION_MAX


def test_the_filters_of_a_webhook_are_stored_and_survive_an_edit_of_something_else(
    app: Flask,
) -> None:
    filters = {"x": (GOOD, Condition("tags", Operator.LACKS, '"null"'))}
    company = make_company(app)
    webhook = make_webhook(app, company, "http://127.0.0.1:9999/x", filters=filters)

    def rename(session: Session) -> WebhookInput:
        found = find_webhook(session, webhook)
        given = replace(found.input(), name="Outro")
        edit_webhook(session, found, given, app.extensions["policy"])
        return found.input()

    kept = store_of(app).session(rename)
    assert (kept.name, kept.filters) == ("Outro", filters)


def test_a_webhook_is_refused_with_its_filters_and_everything_else_at_once(app: Flask) -> None:
    company = make_company(app)
    with pytest.raises(Refused) as refused:
        make_webhook(app, company, "nonsense", filters={"x": [replace(GOOD, path="")]})
    assert {each.field for each in refused.value.problems} == {"url", "filters"}
