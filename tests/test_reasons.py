"""Every code has words that pages can show."""

from __future__ import annotations

import string
from dataclasses import astuple
from enum import StrEnum
from itertools import chain
from typing import Any

import pytest
from sqlalchemy.orm import InstrumentedAttribute

from webhookproxy.models import Connection, Delivery, Event, Gap
from webhookproxy.reasons import (
    ALERT_ERROR_WORDS,
    CONNECTION_LABELS,
    CONNECTION_WORDS,
    DELIVERY_LABELS,
    DELIVERY_WORDS,
    DISK_WORDS,
    EVENT_WORDS,
    NO_DELIVERY_WORDS,
    PLATFORM_WORDS,
    SECOND_SOCKET_WORDS,
    STORING_WORDS,
    AlertError,
    ConnectionReason,
    ConnectionState,
    DeliveryReason,
    DeliveryState,
    DiskReason,
    EventNote,
    NoDeliveryReason,
    PlatformTrouble,
    SecondSocketState,
    StoringReason,
    Words,
    delivery_words,
)

# The codes that are stored, and the column that takes them: SQLite would take longer ones.
STORED: list[tuple[type[StrEnum], InstrumentedAttribute[Any]]] = [
    (EventNote, Event.note),
    (ConnectionReason, Connection.reason),
    (ConnectionReason, Gap.reason),
    (ConnectionState, Connection.state),
    (DeliveryState, Delivery.state),
    (DeliveryReason, Delivery.reason),
]
ALL_WORDS = list(
    chain(
        ((f"delivery {code}", words) for code, words in DELIVERY_WORDS.items()),
        ((f"event {code}", words) for code, words in EVENT_WORDS.items()),
        ((f"no delivery {code}", words) for code, words in NO_DELIVERY_WORDS.items()),
        ((f"connection {code}", words) for code, words in CONNECTION_WORDS.items()),
        ((f"storing {code}", words) for code, words in STORING_WORDS.items()),
        ((f"disk {code}", words) for code, words in DISK_WORDS.items()),
        ((f"platform {code}", words) for code, words in PLATFORM_WORDS.items()),
        ((f"second socket {code}", words) for code, words in SECOND_SOCKET_WORDS.items()),
        ((f"alert {code}", words) for code, words in ALERT_ERROR_WORDS.items()),
    )
)


def test_no_code_is_without_words() -> None:
    assert set(DELIVERY_WORDS) == set(DeliveryReason)
    assert set(EVENT_WORDS) == set(EventNote)
    assert set(NO_DELIVERY_WORDS) == set(NoDeliveryReason)
    assert set(CONNECTION_WORDS) == set(ConnectionReason)
    assert set(PLATFORM_WORDS) == set(PlatformTrouble)
    assert set(SECOND_SOCKET_WORDS) == set(SecondSocketState)
    assert set(STORING_WORDS) == set(StoringReason)
    assert set(DISK_WORDS) == set(DiskReason)
    assert set(ALERT_ERROR_WORDS) == set(AlertError)
    assert set(DELIVERY_LABELS) == set(DeliveryState)
    assert set(CONNECTION_LABELS) == set(ConnectionState)


@pytest.mark.parametrize("words", [w for _, w in ALL_WORDS], ids=[code for code, _ in ALL_WORDS])
def test_every_part_is_a_sentence_with_known_placeholders(words: Words) -> None:
    for part in astuple(words):
        assert part == part.strip()
        assert part.endswith(".")
        assert part[0].isupper() or part.startswith("3C Plus")
        assert "  " not in part
        # One kind of quotes: “ and ”.
        assert '"' not in part
        assert "desde há" not in part
    for part in (words.what, words.then, words.you):
        fields = {field for _, field, _, _ in string.Formatter().parse(part) if field}
        assert fields <= {"when", "since", "status", "target", "rule", "condition"}
    assert "{" not in words.english


@pytest.mark.parametrize("words", [w for _, w in ALL_WORDS], ids=[code for code, _ in ALL_WORDS])
def test_words_read_well_also_when_nothing_is_known(words: Words) -> None:
    filled = astuple(words.filled())
    assert not any("{" in part or "desde há" in part for part in filled)


def test_the_placeholders_are_filled_in() -> None:
    words = DELIVERY_WORDS[DeliveryReason.FAILED_STATUS].filled(when="em 30 s", status=503)
    assert words.what == "Sua URL respondeu com erro: status 503."
    assert words.then == "Guardamos o evento e tentamos de novo em 30 s."


def test_a_redirect_says_where_it_leads() -> None:
    words = DELIVERY_WORDS[DeliveryReason.REDIRECTED]
    told = words.filled(status=301, target="https://final.example/hook")
    assert told.what.startswith("A URL redireciona para https://final.example/hook")
    assert "outro endereço" in words.filled().what


def test_the_guides_own_sentences_are_there() -> None:
    refused = CONNECTION_WORDS[ConnectionReason.REFUSED]
    assert refused.what.startswith("Token inválido")
    assert "o token da 3C Plus está correto" in refused.you
    assert "a empresa está ativa na 3C Plus" in refused.you
    failed = DELIVERY_WORDS[DeliveryReason.CONNECTION_FAILED]
    assert failed.what.startswith("URL não acessível")
    assert "sua URL está online" in failed.you
    assert "aceita requisições POST" in failed.you
    assert "status 200" in DELIVERY_WORDS[DeliveryReason.FAILED_STATUS].you


@pytest.mark.parametrize(
    "state", [DeliveryState.REFUSED, DeliveryState.EXPIRED, DeliveryState.CANCELLED]
)
@pytest.mark.parametrize("reason", DeliveryReason)
def test_a_delivery_that_ended_is_not_promised_another_attempt(
    state: DeliveryState, reason: DeliveryReason
) -> None:
    words = delivery_words(state, reason)
    assert "{when}" not in words.then
    assert words.what == DELIVERY_WORDS[reason].what


def test_a_delivery_that_waits_says_when_it_is_tried_again() -> None:
    words = delivery_words(DeliveryState.RETRYING, DeliveryReason.REFUSED_STATUS)
    assert "{when}" in words.then


@pytest.mark.parametrize(("codes", "column"), STORED, ids=lambda each: str(each))
def test_every_stored_code_fits_its_column(
    codes: type[StrEnum], column: InstrumentedAttribute[Any]
) -> None:
    longest = getattr(column.type, "length", None)
    assert longest is None or all(len(code.value) <= longest for code in codes)


def test_the_note_that_was_too_long_is_still_read() -> None:
    assert EventNote("may_be_repeat") is EventNote.MAY_BE_REPEAT
