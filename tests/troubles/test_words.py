"""A trouble in words: its cause comes first, and the advice fits it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from webhookproxy.reasons import ACCEPTING, DELIVERY_WORDS, DeliveryReason
from webhookproxy.reasons.trouble_words import LASTING, NAMES
from webhookproxy.troubles.now import Trouble, TroubleKind
from webhookproxy.troubles.words import trouble_name, trouble_words

# A receiver's answer, or what kept it from answering: of these a webhook may fail.
OF_RECEIVERS = (
    set(NAMES) | set(LASTING) | {reason for reason in DeliveryReason if reason.startswith("tls_")}
)


def trouble(reason: DeliveryReason | None, **given: object) -> Trouble:
    values: dict[str, object] = {
        "kind": TroubleKind.FAILING, "webhook_id": 1, "since": datetime.now(UTC),
        "reason": reason, "status": None, "delivery_id": None, **given,
    }  # fmt: skip
    return Trouble(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", sorted(OF_RECEIVERS))
@pytest.mark.parametrize("kind", TroubleKind)
def test_every_cause_is_a_sentence_with_its_beginning_and_has_a_name(
    reason: DeliveryReason, kind: TroubleKind
) -> None:
    words = trouble_words(trouble(reason, kind=kind, attempts=9, refused=3), since="16:18")
    assert "desde 16:18" in words.what
    for part in (words.what, words.then, words.you, words.english):
        assert part.endswith(".")
        assert "{" not in part
        assert ".." not in part
    assert reason in NAMES
    assert "{" not in trouble_name(trouble(reason, kind=kind, attempts=9, refused=3))


def test_the_names_are_of_reasons_that_are_no_success() -> None:
    assert not OF_RECEIVERS & set(ACCEPTING)
    assert set(DELIVERY_WORDS) >= OF_RECEIVERS


def test_a_part_that_is_refused_says_how_large_it_is_and_with_what() -> None:
    found = trouble(
        DeliveryReason.REFUSED_STATUS,
        kind=TroubleKind.REFUSING,
        status=422,
        attempts=15,
        refused=5,
    )
    words = trouble_words(found, since="16:13")
    assert words.what == "Recusando 33\u00a0% dos eventos desde 16:13: 422."
    assert words.then.startswith("O resto é entregue")
    assert "não aceita os dados" in words.you
    whole = trouble_words(
        trouble(
            DeliveryReason.REFUSED_STATUS,
            kind=TroubleKind.REFUSING,
            status=422,
            attempts=5,
            refused=5,
        ),
        since="16:13",
    )
    assert "resto" not in whole.then


@pytest.mark.parametrize(
    ("reason", "status", "advice"),
    [
        (DeliveryReason.REFUSED_STATUS, 401, "autenticação"),
        (DeliveryReason.REFUSED_STATUS, 404, "endereço"),
        (DeliveryReason.FAILED_STATUS, 503, "fora do ar"),
        (DeliveryReason.TLS_UNTRUSTED, None, "Let's Encrypt"),
        (DeliveryReason.NAME_NOT_RESOLVED, None, "domínio"),
        (None, None, "online"),
    ],
)
def test_the_advice_fits_the_cause(
    reason: DeliveryReason | None, status: int | None, advice: str
) -> None:
    assert advice in trouble_words(trouble(reason, status=status), since="16:13").you
