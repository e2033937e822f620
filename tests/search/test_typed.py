"""Names found as Brazilians type them."""

from __future__ import annotations

import pytest

from webhookproxy.events.catalog import CATALOG, USUAL
from webhookproxy.search.terms import NAME, Pattern
from webhookproxy.search.typed import NAMES_MAX, fits_event, has_all, name_patterns


@pytest.mark.parametrize(
    "typed", ["sao joao", "SÃO JOÃO", "joão central", "  Joao  ", "são", "central sao joao"]
)
def test_a_name_is_found_without_accents_and_with_its_words_in_any_order(typed: str) -> None:
    assert has_all(typed, "Central São João")


@pytest.mark.parametrize("typed", ["sao jose", "joaozinho", "central %"])
def test_every_word_must_be_there(typed: str) -> None:
    assert not has_all(typed, "Central São João")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("conectada", "call-was-connected"),
        ("conectado", "call-was-connected"),
        ("CHAMADAS conectadas", "call-was-connected"),
        ("ligação", "call-was-connected"),
        ("ligações atendidas", "call-was-answered"),
        ("chamada call-was", "call-was-connected"),
        ("tabulação", "call-was-qualified"),
        ("qualificada", "call-was-qualified"),
        ("tabulacao", "call-history-was-created"),
        ("historico", "call-history-was-created"),
        ("não atendida", "call-was-not-answered"),
        ("ociosa", "agent-is-idle"),
        ("connected call", "call-was-connected"),
        ("", "agent-is-idle"),
    ],
)
def test_an_event_is_found_by_what_people_call_it(typed: str, name: str) -> None:
    assert fits_event(typed, name)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("conectada", "call-was-not-answered"),
        ("whatsapp", "call-was-connected"),
        ("chamada ociosa", "call-was-connected"),
    ],
)
def test_other_events_are_not_found(typed: str, name: str) -> None:
    assert not fits_event(typed, name)


def test_an_event_outside_the_catalogue_is_found_by_its_name_and_description() -> None:
    assert fits_event("transcricao", "novo-evento", "Uma transcrição")
    assert fits_event("evento novo", "novo-evento")


def test_what_most_receivers_need_is_in_the_catalogue() -> None:
    assert all(CATALOG[name].documented for name in USUAL)


def test_a_part_of_a_name_means_every_name_that_has_it() -> None:
    known = ["call-was-connected", "call-was-created", "agent-is-connected"]
    assert name_patterns("call-was-created", known) == (Pattern(NAME + "call-was-created"),)
    assert name_patterns("connected", known) == (
        Pattern(NAME + "connected", prefix=True),
        Pattern(NAME + "agent-is-connected"),
        Pattern(NAME + "call-was-connected"),
    )
    assert name_patterns("call-was", known) == (Pattern(NAME + "call-was", prefix=True),)
    assert len(name_patterns("x", [f"y-x-{number}" for number in range(200)])) == NAMES_MAX + 1
