"""A comparison of a day with 3C Plus in words, for the page and for the client."""

from __future__ import annotations

from datetime import date

from webhookproxy.events.recovery.comparison import AtWebhook, Compared, Fate
from webhookproxy.models.recovery.comparisons import ComparisonState, DayComparison, yesterday
from webhookproxy.reasons import PLATFORM_WORDS, PlatformTrouble
from webhookproxy.web.shared.formats import number, plural

# The calls that the webhook did not accept, in the words for one and for many.
_OTHERS = (
    (Fate.WAITING, "a caminho", "a caminho"),
    (Fate.FAILED, "com falha", "com falha"),
    (Fate.NOT_SENT, "não enviada", "não enviadas"),
    (Fate.KEPT_BACK, "fora do filtro", "fora do filtro"),
)


def day_words(day: date) -> str:
    """Return "ontem (28/11)" for the last day that is over, and "28/11/2026" for another one."""
    return f"ontem ({day:%d/%m})" if day == yesterday() else f"{day:%d/%m/%Y}"


def client_sentence(day: date, found: Compared, at: AtWebhook, name: str) -> str:
    """Return what the client is told: how many calls there were, and how many the CRM got."""
    listed = plural(found.listed, "ligação", "ligações")
    when = day_words(day).capitalize()
    said = f"{when}: {listed} na 3C Plus, {number(at.count(Fate.DELIVERED))} no {name}"
    others = [plural(at.count(fate), one, many) for fate, one, many in _OTHERS if at.count(fate)]
    if found.missing_count:
        missing = plural(found.missing_count, "não chegou aqui", "não chegaram aqui")
        others.insert(0, missing)
    if found.gone:
        others.append(plural(found.gone, "já apagada aqui", "já apagadas aqui"))
    return said + (f" ({', '.join(others)})" if others else "") + "."


def progress_words(asked: DayComparison) -> str:
    """Return how far a comparison without a result is, or why it has none."""
    trouble = ""
    if asked.trouble is not None:
        words = PLATFORM_WORDS[PlatformTrouble(asked.trouble)]
        trouble = f" {words.what}"
        if asked.is_running:
            trouble += f" {words.then}"
    if asked.state == ComparisonState.STOPPED:
        return f"A comparação parou.{trouble or ' Houve um erro nosso: tente de novo.'}"
    listed = plural(asked.listed, "ligação", "ligações")
    return f"Perguntando à 3C Plus: {listed} até agora.{trouble}"
