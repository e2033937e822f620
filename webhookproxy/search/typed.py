"""Names found as Brazilians type them: without accents and capitals, the words in any order.

For the names of events a word also finds its other gender and number, and words that mean the same
on these pages: "ligação" finds what a description calls "chamada". static/events.js does the same
in the browser, with what more_words says here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from webhookproxy.events.catalog import CATALOG
from webhookproxy.search.terms import NAME, Group, Pattern, fold

# Names that a part of a name may mean.
NAMES_MAX = 60
# A shorter stem would mean too much.
_STEM_MIN = 4
_ENDING = re.compile(r"(?:oes|aos|ao|os|as|o|a|s)$")
# A text with one of the first pieces is also found by the words beside them.
_SYNONYMS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("chamad", "ligac", "call-"), "chamada ligacao telefonema"),
    (("conectad", "was-answered", "call-answered"), "conectada atendida"),
    (("tabulac", "qualif"), "tabulacao tabulada qualificacao qualificada"),
    (("not-answered", "unanswered"), "nao atendida sem resposta"),
    (("hung-up", "hangup", "was-ended", "desligad"), "desligada encerrada desligamento"),
    (("history", "historico"), "historico registro final"),
    (("created",), "criada nova inicio"),
    (("acw", "tpa"), "tpa pos-atendimento"),
    (("idle", "ocios"), "ocioso livre disponivel"),
    (("work-break", "intervalo"), "pausa intervalo"),
    (("transfer",), "transferida transferencia"),
    (("receptive", "receptiv"), "receptiva entrada"),
)


def has_all(typed: str, text: str) -> bool:
    """Return whether a text has every typed word, in any order."""
    folded = fold(text)
    return all(word in folded for word in fold(typed).split())


def fits_event(typed: str, name: str, description: str = "") -> bool:
    """Return whether every typed word, or one that means the same, is about this event."""
    text = event_text(name, description)
    return all(stem(word) in text for word in fold(typed).split())


def stem(word: str) -> str:
    """Return a folded word without the ending of its gender and number."""
    shorter = _ENDING.sub("", word)
    return shorter if len(shorter) >= _STEM_MIN else word


# A list compares thousands of events of a few names.
@lru_cache(maxsize=2_000)
def is_named(typed: str, name: str) -> bool:
    """Return whether an event's name has every typed word; a name of the catalogue means itself."""
    return name == typed if typed in CATALOG else has_all(typed, name)


def name_patterns(typed: str, known: Iterable[str]) -> Group:
    """Return the patterns of the names that have every typed word, NAMES_MAX at most.

    A name that is `known` as it was typed means only itself.
    """
    names = set(known)
    if typed in names:
        return (Pattern(NAME + typed),)
    found = sorted(name for name in names if has_all(typed, name) and not name.startswith(typed))
    begins = Pattern(NAME + typed, prefix=True)
    return (begins, *(Pattern(NAME + name) for name in found[:NAMES_MAX]))


@lru_cache(maxsize=1_000)
def event_text(name: str, description: str = "") -> str:
    """Return all that an event is found by: name, description, category, and words like these."""
    known = CATALOG.get(name)
    about = "" if known is None else known.description
    return f"{fold(f'{name} {about} {description}')} {more_words(name)}"


@lru_cache(maxsize=1_000)
def more_words(name: str) -> str:
    """Return what an event is found by beside its name and description."""
    known = CATALOG.get(name)
    category, about = ("", "") if known is None else (known.category, known.description)
    text = fold(f"{name} {category} {about}")
    also = [words for pieces, words in _SYNONYMS if any(piece in text for piece in pieces)]
    return " ".join([fold(category), *also])
