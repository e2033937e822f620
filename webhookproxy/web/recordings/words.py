"""Why there is no recording to hear, in words for the person who pressed the button."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from webhookproxy.platform.recordings import RecordingTrouble


class Said(NamedTuple):
    """The status of the answer, its heading, and what to do."""

    status: int
    heading: str
    sentence: str


_LATER = "Espere alguns segundos e tente de novo."
_TELL = "Avise quem enviou o link: o acesso à 3C Plus precisa ser conferido."

SAID: Mapping[RecordingTrouble, Said] = MappingProxyType(
    {
        RecordingTrouble.NOT_READY: Said(
            503,
            "Ainda não está pronta",
            "A 3C Plus ainda prepara esta gravação: leva de segundos a alguns minutos depois da "
            "ligação. Se a ligação é antiga, talvez não tenha sido gravada. Tente de novo em um "
            "minuto.",
        ),
        RecordingTrouble.NO_AUDIO: Said(
            404,
            "Sem áudio",
            "A 3C Plus tem o registro desta ligação, mas sem nenhum áudio, como acontece com caixa "
            "postal.",
        ),
        RecordingTrouble.NOT_AUDIO: Said(
            502, "Isto não é um áudio", f"A 3C Plus respondeu com outra coisa. {_TELL}"
        ),
        RecordingTrouble.OUT_OF_RANGE: Said(
            416, "Esta parte não existe", "A gravação é mais curta do que o trecho pedido."
        ),
        RecordingTrouble.THROTTLED: Said(
            503,
            "Muitos pedidos ao mesmo tempo",
            "A 3C Plus entrega uma gravação a cada cinco segundos por empresa, e há outras na "
            f"frente. {_LATER}",
        ),
        RecordingTrouble.TOO_MANY: Said(
            503,
            "Muitas gravações abertas",
            f"Já há muitas gravações sendo baixadas agora. {_LATER}",
        ),
        RecordingTrouble.REFUSED: Said(502, "A 3C Plus não aceitou o pedido", _TELL),
        RecordingTrouble.FAILING: Said(
            503, "A 3C Plus está com uma falha", f"Não é com este link. {_LATER}"
        ),
        RecordingTrouble.NOT_UNDERSTOOD: Said(
            502,
            "Não entendemos a resposta da 3C Plus",
            f"{_LATER} Se isso se repete, avise quem enviou o link.",
        ),
        RecordingTrouble.NOT_REACHED: Said(
            503, "Não conseguimos falar com a 3C Plus", f"Não é com este link. {_LATER}"
        ),
        RecordingTrouble.NO_ADDRESS: Said(502, "Não sabemos onde pedir esta gravação", _TELL),
    }
)
