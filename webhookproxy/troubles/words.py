"""A trouble in words: the cause first, since when, what is done next, what helps."""

from __future__ import annotations

from webhookproxy.reasons import DELIVERY_WORDS, DeliveryReason, Words
from webhookproxy.reasons.trouble_words import LASTING, NAMES, STATUS_ADVICE
from webhookproxy.troubles.now import Trouble, TroubleKind

_UNKNOWN_STATUS = "de erro"
_GROWING = "A fila deste webhook cresce: os eventos chegam mais rápido do que sua URL os recebe"


def trouble_words(
    trouble: Trouble, *, since: str, when: str | None = None, target: str | None = None
) -> Words:
    """Return the sentences of a trouble.

    `since` is its beginning as a text, `when` the next probe if one is planned, and `target` where
    a redirect leads, if that is known.
    """
    what = f"{_cause(trouble, target)}, desde {since}."
    if trouble.kind is TroubleKind.REFUSING:
        what = f"Recusando {percent(trouble.share)} dos eventos desde {since}: {_short(trouble)}."
    return Words(
        english=trouble_english(trouble),
        what=what,
        then=_then(trouble, when),
        you=_advice(trouble),
    )


def trouble_name(trouble: Trouble) -> str:
    """Return a short name that troubles of the same kind share, such as "Erro 500"."""
    if trouble.kind is TroubleKind.BEHIND:
        return "Fila que cresce"
    if trouble.reason is None:
        return "URL falhando"
    name = NAMES.get(trouble.reason, "URL falhando").format(status=_status(trouble))
    return f"Parte recusada: {_short(trouble)}" if trouble.kind is TroubleKind.REFUSING else name


def trouble_english(trouble: Trouble) -> str:
    """Return one English sentence without a time, for the command line."""
    if trouble.kind is TroubleKind.BEHIND:
        return "Events arrive faster than the receiver takes them."
    cause = DELIVERY_WORDS[trouble.reason or DeliveryReason.CIRCUIT_OPEN].english
    if trouble.kind is TroubleKind.REFUSING:
        many = f"{round(trouble.share * 100)} % of the events do not get through"
        return f"{many} ({trouble.status or 'no status'}). {cause}"
    return cause if trouble.status is None else f"{cause.removesuffix('.')} ({trouble.status})."


def percent(share: float) -> str:
    """Return a share as pages write it: "33 %"."""
    # U+00A0 keeps the number and its sign on one line.
    return f"{round(share * 100)}\u00a0%"


def _cause(trouble: Trouble, target: str | None) -> str:
    if trouble.kind is TroubleKind.BEHIND:
        return _GROWING
    if trouble.reason is None:
        return "Sua URL vem falhando"
    text = LASTING.get(trouble.reason) or DELIVERY_WORDS[trouble.reason].what.removesuffix(".")
    return text.format(status=_status(trouble), target=target or "outro endereço")


def _short(trouble: Trouble) -> str:
    """Return the answer in as few words as possible: its status, or the name of what failed."""
    # A 2xx that was no success does not say so by its status.
    if trouble.status is not None and trouble.reason is not DeliveryReason.ANSWER_FAILED:
        return str(trouble.status)
    name = NAMES.get(trouble.reason) if trouble.reason else None
    return (name or "sem resposta").format(status=_status(trouble)).lower()


def _status(trouble: Trouble) -> int | str:
    gone = trouble.reason is DeliveryReason.GONE
    return trouble.status or (410 if gone else _UNKNOWN_STATUS)


def _then(trouble: Trouble, when: str | None) -> str:
    kind = trouble.kind
    if kind is TroubleKind.PAUSED:
        return "Pausamos o webhook e guardamos os eventos."
    if kind is TroubleKind.REFUSING and trouble.refused < trouble.attempts:
        return "O resto é entregue, e cada recusado é tentado três vezes."
    if kind is TroubleKind.BEHIND:
        return "Nada se perde: o que espera sai na ordem de chegada, dentro do prazo do webhook."
    if when is None:
        return "Guardamos os eventos e tentamos de novo."
    return f"Guardamos tudo e testamos a URL de novo {when}; se der certo, os envios voltam."


def _advice(trouble: Trouble) -> str:
    if trouble.kind is TroubleKind.BEHIND:
        return (
            "Responda com status 200 antes de processar o evento, ou aumente o paralelismo ou o "
            "limite de envios do webhook."
        )
    answered = (DeliveryReason.REFUSED_STATUS, DeliveryReason.FAILED_STATUS)
    advice = STATUS_ADVICE.get(trouble.status or 0)
    if trouble.reason in answered and advice is not None:
        return advice
    return DELIVERY_WORDS[trouble.reason or DeliveryReason.CIRCUIT_OPEN].filled().you
